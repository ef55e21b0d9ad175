package main

import (
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
)

// durationValue is a flag that takes "200ms", "1s", or a plain number of seconds as ping does.
type durationValue api.Duration

// String returns the value with its unit.
func (d *durationValue) String() string { return time.Duration(*d).String() }

// Type names the kind of value in help.
func (d *durationValue) Type() string { return "duration" }

// Set reads the value.
func (d *durationValue) Set(text string) error {
	parsed, err := api.ParseDuration(text)
	*d = durationValue(parsed)
	return err
}
