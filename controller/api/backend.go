package api

import (
	"context"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// FlowFilter narrows a list of flows.
type FlowFilter struct {
	Switch string // name of the switch; empty for all
	Table  int    // number of the table; -1 for all
}

// Backend is what the server asks of the controller. Every method may be called by many goroutines at once, answers from
// a consistent snapshot, and does not keep what it returns. Errors that are a [*Problem] reach the client as they are;
// others are logged and answered with status 500. An empty list is no error.
type Backend interface {
	// Ready tells whether the controller does its work, and if not, why.
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

	// Probe runs a probe to its end or until ctx is done. The request has its defaults and is valid. If report is not nil
	// it is called with each piece of news, never by two goroutines at once, and never after Probe returned; it does not
	// block. The errors of probespec, and *probe.ColorError, come before anything is sent; lost probes are no error. When ctx ends early, its error is returned.
	Probe(ctx context.Context, request probespec.Request, report func(probespec.Update)) (probespec.Result, error)

	// Events returns the remembered events with an id above after. [EventLog] provides it and Subscribe.
	Events(after uint64) []Event
	// Subscribe begins to deliver events, see [EventLog.Subscribe].
	Subscribe(after uint64, replay bool, buffer int) *Subscription
}
