package packet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

var (
	mac1 = MAC{2, 0, 0, 0, 0, 1}
	mac2 = MAC{2, 0, 0, 0, 0, 2}
	ip1  = netip.MustParseAddr("10.0.3.1")
	ip2  = netip.MustParseAddr("10.0.3.2")
	ip61 = netip.MustParseAddr("fd00:9::1")
	ip62 = netip.MustParseAddr("fd00:9::2")
)

// unhex decodes hex digits; spaces between them are for the reader.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkEqual(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
	}
}

// frames has one frame of every kind that the builders can make.
func frames() map[string][]byte {
	v4, v6 := IP{Src: ip1, Dst: ip2, DSCP: 46, TTL: 9, ID: 0x1234}, IP{Src: ip61, Dst: ip62, DSCP: 10}
	odd := Echo{ID: 0xabcd, Seq: 3, Payload: []byte("an odd number of bytes.")}
	reply := Echo{Reply: true, Code: 1, ID: 1, Seq: 2, Payload: []byte("data")}
	syn := Segment{SrcPort: 40000, DstPort: 443, Seq: 0xdeadbeef, Ack: 1, Flags: TCPSyn | TCPAck, Window: 1024}
	eth := func(t uint16) []byte { return AppendEthernet(nil, mac2, mac1, t) }
	return map[string][]byte{
		"arp request": AppendARPRequest(AppendEthernet(nil, Broadcast, mac1, EtherTypeARP), mac1, ip1, ip2),
		"arp reply":   AppendARPReply(eth(EtherTypeARP), mac1, ip1, mac2, ip2),
		"icmp":        AppendEcho(eth(EtherTypeIPv4), v4, odd),
		"icmp reply":  AppendEcho(eth(EtherTypeIPv4), v4, reply),
		"icmp tagged": AppendEcho(AppendEthernetVLAN(nil, mac2, mac1, 0x600a, EtherTypeIPv4), v4, odd),
		"icmp6":       AppendEcho(eth(EtherTypeIPv6), v6, odd),
		"icmp6 reply": AppendEcho(eth(EtherTypeIPv6), v6, reply),
		"udp":         AppendUDP(eth(EtherTypeIPv4), v4, 50001, 50002, []byte("hello")),
		"udp6":        AppendUDP(eth(EtherTypeIPv6), v6, 50001, 50002, []byte("hello")),
		"tcp":         AppendTCP(eth(EtherTypeIPv4), v4, syn),
		"tcp6":        AppendTCP(eth(EtherTypeIPv6), v6, syn),
	}
}

// touch parses a frame as far as it can and reads every field of every view, so that a missing check shows as a panic.
// It returns the number of views that parsed.
func touch(frame []byte) int {
	f, ok := Parse(frame)
	if !ok {
		return 0
	}
	n := 1
	_, _, _, _, _, _, _ = f.Dst(), f.Src(), f.Tagged(), f.TPID(), f.TCI(), f.VID(), f.PCP()
	p := f.Payload()
	switch f.EtherType() {
	case EtherTypeARP:
		if a, ok := ParseARP(p); ok {
			n++
			_, _, _, _, _ = a.Op(), a.SenderMAC(), a.SenderIP(), a.TargetMAC(), a.TargetIP()
		}
	case EtherTypeIPv4:
		if v, ok := ParseIPv4(p); ok {
			n++
			_, _, _, _, _, _ = v.HeaderLen(), v.DSCP(), v.ID(), v.FragmentOffset(), v.MoreFragments(), v.TTL()
			_ = v.ChecksumValid()
			n += touchUpper(v.Proto(), v.Src(), v.Dst(), v.Payload())
		}
	case EtherTypeIPv6:
		if v, ok := ParseIPv6(p); ok {
			n++
			_ = v.DSCP()
			n += touchUpper(v.NextHeader(), v.Src(), v.Dst(), v.Payload())
		}
	}
	return n
}

func touchUpper(proto uint8, src, dst netip.Addr, b []byte) int {
	switch proto {
	case ProtoICMP, ProtoICMPv6:
		if m, ok := ParseICMP(b); ok {
			_, _, _, _, _, _, _ = m.Type(), m.Code(), m.ID(), m.Seq(), m.Payload(), m.ChecksumValid(),
				m.ChecksumValid6(src, dst)
			return 1
		}
	case ProtoUDP:
		if u, ok := ParseUDP(b); ok {
			_, _, _, _ = u.SrcPort(), u.DstPort(), u.Payload(), u.ChecksumValid(src, dst)
			return 1
		}
	case ProtoTCP:
		if s, ok := ParseTCP(b); ok {
			_, _, _, _, _, _, _ = s.SrcPort(), s.DstPort(), s.Seq(), s.Ack(), s.Flags(), s.Payload(),
				s.ChecksumValid(src, dst)
			return 1
		}
	}
	return 0
}

