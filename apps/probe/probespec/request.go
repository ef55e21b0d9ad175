package probespec

import (
	"fmt"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// Request asks for one probe. The zero value of each field but source and destination stands for its default.
type Request struct {
	Source      string     `json:"source" required:"true" minLength:"1" doc:"Name of a host, an IP, a MAC, or SWITCH:PORT" example:"vm1"`
	Destination string     `json:"destination" required:"true" minLength:"1" doc:"As source, or any IP" example:"vm2"`
	Type        probe.Type `json:"type,omitempty,omitzero" example:"icmp"`
	Count       int        `json:"count,omitempty" minimum:"1" doc:"Number of probes" example:"5"`
	Interval    Duration   `json:"interval,omitempty" doc:"Time between two probes; 1s when left out" example:"\"1s\""`
	Timeout     Duration   `json:"timeout,omitempty" doc:"How long to wait for each reply; 1s when left out" example:"\"1s\""`
	Color       int        `json:"color,omitempty" minimum:"1" doc:"The ICMP identifier that tells this probe's packets from all others; a free one is taken when left out" example:"61441"`
	Size        int        `json:"size,omitempty" minimum:"1" doc:"Payload in bytes; 56, as ping sends, when left out" example:"56"`
}

// WithDefaults returns the request with the default in each place left empty.
func (r Request) WithDefaults() Request {
	if r.Type == (probe.Type{}) {
		r.Type = probe.ICMP
	}
	if r.Count == 0 {
		r.Count = DefaultCount
	}
	if r.Interval == 0 {
		r.Interval = Duration(DefaultInterval)
	}
	if r.Timeout == 0 {
		r.Timeout = Duration(DefaultTimeout)
	}
	if r.Size == 0 {
		r.Size = DefaultSize
	}
	return r
}

// Check returns every value that is wrong in a request that has its defaults.
func (r *Request) Check() (wrong []InvalidError) {
	add := func(field, format string, args ...any) {
		wrong = append(wrong, InvalidError{field, fmt.Sprintf(format, args...)})
	}
	for _, end := range []struct{ field, value, also string }{
		{"source", r.Source, ""}, {"destination", r.Destination, ", or any IP"},
	} {
		switch {
		case strings.TrimSpace(end.value) == "":
			add(end.field, "is missing: give a host's name, an IP, a MAC or SWITCH:PORT%s", end.also)
		case len(end.value) > MaxName:
			add(end.field, "is %d bytes long, at most %d are allowed", len(end.value), MaxName)
		}
	}
	interval, timeout := time.Duration(r.Interval), time.Duration(r.Timeout)
	if r.Count < 1 || r.Count > MaxCount {
		add("count", "must be from 1 to %d, is %d", MaxCount, r.Count)
	}
	if interval < MinInterval || interval > MaxInterval {
		add("interval", "must be from %v to %v, is %v", MinInterval, MaxInterval, interval)
	}
	if timeout < MinTimeout || timeout > MaxTimeout {
		add("timeout", "must be from %v to %v, is %v", MinTimeout, MaxTimeout, timeout)
	}
	if len(wrong) == 0 && r.Longest() > MaxDuration {
		add("count", "times interval is longer than %v: ask for fewer probes or a shorter interval", MaxDuration)
	}
	if r.Color < 0 || r.Color > MaxColor {
		add("color", "must be from 1 to %d, is %d; leave it out to get a free one", MaxColor, r.Color)
	}
	if r.Size < 0 || r.Size > MaxSize {
		add("size", "must be from 1 to %d bytes, is %d", MaxSize, r.Size)
	}
	return wrong
}

// Longest returns how long the probe takes when no reply comes, or something above MaxDuration where that is exceeded.
func (r *Request) Longest() time.Duration {
	intervals := time.Duration(max(r.Count-1, 0))
	if intervals > 0 && time.Duration(r.Interval) > MaxDuration/intervals {
		return 2 * MaxDuration
	}
	return max(intervals*time.Duration(r.Interval)+time.Duration(r.Timeout), 0)
}
