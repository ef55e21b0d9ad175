package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Probe is a continuous probe. Exactly one of Mesh, From with To, and Pairs is set.
type Probe struct {
	Name string
	// Mesh is a network: every ordered pair of its known hosts.
	Mesh string
	// From and To are networks: every known host of From towards every one of To.
	From, To string
	// Pairs are named one by one.
	Pairs []Pair
	Type  ProbeType
	// Interval is the time between two rounds of one pair, at least 100 ms.
	Interval time.Duration
	// Timeout is how long an answer is waited for; it may exceed Interval.
	Timeout time.Duration
	// Expect is the verdict that counts as success.
	Expect Expect
	// Size is the payload in bytes; 0 leaves it to the prober.
	Size int
	// Count is how many packets one round of one pair sends, at least 1.
	Count int
}

// Pair is one source and one destination of a probe, each the name of a host, an IP, a MAC, or SWITCH:PORT. A name need
// not be in the file.
type Pair struct {
	Source, Destination string
}

// Expect is the verdict that a probe should end with.
type Expect string

// Verdicts to expect.
const (
	Reachable   Expect = "reachable"
	Unreachable Expect = "unreachable"
)

// Kind of packet that a probe sends.
type Kind string

// Kinds of probes. Which of them can be run is the prober's to say; the file may name all.
const (
	ICMP     Kind = "icmp"
	ICMP6    Kind = "icmp6"
	ARP      Kind = "arp"
	TCPProbe Kind = "tcp"
	UDPProbe Kind = "udp"
)

// ProbeType is what a probe sends. Port is 0 except for TCP and UDP.
type ProbeType struct {
	Kind Kind
	Port uint16
}

// String is the form that ParseProbeType reads.
func (t ProbeType) String() string {
	if t.Port == 0 {
		return string(t.Kind)
	}
	return fmt.Sprintf("%s:%d", t.Kind, t.Port)
}

// ParseProbeType reads icmp, icmp6, arp, tcp:PORT or udp:PORT. The error says what would be right.
func ParseProbeType(s string) (ProbeType, error) {
	switch Kind(s) {
	case ICMP, ICMP6, ARP:
		return ProbeType{Kind: Kind(s)}, nil
	}
	kind, port, _ := strings.Cut(s, ":")
	switch Kind(kind) {
	case TCPProbe, UDPProbe:
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return ProbeType{}, fmt.Errorf("%s has no valid port; write %s:PORT with a port from 1 to 65535", quote(s), kind)
		}
		return ProbeType{Kind: Kind(kind), Port: uint16(n)}, nil
	}
	return ProbeType{}, fmt.Errorf("%s is not a type of probe; use icmp, icmp6, arp, tcp:PORT or udp:PORT", quote(s))
}
