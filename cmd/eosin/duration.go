package main

import (
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// durationValue is a flag that takes "200ms", "1s", or a plain number of seconds as ping does.
type durationValue probespec.Duration

func (d *durationValue) String() string { return time.Duration(*d).String() }

// Type is what help shows for the value.
func (d *durationValue) Type() string { return "duration" }

func (d *durationValue) Set(text string) error {
	parsed, err := probespec.ParseDuration(text)
	*d = durationValue(parsed)
	return err
}
