package topology

import (
	"testing"
	"time"
)

func TestMoveLimiter(t *testing.T) {
	const limit = 3
	for _, c := range []struct {
		name  string
		times []time.Duration
		want  string // one letter per move: allowed or refused
	}{
		{"at once", []time.Duration{0, 0, 0, 0, 0}, "aaara"},
		{"at the end of the window", []time.Duration{0, 1, 2, MoveWindow}, "aaar"},
		{"after the window", []time.Duration{0, 1, 2, MoveWindow + 1, MoveWindow + 1}, "aaaar"},
		{
			"the window slides",
			[]time.Duration{0, 9 * time.Second, 9 * time.Second, 11 * time.Second, 12 * time.Second},
			"aaaar",
		},
		{"slowly", []time.Duration{0, MoveWindow, 2 * MoveWindow, 3 * MoveWindow, 4 * MoveWindow}, "aaaaa"},
	} {
		var l MoveLimiter
		got := ""
		for _, at := range c.times {
			if l.Allow(limit, int64(at)) {
				got += "a"
			} else {
				got += "r"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var l MoveLimiter
	for i := range int64(4) {
		l.Allow(limit, i)
	}
	at := int64(0)
	if n := testing.AllocsPerRun(100, func() { at += int64(time.Second); l.Allow(limit, at) }); n != 0 {
		t.Errorf("%v allocations for a move", n)
	}
}
