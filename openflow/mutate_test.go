package openflow

import (
	"math/rand/v2"
	"testing"
)

// TestMutated decodes goldens with a few bytes changed, a part cut out or doubled, and the length put right. It is the
// fuzz target without its engine, so much faster and never the same twice; a failure prints the message.
func TestMutated(t *testing.T) {
	const rounds = 100_000
	var seeds [][]byte
	for _, name := range goldenNames(t) {
		if msg := golden(t, name); len(msg) <= 2200 {
			seeds = append(seeds, msg)
		}
	}
	interesting := [...]byte{0, 1, 4, 7, 8, 15, 16, 24, 0x7f, 0x80, 0xfe, 0xff}
	buf := make([]byte, 0, 8192)
	var msg []byte
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("panic %v on %x", r, msg)
		}
	}()
	passed := 0
	for range rounds {
		buf = append(buf[:0], seeds[rand.IntN(len(seeds))]...)
		for range 1 + rand.IntN(4) {
			i := rand.IntN(len(buf))
			switch rand.IntN(8) {
			case 0:
				buf = buf[:max(i, HeaderLen)]
			case 1: // double the rest from i on
				if len(buf) < 4000 {
					buf = append(buf, buf[i:]...)
				}
			case 2:
				buf[i] = byte(rand.Uint32())
			case 3: // another type
				buf[1] = byte(rand.IntN(typeCount))
			default:
				buf[i] = interesting[rand.IntN(len(interesting))]
			}
		}
		msg = buf[:len(buf):len(buf)]
		be.PutUint16(msg[2:], uint16(len(msg)))
		m, err := decodeAny(msg)
		if err == nil && m != nil {
			passed++
			checkRoundTrip(t, m, xid(msg))
		}
	}
	if passed == 0 || passed == rounds {
		t.Errorf("%d of %d mutated messages pass", passed, rounds)
	}
}
