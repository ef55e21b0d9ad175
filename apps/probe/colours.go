package probe

import (
	"fmt"
	"time"
)

const (
	// firstColour is the first of those that are given out unasked; what is below is left to guests' own pings.
	firstColour = 0x8000
	numColours  = 0x8000
	// ColourQuarantine is for how long a colour is not used again: the connection tracker may still know it.
	ColourQuarantine = 30 * time.Second
)

// Colours gives out colours: no two probes at a time have the same one. It is used by one goroutine at a time.
type Colours struct {
	next uint16
	used map[uint16]colourUse
}

type colourUse struct {
	holder string
	freed  time.Time // zero while it is held
}

// NewColours returns an allocator that begins to look at start, so that two processes in a row do not use the same ones.
func NewColours(start uint16) *Colours {
	return &Colours{next: start % numColours, used: map[uint16]colourUse{}}
}

// ColourError says that a colour, or any colour, cannot be had.
type ColourError struct {
	Colour uint16 // 0: none is left
	Holder string // the probe that has, or last had it
	// Wait is how long the connection tracker may still remember the colour. 0: it is in use.
	Wait time.Duration
}

func (e *ColourError) Error() string {
	switch {
	case e.Colour == 0:
		return "no colour is free: too many probes are running"
	case e.Wait > 0:
		return fmt.Sprintf("colour %d was in use by the probe %s until a moment ago; it can be used again in %v",
			e.Colour, e.Holder, e.Wait.Round(time.Second))
	}
	return fmt.Sprintf("colour %d is in use by the probe %s", e.Colour, e.Holder)
}

// Take gives holder the colour that it asks for, from 1 to 65535, or a free one for 0. The error is a *ColourError.
func (c *Colours) Take(now time.Time, requested uint16, holder string) (uint16, error) {
	if requested != 0 {
		if u, used := c.used[requested]; used {
			if u.freed.IsZero() {
				return 0, &ColourError{Colour: requested, Holder: u.holder}
			}
			if wait := ColourQuarantine - now.Sub(u.freed); wait > 0 {
				return 0, &ColourError{Colour: requested, Holder: u.holder, Wait: max(wait, time.Second)}
			}
		}
		c.used[requested] = colourUse{holder: holder}
		return requested, nil
	}
	for range numColours {
		colour := firstColour + c.next
		c.next = (c.next + 1) % numColours
		if u, used := c.used[colour]; !used || !u.freed.IsZero() && now.Sub(u.freed) >= ColourQuarantine {
			c.used[colour] = colourUse{holder: holder}
			return colour, nil
		}
	}
	return 0, &ColourError{}
}

// Release gives a colour back. It rests before it is used again.
func (c *Colours) Release(now time.Time, colour uint16) {
	if u, used := c.used[colour]; used && u.freed.IsZero() {
		u.freed = now
		c.used[colour] = u
	}
}

// InUse returns how many colours are held.
func (c *Colours) InUse() int {
	n := 0
	for _, u := range c.used {
		if u.freed.IsZero() {
			n++
		}
	}
	return n
}
