package oftest

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

// packetState is a frame on its way through the pipeline, with what OVS keeps
// beside it.
type packetState struct {
	frame    []byte
	inPort   openflow.PortNo
	tunnelID uint64
	metadata uint64
	regs     [16]uint32
	ctState  uint32
	ctZone   uint16
	ctMark   uint32

	packetOut bool // came from the controller: OVS then never says no_match

	// Of the rule that is being applied, for packet-ins.
	cookie uint64
	table  uint8
	miss   bool
}

// clone returns a copy whose frame can be changed alone.
func (p *packetState) clone() *packetState {
	q := *p
	q.frame = slices.Clone(p.frame)
	return &q
}

func (p *packetState) tagged() bool {
	if len(p.frame) < 18 {
		return false
	}
	t := be.Uint16(p.frame[12:])
	return t == 0x8100 || t == 0x88a8
}

// l3 returns the ethertype behind the outer tag and what follows it.
func (p *packetState) l3() (eth uint16, b []byte) {
	at := 12
	if p.tagged() {
		at = 16
	}
	if len(p.frame) < at+2 {
		return 0, nil
	}
	return be.Uint16(p.frame[at:]), p.frame[at+2:]
}

// ip returns what a match can ask for of an IP packet; l4 is nil for a later
// fragment.
func (p *packetState) ip() (eth uint16, proto uint8, src, dst, l4 []byte, ok bool) {
	eth, b := p.l3()
	switch {
	case eth == ethIPv4 && len(b) >= 20:
		n := int(b[0]&0xf) * 4
		if b[0]>>4 != 4 || n < 20 || len(b) < n {
			return 0, 0, nil, nil, nil, false
		}
		if be.Uint16(b[6:])&0x1fff == 0 {
			l4 = b[n:]
		}
		return eth, b[9], b[12:16], b[16:20], l4, true
	case eth == ethIPv6 && len(b) >= 40:
		return eth, b[6], b[8:24], b[24:40], b[40:], true
	}
	return 0, 0, nil, nil, nil, false
}

// field appends the packet's value of a field; ok is false for a packet that
// has no such field.
func (p *packetState) field(b []byte, f oftext.Field) (v []byte, ok bool) {
	switch f {
	case oftext.InPort:
		return be.AppendUint32(b, uint32(p.inPort)), true
	case oftext.Metadata:
		return be.AppendUint64(b, p.metadata), true
	case oftext.TunnelID:
		return be.AppendUint64(b, p.tunnelID), true
	case oftext.CTState:
		return be.AppendUint32(b, p.ctState), true
	case oftext.CTZone:
		return be.AppendUint16(b, p.ctZone), true
	case oftext.CTMark:
		return be.AppendUint32(b, p.ctMark), true
	case oftext.VLANVID:
		if !p.tagged() {
			return append(b, 0, 0), true
		}
		return be.AppendUint16(b, be.Uint16(p.frame[14:])&0xfff|0x1000), true
	case oftext.VLANPCP:
		if !p.tagged() {
			return nil, false
		}
		return append(b, p.frame[14]>>5), true
	case oftext.EthDst:
		return append(b, p.frame[:6]...), true
	case oftext.EthSrc:
		return append(b, p.frame[6:12]...), true
	case oftext.EthType:
		eth, _ := p.l3()
		return be.AppendUint16(b, eth), true
	}
	if f >= oftext.Reg0 && f < oftext.Reg0+16 {
		return be.AppendUint32(b, p.regs[f-oftext.Reg0]), true
	}
	if s := p.arpField(f); s != nil {
		return append(b, s...), true
	}
	return p.ipField(b, f)
}

// arpField returns the bytes of an ARP field within the frame.
func (p *packetState) arpField(f oftext.Field) []byte {
	eth, a := p.l3()
	if eth != ethARP && eth != ethRARP || len(a) < 28 {
		return nil
	}
	switch f {
	case oftext.ARPOp:
		return a[6:8]
	case oftext.ARPSHA:
		return a[8:14]
	case oftext.ARPSPA:
		return a[14:18]
	case oftext.ARPTHA:
		return a[18:24]
	case oftext.ARPTPA:
		return a[24:28]
	}
	return nil
}

