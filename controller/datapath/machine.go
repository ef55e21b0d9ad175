// Package datapath is the machine of one switch: it takes messages and the time, and appends what is to be sent. It has
// no socket, no clock and no goroutine.
//
// phase.go has the state machine of a session on one screen. Each part of a session has a file and a test of its own.
package datapath

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// Intent is what the config says of a switch.
type Intent struct {
	Name       string
	Networks   []apps.Network // ascending by VLAN
	Settings   intent.Settings
	Port       func(name string, no openflow.PortNo) intent.Port
	Trap       intent.Trap   // how probe replies are told from other traffic
	AuditEvery time.Duration // how often the flows are compared with what they should be; 0 never
	Claim      bool          // ask to be the switch's master; else whatever role it gives is good enough
}

// Machine is all that is known and decided about one switch. It outlives its connections. It is not safe for concurrent
// use: the caller holds the switch's lock for the whole of a step.
//
// A step is any number of calls to Attach, Receive, Tick, Configure, Deliver…, Barrier and the like, then one Flush.
// After it the caller, still under the lock, writes TakeWire to the connection, passes TakeFacts and PortsChanged on,
// and sets a timer for Out.TakeWake, on which it calls Tick. Detach ends a session without a Flush.
type Machine struct {
	Out apps.Output

	sw        *apps.Switch
	intent    Intent
	discovery *discovery.App
	l2        *l2.App
	probe     *probe.App
	apps      *pipeline.Set

	session
	adoption   adoption
	refreshDue bool                                   // ports, settings or the graph have changed since refresh
	portsDirty bool                                   // ports have changed since PortsChanged
	settledAt  time.Time                              // when a port last settled
	stats      map[openflow.PortNo]openflow.PortStats // as last requested
	lastErr    lastError
	eventLimit eventLimiter
	Counters

	pin    openflow.PacketIn // scratch: decoding allocates nothing
	packet apps.Packet
}

// Counters count what happened, for metrics.
type Counters struct {
	Sessions         uint64
	In, Sent         [32]uint64 // messages by type
	PacketIns        [flow.MaxOwners]uint64
	PacketInsDropped [numClasses]uint64 // over their class's rate
	UnknownOwner     uint64
	Malformed        uint64
	Unsolicited      uint64 // messages that nobody asked for, and ports beyond the limit
	Errors           uint64
	Drifts           uint64
	Audits           uint64
	AuditTook        time.Duration // duration of the last audit
}

// Keys are shared by all machines of a controller, so that each recognizes what another has sent.
type Keys = pipeline.Keys

// New returns the machine of a switch that has not connected yet.
func New(id openflow.DatapathID, keys Keys, in Intent, graph *topology.Snapshot) *Machine {
	return newMachine(id, keys, in, graph, pipeline.Layout)
}

func newMachine(
	id openflow.DatapathID, keys Keys, in Intent, graph *topology.Snapshot, layout *apps.Layout,
) *Machine {
	m := &Machine{sw: &apps.Switch{ID: id, Ports: map[openflow.PortNo]*apps.Port{}, Graph: graph, Layout: layout}}
	m.Out.Store, m.Out.Layout = flow.NewStore(), layout
	m.eventLimit = newEventLimiter()
	m.apps = pipeline.New(m.sw, keys)
	m.discovery = pipeline.Get[*discovery.App](m.apps)
	m.l2 = pipeline.Get[*l2.App](m.apps)
	m.probe = pipeline.Get[*probe.App](m.apps)
	m.Configure(in)
	return m
}

// Configure gives the machine a new config.
func (m *Machine) Configure(in Intent) {
	m.intent = in
	m.sw.Name, m.sw.Networks, m.sw.Settings = in.Name, in.Networks, in.Settings
	m.sw.NoConntrack = in.Trap == intent.TrapDSCP || in.Trap == intent.TrapAuto && m.sw.NoConntrack
	for _, no := range m.sw.Order {
		m.applyIntent(m.sw.Ports[no])
	}
	m.budgets = newBudgets(in.Settings)
	m.refreshDue = true
}

