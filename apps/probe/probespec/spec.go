package probespec

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// Pair is one source and one destination of a continuous probe, each the name of a host, an IP, a MAC, or SWITCH:PORT.
type Pair struct {
	Source, Destination string
}

// Spec is a continuous probe of the config. Exactly one of Mesh, From with To, and Pairs is set.
type Spec struct {
	Name string
	// Mesh is a network: every ordered pair of its known hosts.
	Mesh string
	// From and To are networks: every known host of From towards every one of To.
	From, To string
	Pairs    []Pair
	Type     probe.Type
	// Interval is the time between two rounds of one pair.
	Interval time.Duration
	// Timeout is how long each reply is waited for; it may exceed Interval.
	Timeout time.Duration
	// Expect is the verdict that counts as success: Reachable or Unreachable.
	Expect Verdict
	// Size is the payload in bytes.
	Size int
	// Count is how many packets one round of one pair sends, one after the other.
	Count int
}

// NewSpec returns a probe with every default.
func NewSpec() Spec {
	return Spec{
		Type: probe.ICMP, Interval: DefaultRoundInterval, Timeout: DefaultTimeout, Expect: Reachable, Size: DefaultSize,
		Count: DefaultRound,
	}
}

// Covers returns how the spec names its pairs, and in words what they are.
func (s *Spec) Covers() (kind, of string) {
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
