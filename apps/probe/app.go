// Package probe owns the trap tables: it sends colored probes in the name of hosts and takes their replies out of the stream
// before the hosts see them. What is not verified as a reply of ours goes on as if the trap were not there.
package probe

import (
	"slices"
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
	ways  ways         // for which the traps were stated
}

// New returns the app for a switch. All apps of a controller and the engine that runs its probes share the key.
func New(sw *apps.Switch, key *Key) *App {
	return &App{sw: sw, key: key, traps: map[Trap]int{}}
}

// Refresh states the fixed rules and every trap.
func (a *App) Refresh(_ time.Time, out *apps.Output) {
	out.Store.Begin(apps.OwnerProbe)
	a.ways = ways{a.sw.NoConntrack, a.sw.Meter(apps.MeterProbe)}
	for _, r := range fixedRules(a.ways) {
		out.Put(r)
	}
	for t := range a.traps {
		out.Put(t.rule(a.ways))
	}
	out.Store.End(apps.OwnerProbe, apps.TableTrap)
	out.Store.End(apps.OwnerProbe, apps.TableTrapped)
}

// AddTrap makes the switch trap what t names until it is removed as often as it was added. It takes effect when the switch has
// done what is sent now: wait for a barrier before the first injection.
func (a *App) AddTrap(t Trap, out *apps.Output) {
	t = t.canonical()
	a.traps[t]++
	if a.traps[t] == 1 {
		out.Put(t.rule(a.ways))
	}
}

// RemoveTrap undoes one AddTrap. Removing a trap that was never added does nothing.
func (a *App) RemoveTrap(t Trap, out *apps.Output) {
	t = t.canonical()
	switch n := a.traps[t]; {
	case n > 1:
		a.traps[t] = n - 1
	case n == 1:
		delete(a.traps, t)
		r := t.rule(a.ways)
		out.Store.Delete(r.Table, r.Priority, &r.Match)
	}
}

// TrapCount returns how many different traps there are.
func (a *App) TrapCount() int { return len(a.traps) }

// DSCP returns the DSCP that echoes injected at this switch must carry: 0 but where the switch has no connection tracker.
func (a *App) DSCP() uint8 {
	if a.sw.NoConntrack {
		return FallbackDSCP
	}
	return 0
}

// Injection is a frame to be sent as if a port had sent it.
type Injection struct {
	Port  openflow.PortNo
	VLAN  uint16 // the network that the port's frame will belong to
	Frame []byte // as the host itself would send it
	Type  Type
	Color uint16
}

// Inject sends a frame through the pipeline from the port on. An echo's connection gets the color, by which its reply will be
// known. A port that is missing or down gives no error: the caller has looked.
func (a *App) Inject(_ time.Time, out *apps.Output, in Injection) {
	actions := flow.Actions(make([]byte, 0, 80)).SetReg0(apps.Injected)
	if in.Type != ARP && !a.sw.NoConntrack {
		actions = actions.CTCommit(Zone(in.VLAN), markPrefix|uint32(in.Color))
	}
	out.PacketOut(in.Port, actions.Output(openflow.PortTable), in.Frame)
}

// Deliver sends a frame straight out of a port, past the pipeline: it comes to the host there whatever the network does.
// frame is as the host receives it.
func (a *App) Deliver(_ time.Time, out *apps.Output, port openflow.PortNo, frame []byte) {
	out.PacketOut(openflow.PortController, flow.Actions(nil).Output(port), frame)
}

// PacketRcvd passes on what a trap brought, to be matched with the probes that run.
//
//  1. An echo reply that is not verified is a host's own, or a forgery: it goes on behind the trap with its in port, as if it
//     had never been taken out. (Into the first table it would come back here.)
//  2. Each frame becomes a fact, so that forgeries are counted where probes are.
func (a *App) PacketRcvd(now time.Time, p *apps.Packet, out *apps.Output) {
	r, reason := Verify(p.In.Data, a.key)
	if reason != Genuine && flow.Tag(p.In.Cookie) != tagARP {
		out.PacketOut(p.In.InPort, flow.Actions(nil).ResubmitTable(apps.TableSnoop), p.In.Data)
	}
	out.Facts = append(out.Facts, apps.Fact{
		Kind: apps.ProbeReply, Port: p.In.InPort, VLAN: p.VLAN, MAC: r.EthSrc, At: now, Frame: slices.Clone(p.In.Data),
	})
}

var _ apps.App = (*App)(nil)
