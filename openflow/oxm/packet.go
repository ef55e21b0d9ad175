package oxm

import (
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// VLANPresent is OFPVID_PRESENT: the packet has a VLAN tag.
const VLANPresent = 0x1000

// Packet is a frame in the pipeline with what a switch keeps beside it.
type Packet struct {
	Frame          []byte
	InPort         openflow.PortNo
	TunnelID       uint64
	TunSrc, TunDst uint32
	Metadata       uint64
	Regs           [Regs]uint32
	PktMark        uint32
	CTState        uint32
	CTZone         uint16
	CTMark         uint32
}

// source says where a packet has the value of a field: in bytes of the frame, nil in a packet without the field, or as
// a number.
type source struct {
	bytes func(*Packet) []byte
	get   func(*Packet) (v uint64, ok bool)
	set   func(*Packet, uint64)
}

// Read appends the packet's value of the field; a packet without the field has none.
func (i *Info) Read(p *Packet, b []byte) []byte {
	if i.bytes != nil {
		return append(b, i.bytes(p)...)
	}
	v, ok := i.get(p)
	for n := i.Size - 1; ok && n >= 0; n-- {
		b = append(b, byte(v>>(8*n)))
	}
	return b
}

// Write sets the bits of the field that mask selects, nil for all. It does nothing to a packet without the field.
func (i *Info) Write(p *Packet, value, mask []byte) {
	var buf [16]byte
	v := i.Read(p, buf[:0])
	if !i.Settable() || len(v) != len(value) {
		return
	}
	for n := range v {
		m := byte(0xff)
		if mask != nil {
			m = mask[n]
		}
		v[n] = v[n]&^m | value[n]&m
	}
	if i.bytes != nil {
		copy(i.bytes(p), v)
		return
	}
	i.set(p, Number(v))
}

// state is a field that the switch keeps beside the frame.
func state[T uint16 | ~uint32 | uint64](at func(*Packet) *T) source {
	return source{
		get: func(p *Packet) (uint64, bool) { return uint64(*at(p)), true },
		set: func(p *Packet, v uint64) { *at(p) = T(v) },
	}
}

// cut returns n bytes of a header, or nil where it is too short.
func cut(header []byte, at, n int) []byte {
	if len(header) < at+n {
		return nil
	}
	return header[at : at+n]
}

func ethernet(at, n int) source {
	return source{bytes: func(p *Packet) []byte { return cut(p.Frame, at, n) }}
}

// Tagged reports whether the frame has a VLAN tag.
func (p *Packet) Tagged() bool {
	if len(p.Frame) < 18 {
		return false
	}
	t := be.Uint16(p.Frame[12:])
	return t == packet.EtherTypeVLAN || t == packet.EtherTypeQinQ
}

func etherType(p *Packet) []byte {
	if p.Tagged() {
		return cut(p.Frame, 16, 2)
	}
	return cut(p.Frame, 12, 2)
}

// L3 returns the ethertype behind the outer tag and what follows it.
func (p *Packet) L3() (eth uint16, b []byte) {
	t := etherType(p)
	if t == nil {
		return 0, nil
	}
	at := 14
	if p.Tagged() {
		at = 18
	}
	return be.Uint16(t), p.Frame[at:]
}

func getVLANVID(p *Packet) (uint64, bool) {
	if !p.Tagged() {
		return 0, true
	}
	return uint64(be.Uint16(p.Frame[14:])&0xfff | VLANPresent), true
}

func setVLANVID(p *Packet, v uint64) {
	if p.Tagged() {
		be.PutUint16(p.Frame[14:], be.Uint16(p.Frame[14:])&0xf000|uint16(v)&0xfff)
	}
}

func getVLANPCP(p *Packet) (uint64, bool) {
	if !p.Tagged() {
		return 0, false
	}
	return uint64(p.Frame[14] >> 5), true
}

func setVLANPCP(p *Packet, v uint64) { p.Frame[14] = p.Frame[14]&0x1f | byte(v)<<5 }

func arp(at, n int) source {
	return source{bytes: func(p *Packet) []byte {
		eth, b := p.L3()
		if eth != packet.EtherTypeARP && eth != etherTypeRARP || len(b) < 28 {
			return nil
		}
		return cut(b, at, n)
	}}
}

// IPHeader is what a match can ask for of an IP packet.
type IPHeader struct {
	EthType  uint16
	Header   []byte // without IPv6's extension headers
	Proto    uint8
	Src, Dst []byte
	L4       []byte // nil in a later fragment
}

// IP reads the IP header.
func (p *Packet) IP() (h IPHeader, ok bool) {
	eth, b := p.L3()
	switch {
	case eth == packet.EtherTypeIPv4 && len(b) >= 20:
		n := int(b[0]&0xf) * 4
		if b[0]>>4 != 4 || n < 20 || len(b) < n {
			return h, false
		}
		h = IPHeader{EthType: eth, Header: b[:n], Proto: b[9], Src: b[12:16], Dst: b[16:20]}
		if be.Uint16(b[6:])&0x1fff == 0 {
			h.L4 = b[n:]
		}
		return h, true
	case eth == packet.EtherTypeIPv6 && len(b) >= 40:
		return IPHeader{EthType: eth, Header: b[:40], Proto: b[6], Src: b[8:24], Dst: b[24:40], L4: b[40:]}, true
	}
	return h, false
}

// ip is one byte that stands at different places in IPv4 and IPv6.
func ip(at4, at6 int) source {
	return source{bytes: func(p *Packet) []byte {
		switch h, ok := p.IP(); {
		case !ok:
			return nil
		case h.EthType == packet.EtherTypeIPv4:
			return cut(h.Header, at4, 1)
		default:
			return cut(h.Header, at6, 1)
		}
	}}
}

func ipv4(at, n int) source { return ipOf(packet.EtherTypeIPv4, at, n) }
func ipv6(at, n int) source { return ipOf(packet.EtherTypeIPv6, at, n) }

func ipOf(eth uint16, at, n int) source {
	return source{bytes: func(p *Packet) []byte {
		if h, ok := p.IP(); ok && h.EthType == eth {
			return cut(h.Header, at, n)
		}
		return nil
	}}
}

// trafficClass returns IPv4's TOS or IPv6's traffic class.
func trafficClass(p *Packet) (tos uint8, ok bool) {
	h, ok := p.IP()
	switch {
	case !ok:
		return 0, false
	case h.EthType == packet.EtherTypeIPv4:
		return h.Header[1], true
	}
	return uint8(be.Uint16(h.Header) >> 4), true
}

func getDSCP(p *Packet) (uint64, bool) {
	tos, ok := trafficClass(p)
	return uint64(tos >> 2), ok
}

func getECN(p *Packet) (uint64, bool) {
	tos, ok := trafficClass(p)
	return uint64(tos & 3), ok
}

func setDSCP(p *Packet, v uint64) {
	h, _ := p.IP() // it could be read
	b := h.Header
	if h.EthType == packet.EtherTypeIPv6 {
		be.PutUint16(b, be.Uint16(b)&^0x0fc0|uint16(v)<<6)
		return
	}
	b[1] = byte(v)<<2 | b[1]&3
	b[10], b[11] = 0, 0
	be.PutUint16(b[10:], packet.Checksum(b))
}

func getIPv6Label(p *Packet) (uint64, bool) {
	h, ok := p.IP()
	if !ok || h.EthType != packet.EtherTypeIPv6 {
		return 0, false
	}
	return uint64(be.Uint32(h.Header) & 0xfffff), true
}

// l4 is a field of a transport header. As with Open vSwitch, a packet that is cut within the header has none of its
// fields. An eth of 0 is either IP.
func l4(eth uint16, proto uint8, header int, field func(b []byte) []byte) source {
	return source{bytes: func(p *Packet) []byte {
		h, ok := p.IP()
		if !ok || h.Proto != proto || eth != 0 && h.EthType != eth || len(h.L4) < header {
			return nil
		}
		return field(h.L4)
	}}
}

func bytesAt(at, n int) func([]byte) []byte { return func(b []byte) []byte { return cut(b, at, n) } }

func tcp(at, n int) source  { return l4(0, packet.ProtoTCP, 20, bytesAt(at, n)) }
func udp(at, n int) source  { return l4(0, packet.ProtoUDP, 8, bytesAt(at, n)) }
func icmp(at, n int) source { return l4(packet.EtherTypeIPv4, packet.ProtoICMP, 8, bytesAt(at, n)) }

func icmpv6(at, n int) source { return l4(packet.EtherTypeIPv6, packet.ProtoICMPv6, 8, bytesAt(at, n)) }

// ndOption is the link-layer address in an option of neighbor discovery (RFC 4861 section 4.6.1).
func ndOption(typ uint8) source {
	return l4(packet.EtherTypeIPv6, packet.ProtoICMPv6, 24, func(b []byte) []byte {
		for b = b[24:]; len(b) >= 8 && b[1] != 0 && len(b) >= int(b[1])*8; b = b[int(b[1])*8:] {
			if b[0] == typ && b[1] == 1 {
				return b[2:8]
			}
		}
		return nil
	})
}
