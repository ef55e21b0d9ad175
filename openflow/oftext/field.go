package oftext

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Field names one OXM field: its class in the upper and its number in the
// lower bits, as the upper 23 bits of an OXM header give it.
type Field uint32

// OXM classes (OpenFlow 1.3.5 section 7.2.3.3; nicira-ext.h).
const (
	classNXM1  = 0x0001
	classBasic = 0x8000

	classExperimenter = 0xffff
)

func nxm1(n Field) Field { return classNXM1<<7 | n }

// Fields of OpenFlow 1.3 (section 7.2.3.7).
const (
	InPort     Field = classBasic << 7
	Metadata   Field = classBasic<<7 | 2
	EthDst     Field = classBasic<<7 | 3
	EthSrc     Field = classBasic<<7 | 4
	EthType    Field = classBasic<<7 | 5
	VLANVID    Field = classBasic<<7 | 6
	VLANPCP    Field = classBasic<<7 | 7
	IPDSCP     Field = classBasic<<7 | 8
	IPECN      Field = classBasic<<7 | 9
	IPProto    Field = classBasic<<7 | 10
	IPv4Src    Field = classBasic<<7 | 11
	IPv4Dst    Field = classBasic<<7 | 12
	TCPSrc     Field = classBasic<<7 | 13
	TCPDst     Field = classBasic<<7 | 14
	UDPSrc     Field = classBasic<<7 | 15
	UDPDst     Field = classBasic<<7 | 16
	ICMPType   Field = classBasic<<7 | 19
	ICMPCode   Field = classBasic<<7 | 20
	ARPOp      Field = classBasic<<7 | 21
	ARPSPA     Field = classBasic<<7 | 22
	ARPTPA     Field = classBasic<<7 | 23
	ARPSHA     Field = classBasic<<7 | 24
	ARPTHA     Field = classBasic<<7 | 25
	IPv6Src    Field = classBasic<<7 | 26
	IPv6Dst    Field = classBasic<<7 | 27
	IPv6Label  Field = classBasic<<7 | 28
	ICMPv6Type Field = classBasic<<7 | 29
	ICMPv6Code Field = classBasic<<7 | 30
	NDTarget   Field = classBasic<<7 | 31
	NDSLL      Field = classBasic<<7 | 32
	NDTLL      Field = classBasic<<7 | 33
	TunnelID   Field = classBasic<<7 | 38
)

// Nicira's fields (nicira-ext.h, ovs-fields(7)).
const (
	Reg0    Field = classNXM1 << 7 // to Reg0+15
	IPTTL   Field = classNXM1<<7 | 29
	TunSrc  Field = classNXM1<<7 | 31
	TunDst  Field = classNXM1<<7 | 32
	CTState Field = classNXM1<<7 | 105
	CTZone  Field = classNXM1<<7 | 106
	PktMark Field = classNXM1<<7 | 33
	CTMark  Field = classNXM1<<7 | 107
)

// style says how the value of a field is written.
type style uint8

const (
	decimal style = iota
	hexadecimal
	mac
	ipv4
	ipv6
	port
	ctState
)

// fieldInfo is how ovs-ofctl writes a field.
type fieldInfo struct {
	match string // in a match
	set   string // in set_field, if another name
	bytes int
	style style
}

var fields = map[Field]fieldInfo{
	InPort:     {"in_port", "", 4, port},
	Metadata:   {"metadata", "", 8, hexadecimal},
	EthDst:     {"dl_dst", "eth_dst", 6, mac},
	EthSrc:     {"dl_src", "eth_src", 6, mac},
	EthType:    {"dl_type", "eth_type", 2, hexadecimal},
	VLANVID:    {"vlan_vid", "", 2, decimal},
	VLANPCP:    {"dl_vlan_pcp", "vlan_pcp", 1, decimal},
	IPDSCP:     {"ip_dscp", "", 1, decimal},
	IPECN:      {"nw_ecn", "", 1, decimal},
	IPTTL:      {"nw_ttl", "", 1, decimal},
	IPProto:    {"nw_proto", "", 1, decimal},
	IPv4Src:    {"nw_src", "ip_src", 4, ipv4},
	IPv4Dst:    {"nw_dst", "ip_dst", 4, ipv4},
	TCPSrc:     {"tp_src", "tcp_src", 2, decimal},
	TCPDst:     {"tp_dst", "tcp_dst", 2, decimal},
	UDPSrc:     {"tp_src", "udp_src", 2, decimal},
	UDPDst:     {"tp_dst", "udp_dst", 2, decimal},
	ICMPType:   {"icmp_type", "", 1, decimal},
	ICMPCode:   {"icmp_code", "", 1, decimal},
	ARPOp:      {"arp_op", "", 2, decimal},
	ARPSPA:     {"arp_spa", "", 4, ipv4},
	ARPTPA:     {"arp_tpa", "", 4, ipv4},
	ARPSHA:     {"arp_sha", "", 6, mac},
	ARPTHA:     {"arp_tha", "", 6, mac},
	IPv6Src:    {"ipv6_src", "", 16, ipv6},
	IPv6Dst:    {"ipv6_dst", "", 16, ipv6},
	IPv6Label:  {"ipv6_label", "", 4, hexadecimal},
	ICMPv6Type: {"icmp_type", "icmpv6_type", 1, decimal},
	ICMPv6Code: {"icmp_code", "icmpv6_code", 1, decimal},
	NDTarget:   {"nd_target", "", 16, ipv6},
	NDSLL:      {"nd_sll", "", 6, mac},
	NDTLL:      {"nd_tll", "", 6, mac},
	TunnelID:   {"tun_id", "", 8, hexadecimal},
	TunSrc:     {"tun_src", "", 4, ipv4},
	TunDst:     {"tun_dst", "", 4, ipv4},
	CTState:    {"ct_state", "", 4, ctState},
	CTZone:     {"ct_zone", "", 2, decimal},
	PktMark:    {"pkt_mark", "", 4, hexadecimal},
	CTMark:     {"ct_mark", "", 4, hexadecimal},
}

