package prober

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// Pair is a source and a destination.
type Pair struct{ Source, Destination string }

// Spec is a continuous probe. Exactly one of Mesh, From with To, and Pairs is set.
type Spec struct {
	Name string
	// Mesh is a network: every ordered pair of its known hosts.
	Mesh string
	// From and To are networks: every known host of From towards every one of To.
	From, To string
	Pairs    []Pair
	Type     string        // icmp (default), icmp6, arp
	Interval time.Duration // between two rounds of a pair
	Timeout  time.Duration // for each reply; may exceed Interval
	// ExpectUnreachable: success is that nothing comes through.
	ExpectUnreachable bool
	Size              int // payload in bytes; 0: as ping sends
	Count             int // requests of one round, one after the other; 0 is 1
}

// minInterval bounds the work that one pair can make.
const minInterval = 10 * time.Millisecond

func (s Spec) withDefaults() Spec {
	if s.Type == "" {
		s.Type = probe.ICMP.String()
	}
	if s.Interval <= 0 {
		s.Interval = 5 * time.Second
	}
	s.Interval = max(s.Interval, minInterval)
	if s.Timeout <= 0 {
		s.Timeout = DefaultTimeout
	}
	s.Count = max(s.Count, 1)
	if s.Size == 0 {
		s.Size = probe.DefaultSize
	}
	s.Size = min(max(s.Size, probe.MinSize), probe.MaxSize)
	return s
}

// expect returns the verdict that is success.
func (s *Spec) expect() Verdict {
	if s.ExpectUnreachable {
		return Unreachable
	}
	return Reachable
}

// kind returns how the spec names its pairs, and in words what they are.
func (s *Spec) kind() (kind, of string) {
	switch {
	case s.Mesh != "":
		return "mesh", "mesh " + s.Mesh
	case s.From != "":
		return "from_to", s.From + " -> " + s.To
	case len(s.Pairs) == 1:
		return "pairs", s.Pairs[0].Source + " -> " + s.Pairs[0].Destination
	}
	return "pairs", fmt.Sprintf("%d pairs", len(s.Pairs))
}

// sameButPairs reports whether the pairs that both cover are probed alike.
func (s *Spec) sameButPairs(o *Spec) bool {
	a, b := *s, *o
	a.Pairs, b.Pairs = nil, nil
	return a.Mesh == b.Mesh && a.From == b.From && a.To == b.To && a.Type == b.Type && a.Interval == b.Interval &&
		a.Timeout == b.Timeout && a.ExpectUnreachable == b.ExpectUnreachable && a.Size == b.Size && a.Count == b.Count &&
		a.Name == b.Name
}

// clone returns a copy that the caller's later writes do not touch.
func (s Spec) clone() Spec {
	s.Pairs = slices.Clone(s.Pairs)
	return s
}
