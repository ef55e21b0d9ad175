package packet

import (
	"bytes"
	"testing"
)

func TestFrame(t *testing.T) {
	head := "020000000002 020000000001 "
	for _, c := range []struct {
		name, hex      string
		tagged         bool
		tpid, tci, typ uint16
		payload        string
	}{
		{"untagged", "0800 aa", false, 0, 0, EtherTypeIPv4, "aa"},
		{"empty", "0806", false, 0, 0, EtherTypeARP, ""},
		{"tagged", "8100 600a 0800 aabb", true, EtherTypeVLAN, 0x600a, EtherTypeIPv4, "aabb"},
		{"priority tag", "8100 e000 0806", true, EtherTypeVLAN, 0xe000, EtherTypeARP, ""},
		{"service tag", "88a8 0005 0800", true, EtherTypeQinQ, 5, EtherTypeIPv4, ""},
		{"two tags", "88a8 0005 8100 0006 0800", true, EtherTypeQinQ, 5, EtherTypeVLAN, "00060800"},
		{"802.3", "0026 4242", false, 0, 0, 0x26, "4242"},
	} {
		b := unhex(t, head+c.hex)
		f, ok := Parse(b)
		if !ok {
			t.Errorf("%s does not parse", c.name)
			continue
		}
		if f.Dst() != mac2 || f.Src() != mac1 || f.Tagged() != c.tagged || f.TPID() != c.tpid || f.TCI() != c.tci ||
			f.VID() != c.tci&0xfff || f.PCP() != uint8(c.tci>>13) || f.EtherType() != c.typ {
			t.Errorf("%s: %+v", c.name, f)
		}
		checkEqual(t, c.name, f.Payload(), unhex(t, c.payload))
		checkEqual(t, c.name, f.Bytes(), b)
	}
	for _, s := range []string{head + "08", head + "8100 0005 08", head + "88a8", ""} {
		if _, ok := Parse(unhex(t, s)); ok {
			t.Errorf("%q parses", s)
		}
	}
}

func TestARPRejects(t *testing.T) {
	good := AppendARPRequest(nil, mac1, ip1, ip2)
	if a, ok := ParseARP(good); !ok || a.Op() != ARPRequest || a.SenderMAC() != mac1 || a.SenderIP() != ip1 ||
		!a.TargetMAC().IsZero() || a.TargetIP() != ip2 {
		t.Error(a, ok)
	}
	for i := range 6 { // hardware and protocol, and their lengths
		b := bytes.Clone(good)
		b[i]++
		if _, ok := ParseARP(b); ok {
			t.Errorf("byte %d changed: parses", i)
		}
	}
	if a, ok := ParseARP(append(good, 1)); !ok || len(a) != arpLen {
		t.Error("padding belongs to the view")
	}
}

func TestIPv4Rejects(t *testing.T) {
	good := AppendEcho(nil, IP{Src: ip1, Dst: ip2}, Echo{Payload: []byte("data")})
	for name, edit := range map[string]func(b []byte) []byte{
		"version":             func(b []byte) []byte { b[0] = 0x65; return b },
		"header of 16 bytes":  func(b []byte) []byte { b[0] = 0x44; return b },
		"header beyond total": func(b []byte) []byte { b[0] = 0x4f; return b },
		"total below header":  func(b []byte) []byte { b[3] = 19; return b },
		"total beyond":        func(b []byte) []byte { b[3]++; return b },
		"short":               func(b []byte) []byte { return b[:19] },
	} {
		if _, ok := ParseIPv4(edit(bytes.Clone(good))); ok {
			t.Errorf("%s: parses", name)
		}
	}
	for i := range ipv4Len { // every byte of the header is under the checksum
		b := bytes.Clone(good)
		b[i] ^= 0x10
		if v, ok := ParseIPv4(b); ok && v.ChecksumValid() {
			t.Errorf("byte %d changed: checksum passes", i)
		}
	}
	fragment := bytes.Clone(good)
	fragment[6], fragment[7] = 0x20, 3
	if v, ok := ParseIPv4(fragment); !ok || !v.MoreFragments() || v.FragmentOffset() != 24 {
		t.Error("fragment")
	}
	// A header with options: the payload starts behind them.
	b := unhex(t, "46b8001d 00000000 40010000 0a000301 0a000302 01010101 aabbccddee")
	if v, ok := ParseIPv4(b); !ok || v.HeaderLen() != 24 || v.DSCP() != 46 || !bytes.Equal(v.Payload(), b[24:]) {
		t.Error("options")
	}
}

