package datapath

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/flood"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/vlan"
	"github.com/eosin-sdn/eosin/controller/ratelimit"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// Phase is how far a session has come.
type Phase uint8

// The phases, in order.
const (
	Offline    Phase = iota // no session
	Describing              // the switch is asked for its ports, flows and meters
	Standby                 // another controller is the switch's master: nothing is written
	Adopting                // after a restart of the controller: links are found again before anything is changed
	Auditing                // desired and actual state are compared
	Committing              // the difference is on its way in a bundle
	Ready                   // changes go out as they come
)

// String returns the phase in a word.
func (p Phase) String() string {
	return [...]string{"offline", "describing", "standby", "adopting", "auditing", "committing", "ready"}[p]
}

// Times of a session.
const (
	echoAfter   = 5 * time.Second  // of silence: ask whether the peer lives
	deadAfter   = 10 * time.Second // of silence: it does not
	deadUnasked = 5 * time.Second  // how long it may take to answer at least: the controller may have stood still before
	settleTime  = 400 * time.Millisecond
	settleStep  = 100 * time.Millisecond // between ports that settle after each other
	adoptTime   = 1500 * time.Millisecond
	holdTime    = 30 * time.Second // for links of before to be found again: Open vSwitch waits up to 8 s before it connects again
	replyWithin = 30 * time.Second // for a whole multipart reply
	retryFirst  = time.Second      // after a refused change
	retryMost   = 30 * time.Second
)

// Intent is what the config says of a switch.
type Intent struct {
	Name       string
	Networks   []apps.Network // ascending by VLAN
	Settings   apps.Settings
	Port       func(name string, no openflow.PortNo) intent.Port
	Trap       intent.Trap   // how probe replies are told from other traffic
	AuditEvery time.Duration // how often the flows are compared with what they should be; 0 never
	Claim      bool          // ask to be the switch's master; else whatever role it gives is good enough
}

// Machine is everything that is known of one switch and decided for it. It outlives its connections. It is used by one
// goroutine at a time: the caller holds the switch's lock.
//
// A step is: any number of calls to Receive, Tick, Deliver…, Configure, and then one Flush. What is to be written stands in
// Out.Wire, what matters beyond the switch in Out.Facts; the caller takes both.
type Machine struct {
	Out apps.Output

	sw     *apps.Switch
	intent Intent
	held   time.Time // until when links of before a restart are believed in; zero: no more

	discovery *discovery.App
	l2        *l2.App
	probe     *probe.App
	byOwner   [flow.MaxOwners]apps.App
	// order is in which apps state their flows: from the last table to the first, so that no rule leads to one that is not
	// there yet.
	order []apps.App

	session
	adopted   bool                                   // the flows of an earlier life of the controller have been taken over
	yielded   bool                                   // another controller has been the master since: what was known is old
	dirty     bool                                   // ports, settings or the graph have changed since the last Refresh
	posted    bool                                   // ports have changed since PortsChanged was asked
	settledAt time.Time                              // when a port has settled last
	audits    int                                    // audits that ended
	stats     map[openflow.PortNo]openflow.PortStats // the last that were asked for
	err       error
	errAt     time.Time
	talk      ratelimit.Bucket // of notices
	unsaid    int              // notices since the last that were left out
	Counters
}

// Counters count what happened, for metrics.
type Counters struct {
	Sessions         uint64
	In, Sent         [32]uint64 // messages by type
	PacketIns        [flow.MaxOwners]uint64
	PacketInsDropped [NumClasses]uint64 // over their class's rate
	UnknownOwner     uint64
	Malformed        uint64
	Unsolicited      uint64
	Errors           uint64
	Drifts           uint64
	Audits           uint64
	AuditTook        time.Duration // the last one, from its requests to the comparison's end
}

// Keys are what all machines of a controller share, so that each knows what another has sent.
type Keys struct {
	Hellos *discovery.Signer
	Probes *probe.Key
}

