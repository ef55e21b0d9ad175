// Package probespec holds the words of probes that config, prober, API and command line share: what is asked for
// (Request, Spec), what came of it (Result, Status, MeshEntry), where packets were lost (Loss), and the errors. What it
// marshals to JSON is the public contract.
//
// Each rule is checked once, where a value comes in: the config when its file is read, the API when a request is
// decoded. The prober relies on it, and the command line leaves it to the API.
package probespec

import (
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// Limits of requests and of continuous probes.
const (
	// MaxCount allows one packet a second for the whole of MaxDuration. It bounds the replies that a result lists.
	MaxCount = 100_000
	// MaxRound bounds the packets of one round of one pair of a continuous probe, which all have to fit into its
	// interval.
	MaxRound = 100
	// MinInterval is what the clocks of busy hosts can keep.
	MinInterval = time.Millisecond
	// MinRoundInterval bounds the load of a continuous probe, which nobody watches: a mesh of 100 hosts has 9,900
	// pairs.
	MinRoundInterval = 100 * time.Millisecond
	// MaxInterval is a day: what is rarer is a job for cron.
	MaxInterval = 24 * time.Hour
	MinTimeout  = time.Millisecond
	// MaxTimeout is beyond what any guest takes to answer, and bounds the traps that wait for late replies.
	MaxTimeout = time.Minute
	// MaxDuration bounds a single probe when no reply comes.
	MaxDuration = 24 * time.Hour
	// MaxSize is the largest payload that fits into a packet-out. What is below probe.MinSize is raised to it.
	MaxSize = probe.MaxSize
	// MaxColor is the largest ICMP identifier.
	MaxColor = 1<<16 - 1
	// MaxName bounds the name of an end; it is that of a DNS name.
	MaxName = 255
)

// Defaults.
const (
	DefaultCount         = 5
	DefaultRound         = 1 // packets of one round of a continuous probe
	DefaultInterval      = time.Second
	DefaultRoundInterval = 5 * time.Second
	DefaultTimeout       = time.Second
	DefaultSize          = probe.DefaultSize
)
