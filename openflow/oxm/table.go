package oxm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
)

// Info describes one field.
type Info struct {
	Field     Field
	older     Field  // Nicira's number of a field that OpenFlow 1.3 has, too; 0 none
	Name      string // in ovs-ofctl's set_field
	MatchName string // in ovs-ofctl's matches
	Size      int    // bytes
	Style     Style
	flags     flags
	Needs     *Prerequisite
	source
}

type flags uint8

const (
	mask flags = 1 << iota // Open vSwitch takes masks that are neither all ones nor all zeros
	set                    // set_field and load may write it
	oxm                    // without a number in Nicira's classes
)

// Maskable reports whether the field may be matched in part.
func (i *Info) Maskable() bool { return i.flags&mask != 0 }

// Settable reports whether actions may write the field.
func (i *Info) Settable() bool { return i.flags&set != 0 }

// NXM returns the name by which ovs-ofctl's load and move call the field.
func (i *Info) NXM() string {
	name := strings.ToUpper(strings.Replace(i.Name, "nw_", "ip_", 1))
	switch {
	case i.flags&oxm != 0:
		return "OXM_OF_" + name
	case i.Field&^0x7f == nxm1 || i.older != 0:
		return "NXM_NX_" + name
	}
	return "NXM_OF_" + name
}

// Style says how ovs-ofctl writes a value.
type Style uint8

// The styles.
const (
	Decimal Style = iota
	Hex
	MAC
	IP
	Port
	DSCP // in a match as the whole TOS byte
	ConnState
)

