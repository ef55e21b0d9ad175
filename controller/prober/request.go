package prober

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// Request asks for a probe. Zero values stand for the defaults.
type Request struct {
	Source      string        // a host's name, IP, MAC, or SWITCH:PORT
	Destination string        // the same, or any IP
	Type        string        // icmp (default), icmp6, arp
	Count       int           // requests to be sent; 5
	Interval    time.Duration // between two of them; 1 s
	Timeout     time.Duration // for each reply; 1 s
	Color       uint16        // 0: any free one
	Size        int           // payload in bytes; 56 as ping sends. What is below probe.MinSize is raised to it
}

// Defaults of a Request.
const (
	DefaultCount    = 5
	DefaultInterval = time.Second
	DefaultTimeout  = time.Second
)

// MaxCount bounds the requests of one probe.
const MaxCount = 100000

func (r Request) withDefaults() Request {
	if r.Type == "" {
		r.Type = probe.ICMP.String()
	}
	if r.Count == 0 {
		r.Count = DefaultCount
	}
	if r.Interval == 0 {
		r.Interval = DefaultInterval
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if r.Size == 0 {
		r.Size = probe.DefaultSize
	}
	r.Size = max(r.Size, probe.MinSize)
	return r
}

// check returns the type, or an *InvalidError.
func (r *Request) check() (probe.Type, error) {
	t, err := probe.ParseType(r.Type)
	switch {
	case err != nil:
		return t, &InvalidError{"type", err.Error()}
	case r.Count < 1 || r.Count > MaxCount:
		return t, &InvalidError{"count", fmt.Sprintf("must be from 1 to %d, is %d", MaxCount, r.Count)}
	case r.Interval < 0:
		return t, &InvalidError{"interval", fmt.Sprintf("must not be negative, is %v", r.Interval)}
	case r.Timeout < 0:
		return t, &InvalidError{"timeout", fmt.Sprintf("must not be negative, is %v", r.Timeout)}
	case r.Size > probe.MaxSize:
		return t, &InvalidError{"size", fmt.Sprintf("must be at most %d bytes, is %d", probe.MaxSize, r.Size)}
	}
	return t, nil
}

// Verdict says how a probe ended.
type Verdict string

// The verdicts. Unknown means that nothing was decided: not sent yet, or it could not be sent.
const (
	Reachable   Verdict = "reachable"
	Unreachable Verdict = "unreachable"
	Partial     Verdict = "partial"
	Unknown     Verdict = "unknown"
)

func verdictOf(sent, received int) Verdict {
	switch {
	case sent == 0:
		return Unknown
	case received == 0:
		return Unreachable
	case received < sent:
		return Partial
	}
	return Reachable
}

// End is one end of a probe as it was resolved. What is not known is empty.
type End struct {
	Name, MAC, IP, Network, Switch, Port string
}

// Reply is one answer.
type Reply struct {
	Seq int // from 1
	RTT time.Duration
}

// RTT are statistics over replies.
type RTT struct{ Min, Avg, Max time.Duration }

// Result is how a probe ended.
type Result struct {
	Source, Destination       string // as asked for
	SourceEnd, DestinationEnd End
	Type                      string
	Color                     uint16
	Size                      int // payload in bytes
	Sent, Received            int
	Late                      int // answered after the timeout; they are lost
	Duplicates                int // further replies to what was answered already
	Verdict                   Verdict
	RTT                       *RTT // nil without a reply
	Replies                   []Reply
	Loss                      *Loss // nil if nothing was lost
	// Control is the round trip between controller and switch, which is part of each RTT. 0 if it was not measured.
	Control time.Duration
}

// UpdateKind tells updates apart.
type UpdateKind uint8

// The updates of a running probe.
const (
	Started UpdateKind = iota // about to send: Result holds the ends, color, size
	Replied                   // Seq, RTT
	Lost                      // Seq: given up
	Late                      // Seq, RTT: answered after it was given up
)

// Update is news of a running probe.
type Update struct {
	Kind   UpdateKind
	Seq    int
	RTT    time.Duration
	Result *Result // Started
}

// InvalidError says that a value of a request is wrong.
type InvalidError struct{ Field, Text string }

func (e *InvalidError) Error() string { return e.Field + " " + e.Text }

// CannotRunError says that a probe cannot be sent, found before anything was.
type CannotRunError struct {
	Stage    Stage
	Reason   string
	Evidence []string
}

func (e *CannotRunError) Error() string { return e.Reason }

// EndError says which end of a request could not be resolved; it unwraps to an *UnknownError or *AmbiguousError.
type EndError struct {
	End string // "source" or "destination"
	Err error
}

func (e *EndError) Error() string { return e.End + " " + e.Err.Error() }

// Unwrap returns the cause.
func (e *EndError) Unwrap() error { return e.Err }