// New returns the machine of a switch that has not connected yet.
func New(id openflow.DatapathID, keys Keys, in Intent, graph *topology.Snapshot) *Machine {
	m := &Machine{sw: &apps.Switch{ID: id, Ports: map[openflow.PortNo]*apps.Port{}, Graph: graph}}
	m.Out.Store = flow.NewStore()
	m.talk = ratelimit.New(20, 50*time.Second)
	m.discovery = discovery.New(m.sw, keys.Hellos)
	m.l2 = l2.New(m.sw)
	m.probe = probe.New(m.sw, keys.Probes)
	classify, flooding := vlan.New(m.sw), flood.New(m.sw)
	m.byOwner[apps.OwnerDiscovery] = m.discovery
	m.byOwner[apps.OwnerVLAN] = classify
	m.byOwner[apps.OwnerProbe] = m.probe
	m.byOwner[apps.OwnerL2] = m.l2
	m.byOwner[apps.OwnerHosts] = m.l2
	m.byOwner[apps.OwnerFlood] = flooding
	m.order = []apps.App{flooding, m.l2, m.probe, classify, m.discovery}
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
	m.limit(in.Settings)
	m.metersStale = true
	m.dirty = true
}

func (m *Machine) applyIntent(p *apps.Port) {
	in := m.intent.Port(p.Name, p.No)
	if p.Mode != in.Mode || p.Native != in.Native || p.Source != in.Source || !slices.Equal(p.VLANs, in.VLANs) {
		p.Mode, p.VLANs, p.Native, p.Source = in.Mode, in.VLANs, in.Native, in.Source
		m.dirty, m.posted = true, true
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
		return // only latencies are new
	}
	// A switch without links, before and after, has nothing to restate: a thousand switches that come in one after another
	// would else restate everything a thousand times.
	linked := false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		linked = linked || p.Transit
		m.findTransit(p)
		linked = linked || p.Transit
	}
	m.dirty = m.dirty || linked
	switch alone := g.Alone(m.sw.ID); {
	case was.Alone(m.sw.ID) && !alone:
		m.echoXid = 0 // what it need not answer until now
		m.l2.Announce(&m.Out)
	case alone && !was.Alone(m.sw.ID):
		m.l2.DropRemote(&m.Out)
	}
}

// DeliverHost tells the machine where a host of its component is; at is 0 when nobody knows any more, and the switch itself
// when an earlier sighting of its own, at port, holds again.
func (m *Machine) DeliverHost(now time.Time, k topology.HostKey, at openflow.DatapathID, port openflow.PortNo) {
	m.l2.HostAt(now, k, at, port, &m.Out)
}

// DeliverFreeze keeps a host from being learned for a while: it moved too often between switches.
func (m *Machine) DeliverFreeze(now time.Time, k topology.HostKey) { m.l2.Freeze(now, k, &m.Out) }

// Alone reports whether the switch has no link to another: then its hosts concern nobody else.
func (m *Machine) Alone() bool { return m.sw.Graph.Alone(m.sw.ID) }

// Flush ends a step: apps restate what a change concerns, and what is due is appended to Out.Wire.
func (m *Machine) Flush(now time.Time) {
	if m.phase == Adopting {
		m.drain(now) // what hosts do is followed at once: one that moved meanwhile must not be sent for where it was
	}
	if m.dirty && m.phase >= Adopting {
		m.dirty = false
		for _, a := range m.order {
			a.Refresh(now, &m.Out)
		}
		if m.phase == Adopting {
			m.Out.Store.Discard() // not yet: the audit that follows compares all of it
		}
	}
	if m.phase == Ready || m.phase == Committing {
		m.drain(now)
	}
	if m.Out.Unconfirmed-m.covered >= barrierEvery {
		m.appendBarrier(nil) // very many frames
	}
	m.confirm()
	m.schedule(now)
}

// TakeWire returns what is to be written and counts it. The bytes are valid until the next step.
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

// fail records what the switch refused, for everybody who asks how it is.
func (m *Machine) fail(now time.Time, err error) {
	if text := unable(err); text != "" {
		err = fmt.Errorf("%s%w", text, err)
	}
	m.err, m.errAt, m.alike = err, now, 0
	m.Errors++
	m.notice(now, event.Event{Type: event.SwitchError, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s: %v", m.sw.Name, err)})
}

// notice reports what a switch can bring about as often as it likes: a thousand at once, then twenty a second.
func (m *Machine) notice(now time.Time, e event.Event) {
	if !m.talk.Allow(now) {
		m.unsaid++
		return
	}
	if m.unsaid > 0 {
		e.Message += fmt.Sprintf(" (%d reports before this one were left out)", m.unsaid)
		m.unsaid = 0
	}
	m.Out.Emit(now, e)
}

// Probe gives access to the probe app within a step.
func (m *Machine) Probe() (*probe.App, *apps.Output) { return m.probe, &m.Out }

// PacketInCount returns how many packet-ins have come in, dropped ones included.
func (m *Machine) PacketInCount() uint64 { return m.In[openflow.TypePacketIn] }
