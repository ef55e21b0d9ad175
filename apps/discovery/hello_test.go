package discovery

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

var (
	addr = netip.MustParseAddr("192.0.2.7")
	t0   = time.Unix(1_700_000_000, 0)
	from = topology.PortRef{Switch: 0x00e0510011223344, Port: 7}
)

func TestHelloRoundTrip(t *testing.T) {
	s := NewSigner(t0)
	want := Hello{From: from, Seq: 9, Sent: t0.Add(time.Minute)}
	b := s.Append([]byte("before"), want)
	frame := b[len("before"):]
	if len(frame) != helloSize {
		t.Errorf("%d bytes, want %d", len(frame), helloSize)
	}
	for _, padding := range []int{0, 1, 50} {
		got, _, ok := s.Verify(want.Sent.Add(time.Millisecond), append(bytes.Clone(frame), make([]byte, padding)...))
		if !ok || got.From != want.From || got.Seq != want.Seq || !got.Sent.Equal(want.Sent) {
			t.Errorf("with %d bytes of padding: %+v %v", padding, got, ok)
		}
	}
}

// TestHelloIsLLDP: the frame is one that others understand, to the nearest bridge, from a local address.
func TestHelloIsLLDP(t *testing.T) {
	frame := NewSigner(t0).Append(nil, Hello{From: from, Seq: 9, Sent: t0})
	f, ok := packet.Parse(frame)
	if !ok || f.EtherType() != packet.EtherTypeLLDP || f.Dst() != helloDst || f.Src()[0]&3 != 2 {
		t.Fatalf("%x", frame)
	}
	var types []byte
	for b := f.Payload(); len(b) >= 2; {
		n := int(b[0]&1)<<8 | int(b[1])
		types = append(types, b[0]>>1)
		if len(b) < 2+n {
			t.Fatalf("TLV of type %d is cut off", b[0]>>1)
		}
		if b[0]>>1 == tlvOrg && [4]byte(b[2:]) != orgPrefix {
			t.Errorf("%x", b[2:6])
		}
		b = b[2+n:]
	}
	if string(types) != string([]byte{tlvChassis, tlvPort, tlvTTL, tlvOrg, tlvEnd}) {
		t.Errorf("TLVs of types %d", types)
	}
}

// TestForged changes every bit of what is signed, and uses another key.
func TestForged(t *testing.T) {
	s := NewSigner(t0)
	frame := s.Append(nil, Hello{From: from, Seq: 9, Sent: t0})
	for i := range len(frame) - 2 { // but for the end TLV, which says nothing
		for bit := range 8 {
			forged := bytes.Clone(frame)
			forged[i] ^= 1 << bit
			h, drop, ok := s.Verify(t0, forged)
			if ok || (drop != DropForged && drop != DropForeign) || h != (Hello{}) {
				t.Fatalf("bit %d of byte %d: %v %v", bit, i, drop, ok)
			}
		}
	}
	if _, drop, ok := NewSigner(t0).Verify(t0, frame); ok || drop != DropForged {
		t.Errorf("another key: %v %v", drop, ok)
	}
}

func TestTruncated(t *testing.T) {
	s := NewSigner(t0)
	frame := s.Append(nil, Hello{From: from, Seq: 9, Sent: t0})
	for n := range frame {
		if _, drop, ok := s.Verify(t0, frame[:n:n]); ok || drop != DropForeign {
			t.Fatalf("%d bytes: %v %v", n, drop, ok)
		}
	}
}

func TestAge(t *testing.T) {
	s := NewSigner(t0)
	frame := s.Append(nil, Hello{From: from, Seq: 9, Sent: t0.Add(time.Hour)})
	for age, want := range map[time.Duration]bool{
		0: true, maxAge: true, maxAge + 1: false, time.Hour: false, -time.Second: true, -time.Second - 1: false,
	} {
		if _, drop, ok := s.Verify(t0.Add(time.Hour+age), frame); ok != want || !ok && drop != DropStale {
			t.Errorf("at an age of %s: %v %v", age, drop, ok)
		}
	}
}

// FuzzVerify: no input makes Verify panic, and Append gives back every frame that it accepts.
func FuzzVerify(f *testing.F) {
	s := &Signer{start: t0} // a fixed key: what is found can be run again
	good := s.Append(nil, Hello{From: from, Seq: 9, Sent: t0})
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0, 0, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, _, ok := s.Verify(t0, frame)
		if !ok {
			return
		}
		again := s.Append(nil, h)
		if !bytes.Equal(again[:len(again)-2], frame[:len(again)-2]) {
			t.Fatalf("took %x for %x", frame, again)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := NewSigner(t0)
	frame := s.Append(nil, Hello{From: from, Seq: 9, Sent: t0})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := s.Verify(t0, frame); !ok {
			b.Fatal("refused")
		}
	}
}