func TestParsingAllocatesNothing(t *testing.T) {
	for name, frame := range frames() {
		if n := testing.AllocsPerRun(100, func() { touch(frame) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestBuildingAllocatesNothing appends to a slice that has room.
func TestBuildingAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 2048)
	data := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendEthernetVLAN(b[:0], mac2, mac1, 10, EtherTypeIPv4)
		b = AppendEcho(b, IP{Src: ip1, Dst: ip2}, Echo{Payload: data})
		b = AppendEcho(b, IP{Src: ip61, Dst: ip62}, Echo{Payload: data})
		b = AppendARPRequest(b, mac1, ip1, ip2)
		b = AppendTCP(b, IP{Src: ip1, Dst: ip2}, Segment{})
		b = AppendUDP(b, IP{Src: ip1, Dst: ip2}, 1, 2, data)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTruncated cuts every frame at every length. The cut copy has no capacity behind it.
func TestTruncated(t *testing.T) {
	for name, frame := range frames() {
		whole := touch(frame)
		for n := range frame {
			if got := touch(bytes.Clone(frame[:n:n])[:n:n]); got >= whole {
				t.Errorf("%s cut at %d: %d views parse, as in the whole frame", name, n, got)
			}
		}
	}
}

// TestPaddingIsNotPayload has the bytes that Ethernet adds to reach its least length.
func TestPaddingIsNotPayload(t *testing.T) {
	for name, frame := range frames() {
		if got, want := touch(append(bytes.Clone(frame), make([]byte, 40)...)), touch(frame); got != want {
			t.Errorf("%s with padding: %d views parse, want %d", name, got, want)
		}
	}
	f, _ := Parse(append(frames()["icmp"], 1, 2, 3))
	v, _ := ParseIPv4(f.Payload())
	m, ok := ParseICMP(v.Payload())
	if !ok || string(m.Payload()) != "an odd number of bytes." || !m.ChecksumValid() {
		t.Errorf("got %q", m.Payload())
	}
}

// TestBuildersRefuse has the fields that cannot be written: nothing is appended.
func TestBuildersRefuse(t *testing.T) {
	b := []byte("x")
	huge := make([]byte, 0x10000)
	v4, v6, mixed := IP{Src: ip1, Dst: ip2}, IP{Src: ip61, Dst: ip62}, IP{Src: ip1, Dst: ip62}
	for name, got := range map[string][]byte{
		"arp of IPv6":         AppendARPRequest(b, mac1, ip61, ip2),
		"arp for IPv6":        AppendARPReply(b, mac1, ip1, mac2, ip62),
		"echo, families":      AppendEcho(b, mixed, Echo{}),
		"echo, families back": AppendEcho(b, IP{Src: ip61, Dst: ip2}, Echo{}),
		"echo, no address":    AppendEcho(b, IP{}, Echo{}),
		"echo, one address":   AppendEcho(b, IP{Src: ip1}, Echo{}),
		"echo, DSCP":          AppendEcho(b, IP{Src: ip1, Dst: ip2, DSCP: 64}, Echo{}),
		"echo too long":       AppendEcho(b, v4, Echo{Payload: huge[:0x10000-28]}),
		"echo6 too long":      AppendEcho(b, v6, Echo{Payload: huge[:0x10000-8]}),
		"udp too long":        AppendUDP(b, v4, 1, 2, huge[:0x10000-28]),
		"udp, families":       AppendUDP(b, mixed, 1, 2, nil),
		"tcp, families":       AppendTCP(b, mixed, Segment{}),
	} {
		if string(got) != "x" {
			t.Errorf("%s: %d bytes appended", name, len(got)-1)
		}
	}
	for name, got := range map[string][]byte{
		"echo":  AppendEcho(nil, v4, Echo{Payload: huge[:0xffff-28]}),
		"echo6": AppendEcho(nil, v6, Echo{Payload: huge[:0xffff-8]}),
	} {
		if len(got) == 0 {
			t.Errorf("%s: the longest is refused", name)
		}
	}
}

func FuzzViews(f *testing.F) {
	for _, frame := range frames() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame := bytes.Clone(b)[:len(b):len(b)]
		touch(frame)
		if !bytes.Equal(frame, b) {
			t.Error("reading wrote into the frame")
		}
	})
}

func BenchmarkParseICMP(b *testing.B) {
	frame := frames()["icmp tagged"]
	b.ReportAllocs()
	for b.Loop() {
		f, _ := Parse(frame)
		v, _ := ParseIPv4(f.Payload())
		m, ok := ParseICMP(v.Payload())
		if !ok || !m.ChecksumValid() || m.ID() != 0xabcd {
			b.Fatal("not parsed")
		}
	}
}
