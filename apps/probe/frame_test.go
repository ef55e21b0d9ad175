package probe

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

var (
	testKey  = Key{1, 2, 3}
	macA     = packet.MAC{0x52, 0x54, 0, 0, 0, 1}
	macB     = packet.MAC{0x52, 0x54, 0, 0, 0, 2}
	ipA, ipB = netip.MustParseAddr("10.0.3.1"), netip.MustParseAddr("10.0.3.2")
	ip6A     = netip.MustParseAddr("fd00::1")
	ip6B     = netip.MustParseAddr("fd00::2")
	start    = time.Unix(1700000000, 123456789)
)

func echo(src, dst netip.Addr) *Frame {
	typ := ICMP
	if src.Is6() {
		typ = ICMP6
	}
	return &Frame{
		Type: typ, Link: Link{Src: macA, Dst: macB}, Src: src, Dst: dst, Color: 0x8001, ID: 7, Seq: 0x10005,
		Start: start,
	}
}

// bounce makes the reply that a host sends to an echo request, tagged as it is inside the pipeline.
func bounce(t testing.TB, request []byte, vlan uint16) []byte {
	t.Helper()
	f, ok := packet.Parse(request)
	if !ok {
		t.Fatal("request is no frame")
	}
	ip := packet.IP{}
	var body []byte
	if f.EtherType() == packet.EtherTypeIPv4 {
		p, ok := packet.ParseIPv4(f.Payload())
		if !ok {
			t.Fatal("request is no IPv4 packet")
		}
		ip, body = packet.IP{Src: p.Dst(), Dst: p.Src(), DSCP: p.DSCP()}, p.Payload()
	} else {
		p, ok := packet.ParseIPv6(f.Payload())
		if !ok {
			t.Fatal("request is no IPv6 packet")
		}
		ip, body = packet.IP{Src: p.Dst(), Dst: p.Src(), DSCP: p.DSCP()}, p.Payload()
	}
	icmp, ok := packet.ParseICMP(body)
	if !ok {
		t.Fatal("request is no ICMP message")
	}
	b := packet.AppendEthernetVLAN(nil, f.Src(), f.Dst(), vlan, f.EtherType())
	return packet.AppendEcho(b, ip, packet.Echo{Reply: true, ID: icmp.ID(), Seq: icmp.Seq(), Payload: icmp.Payload()})
}

func TestEchoIsAsTheHostWouldSendIt(t *testing.T) {
	frame := echo(ipA, ipB).Append(nil, &testKey)
	f, _ := packet.Parse(frame)
	if f.Tagged() || f.Src() != macA || f.Dst() != macB {
		t.Errorf("header %x: want untagged, from %v to %v", frame[:14], macA, macB)
	}
	ip, ok := packet.ParseIPv4(f.Payload())
	if !ok || !ip.ChecksumValid() {
		t.Fatalf("no valid IPv4 packet in %x", frame)
	}
	if ip.TTL() != 64 || f.Payload()[6] != 0x40 || ip.DSCP() != 0 {
		t.Errorf("TTL %d, flags %#x, DSCP %d: want 64, don't fragment, 0", ip.TTL(), f.Payload()[6], ip.DSCP())
	}
	icmp, ok := packet.ParseICMP(ip.Payload())
	if !ok || !icmp.ChecksumValid() || icmp.Type() != packet.ICMPv4EchoRequest {
		t.Fatalf("no valid echo request in %x", frame)
	}
	if icmp.ID() != 0x8001 || icmp.Seq() != 5 {
		t.Errorf("id %#x seq %d, want 0x8001 and the lower half of 0x10005", icmp.ID(), icmp.Seq())
	}
	if n := len(icmp.Payload()); n != DefaultSize {
		t.Errorf("payload of %d bytes, want %d", n, DefaultSize)
	}
}

func TestEchoSizes(t *testing.T) {
	for _, c := range []struct{ asked, want int }{{0, 56}, {1, MinSize}, {1400, 1400}, {1 << 20, MaxSize}} {
		e := echo(ipA, ipB)
		e.Size = c.asked
		frame := e.Append(nil, &testKey)
		if got := len(frame) - 14 - 20 - 8; got != c.want {
			t.Errorf("size %d: payload of %d bytes, want %d", c.asked, got, c.want)
		}
		if _, reason := Verify(bounce(t, frame, 10), &testKey); reason != Genuine {
			t.Errorf("size %d: reply is %v", c.asked, reason)
		}
	}
}

