// Package probe owns the trap tables: it sends colored probes in the name of hosts and takes their replies out of the
// stream before the hosts see them. What is not verified as a reply of ours goes on as if the trap were not there.
package probe

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// App probes at one switch.
type App struct {
	apps.Base
	sw    *apps.Switch
	key   *Key
	traps map[Trap]int // how often each was added
	caps  capabilities // for which the traps were stated
}

// New returns the app for a switch. All apps of a controller share the key, since a reply may come in at another
// switch.
func New(sw *apps.Switch, key *Key) *App {
	return &App{
		sw: sw, key: key, traps: map[Trap]int{},
		caps: capabilities{trap: sw.Layout.Table("trap"), trapped: sw.Layout.Table("trapped")},
	}
}

// Refresh states the fixed rules and every trap.
func (a *App) Refresh(_ time.Time, out *apps.Output) {
	out.Store.Begin(apps.OwnerProbe)
	a.caps.noConntrack = a.sw.NoConntrack
	// Twice the rate of probes: some replies come late or twice.
	a.caps.meter = out.PutMeter(apps.OwnerProbe, apps.MeterProbe, 2*a.sw.Settings.Probes)
	out.Store.EndMeters(apps.OwnerProbe)
	for _, r := range fixedRules(a.caps) {
		out.Put(r)
	}
	for t := range a.traps {
		out.Put(t.rule(a.caps))
	}
	out.Store.End(apps.OwnerProbe, a.caps.trap.Number)
	out.Store.End(apps.OwnerProbe, a.caps.trapped.Number)
}

// AddTrap installs a trap until it is removed as often as it was added. It takes effect when the switch has processed
// what is sent now: wait for a barrier before the first request.
func (a *App) AddTrap(t Trap, out *apps.Output) {
	a.traps[t]++
	if a.traps[t] == 1 {
		out.Put(t.rule(a.caps))
	}
}

// RemoveTrap undoes one AddTrap. Removing a trap that was never added does nothing.
func (a *App) RemoveTrap(t Trap, out *apps.Output) {
	switch n := a.traps[t]; {
	case n > 1:
		a.traps[t] = n - 1
	case n == 1:
		delete(a.traps, t)
		r := t.rule(a.caps)
		out.Store.Delete(r.Table, r.Priority, &r.Match)
	}
}

// TrapCount returns how many different traps there are.
func (a *App) TrapCount() int { return len(a.traps) }

// Inject sends a request through the pipeline as if the port had sent it. Unless the type is of the link layer, its
// connection is marked with the color, by which the reply is recognized. Whether the port exists and is up is not
// checked.
func (a *App) Inject(out *apps.Output, port openflow.PortNo, f *Frame) {
	actions := flow.Actions(make([]byte, 0, 80)).SetReg0(apps.Injected)
	switch {
	case f.Type.LinkLayer:
	case a.sw.NoConntrack:
		f.DSCP = FallbackDSCP
	default:
		actions = actions.CTCommit(Zone(f.VLAN), markPrefix|uint32(f.Color))
	}
	out.PacketOut(port, actions.Output(openflow.PortTable), f.Append(nil, a.key))
}

// Deliver sends a request straight out of a port, past the pipeline, to the host there.
func (a *App) Deliver(out *apps.Output, port openflow.PortNo, f *Frame) {
	out.PacketOut(openflow.PortController, flow.Actions(nil).Output(port), f.Append(nil, a.key))
}

// Trapped is a frame that a trap brought, as it was read. This is the one time that its signature is checked.
type Trapped struct {
	Reply
	Reason Reason // Genuine, or why nothing in Reply can be relied on
}

// PacketRcvd passes on what a trap brought, to be matched with the probes that run.
//
//  1. A reply that is not verified is a host's own, or a forgery: it is resubmitted behind the trap with its in port,
//     as if it had never been trapped. Frames to a colored MAC address have no receiver.
//  2. Each frame becomes a fact, so that the prober counts forgeries.
func (a *App) PacketRcvd(now time.Time, p *apps.Packet, out *apps.Output) {
	r, reason := Verify(p.In.Data, a.key)
	if reason != Genuine && flow.Tag(p.In.Cookie) != tagLinkLayer {
		out.PacketOut(p.In.InPort, flow.Actions(nil).ResubmitTable(a.caps.trapped.Next), p.In.Data)
	}
	out.Facts = append(out.Facts, apps.Fact{
		Kind: apps.ProbeReply, Port: p.In.InPort, VLAN: p.VLAN, MAC: r.EthSrc, At: now, Reply: &Trapped{r, reason},
	})
}

var _ apps.App = (*App)(nil)
