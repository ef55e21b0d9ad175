package oftext

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// matchOrder is the order in which ovs-ofctl writes the fields; nil values
// mark where the protocol, the VLAN and the registers come.
var (
	beforeProtocol = []Field{CTState, CTZone, CTMark}
	afterProtocol  = []Field{TunnelID, TunSrc, TunDst, Metadata, InPort}
	afterVLAN      = []Field{
		EthSrc, EthDst, EthType, IPv6Src, IPv6Dst, IPv6Label, ARPSPA, ARPTPA, IPv4Src, IPv4Dst, IPProto, ARPOp,
		ARPSHA, ARPTHA, IPDSCP, IPECN, IPTTL, ICMPType, ICMPCode, ICMPv6Type, ICMPv6Code, TCPSrc, TCPDst, UDPSrc, UDPDst,
		NDTarget, NDSLL, NDTLL,
	}
)

// packetType is OpenFlow 1.5's field; 0 is an Ethernet frame.
const packetType Field = classBasic<<7 | 44

// Match writes OXM TLVs, without the header and padding of ofp_match, as
// ovs-ofctl does. The empty match is the empty string.
func Match(oxm []byte) string {
	m := make(map[Field]TLV)
	var unknown []string
	for len(oxm) > 0 {
		t, rest, ok := Cut(oxm)
		if !ok {
			unknown = append(unknown, "malformed="+hex.EncodeToString(oxm))
			break
		}
		if t.Field == packetType && number(t.Value) == 0 {
			oxm = rest
			continue // Ethernet: OVS dumps it in some cases, ovs-ofctl does not print it
		}
		if n, known := t.Field.Known(); known && n == len(t.Value) {
			m[t.Field] = t
		} else {
			s := fmt.Sprintf("%v=0x%x", t.Field, t.Value)
			if t.Mask != nil {
				s += fmt.Sprintf("/0x%x", t.Mask)
			}
			unknown = append(unknown, s)
		}
		oxm = rest
	}
	var parts []string
	put := func(fs ...Field) {
		for _, f := range fs {
			t, ok := m[f]
			if !ok {
				continue
			}
			info := fields[f]
			name, value := info.match, format(info.style, t.Value, t.Mask)
			if f == IPDSCP {
				name, value = "nw_tos", fmt.Sprint(t.Value[0]<<2)
			}
			parts = append(parts, name+"="+value)
		}
	}
	put(beforeProtocol...)
	if name := protocol(m); name != "" {
		parts = append(parts, name)
	}
	for i := range Field(16) {
		put(Reg0 + i)
	}
	put(afterProtocol...)
	if s := vlan(m); s != "" {
		parts = append(parts, s)
	}
	put(afterVLAN...)
	return strings.Join(append(parts, unknown...), ",")
}

// protocol returns ovs-ofctl's short name for ethertype and IP protocol and
// takes from m what the name says.
func protocol(m map[Field]TLV) string {
	t, ok := m[EthType]
	if !ok || t.Mask != nil {
		return ""
	}
	names := map[uint64]string{}
	name := ""
	switch number(t.Value) {
	case 0x0800:
		name, names = "ip", map[uint64]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 132: "sctp"}
	case 0x86dd:
		name, names = "ipv6", map[uint64]string{58: "icmp6", 6: "tcp6", 17: "udp6", 132: "sctp6"}
	case 0x0806:
		name = "arp"
	case 0x8035:
		name = "rarp"
	default:
		return ""
	}
	delete(m, EthType)
	if p, ok := m[IPProto]; ok && p.Mask == nil && names[number(p.Value)] != "" {
		name = names[number(p.Value)]
		delete(m, IPProto)
	}
	return name
}

// vlan writes VID and priority, which ovs-ofctl takes for one field.
func vlan(m map[Field]TLV) string {
	var tci, mask uint16
	if t, ok := m[VLANVID]; ok {
		tci, mask = uint16(number(t.Value)), 0x1fff
		if t.Mask != nil {
			mask = uint16(number(t.Mask))
		}
	}
	if t, ok := m[VLANPCP]; ok {
		tci |= uint16(number(t.Value)) << 13
		mask |= 0xe000
	}
	vid, pcp := mask&0xfff == 0xfff, mask&0xe000 == 0xe000
	switch {
	case mask == 0:
		return ""
	case mask&tci&0x1000 != 0 && (vid || pcp):
		var s []string
		if vid {
			s = append(s, fmt.Sprintf("dl_vlan=%d", tci&0xfff))
		}
		if pcp {
			s = append(s, fmt.Sprintf("dl_vlan_pcp=%d", tci>>13))
		}
		return strings.Join(s, ",")
	}
	return fmt.Sprintf("vlan_tci=0x%04x/0x%04x", tci, mask)
}