func TestEchoOfAnotherFamilyIsNothing(t *testing.T) {
	for _, f := range []*Frame{
		{Type: ICMP, Src: ipA, Dst: ip6B},
		{Type: ICMP, Src: ip6A, Dst: ip6B},
		{Type: ICMP6, Src: ipA, Dst: ipB},
		{Type: ICMP6, Src: ip6A, Dst: ipB},
		{Type: ICMP, Dst: ipB},
	} {
		if b := f.Append([]byte{9}, &testKey); len(b) != 1 {
			t.Errorf("%v from %v to %v: got %x, want only what was there", f.Type, f.Src, f.Dst, b)
		}
	}
}

func TestVerifyGenuine(t *testing.T) {
	for _, c := range []struct {
		typ      Type
		src, dst netip.Addr
	}{{ICMP, ipA, ipB}, {ICMP6, ip6A, ip6B}} {
		r, reason := Verify(bounce(t, echo(c.src, c.dst).Append(nil, &testKey), 10), &testKey)
		if reason != Genuine {
			t.Fatalf("%v: %v", c.typ, reason)
		}
		want := Reply{
			Type: c.typ, EthSrc: macB, EthDst: macA, Tagged: true, VLAN: 10, Src: c.dst, Dst: c.src, Color: 0x8001,
			ID:  7,
			Seq: 0x10005, Start: r.Start, Size: 56, echoSeq: 5,
		}
		if r != want || !r.Start.Equal(start) {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
}

func TestVerifyReasons(t *testing.T) {
	good := bounce(t, echo(ipA, ipB).Append(nil, &testKey), 10)
	const icmpAt = 18 + 20
	const payloadAt = icmpAt + 8
	change := func(at int, to byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = to
		return b
	}
	other := echo(ipA, ipB).Append(nil, &Key{9})
	for name, c := range map[string]struct {
		frame []byte
		want  Reason
	}{
		"empty":            {nil, Malformed},
		"cut in IP":        {good[:30], Malformed},
		"fragment":         {change(18+6, 0x20), Malformed},
		"UDP":              {change(18+9, 17), NotReply},
		"request":          {change(icmpAt, 8), NotReply},
		"code":             {change(icmpAt+1, 1), NotReply},
		"other ethertype":  {change(17, 0x99), NotReply},
		"a user's ping":    {change(payloadAt, 'X'), NotOurs},
		"version":          {change(payloadAt+4, 2), BadVersion},
		"another's key":    {bounce(t, other, 10), Forged},
		"source address":   {change(18+12, 11), Forged},
		"destination":      {change(18+19, 9), Forged},
		"id":               {change(icmpAt+4, 0x81), Forged},
		"probe id":         {change(payloadAt+8, 1), Forged},
		"start":            {change(payloadAt+16, 1), Forged},
		"hash":             {change(payloadAt+24, good[payloadAt+24]^1), Forged},
		"size":             {change(payloadAt+7, 57), Forged},
		"sequence":         {change(icmpAt+7, 6), Altered},
		"padding":          {change(len(good)-1, 0), Altered},
		"genuine":          {good, Genuine},
		"ethernet trailer": {append(append([]byte(nil), good...), 0, 0), Genuine},
	} {
		if _, got := Verify(c.frame, &testKey); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	short := append([]byte(nil), good[:len(good)-4]...)
	short[18+3] -= 4 // IP total length
	if _, got := Verify(short, &testKey); got != Truncated {
		t.Errorf("truncated: %v", got)
	}
}

func TestARP(t *testing.T) {
	request := (&Frame{Type: ARP, Link: Link{Dst: packet.Broadcast}, Dst: ipB, Color: 0x9abc, Seq: 0x1ff}).Append(nil,
		&testKey)
	want := "ffffffffffff" + "02e0519abcff" + "0806" + "0001080006040001" + "02e0519abcff" + "00000000" +
		"000000000000" + "0a000302"
	if got := hex.EncodeToString(request[:42]); got != want || len(request) != 60 {
		t.Errorf("request of %d bytes\n got %s\nwant %s", len(request), got, want)
	}
	colored := ColoredMAC(0x9abc, 0xff)
	reply := packet.AppendEthernetVLAN(nil, colored, macB, 10, packet.EtherTypeARP)
	reply = packet.AppendARPReply(reply, macB, ipB, colored, netip.IPv4Unspecified())
	r, reason := Verify(reply, &testKey)
	if reason != Genuine || r.Type != ARP || r.Color != 0x9abc || r.Seq != 0xff || r.Src != ipB || r.EthSrc != macB {
		t.Errorf("%v %+v", reason, r)
	}
	request[5] = 0xfe
	if _, reason := Verify(request, &testKey); reason != NotReply {
		t.Errorf("a request is %v", reason)
	}
	reply[18+18] ^= 0xff // target MAC in the ARP
	if _, reason := Verify(reply, &testKey); reason != Altered {
		t.Errorf("other target: %v", reason)
	}
	if !IsColored(colored) || IsColored(macA) {
		t.Error("IsColored is wrong")
	}
	if b := (&Frame{Type: ARP, Dst: ip6A}).Append(nil, &testKey); b != nil {
		t.Errorf("ARP for IPv6: %x", b)
	}
}

func TestTaggedSource(t *testing.T) {
	e := echo(ipA, ipB)
	e.Tagged, e.VLAN = true, 11
	f, _ := packet.Parse(e.Append(nil, &testKey))
	if !f.Tagged() || f.VID() != 11 || f.EtherType() != packet.EtherTypeIPv4 {
		t.Errorf("frame %x", f.Bytes()[:18])
	}
}

func TestLinkLocal(t *testing.T) {
	if got := LinkLocal(macA).String(); got != "fe80::5054:ff:fe00:1" {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	x := Expectation{
		Trap: trapAB, Color: 0x8001, Switch: 1, Port: 2, NotPort: 1,
	}
	good, reason := Verify(bounce(t, echo(ipA, ipB).Append(nil, &testKey), 10), &testKey)
	if reason != Genuine {
		t.Fatal(reason)
	}
	for name, c := range map[string]struct {
		change func(x *Expectation)
		want   Reason
	}{
		"genuine":     {func(*Expectation) {}, Genuine},
		"type":        {func(x *Expectation) { x.Type = ARP }, WrongType},
		"color":       {func(x *Expectation) { x.Color++ }, WrongColor},
		"switch":      {func(x *Expectation) { x.Switch = 2 }, WrongSwitch},
		"vlan":        {func(x *Expectation) { x.VLAN = 11 }, WrongVLAN},
		"source":      {func(x *Expectation) { x.Src = ipA }, WrongAddress},
		"destination": {func(x *Expectation) { x.Dst = ipB }, WrongAddress},
		"mac":         {func(x *Expectation) { x.EthDst = macB }, WrongAddress},
		"port":        {func(x *Expectation) { x.Port = 3 }, WrongPort},
		"any port":    {func(x *Expectation) { x.Port = 0 }, Genuine},
		"own port":    {func(x *Expectation) { x.Port, x.NotPort = 0, 2 }, WrongPort},
	} {
		y := x
		c.change(&y)
		if got := y.Check(1, 2, 10, &good); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range append(Reasons(), Genuine) {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("reason %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(bounce(f, echo(ipA, ipB).Append(nil, &testKey), 10))
	f.Add(bounce(f, echo(ip6A, ip6B).Append(nil, &testKey), 10))
	c := ColoredMAC(0x9abc, 1)
	f.Add(packet.AppendARPReply(packet.AppendEthernetVLAN(nil, c, macB, 10, packet.EtherTypeARP), macB, ipB, c, ipA))
	genuine := bounce(f, echo(ipA, ipB).Append(nil, &testKey), 10)
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, reason := Verify(frame, &testKey)
		if reason >= UnknownProbe {
			t.Fatalf("Verify returned %v, which it cannot know", reason)
		}
		if reason != Genuine || r.Type == ARP {
			return
		}
		// Nobody else has the key: what is genuine was derived from the seeds and says the same.
		want, _ := Verify(genuine, &testKey)
		if r.Color != want.Color || r.ID != want.ID || r.Seq != want.Seq || !r.Start.Equal(want.Start) {
			t.Fatalf("forged: %+v", r)
		}
	})
}

func TestEveryByteOfTheEchoCounts(t *testing.T) {
	good := bounce(t, echo(ipA, ipB).Append(nil, &testKey), 10)
	for i := 18 + 20 + 4; i < len(good); i++ {
		b := append([]byte(nil), good...)
		b[i] ^= 0x40
		if _, reason := Verify(b, &testKey); reason == Genuine {
			t.Errorf("byte %d was changed and nobody noticed", i)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	frame := bounce(b, echo(ipA, ipB).Append(nil, &testKey), 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := Verify(frame, &testKey); reason != Genuine {
			b.Fatal(reason)
		}
	}
}
