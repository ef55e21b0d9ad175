package probe

import (
	"errors"
	"testing"
	"time"
)

func TestColorsAreNotReusedTooSoon(t *testing.T) {
	c := NewColors(0xffff) // begins at the end of the range
	now := time.Unix(1e9, 0)
	first, err := c.Take(now, 0, "a")
	if err != nil || first != 0xffff {
		t.Fatalf("%#x %v, want 0xffff", first, err)
	}
	if second, _ := c.Take(now, 0, "b"); second != 0x8000 {
		t.Errorf("%#x, want the range to begin again", second)
	}
	c.Release(now, first)
	seen := map[uint16]bool{0x8000: true}
	for {
		color, err := c.Take(now, 0, "x")
		if err != nil {
			var e *ColorError
			if !errors.As(err, &e) || e.Color != 0 {
				t.Errorf("error %v", err)
			}
			break
		}
		if seen[color] || color < 0x8000 || color == first {
			t.Fatalf("color %#x was given out", color)
		}
		seen[color] = true
	}
	if len(seen) != 0x7fff {
		t.Errorf("%d colors in use, want all but the resting one", len(seen))
	}
	if got, err := c.Take(now.Add(ColorQuarantine), 0, "late"); got != first {
		t.Errorf("after its rest: %#x %v, want %#x", got, err, first)
	}
}

func TestColorsOnRequest(t *testing.T) {
	c := NewColors(0)
	now := time.Unix(1e9, 0)
	if got, err := c.Take(now, 111, "vm1 -> vm2"); got != 111 || err != nil {
		t.Fatal(got, err)
	}
	_, err := c.Take(now, 111, "vm3 -> vm4")
	if err == nil || err.Error() != "color 111 is in use by the probe vm1 -> vm2" {
		t.Errorf("in use: %v", err)
	}
	c.Release(now, 111)
	_, err = c.Take(now.Add(10*time.Second), 111, "vm3 -> vm4")
	var e *ColorError
	if !errors.As(err, &e) || e.Wait != 20*time.Second || e.Holder != "vm1 -> vm2" {
		t.Errorf("resting: %v", err)
	}
	c.Release(now.Add(20*time.Second), 111) // a second release does not prolong the rest
	if got, err := c.Take(now.Add(30*time.Second), 111, "vm3 -> vm4"); got != 111 {
		t.Errorf("rested: %d, %v", got, err)
	}
	if c.InUse() != 1 {
		t.Errorf("%d in use", c.InUse())
	}
}
