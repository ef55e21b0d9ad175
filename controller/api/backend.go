package api

import (
	"context"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// FlowFilter filters a list of flows.
type FlowFilter struct {
	Switch string // name of the switch; empty for all
	Table  int    // number of the table; -1 for all
}

// Backend is the controller as the server sees it. Methods are safe for concurrent use, read a consistent snapshot and
// do not retain what they return. A [*Problem] reaches the client as it is; other errors are logged and become status
// 500.
type Backend interface {
	// Ready reports whether the controller is ready, and why not.
	Ready(ctx context.Context) (ok bool, reason string)

	Switches(ctx context.Context) ([]Switch, error)
	Ports(ctx context.Context) ([]Port, error)
	Hosts(ctx context.Context) ([]Host, error)
	Links(ctx context.Context) ([]Link, error)
	Networks(ctx context.Context) ([]Network, error)
	Tunnels(ctx context.Context) ([]Tunnel, error)
	Flows(ctx context.Context, filter FlowFilter) ([]Flow, error)
	Probes(ctx context.Context) ([]probespec.Status, error)
	Mesh(ctx context.Context) ([]probespec.MeshEntry, error)

	// Probe runs a valid request, with its defaults set, until it ends or ctx is done, and returns ctx's error then. It
	// calls report, if not nil, for each update: not concurrently, and not after it has returned; report does not
	// block. The errors of probespec, and *probe.ColorError, come before anything is sent; lost probes are no error.
	Probe(ctx context.Context, request probespec.Request, report func(probespec.Update)) (probespec.Result, error)

	// Events returns the stored events with an id above after. [EventLog] provides it and Subscribe.
	Events(after uint64) []Event
	// Subscribe starts the delivery of events, see [EventLog.Subscribe].
	Subscribe(after uint64, replay bool, buffer int) *Subscription
}
