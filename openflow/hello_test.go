package openflow

import (
	"errors"
	"testing"
)

func TestHelloDecode(t *testing.T) {
	checkDecode(t, "hello", &Hello{Version: 4, HasBitmap: true, Bitmap: 1<<1 | 1<<4})
	checkDecode(t, "ofctl_hello", &Hello{Version: 4, HasBitmap: true, Bitmap: 1 << 4})
}

func TestAppendHello(t *testing.T) {
	want := golden(t, "ofctl_hello") // told to speak OpenFlow 1.3 only, as we do
	checkEqual(t, "hello", AppendHello(nil, xid(want)), want)
}

// TestHelloSupports follows spec 6.3.1.
func TestHelloSupports(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		want      bool
	}{
		{"1.0", "01000008 00000001", false},
		{"1.3 without bitmap", "04000008 00000001", true},
		{"1.5 without bitmap", "06000008 00000001", true},
		{"1.2 without bitmap", "03000008 00000001", false},
		{"bitmap with 1.3", "04000010 00000001 00010008 00000012", true},
		{"bitmap without 1.3", "06000010 00000001 00010008 00000042", false},
		{"unknown element first", "04000018 00000001 00070006 aabb0000 00010008 00000010", true},
		{"bitmap of two words", "06000018 00000001 0001000c 00000010 00000001 00000000", true},
		{"1.0 with something behind", "0100000b 00000001 aabbcc", false},
	} {
		var m Hello
		if err := m.Decode(unhex(t, c.hex)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := m.Supports(4); got != c.want {
			t.Errorf("%s: supports 1.3 = %v", c.name, got)
		}
	}
	if m := (Hello{Version: 4, HasBitmap: true, Bitmap: ^uint32(0)}); m.Supports(32) || m.Supports(255) {
		t.Error("a version beyond the bitmap is supported")
	}
}

func TestHelloRejects(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
	}{
		{"element of length 0", "04000010 00000001 00010000 00000010", ErrLength},
		{"element of length 3", "04000010 00000001 00070003 00000010", ErrLength},
		{"bitmap of no words", "0400000c 00000001 00010004", ErrShort},
		{"bitmap of no words, padded", "04000010 00000001 00010004 00000000", ErrLength},
		{"bitmap of half a word", "04000010 00000001 00010006 00000000", ErrLength},
		{"element beyond", "04000010 00000001 00010010 00000010", ErrShort},
		{"half an element", "0400000a 00000001 0001", ErrShort},
		{"other type", "04010008 00000001", ErrType},
		{"other length", "04000009 00000001", ErrLength},
		{"short", "04000008", ErrShort},
	} {
		if err := new(Hello).Decode(unhex(t, c.hex)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}