func TestIPv6Rejects(t *testing.T) {
	good := AppendEcho(nil, IP{Src: ip61, Dst: ip62, DSCP: 46}, Echo{})
	for name, edit := range map[string]func(b []byte) []byte{
		"version":       func(b []byte) []byte { b[0] = 0x4b; return b },
		"length beyond": func(b []byte) []byte { b[5]++; return b },
		"short":         func(b []byte) []byte { return b[:39] },
	} {
		if _, ok := ParseIPv6(edit(bytes.Clone(good))); ok {
			t.Errorf("%s: parses", name)
		}
	}
	good[1] |= 0x1b // ECN 1, flow label
	good[3] = 0x42
	if v, ok := ParseIPv6(good); !ok || v.DSCP() != 46 {
		t.Error("DSCP between version and flow label")
	}
}

func TestICMPChecksum(t *testing.T) {
	for name, ip := range map[string]IP{"4": {Src: ip1, Dst: ip2}, "6": {Src: ip61, Dst: ip62}} {
		for n := range 9 { // odd and even payloads
			b := AppendEcho(nil, ip, Echo{ID: 1, Seq: 2, Payload: []byte("12345678")[:n]})
			m := ICMP(b[ipv4Len:])
			valid := m.ChecksumValid
			if name == "6" {
				m = ICMP(b[ipv6Len:])
				valid = func() bool { return m.ChecksumValid6(ip61, ip62) }
			}
			if !valid() {
				t.Errorf("ICMPv%s with %d bytes: checksum fails", name, n)
			}
			m[len(m)-1] ^= 1
			if valid() {
				t.Errorf("ICMPv%s with %d bytes, one changed: checksum passes", name, n)
			}
		}
	}
}

func TestShortHeaders(t *testing.T) {
	zeros := make([]byte, 40)
	if _, ok := ParseICMP(zeros[:7]); ok {
		t.Error("ICMP of 7 bytes parses")
	}
	if _, ok := ParseUDP(zeros[:7]); ok {
		t.Error("UDP of 7 bytes parses")
	}
	if _, ok := ParseTCP(zeros[:19]); ok {
		t.Error("TCP of 19 bytes parses")
	}
}

func TestUDPRejects(t *testing.T) {
	good := AppendUDP(nil, IP{Src: ip1, Dst: ip2}, 1, 2, []byte("data"))[ipv4Len:]
	if u, ok := ParseUDP(append(bytes.Clone(good), 9)); !ok || string(u.Payload()) != "data" ||
		!u.ChecksumValid(ip1, ip2) {
		t.Error("padding belongs to the view")
	}
	for name, v := range map[string]byte{"below header": 7, "beyond": 13, "zero": 0} {
		b := bytes.Clone(good)
		b[5] = v
		if _, ok := ParseUDP(b); ok {
			t.Errorf("length %s: parses", name)
		}
	}
	u := UDP(bytes.Clone(good))
	u[6], u[7] = 0, 0
	if !u.ChecksumValid(ip1, ip2) || u.ChecksumValid(ip61, ip62) {
		t.Error("no checksum is right in IPv4 and wrong in IPv6")
	}
}

// TestUDPChecksumIsNeverZero searches the payload whose sum is zero: on the wire that is all ones.
func TestUDPChecksumIsNeverZero(t *testing.T) {
	found := false
	for i := range 0x10000 {
		u := UDP(AppendUDP(nil, IP{Src: ip1, Dst: ip2}, 1, 2, []byte{byte(i >> 8), byte(i)})[ipv4Len:])
		switch be.Uint16(u[6:]) {
		case 0:
			t.Fatalf("payload %04x: no checksum", i)
		case 0xffff:
			found = true
			if !u.ChecksumValid(ip1, ip2) {
				t.Errorf("payload %04x: checksum fails", i)
			}
		}
	}
	if !found {
		t.Error("no payload has the sum zero")
	}
}

func TestTCPRejects(t *testing.T) {
	good := AppendTCP(nil, IP{Src: ip1, Dst: ip2}, Segment{})[ipv4Len:]
	for name, v := range map[string]byte{"below header": 0x40, "beyond": 0x60} {
		b := bytes.Clone(good)
		b[12] = v
		if _, ok := ParseTCP(b); ok {
			t.Errorf("offset %s: parses", name)
		}
	}
	b := append(bytes.Clone(good), 1, 1, 1, 1, 'x')
	b[12] = 0x60
	if s, ok := ParseTCP(b); !ok || string(s.Payload()) != "x" {
		t.Error("options belong to the payload")
	}
}
