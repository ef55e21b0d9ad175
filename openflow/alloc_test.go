package openflow

import (
	"runtime"
	"testing"
)

// TestDecodeAllocatesNothing has every message whose type does not document an allocation.
func TestDecodeAllocatesNothing(t *testing.T) {
	for _, name := range goldenNames(t) {
		msg := golden(t, name)
		m := newMessage(msg)
		switch m.(type) {
		case nil, *Error, *PortStatus:
			continue
		}
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Decode(msg); err != nil {
				t.Fatal(err)
			}
			if p, ok := m.(*Multipart); ok && p.Type != MultipartDesc && p.Type != MultipartPortDesc {
				if err := walkBody(p.Type, p.Body); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// errorSize is what reporting a fault costs once per message, whatever its size.
const errorSize = 256

// TestDecodeMemory bounds what a peer can make us allocate: 4 times the bytes it sends, and the error. It decodes every
// golden whole, and with each of its first bytes set to 0 and to 0xff.
func TestDecodeMemory(t *testing.T) {
	const runs = 20
	check := func(name string, msg []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = decodeAny(msg)
		}
		runtime.ReadMemStats(&after)
		used, limit := (after.TotalAlloc-before.TotalAlloc)/runs, uint64(4*len(msg)+errorSize)
		if used > limit {
			t.Errorf("%s: %d bytes for a message of %d: %x", name, used, len(msg), msg)
		}
	}
	for _, name := range goldenNames(t) {
		msg := golden(t, name)
		check(name, msg)
		for i := 8; i < min(len(msg), 64); i++ {
			v := msg[i]
			msg[i] = 0
			check(name, msg)
			msg[i] = 0xff
			check(name, msg)
			msg[i] = v
		}
	}
}
