package prober

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestReserve: an idle switch may send a burst, then what its rate allows, and never less than one at a time.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil, Options{Rate: 100})
		if n, _ := e.reserve(1, 16); n != 5 { // 50 ms of 100/s
			t.Errorf("a burst of %d, want 5", n)
		}
		n, wait := e.reserve(1, 16)
		if n != 0 || wait != 10*time.Millisecond {
			t.Errorf("%d granted, wait %v; want none for 10ms", n, wait)
		}
		if n, _ := e.reserve(2, 16); n != 5 {
			t.Errorf("another switch: %d, want 5", n)
		}
		advance(wait)
		if n, _ := e.reserve(1, 16); n != 1 {
			t.Errorf("%d after the wait, want 1", n)
		}
		e.SetRate(1)
		if n, _ := e.reserve(1, 16); n != 1 {
			t.Errorf("%d at 1/s, want 1", n)
		}
		e.SetRate(0)
		if n, _ := e.reserve(1, 16); n != 16 {
			t.Errorf("%d without a limit, want all 16", n)
		}
	})
}
