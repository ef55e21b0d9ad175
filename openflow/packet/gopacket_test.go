package packet

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// decodeOther decodes a frame with gopacket and wants no error layer and right checksums.
func decodeOther(t *testing.T, name string, frame []byte) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("%s: %v", name, e.Error())
	}
	return p
}

func addr(t *testing.T, b []byte) netip.Addr {
	t.Helper()
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		t.Fatalf("address %x", b)
	}
	return a
}

// layer returns the layer of type T in p.
func layer[T gopacket.Layer](t *testing.T, name string, p gopacket.Packet) T {
	t.Helper()
	for _, l := range p.Layers() {
		if v, ok := l.(T); ok {
			return v
		}
	}
	t.Fatalf("%s: no such layer in %v", name, p)
	panic("unreachable")
}

// TestGopacketReads has every frame that the builders make read by gopacket, and what that reads written again with its
// own checksums and lengths: the bytes must be the same.
func TestGopacketReads(t *testing.T) {
	for name, frame := range frames() {
		p := decodeOther(t, name, frame)
		var network gopacket.NetworkLayer
		var parts []gopacket.SerializableLayer
		for _, l := range p.Layers() {
			switch l := l.(type) {
			case *layers.IPv4:
				network = l
			case *layers.IPv6:
				network = l
			case *layers.UDP:
				if err := l.SetNetworkLayerForChecksum(network); err != nil {
					t.Fatal(err)
				}
			case *layers.TCP:
				if err := l.SetNetworkLayerForChecksum(network); err != nil {
					t.Fatal(err)
				}
			case *layers.ICMPv6:
				if err := l.SetNetworkLayerForChecksum(network); err != nil {
					t.Fatal(err)
				}
			}
			if s, ok := l.(gopacket.SerializableLayer); ok {
				parts = append(parts, s)
			}
		}
		buf := gopacket.NewSerializeBuffer()
		// Ethernet of gopacket pads short frames to 60 bytes.
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			parts...); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkEqual(t, name, buf.Bytes()[:len(frame)], frame)
	}
}

func TestGopacketAgreesOnFields(t *testing.T) {
	for name, frame := range frames() {
		p := decodeOther(t, name, frame)
		f, ok := Parse(frame)
		if !ok {
			t.Fatalf("%s does not parse", name)
		}
		eth := layer[*layers.Ethernet](t, name, p)
		if MAC(eth.DstMAC) != f.Dst() || MAC(eth.SrcMAC) != f.Src() {
			t.Errorf("%s: %v > %v", name, f.Src(), f.Dst())
		}
		if f.Tagged() {
			tag := layer[*layers.Dot1Q](t, name, p)
			if tag.VLANIdentifier != f.VID() || tag.Priority != f.PCP() || uint16(tag.Type) != f.EtherType() {
				t.Errorf("%s: tag %x", name, f.TCI())
			}
		}
		switch f.EtherType() {
		case EtherTypeARP:
			a, ok := ParseARP(f.Payload())
			o := layer[*layers.ARP](t, name, p)
			if !ok || a.Op() != o.Operation || a.SenderMAC() != MAC(o.SourceHwAddress) ||
				a.TargetMAC() != MAC(o.DstHwAddress) ||
				a.SenderIP() != addr(t, o.SourceProtAddress) || a.TargetIP() != addr(t, o.DstProtAddress) {
				t.Errorf("%s: %x", name, a)
			}
		case EtherTypeIPv4:
			v, ok := ParseIPv4(f.Payload())
			o := layer[*layers.IPv4](t, name, p)
			if !ok || !v.ChecksumValid() || v.Src() != addr(t, o.SrcIP) || v.Dst() != addr(t, o.DstIP) ||
				v.TTL() != o.TTL ||
				v.Proto() != uint8(o.Protocol) || v.DSCP() != o.TOS>>2 || v.ID() != o.Id || len(v) != int(o.Length) {
				t.Errorf("%s: %x", name, v)
			}
			checkUpper(t, name, p, v.Proto(), v.Src(), v.Dst(), v.Payload())
		case EtherTypeIPv6:
			v, ok := ParseIPv6(f.Payload())
			o := layer[*layers.IPv6](t, name, p)
			if !ok || v.Src() != addr(t, o.SrcIP) || v.Dst() != addr(t, o.DstIP) ||
				v.NextHeader() != uint8(o.NextHeader) || v.DSCP() != o.TrafficClass>>2 || v[7] != o.HopLimit ||
				len(v.Payload()) != int(o.Length) {
				t.Errorf("%s: %x", name, v)
			}
			checkUpper(t, name, p, v.NextHeader(), v.Src(), v.Dst(), v.Payload())
		default:
			t.Errorf("%s: type %04x", name, f.EtherType())
		}
	}
}

func checkUpper(t *testing.T, name string, p gopacket.Packet, proto uint8, src, dst netip.Addr, b []byte) {
	t.Helper()
	switch proto {
	case ProtoICMP:
		m, ok := ParseICMP(b)
		o := layer[*layers.ICMPv4](t, name, p)
		if !ok || !m.ChecksumValid() || m.Type() != o.TypeCode.Type() || m.Code() != o.TypeCode.Code() ||
			m.ID() != o.Id ||
			m.Seq() != o.Seq || string(m.Payload()) != string(o.Payload) {
			t.Errorf("%s: %x", name, m)
		}
	case ProtoICMPv6:
		m, ok := ParseICMP(b)
		o := layer[*layers.ICMPv6](t, name, p)
		if !ok || !m.ChecksumValid6(src, dst) || m.Type() != o.TypeCode.Type() || m.Code() != o.TypeCode.Code() {
			t.Errorf("%s: %x", name, m)
		}
		e := layer[*layers.ICMPv6Echo](t, name, p)
		if m.ID() != e.Identifier || m.Seq() != e.SeqNumber {
			t.Errorf("%s: id %d seq %d", name, m.ID(), m.Seq())
		}
		if err := o.SetNetworkLayerForChecksum(layer[*layers.IPv6](t, name, p)); err != nil {
			t.Fatal(err)
		}
		checkChecksum(t, name, p)
	case ProtoUDP:
		u, ok := ParseUDP(b)
		o := layer[*layers.UDP](t, name, p)
		if !ok || !u.ChecksumValid(src, dst) || u.SrcPort() != uint16(o.SrcPort) || u.DstPort() != uint16(o.DstPort) ||
			string(u.Payload()) != string(o.Payload) {
			t.Errorf("%s: %x", name, u)
		}
	case ProtoTCP:
		s, ok := ParseTCP(b)
		o := layer[*layers.TCP](t, name, p)
		if !ok || !s.ChecksumValid(src, dst) || s.SrcPort() != uint16(o.SrcPort) || s.DstPort() != uint16(o.DstPort) ||
			s.Seq() != o.Seq || s.Ack() != o.Ack || s.Flags()&TCPSyn == 0 != !o.SYN ||
			s.Flags()&TCPAck == 0 != !o.ACK || o.RST {
			t.Errorf("%s: %x", name, s)
		}
	default:
		t.Errorf("%s: protocol %d", name, proto)
	}
}

// checkChecksum has gopacket verify the checksum of the ICMPv6 layer.
func checkChecksum(t *testing.T, name string, p gopacket.Packet) {
	t.Helper()
	errs, mismatches := p.VerifyChecksums()
	if errs != nil || len(mismatches) != 0 {
		t.Errorf("%s: %v %v", name, errs, mismatches)
	}
}