// Fields lists every field in the order in which ovs-ofctl writes them in a match.
var Fields = slices.Concat([]Info{
	{PktMark, 0, "pkt_mark", "", 4, Hex, mask | set, nil, state(func(p *Packet) *uint32 { return &p.PktMark })},
	{CTState, 0, "ct_state", "", 4, ConnState, mask, nil, state(func(p *Packet) *uint32 { return &p.CTState })},
	{CTZone, 0, "ct_zone", "", 2, Decimal, 0, nil, state(func(p *Packet) *uint16 { return &p.CTZone })},
	{CTMark, 0, "ct_mark", "", 4, Hex, mask, nil, state(func(p *Packet) *uint32 { return &p.CTMark })},
}, registers(), []Info{
	{TunnelID, nxm1 | 16, "tun_id", "", 8, Hex, mask | set, nil, state(func(p *Packet) *uint64 { return &p.TunnelID })},
	{TunSrc, 0, "tun_src", "", 4, IP, mask, nil, state(func(p *Packet) *uint32 { return &p.TunSrc })},
	{TunDst, 0, "tun_dst", "", 4, IP, mask, nil, state(func(p *Packet) *uint32 { return &p.TunDst })},
	{Metadata, 0, "metadata", "", 8, Hex, mask | set | oxm, nil, state(func(p *Packet) *uint64 { return &p.Metadata })},
	{InPort, 0, "in_port", "", 4, Port, 0, nil, state(func(p *Packet) *openflow.PortNo { return &p.InPort })},
	{VLANVID, 0, "vlan_vid", "", 2, Decimal, mask | set | oxm, nil, source{get: getVLANVID, set: setVLANVID}},
	{VLANPCP, 0, "vlan_pcp", "dl_vlan_pcp", 1, Decimal, set | oxm, needsTag, source{get: getVLANPCP, set: setVLANPCP}},
	{EthSrc, 0, "eth_src", "dl_src", 6, MAC, mask | set, nil, ethernet(6, 6)},
	{EthDst, 0, "eth_dst", "dl_dst", 6, MAC, mask | set, nil, ethernet(0, 6)},
	{EthType, 0, "eth_type", "dl_type", 2, Hex, 0, nil, source{bytes: etherType}},
	{IPv6Src, nxm1 | 19, "ipv6_src", "", 16, IP, mask, needsIPv6, ipv6(8, 16)},
	{IPv6Dst, nxm1 | 20, "ipv6_dst", "", 16, IP, mask, needsIPv6, ipv6(24, 16)},
	{IPv6Label, nxm1 | 27, "ipv6_label", "", 4, Hex, mask, needsIPv6, source{get: getIPv6Label}},
	{ARPSPA, 0, "arp_spa", "", 4, IP, mask | set, needsARP, arp(14, 4)},
	{ARPTPA, 0, "arp_tpa", "", 4, IP, mask | set, needsARP, arp(24, 4)},
	{IPv4Src, 0, "ip_src", "nw_src", 4, IP, mask, needsIPv4, ipv4(12, 4)},
	{IPv4Dst, 0, "ip_dst", "nw_dst", 4, IP, mask, needsIPv4, ipv4(16, 4)},
	{IPProto, 0, "nw_proto", "", 1, Decimal, 0, needsIP, ip(9, 6)},
	{ARPOp, 0, "arp_op", "", 2, Decimal, set, needsARP, arp(6, 2)},
	{ARPSHA, nxm1 | 17, "arp_sha", "", 6, MAC, mask | set, needsARP, arp(8, 6)},
	{ARPTHA, nxm1 | 18, "arp_tha", "", 6, MAC, mask | set, needsARP, arp(18, 6)},
	{IPDSCP, 0, "ip_dscp", "nw_tos", 1, DSCP, set | oxm, needsIP, source{get: getDSCP, set: setDSCP}},
	{IPECN, 0, "nw_ecn", "", 1, Decimal, 0, needsIP, source{get: getECN}},
	{IPTTL, 0, "nw_ttl", "", 1, Decimal, 0, needsIP, ip(8, 7)},
	{ICMPType, 0, "icmp_type", "", 1, Decimal, 0, needsICMP, icmp(0, 1)},
	{ICMPCode, 0, "icmp_code", "", 1, Decimal, 0, needsICMP, icmp(1, 1)},
	{ICMPv6Type, nxm1 | 21, "icmpv6_type", "icmp_type", 1, Decimal, 0, needsICMPv6, icmpv6(0, 1)},
	{ICMPv6Code, nxm1 | 22, "icmpv6_code", "icmp_code", 1, Decimal, 0, needsICMPv6, icmpv6(1, 1)},
	{TCPSrc, 0, "tcp_src", "tp_src", 2, Decimal, mask, needsTCP, tcp(0, 2)},
	{TCPDst, 0, "tcp_dst", "tp_dst", 2, Decimal, mask, needsTCP, tcp(2, 2)},
	{UDPSrc, 0, "udp_src", "tp_src", 2, Decimal, mask, needsUDP, udp(0, 2)},
	{UDPDst, 0, "udp_dst", "tp_dst", 2, Decimal, mask, needsUDP, udp(2, 2)},
	{NDTarget, nxm1 | 23, "nd_target", "", 16, IP, mask, needsND, icmpv6(8, 16)},
	{NDSLL, nxm1 | 24, "nd_sll", "", 6, MAC, mask, needsNDSolicit, ndOption(1)},
	{NDTLL, nxm1 | 25, "nd_tll", "", 6, MAC, mask, needsNDAdvert, ndOption(2)},
})

func registers() (list []Info) {
	for i := range Field(Regs) {
		list = append(list, Info{
			Field: Reg0 + i, Name: fmt.Sprintf("reg%d", i), Size: 4, Style: Hex,
			flags: mask | set, source: state(func(p *Packet) *uint32 { return &p.Regs[i] }),
		})
	}
	return list
}

// index finds a field by its number, older ones included: of Nicira's class and of OpenFlow's.
var index = func() (ix [2][1 << 7]*Info) {
	for i := range Fields {
		f := &Fields[i]
		if f.MatchName == "" {
			f.MatchName = f.Name
		}
		for _, number := range []Field{f.Field, f.older} {
			if number != 0 {
				ix[number>>7>>15][number&0x7f] = f
			}
		}
	}
	return ix
}()
