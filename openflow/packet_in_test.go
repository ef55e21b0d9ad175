package openflow

import (
	"errors"
	"net/netip"
	"testing"
)

func TestPacketInDecode(t *testing.T) {
	arp := unhex(t, "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000301 000000000000 0a000302")
	tunnelled := append(unhex(t, "020000000002 020000000001 0800 45"), make([]byte, 40)...)
	checkDecode(t, "packet_in_action", &PacketIn{
		BufferID: BufferNone, TotalLen: 42, Reason: PacketInAction, Cookie: 0x0102030405060708, InPort: 1, Data: arp,
	})
	checkDecode(t, "packet_in_from_packet_out", &PacketIn{
		BufferID: BufferNone, TotalLen: 42, Reason: PacketInAction, Cookie: 0x77, InPort: PortController, Data: arp,
	})
	checkDecode(t, "packet_in_tunnel4", &PacketIn{
		BufferID: BufferNone, TotalLen: 55, Reason: PacketInNoMatch, Cookie: 0x88, InPort: 5, TunnelID: 5010,
		TunSrc: netip.MustParseAddr("172.31.9.2"), TunDst: netip.MustParseAddr("172.31.9.1"), Data: tunnelled,
	})
	checkDecode(t, "packet_in_tunnel6", &PacketIn{
		BufferID: BufferNone, TotalLen: 55, Reason: PacketInAction, Cookie: 0x66, InPort: 6, TunnelID: 5010,
		TunSrc: netip.MustParseAddr("fd00:9::2"), TunDst: netip.MustParseAddr("fd00:9::1"), Data: tunnelled,
	})
}

func TestPacketInReasons(t *testing.T) {
	want := []string{"no_match", "action", "invalid_ttl", "reason_3"}
	for i, w := range want {
		if got := PacketInReason(i).String(); got != w {
			t.Errorf("reason %d = %q, want %q", i, got, w)
		}
	}
}

func TestPacketInRejects(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(b []byte)
		err  error
		text string
	}{
		{"version", func(b []byte) { b[0] = 1 }, ErrVersion, "decode packet_in at byte 0: bad version"},
		{"type", func(b []byte) { b[1] = 11 }, ErrType, "decode packet_in at byte 1: unexpected type"},
		{"length", func(b []byte) { b[3]-- }, ErrLength, "decode packet_in at byte 2: bad length"},
		{"match type", func(b []byte) { b[25] = 0 }, ErrType, "decode packet_in: match at byte 24: unexpected type"},
		{"match length 0", func(b []byte) { b[27] = 0 }, ErrLength, "decode packet_in: match at byte 26: bad length"},
		{"match length 3", func(b []byte) { b[27] = 3 }, ErrLength, "decode packet_in: match at byte 26: bad length"},
		{"match beyond", func(b []byte) { b[26] = 1 }, ErrShort, "decode packet_in: match at byte 26: short"},
		{"no room for padding", func(b []byte) { b[27] = 97 }, ErrShort, "decode packet_in at byte 128: short"},
		{
			"field beyond match", func(b []byte) { b[27] = 39 }, ErrShort,
			"decode packet_in: match: field 4 at byte 56: short",
		},
		{
			"header beyond match", func(b []byte) { b[27] = 34 }, ErrShort,
			"decode packet_in: match: field 4 at byte 56: short",
		},
		{
			"in_port length", func(b []byte) { b[31] = 0 }, ErrLength,
			"decode packet_in: match: field 1 at byte 31: bad length",
		},
		{
			"in_port masked", func(b []byte) { b[30] |= 1 }, ErrLength,
			"decode packet_in: match: field 1 at byte 31: bad length",
		},
		{
			"experimenter without id", func(b []byte) {
				b[28], b[29], b[31] = 0xff, 0xff,
					0
			}, ErrLength, "decode packet_in: match: field 1 at byte 31: bad length",
		},
	} {
		msg := golden(t, "packet_in_tunnel4")
		if c.name == "no room for padding" { // one short of a whole match of 97 bytes with its padding
			msg = append(msg, make([]byte, 7)...)
			be.PutUint16(msg[2:], uint16(len(msg)))
		}
		c.edit(msg)
		err := new(PacketIn).Decode(msg)
		if !errors.Is(err, c.err) || err.Error() != c.text {
			t.Errorf("%s: got %v, want %s", c.name, err, c.text)
		}
		var de *DecodeError
		if !errors.As(err, &de) || de.Message != "packet_in" {
			t.Errorf("%s: %#v is no DecodeError of packet_in", c.name, err)
		}
	}
}

// TestPacketInSkips has fields that a packet-in of Open vSwitch may carry and that nobody here reads.
func TestPacketInSkips(t *testing.T) {
	match := unhex(t, "80000004 00000003 80000408 0000000000000001 00018004 12345678 "+
		"0001d910 aaaaaaaa aaaaaaaa ffffffff ffffffff ffff0008 0000000100000002")
	msg := appendHeader(nil, TypePacketIn, packetInFixed+matchLen(match)+2, 0)
	msg = append(msg, make([]byte, packetInFixed-HeaderLen)...)
	msg = append(appendMatch(msg, match), 0xff, 0xff) // padding is not looked at
	var m PacketIn
	if err := m.Decode(msg); err != nil {
		t.Fatal(err)
	}
	if m.InPort != 3 || m.TunnelID != 0 || m.TunSrc.IsValid() || len(m.Data) != 0 {
		t.Errorf("got %+v", m)
	}
}

func TestPacketInForgetsTheOneBefore(t *testing.T) {
	var m PacketIn
	if err := m.Decode(golden(t, "packet_in_tunnel4")); err != nil || !m.TunSrc.IsValid() {
		t.Fatal(m, err)
	}
	if err := m.Decode(golden(t, "packet_in_action")); err != nil || m.TunSrc.IsValid() || m.TunnelID != 0 {
		t.Error(m, err)
	}
}

func TestPacketInAllocatesNothing(t *testing.T) {
	for _, name := range []string{"packet_in_action", "packet_in_tunnel4", "packet_in_tunnel6"} {
		msg := golden(t, name)
		var m PacketIn
		if n := testing.AllocsPerRun(1000, func() {
			if err := m.Decode(msg); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecodePacketIn(b *testing.B) {
	for _, name := range []string{"packet_in_action", "packet_in_tunnel4"} {
		b.Run(name, func(b *testing.B) {
			msg := golden(b, name)
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			var m PacketIn
			for b.Loop() {
				if err := m.Decode(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
