package oftest

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Bits of ct_state (ovs-fields(7)).
const (
	ctNew         = 0x01
	ctEstablished = 0x02
	ctReply       = 0x08
	ctInvalid     = 0x10
	ctTracked     = 0x20
)

// ctIdle is how long a connection is kept without traffic, as OVS keeps one of ICMP.
const ctIdle = 30 * time.Second

// connKey is one direction of a connection. For ICMP both ports are the identifier.
type connKey struct {
	zone         uint16
	proto        uint8
	src, dst     [16]byte
	sport, dport uint16
}

func (k connKey) reversed() connKey {
	k.src, k.dst, k.sport, k.dport = k.dst, k.src, k.dport, k.sport
	return k
}

// connEntry is one committed connection, found by the key of its first direction.
type connEntry struct {
	mark    uint32
	replied bool
	used    int64
}

// connOf returns the packet's key in a zone; opens is false for what cannot open a connection (an echo reply), ok for
// what is not tracked at all.
func (p *packetState) connOf(zone uint16) (k connKey, opens, ok bool) {
	h, ok := p.IP()
	if !ok || len(h.L4) < 8 || !p.checksumsRight() {
		return k, false, false
	}
	k = connKey{zone: zone, proto: h.Proto}
	copy(k.src[:], h.Src)
	copy(k.dst[:], h.Dst)
	opens = true
	switch l4 := h.L4; h.Proto {
	case packet.ProtoICMP, packet.ProtoICMPv6:
		request, reply := packet.ICMPv4EchoRequest, packet.ICMPv4EchoReply
		if h.Proto == packet.ProtoICMPv6 {
			request, reply = packet.ICMPv6EchoRequest, packet.ICMPv6EchoReply
		}
		if l4[0] != request && l4[0] != reply {
			return k, false, false
		}
		opens = l4[0] == request
		k.sport = be.Uint16(l4[4:])
		k.dport = k.sport
	case packet.ProtoTCP, packet.ProtoUDP:
		k.sport, k.dport = be.Uint16(l4), be.Uint16(l4[2:])
	default:
		return k, false, false
	}
	return k, opens, true
}

// checksumsRight reports whether the IP packet's checksums are right: OVS takes a packet for invalid if they are not.
func (p *packetState) checksumsRight() bool {
	var src, dst netip.Addr
	var proto uint8
	var l4 []byte
	if _, b := p.L3(); len(b) > 0 && b[0]>>4 == 4 {
		ip, ok := packet.ParseIPv4(b)
		if !ok || !ip.ChecksumValid() {
			return false
		}
		src, dst, proto, l4 = ip.Src(), ip.Dst(), ip.Proto(), ip.Payload()
	} else {
		ip, ok := packet.ParseIPv6(b)
		if !ok {
			return false
		}
		src, dst, proto, l4 = ip.Src(), ip.Dst(), ip.NextHeader(), ip.Payload()
	}
	switch {
	case len(l4) < 8:
		return false
	case proto == packet.ProtoICMP:
		return packet.ICMP(l4).ChecksumValid()
	case proto == packet.ProtoICMPv6:
		return packet.ICMP(l4).ChecksumValid6(src, dst)
	case proto == packet.ProtoTCP:
		return len(l4) >= 20 && packet.TCP(l4).ChecksumValid(src, dst)
	}
	return packet.UDP(l4).ChecksumValid(src, dst)
}

// track looks the packet's connection up and sets ct_state, ct_zone and ct_mark on the packet; it commits a new
// connection if asked to. exec are the actions on the connection.
func (s *Switch) track(p *packetState, zone uint16, commit bool, exec []byte) {
	p.CTZone, p.CTMark, p.CTState = zone, 0, ctTracked|ctInvalid
	k, opens, ok := p.connOf(zone)
	if !ok {
		return
	}
	c := s.conn(k)
	switch rc := s.conn(k.reversed()); {
	case c != nil && opens:
		p.CTState = ctTracked | ctNew
		if c.replied {
			p.CTState = ctTracked | ctEstablished
		}
	case rc != nil:
		c = rc
		c.replied = true
		p.CTState = ctTracked | ctEstablished | ctReply
	case opens:
		c = nil
		p.CTState = ctTracked | ctNew
	default:
		return
	}
	if c == nil {
		if !commit {
			return
		}
		c = &connEntry{}
		s.conns[k] = c
	}
	c.used = s.clock
	if commit {
		for a := range tlvs(exec) {
			t, _, _ := oxm.Cut(a[4:]) // checked with the flow
			mask := ^uint32(0)
			if t.Mask != nil {
				mask = be.Uint32(t.Mask)
			}
			c.mark = c.mark&^mask | be.Uint32(t.Value)&mask
		}
	}
	p.CTMark = c.mark
}

// conn returns a live connection.
func (s *Switch) conn(k connKey) *connEntry {
	c := s.conns[k]
	if c != nil && s.clock-c.used > int64(ctIdle) {
		delete(s.conns, k)
		return nil
	}
	return c
}