func init() {
	for i := range Field(16) {
		fields[Reg0+i] = fieldInfo{match: fmt.Sprintf("reg%d", i), bytes: 4, style: hexadecimal}
	}
}

// aliases are Nicira's older numbers of fields that OpenFlow 1.3 has too.
var aliases = map[Field]Field{
	nxm1(16): TunnelID,
	nxm1(17): ARPSHA,
	nxm1(18): ARPTHA,
	nxm1(19): IPv6Src,
	nxm1(20): IPv6Dst,
	nxm1(21): ICMPv6Type,
	nxm1(22): ICMPv6Code,
	nxm1(23): NDTarget,
	nxm1(24): NDSLL,
	nxm1(25): NDTLL,
	nxm1(27): IPv6Label,
}

// TLV is one OXM TLV. Value and Mask alias the bytes it was cut from.
type TLV struct {
	Field Field
	Value []byte
	Mask  []byte // nil: all bits
}

// Cut cuts the first TLV off b, which openflow.ValidateMatch accepts, and
// returns what follows. Nicira's old number of a field becomes OpenFlow's.
func Cut(b []byte) (t TLV, rest []byte, ok bool) {
	if len(b) < 4 || len(b) < 4+int(b[3]) {
		return t, nil, false
	}
	h := binary.BigEndian.Uint32(b)
	n := int(h & 0xff)
	t = TLV{Field: Field(h >> 9), Value: b[4 : 4+n]}
	if f, ok := aliases[t.Field]; ok {
		t.Field = f
	}
	if h&0x100 != 0 && h>>16 != classExperimenter { // an experimenter's value starts with its id
		t.Value, t.Mask = t.Value[:n/2], t.Value[n/2:]
	}
	return t, b[4+n:], true
}

// Known reports whether f is a field that this package has a name for, and
// the length of its value in bytes.
func (f Field) Known() (bytes int, ok bool) {
	info, ok := fields[f]
	return info.bytes, ok
}

// String returns the name that set_field uses, or class and number.
func (f Field) String() string {
	info, ok := fields[f]
	switch {
	case !ok:
		return fmt.Sprintf("oxm_%#x:%d", uint32(f)>>7, uint32(f)&0x7f)
	case info.set != "":
		return info.set
	}
	return info.match
}

// format writes value, and its mask unless that is nil, in the field's style.
func format(s style, value, mask []byte) string {
	one := func(b []byte) string {
		switch s {
		case mac:
			return net.HardwareAddr(b).String()
		case ipv4, ipv6:
			if a, ok := netip.AddrFromSlice(b); ok {
				return a.String()
			}
		case decimal:
			return fmt.Sprint(number(b))
		case port:
			return portName(uint32(number(b)))
		}
		return fmt.Sprintf("%#x", number(b))
	}
	switch {
	case s == ctState:
		return formatCTState(uint32(number(value)), mask)
	case mask == nil:
		return one(value)
	case s == ipv4 || s == ipv6:
		if n, ok := prefix(mask); ok {
			return fmt.Sprintf("%s/%d", one(value), n)
		}
	case s == decimal:
		s = hexadecimal
	}
	return one(value) + "/" + one(mask)
}

// number reads up to eight bytes; of more, the last eight.
func number(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// prefix returns the length of a mask that is one of a prefix.
func prefix(mask []byte) (n int, ok bool) {
	n, bits := net.IPMask(mask).Size()
	return n, bits != 0
}

var ctStates = [...]string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}

func formatCTState(v uint32, mask []byte) string {
	m := ^uint32(0)
	if mask != nil {
		m = uint32(number(mask))
	}
	var s strings.Builder
	for i, name := range ctStates {
		switch {
		case m>>i&1 == 0:
		case v>>i&1 == 1:
			s.WriteString("+" + name)
		default:
			s.WriteString("-" + name)
		}
	}
	return s.String()
}
