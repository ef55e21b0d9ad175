package oxm

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Prerequisite is what else a match must say to name a field (OpenFlow 1.3.5 section 7.2.3.8).
type Prerequisite struct {
	tag      bool // the packet has a VLAN tag
	ethTypes []uint16
	proto    uint8
	icmpv6   []uint8 // types
}

const (
	ndSolicit = 135 // RFC 4861 section 4.3
	ndAdvert  = 136

	etherTypeRARP = 0x8035
)

var (
	anyIP = []uint16{packet.EtherTypeIPv4, packet.EtherTypeIPv6}
	ipv6s = anyIP[1:]

	needsTag       = &Prerequisite{tag: true}
	needsARP       = &Prerequisite{ethTypes: []uint16{packet.EtherTypeARP, etherTypeRARP}}
	needsIP        = &Prerequisite{ethTypes: anyIP}
	needsIPv4      = &Prerequisite{ethTypes: anyIP[:1]}
	needsIPv6      = &Prerequisite{ethTypes: ipv6s}
	needsTCP       = &Prerequisite{ethTypes: anyIP, proto: packet.ProtoTCP}
	needsUDP       = &Prerequisite{ethTypes: anyIP, proto: packet.ProtoUDP}
	needsICMP      = &Prerequisite{ethTypes: anyIP[:1], proto: packet.ProtoICMP}
	needsICMPv6    = &Prerequisite{ethTypes: ipv6s, proto: packet.ProtoICMPv6}
	needsND        = &Prerequisite{ethTypes: ipv6s, proto: packet.ProtoICMPv6, icmpv6: []uint8{ndSolicit, ndAdvert}}
	needsNDSolicit = &Prerequisite{ethTypes: ipv6s, proto: packet.ProtoICMPv6, icmpv6: []uint8{ndSolicit}}
	needsNDAdvert  = &Prerequisite{ethTypes: ipv6s, proto: packet.ProtoICMPv6, icmpv6: []uint8{ndAdvert}}
)

// MetBy reports whether a match says what the prerequisite asks for. A nil prerequisite asks for nothing.
func (q *Prerequisite) MetBy(match []byte) bool {
	if q == nil {
		return true
	}
	if q.tag {
		vid, ok := Find(match, VLANVID)
		return ok && vid.Value[0]&(VLANPresent>>8) != 0
	}
	eth, _ := Exact(match, EthType)
	proto, _ := Exact(match, IPProto)
	typ, _ := Exact(match, ICMPv6Type)
	return q.MetByEthType(uint16(eth)) && (q.proto == 0 || q.proto == uint8(proto)) &&
		(q.icmpv6 == nil || slices.Contains(q.icmpv6, uint8(typ)))
}

// MetByEthType reports whether a packet of that type may have the field, as far as the type says.
func (q *Prerequisite) MetByEthType(t uint16) bool {
	return q == nil || q.ethTypes == nil || slices.Contains(q.ethTypes, t)
}
