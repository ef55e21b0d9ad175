package oftest

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// sample is a packet that has a field, the match that meets the field's prerequisites, and how to change its value.
type sample struct {
	packet oxm.Packet
	base   flow.Match
	flip   func(*oxm.Packet)
}

// inFrame flips bits of one byte of a frame.
func inFrame(frame []byte, base flow.Match, at int, bits byte) sample {
	return sample{oxm.Packet{Frame: frame}, base, func(p *oxm.Packet) { p.Frame[at] ^= bits }}
}

// beside changes what the switch keeps beside the frame.
func beside(flip func(*oxm.Packet)) sample {
	return sample{packet: oxm.Packet{Frame: make([]byte, 60)}, flip: flip}
}

// samples has one sample for each field, at offsets taken from the specifications and not from the list of fields.
func samples() map[oxm.Field]sample {
	v4 := packet.IP{Src: ipA, Dst: ipB}
	v6 := packet.IP{Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2")}
	eth := func(t uint16) []byte { return packet.AppendEthernet(nil, macB, macA, t) }
	neighbor := func(typ, option byte) []byte {
		b := packet.AppendEcho(eth(packet.EtherTypeIPv6), v6, packet.Echo{Payload: make([]byte, 24)})
		b[54], b[78], b[79] = typ, option, 1
		return b
	}
	arp := packet.AppendARPRequest(eth(packet.EtherTypeARP), macA, ipA, ipB)
	ping := packet.AppendEcho(eth(packet.EtherTypeIPv4), v4, packet.Echo{})
	ping6 := packet.AppendEcho(eth(packet.EtherTypeIPv6), v6, packet.Echo{})
	tcp := packet.AppendTCP(eth(packet.EtherTypeIPv4), v4, packet.Segment{SrcPort: 1, DstPort: 2})
	udp6 := packet.AppendUDP(eth(packet.EtherTypeIPv6), v6, 1, 2, nil)
	tagged := packet.AppendEthernetVLAN(nil, macB, macA, 0x600a, packet.EtherTypeIPv4)

	isARP := flow.Match{}.EthType(packet.EtherTypeARP)
	is4, is6 := flow.Match{}.EthType(packet.EtherTypeIPv4), flow.Match{}.EthType(packet.EtherTypeIPv6)
	icmp, icmp6 := is4.IPProto(packet.ProtoICMP), is6.IPProto(packet.ProtoICMPv6)
	m := map[oxm.Field]sample{
		oxm.PktMark:    beside(func(p *oxm.Packet) { p.PktMark ^= 1 }),
		oxm.CTState:    beside(func(p *oxm.Packet) { p.CTState ^= 1 }),
		oxm.CTZone:     beside(func(p *oxm.Packet) { p.CTZone ^= 1 }),
		oxm.CTMark:     beside(func(p *oxm.Packet) { p.CTMark ^= 1 }),
		oxm.TunnelID:   beside(func(p *oxm.Packet) { p.TunnelID ^= 1 << 40 }),
		oxm.TunSrc:     beside(func(p *oxm.Packet) { p.TunSrc ^= 1 }),
		oxm.TunDst:     beside(func(p *oxm.Packet) { p.TunDst ^= 1 }),
		oxm.Metadata:   beside(func(p *oxm.Packet) { p.Metadata ^= 1 << 40 }),
		oxm.InPort:     beside(func(p *oxm.Packet) { p.InPort ^= 1 }),
		oxm.VLANVID:    inFrame(tagged, flow.Match{}, 15, 1),
		oxm.VLANPCP:    inFrame(tagged, flow.Match{}.VLAN(10), 14, 0x20),
		oxm.EthDst:     inFrame(ping, flow.Match{}, 5, 1),
		oxm.EthSrc:     inFrame(ping, flow.Match{}, 11, 1),
		oxm.EthType:    inFrame(ping, flow.Match{}, 13, 1),
		oxm.ARPOp:      inFrame(arp, isARP, 21, 1),
		oxm.ARPSHA:     inFrame(arp, isARP, 27, 1),
		oxm.ARPSPA:     inFrame(arp, isARP, 31, 1),
		oxm.ARPTHA:     inFrame(arp, isARP, 37, 1),
		oxm.ARPTPA:     inFrame(arp, isARP, 41, 1),
		oxm.IPDSCP:     inFrame(ping, is4, 15, 4),
		oxm.IPECN:      inFrame(ping6, is6, 15, 0x10),
		oxm.IPTTL:      inFrame(ping6, is6, 21, 1),
		oxm.IPProto:    inFrame(ping, is4, 23, 2),
		oxm.IPv4Src:    inFrame(ping, is4, 29, 1),
		oxm.IPv4Dst:    inFrame(ping, is4, 33, 1),
		oxm.ICMPType:   inFrame(ping, icmp, 34, 1),
		oxm.ICMPCode:   inFrame(ping, icmp, 35, 1),
		oxm.TCPSrc:     inFrame(tcp, is4.IPProto(packet.ProtoTCP), 35, 1),
		oxm.TCPDst:     inFrame(tcp, is4.IPProto(packet.ProtoTCP), 37, 1),
		oxm.IPv6Label:  inFrame(ping6, is6, 17, 1),
		oxm.IPv6Src:    inFrame(ping6, is6, 37, 1),
		oxm.IPv6Dst:    inFrame(ping6, is6, 53, 1),
		oxm.UDPSrc:     inFrame(udp6, is6.IPProto(packet.ProtoUDP), 55, 1),
		oxm.UDPDst:     inFrame(udp6, is6.IPProto(packet.ProtoUDP), 57, 1),
		oxm.ICMPv6Type: inFrame(ping6, icmp6, 54, 1),
		oxm.ICMPv6Code: inFrame(ping6, icmp6, 55, 1),
		oxm.NDTarget:   inFrame(neighbor(135, 1), icmp6.ICMPv6Type(135), 77, 1),
		oxm.NDSLL:      inFrame(neighbor(135, 1), icmp6.ICMPv6Type(135), 85, 1),
		oxm.NDTLL:      inFrame(neighbor(136, 2), icmp6.ICMPv6Type(136), 85, 1),
	}
	for i := range oxm.Field(oxm.Regs) {
		m[oxm.Reg0+i] = beside(func(p *oxm.Packet) { p.Regs[i] ^= 1 })
	}
	return m
}

// TestEveryFieldIsApplied has the switch accept a match on each field of the list, and the match follow the packet: it
// must hold for the packet as it is, and fail once that one value is another.
func TestEveryFieldIsApplied(t *testing.T) {
	samples := samples()
	for _, info := range oxm.Fields {
		s, ok := samples[info.Field]
		if !ok {
			t.Errorf("%s: no sample", info.Name)
			continue
		}
		before, after := packetState{Packet: s.packet}, packetState{Packet: s.packet}
		before.Frame, after.Frame = bytes.Clone(s.packet.Frame), bytes.Clone(s.packet.Frame)
		s.flip(&after.Packet)
		was, is := info.Read(&before.Packet, nil), info.Read(&after.Packet, nil)
		if len(was) != info.Size || len(is) != info.Size || bytes.Equal(was, is) {
			t.Errorf("%s: read as %x, and as %x when it is another", info.Name, was, is)
			continue
		}
		changed, kept := make([]byte, info.Size), make([]byte, info.Size) // bits
		for i := range was {
			changed[i] = was[i] ^ is[i]
			kept[i] = ^changed[i]
		}
		field := func(value, mask []byte) string {
			v := bytes.Clone(value)
			for i := range mask {
				v[i] &= mask[i]
			}
			match := oxm.TLV{Field: info.Field, Value: v, Mask: mask}.Append(bytes.Clone(s.base.Bytes()))
			accepted, no := canonical(match)
			switch {
			case no == nil:
				return accepted
			case mask == nil || info.Maskable() || *no != *badMatch(openflow.BadMatchBadMask):
				t.Errorf("%s, mask %x: refused, %v", info.Name, mask, *no)
			}
			return ""
		}
		expect := func(match string, wantBefore, wantAfter bool) {
			if b, a := before.matches(match), after.matches(match); b != wantBefore || a != wantAfter {
				t.Errorf("%s: match %x: %t, and %t for another value", info.Name, match, b, a)
			}
		}
		expect(field(was, nil), true, false)
		expect(field(is, nil), false, true)
		if match := field(was, changed); info.Maskable() {
			expect(match, true, false)
			expect(field(was, kept), true, true)
		} else if match != "" {
			t.Errorf("%s: taken with a mask", info.Name)
		}
		if _, no := canonical(oxm.TLV{Field: info.Field, Value: was}.Append(nil)); (no == nil) != (info.Needs == nil) {
			t.Errorf("%s without its prerequisites: %v", info.Name, no)
		}
		if info.Settable() {
			if info.Write(&before.Packet, is, nil); !bytes.Equal(info.Read(&before.Packet, nil), is) {
				t.Errorf("%s is not written", info.Name)
			}
		}
		delete(samples, info.Field)
	}
	for f := range samples {
		t.Errorf("sample of %v, which is in no list", f)
	}
}