// ipField appends a field of an IP packet. As with OVS, a packet cut within its
// TCP, UDP or ICMP header has none of that header's fields.
func (p *packetState) ipField(b []byte, f oftext.Field) ([]byte, bool) {
	eth, proto, src, dst, l4, ok := p.ip()
	if !ok {
		return nil, false
	}
	_, l3 := p.l3()
	tos, ttl := l3[1], byte(0)
	if eth == ethIPv4 {
		ttl = l3[8]
	} else {
		tos, ttl = l3[0]<<4|l3[1]>>4, l3[7]
	}
	port := func(want uint8, at, header int) ([]byte, bool) {
		if proto != want || len(l4) < header {
			return nil, false
		}
		return append(b, l4[at:at+2]...), true
	}
	icmp := func(want uint8, at, n int) ([]byte, bool) {
		if proto != want || len(l4) < max(8, at+n) {
			return nil, false
		}
		return append(b, l4[at:at+n]...), true
	}
	switch f {
	case oftext.IPProto:
		return append(b, proto), true
	case oftext.IPDSCP:
		return append(b, tos>>2), true
	case oftext.IPECN:
		return append(b, tos&3), true
	case oftext.IPTTL:
		return append(b, ttl), true
	case oftext.IPv4Src:
		return append(b, src...), eth == ethIPv4
	case oftext.IPv4Dst:
		return append(b, dst...), eth == ethIPv4
	case oftext.IPv6Src:
		return append(b, src...), eth == ethIPv6
	case oftext.IPv6Dst:
		return append(b, dst...), eth == ethIPv6
	case oftext.TCPSrc:
		return port(protoTCP, 0, 20)
	case oftext.TCPDst:
		return port(protoTCP, 2, 20)
	case oftext.UDPSrc:
		return port(protoUDP, 0, 8)
	case oftext.UDPDst:
		return port(protoUDP, 2, 8)
	case oftext.ICMPType:
		return icmp(protoICMP, 0, 1)
	case oftext.ICMPCode:
		return icmp(protoICMP, 1, 1)
	case oftext.ICMPv6Type:
		return icmp(protoICMPv6, 0, 1)
	case oftext.ICMPv6Code:
		return icmp(protoICMPv6, 1, 1)
	case oftext.NDTarget:
		return icmp(protoICMPv6, 8, 16)
	}
	return nil, false
}

// settable reports whether set can write the field.
func settable(f oftext.Field) bool {
	switch f {
	case oftext.EthDst, oftext.EthSrc, oftext.VLANVID, oftext.VLANPCP, oftext.IPDSCP, oftext.Metadata, oftext.TunnelID,
		oftext.ARPOp, oftext.ARPSHA, oftext.ARPSPA, oftext.ARPTHA, oftext.ARPTPA:
		return true
	}
	return f >= oftext.Reg0 && f < oftext.Reg0+16
}

// set writes the bits of a settable field that mask selects, nil for all. It
// does nothing to a packet without the field.
func (p *packetState) set(f oftext.Field, value, mask []byte) {
	var buf [16]byte
	v, ok := p.field(buf[:0], f)
	if !ok || len(v) != len(value) {
		return
	}
	for i := range v {
		m := byte(0xff)
		if mask != nil {
			m = mask[i]
		}
		v[i] = v[i]&^m | value[i]&m
	}
	switch f {
	case oftext.EthDst:
		copy(p.frame, v)
	case oftext.EthSrc:
		copy(p.frame[6:], v)
	case oftext.VLANVID:
		if p.tagged() {
			be.PutUint16(p.frame[14:], be.Uint16(p.frame[14:])&0xf000|be.Uint16(v)&0xfff)
		}
	case oftext.VLANPCP:
		p.frame[14] = p.frame[14]&0x1f | v[0]<<5
	case oftext.IPDSCP:
		p.setDSCP(v[0])
	case oftext.Metadata:
		p.metadata = be.Uint64(v)
	case oftext.TunnelID:
		p.tunnelID = be.Uint64(v)
	default:
		if f >= oftext.Reg0 && f < oftext.Reg0+16 {
			p.regs[f-oftext.Reg0] = be.Uint32(v)
			return
		}
		copy(p.arpField(f), v)
	}
}

func (p *packetState) setDSCP(dscp uint8) {
	eth, b := p.l3()
	if eth == ethIPv6 {
		tos := b[0]<<4 | b[1]>>4
		tos = dscp<<2 | tos&3
		b[0], b[1] = b[0]&0xf0|tos>>4, b[1]&0xf|tos<<4
		return
	}
	b[1] = dscp<<2 | b[1]&3
	n := int(b[0]&0xf) * 4
	b[10], b[11] = 0, 0
	be.PutUint16(b[10:], ^sum(b[:n], 0))
}

// pushVLAN adds a tag with the VID and priority of the one that is there, or
// 0 (OpenFlow 1.3.5 section 5.12.1).
func (p *packetState) pushVLAN(tpid uint16) {
	if len(p.frame) < 14 {
		return
	}
	var tci uint16
	if p.tagged() {
		tci = be.Uint16(p.frame[14:])
	}
	tag := []byte{byte(tpid >> 8), byte(tpid), byte(tci >> 8), byte(tci)}
	p.frame = slices.Insert(slices.Clone(p.frame), 12, tag...)
}

func (p *packetState) popVLAN() {
	if p.tagged() {
		p.frame = slices.Delete(slices.Clone(p.frame), 12, 16)
	}
}