func (m *Machine) applyIntent(p *apps.Port) {
	in := m.intent.Port(p.Name, p.No)
	if p.Mode != in.Mode || p.Native != in.Native || p.Source != in.Source || !slices.Equal(p.VLANs, in.VLANs) {
		p.Mode, p.VLANs, p.Native, p.Source = in.Mode, in.VLANs, in.Native, in.Source
		m.refreshDue, m.portsDirty = true, true
	}
}

// DeliverGraph gives the machine a new snapshot of the graph.
func (m *Machine) DeliverGraph(g *topology.Snapshot) {
	was := m.sw.Graph
	if was == g {
		return
	}
	m.sw.Graph = g
	if was.Version() == g.Version() {
		return // only latencies differ
	}
	// A switch without links, before and after, has nothing to restate. Otherwise a thousand switches that connect one
	// after another would each restate everything a thousand times.
	linked := false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		linked = linked || p.Transit
		m.findTransit(p)
		linked = linked || p.Transit
	}
	m.refreshDue = m.refreshDue || linked
	switch alone := g.Standalone(m.sw.ID); {
	case was.Standalone(m.sw.ID) && !alone:
		m.live.xid = 0 // without links it did not have to answer
		m.l2.Announce(&m.Out)
	case alone && !was.Standalone(m.sw.ID):
		m.l2.DropRemote(&m.Out)
	}
}

// DeliverHost says where a host of the switch's component is: at another switch, nowhere any more (at is 0), or at this
// switch's port again, as it reported earlier.
func (m *Machine) DeliverHost(now time.Time, k topology.HostKey, at openflow.DatapathID, port openflow.PortNo) {
	m.l2.HostAt(now, k, at, port, &m.Out)
}

// DeliverFreeze stops learning a host for a while: it moved between switches too often.
func (m *Machine) DeliverFreeze(now time.Time, k topology.HostKey) { m.l2.Freeze(now, k, &m.Out) }

// Alone reports whether the switch has no link to another, so that its hosts concern no other switch.
func (m *Machine) Alone() bool { return m.sw.Graph.Standalone(m.sw.ID) }

// Flush ends a step: the apps restate what has changed, and what is due is appended to Out.Wire.
func (m *Machine) Flush(now time.Time) {
	if m.phase == Adopting {
		m.drain(now) // hosts are followed at once: frames for one that has moved must not go to its old port
	}
	if m.phase >= Adopting && m.refresh(now) && m.phase == Adopting {
		m.Out.Store.Discard() // the audit that follows sends it
	}
	if m.phase == Ready || m.phase == Committing {
		m.drain(now)
	}
	if m.Out.Unconfirmed-m.barriers.frames >= barrierEvery {
		m.barriers.send(nil, &m.Out) // so that packet-outs are confirmed, too
	}
	if m.phase == Ready && m.Out.Store.Pending() == 0 {
		m.barriers.sendWaiters(&m.Out)
	}
	m.schedule(now)
}

// TakeWire returns what is to be written, and counts it. It is valid until the next step.
func (m *Machine) TakeWire() []byte {
	w := m.Out.Wire
	m.Out.Wire = w[:0]
	if cap(w) > 1<<20 {
		m.Out.Wire = nil // after a burst
	}
	for b := w; len(b) >= openflow.HeaderLen; {
		n := int(b[2])<<8 | int(b[3])
		m.Counters.Sent[b[1]&31]++
		b = b[n:]
	}
	return w
}

// TakeFacts returns the facts since the last call. They are valid until the next step.
func (m *Machine) TakeFacts() []apps.Fact {
	f := m.Out.Facts
	m.Out.Facts = f[:0]
	if cap(f) > 1<<14 {
		m.Out.Facts = nil
	}
	return f
}

// Probe gives access to the probe app within a step.
func (m *Machine) Probe() (*probe.App, *apps.Output) { return m.probe, &m.Out }

// PacketInCount returns how many packet-ins have come in, dropped ones included.
func (m *Machine) PacketInCount() uint64 { return m.In[openflow.TypePacketIn] }
