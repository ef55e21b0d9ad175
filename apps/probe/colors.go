package probe

import (
	"fmt"
	"time"
)

const (
	// firstColor is the first that is allocated unless one is asked for. Guests' own pings mostly use lower ones.
	firstColor = 0x8000
	numColors  = 0x8000
	// ColorQuarantine is how long a freed color is not reused: the connection tracker may still know it.
	ColorQuarantine = 30 * time.Second
)

// Colors allocates colors: no two probes at a time have the same one. It is not safe for concurrent use.
type Colors struct {
	next uint16
	used map[uint16]colorUse
}

type colorUse struct {
	holder string
	freed  time.Time // zero while it is held
}

// NewColors returns an allocator that starts at start, so that a restarted controller does not reuse recent ones.
func NewColors(start uint16) *Colors {
	return &Colors{next: start % numColors, used: map[uint16]colorUse{}}
}

// ColorError says that a color, or any color, is not available.
type ColorError struct {
	Color  uint16 // 0: none is left
	Holder string // the probe that has, or last had it
	// Wait is how long the connection tracker may still remember the color. 0: it is in use.
	Wait time.Duration
}

func (e *ColorError) Error() string {
	switch {
	case e.Color == 0:
		return "no color is free: too many probes are running"
	case e.Wait > 0:
		return fmt.Sprintf("color %d was in use by the probe %s until a moment ago; it can be used again in %v",
			e.Color, e.Holder, e.Wait.Round(time.Second))
	}
	return fmt.Sprintf("color %d is in use by the probe %s", e.Color, e.Holder)
}

// Take allocates the requested color, from 1 to 65535, or a free one for 0. The error is a *ColorError.
func (c *Colors) Take(now time.Time, requested uint16, holder string) (uint16, error) {
	if requested != 0 {
		if u, used := c.used[requested]; used {
			if u.freed.IsZero() {
				return 0, &ColorError{Color: requested, Holder: u.holder}
			}
			if wait := ColorQuarantine - now.Sub(u.freed); wait > 0 {
				return 0, &ColorError{Color: requested, Holder: u.holder, Wait: max(wait, time.Second)}
			}
		}
		c.used[requested] = colorUse{holder: holder}
		return requested, nil
	}
	for range numColors {
		color := firstColor + c.next
		c.next = (c.next + 1) % numColors
		if u, used := c.used[color]; !used || !u.freed.IsZero() && now.Sub(u.freed) >= ColorQuarantine {
			c.used[color] = colorUse{holder: holder}
			return color, nil
		}
	}
	return 0, &ColorError{}
}

// Release frees a color. It is not reused for ColorQuarantine.
func (c *Colors) Release(now time.Time, color uint16) {
	if u, used := c.used[color]; used && u.freed.IsZero() {
		u.freed = now
		c.used[color] = u
	}
}

// InUse returns how many colors are held.
func (c *Colors) InUse() int {
	n := 0
	for _, u := range c.used {
		if u.freed.IsZero() {
			n++
		}
	}
	return n
}
