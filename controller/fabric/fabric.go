// Package fabric owns the graph of the network and the places of hosts in it.
package fabric

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Switches are told what concerns them.
type Switches interface {
	DeliverGraph(*topology.Snapshot)
	DeliverHosts(openflow.DatapathID, []topology.Update)
	DeliverFreeze(openflow.DatapathID, topology.HostKey)
	PortName(topology.PortRef) (sw, port string)
}

// Options are what a fabric needs of the rest of the controller.
type Options struct {
	Switches     Switches
	Emit         func(event.Event)
	GraphChanged func()                   // called after the switches have the new snapshot
	NetworkName  func(vlan uint16) string // by the running config
}

// Fabric owns the graph of the network and the places of hosts in it. Switches report what they have found out; one
// goroutine applies that and tells every switch what concerns it. Reporting never blocks, so no switch waits for
// another.
type Fabric struct {
	o        Options
	snapshot atomic.Pointer[topology.Snapshot]

	mu     lockorder.Mutex[lockorder.Leaf] // guards all down to wakeCh
	queue  []report
	latest map[openflow.DatapathID]int // where in queue the newest list of a switch's ports is
	moves  int
	moved  map[uint16]uint64 // moves between switches by VLAN, for metrics
	wakeCh chan struct{}     // capacity 1: something is queued

	// Of Run's goroutine:
	graph   *topology.Graph
	hosts   *topology.Hosts
	ports   map[openflow.DatapathID]map[openflow.PortNo]topology.PortInfo
	links   map[topology.LinkRef]topology.State
	updates []topology.Update
	frozen  []frozenHost
}

type frozenHost struct {
	sw  openflow.DatapathID
	key topology.HostKey
}

// report is one thing that a switch has found out.
type report struct {
	sw        openflow.DatapathID
	kind      reportKind
	fact      apps.Fact
	connected bool
	ports     map[openflow.PortNo]topology.PortInfo
}

type reportKind uint8

const (
	factFound reportKind = iota
	connectionChanged
	portsChanged
	switchRemoved
)

const (
	expireEvery   = 100 * time.Millisecond
	snapshotEvery = 20 * time.Millisecond // changes of the graph that come together are delivered together
)

// New returns a fabric without switches. It starts nothing.
func New(o Options) *Fabric {
	f := &Fabric{
		o: o, moved: map[uint16]uint64{}, wakeCh: make(chan struct{}, 1), graph: topology.NewGraph(), hosts: topology.NewHosts(0),
		latest: map[openflow.DatapathID]int{},
		ports:  map[openflow.DatapathID]map[openflow.PortNo]topology.PortInfo{}, links: map[topology.LinkRef]topology.State{},
	}
	f.snapshot.Store(f.graph.Snapshot())
	return f
}

// Snapshot returns the latest snapshot of the graph.
func (f *Fabric) Snapshot() *topology.Snapshot { return f.snapshot.Load() }

// SetMoves changes how often a host may move before it is frozen.
func (f *Fabric) SetMoves(n int) {
	f.mu.Lock()
	f.moves = n
	f.mu.Unlock()
}

// Moves returns how often hosts of a VLAN moved between switches.
func (f *Fabric) Moves(vlan uint16) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved[vlan]
}

// Facts reports what one step of a switch has found out.
func (f *Fabric) Facts(sw openflow.DatapathID, facts []apps.Fact) {
	f.mu.Lock()
	for i := range facts {
		f.queue = append(f.queue, report{sw: sw, kind: factFound, fact: facts[i]})
	}
	delete(f.latest, sw) // a newer list of ports must not overtake these
	f.mu.Unlock()
	f.wake()
}

// SwitchConnected reports that a switch can be counted on, or no longer.
func (f *Fabric) SwitchConnected(sw openflow.DatapathID, connected bool) {
	f.report(report{sw: sw, kind: connectionChanged, connected: connected})
}

// SwitchRemoved reports that a switch is no longer kept.
func (f *Fabric) SwitchRemoved(sw openflow.DatapathID) { f.report(report{sw: sw, kind: switchRemoved}) }

func (f *Fabric) report(r report) {
	f.mu.Lock()
	f.queue = append(f.queue, r)
	delete(f.latest, r.sw)
	f.mu.Unlock()
	f.wake()
}

// Ports reports the ports of a switch. Of lists with nothing in between only the newest is kept: ports that flap do not
// pile up.
func (f *Fabric) Ports(sw openflow.DatapathID, ports map[openflow.PortNo]topology.PortInfo) {
	f.mu.Lock()
	if i, ok := f.latest[sw]; ok {
		f.queue[i].ports = ports
	} else {
		f.latest[sw] = len(f.queue)
		f.queue = append(f.queue, report{sw: sw, kind: portsChanged, ports: ports})
	}
	f.mu.Unlock()
	f.wake()
}

// wake has Run look at the queue.
func (f *Fabric) wake() {
	select {
	case f.wakeCh <- struct{}{}:
	default: // it will
	}
}

// Run applies reports until ctx ends.
func (f *Fabric) Run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	var reports []report
	var delivered time.Time // when the graph was last looked at
	soon := false           // a wake-up for it is on its way
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wakeCh:
		case <-tick.C:
		}
		now := time.Now()
		reports = f.apply(now, reports)
		f.graph.Expire(now)
		if time.Since(delivered) >= snapshotEvery {
			delivered, soon = now, false
			f.deliverGraph()
		} else if !soon {
			soon = true
			f.wakeSoon(ctx)
		}
		f.deliverHosts()
	}
}

// wakeSoon has the graph looked at again when snapshots may be delivered again.
func (f *Fabric) wakeSoon(ctx context.Context) {
	time.AfterFunc(snapshotEvery, func() { // ends at once
		if ctx.Err() == nil {
			f.wake()
		}
	})
}

// apply applies what is queued. It returns the queue's old array, to be handed in the next time.
func (f *Fabric) apply(now time.Time, spare []report) []report {
	f.mu.Lock()
	reports := f.queue
	f.queue = spare[:0]
	clear(f.latest)
	f.hosts.SetMoveLimit(f.moves)
	f.mu.Unlock()
	for i := range reports {
		f.applyReport(now, &reports[i])
	}
	clear(reports)
	return reports
}

func (f *Fabric) applyReport(now time.Time, p *report) {
	switch p.kind {
	case connectionChanged:
		f.graph.SetSwitch(p.sw, p.connected)
	case switchRemoved:
		f.graph.RemoveSwitch(p.sw)
		delete(f.ports, p.sw)
	case portsChanged:
		for no := range f.ports[p.sw] {
			if _, still := p.ports[no]; !still {
				f.graph.RemovePort(topology.PortRef{Switch: p.sw, Port: no})
			}
		}
		for no, info := range p.ports {
			f.graph.SetPort(topology.PortRef{Switch: p.sw, Port: no}, info)
		}
		f.ports[p.sw] = p.ports
	case factFound:
		f.applyFact(now, p.sw, &p.fact)
	}
}

func (f *Fabric) applyFact(now time.Time, sw openflow.DatapathID, fact *apps.Fact) {
	here := topology.PortRef{Switch: sw, Port: fact.Port}
	switch fact.Kind {
	case apps.HelloSent:
		f.graph.Sent(here, fact.Seq, fact.At)
	case apps.Answered:
		f.graph.Answered(sw, fact.At, fact.Latency)
	case apps.HelloSeen:
		kind := topology.Wire
		if fact.Tunnel {
			kind = topology.Tunnel
		}
		f.graph.LinkSeen(fact.Peer, here, kind, fact.Seq, fact.At)
		f.graph.Measured(fact.Peer, here, fact.Latency.Seconds())
	case apps.HostGone:
		f.updates = f.hosts.Forget(sw, fact.Port, fact.VLAN, fact.MAC, f.updates)
	case apps.HostSeen:
		var verdict topology.Verdict
		f.updates, verdict = f.hosts.Observe(topology.Sighting{Switch: sw, Port: fact.Port, VLAN: fact.VLAN, MAC: fact.MAC, At: fact.At}, f.updates)
		if verdict == topology.Placed || verdict == topology.Moved {
			// The switch itself is told as well: it may have been told of an older place since it posted this.
			f.updates = append(f.updates, topology.Update{Switch: sw, VLAN: fact.VLAN, MAC: fact.MAC, At: sw, Port: fact.Port})
		}
		if verdict == topology.Moved {
			f.mu.Lock()
			f.moved[fact.VLAN]++
			f.mu.Unlock()
		}
		if verdict == topology.NewlyFrozen {
			f.frozen = append(f.frozen, frozenHost{sw, topology.NewHostKey(fact.VLAN, fact.MAC)})
			if z, ok := f.hosts.Freeze(fact.VLAN, fact.MAC, now); ok {
				f.emitFrozen(fact, z)
			}
		}
	default:
	}
}

// emitFrozen reports a host that moves between switches too often.
func (f *Fabric) emitFrozen(fact *apps.Fact, z topology.Freeze) {
	kept, port := f.o.Switches.PortName(z.Kept)
	f.o.Emit(event.Event{
		Type: event.HostFrozen, Switch: kept, Host: fact.MAC.String(), Network: f.o.NetworkName(fact.VLAN),
		Message: fmt.Sprintf("host %s (VLAN %d) moves too often between %s:%s and %s: it stays at %s:%s for a while",
			fact.MAC, fact.VLAN, kept, port, f.portName(z.Refused), kept, port),
	})
}

func (f *Fabric) portName(ref topology.PortRef) string {
	sw, port := f.o.Switches.PortName(ref)
	return sw + ":" + port
}

// deliverGraph gives every switch the new snapshot, if there is one.
func (f *Fabric) deliverGraph() {
	next := f.graph.Snapshot()
	last := f.snapshot.Load()
	if next == last {
		return
	}
	if next.Version() == last.Version() { // only latencies are new
		f.snapshot.Store(next)
		return
	}
	f.emitLinks(next)
	f.updates = f.hosts.Apply(next, f.updates)
	f.snapshot.Store(next)
	f.o.Switches.DeliverGraph(next)
	f.o.GraphChanged()
}

// emitLinks reports which links came and went.
func (f *Fabric) emitLinks(next *topology.Snapshot) {
	seen := map[topology.LinkRef]topology.State{}
	for _, l := range next.Links() {
		ref := topology.NewLinkRef(l.A, l.B)
		seen[ref] = l.State
		was, known := f.links[ref]
		switch {
		case l.State == topology.Up && (!known || was != topology.Up):
			f.emitLink(event.LinkUp, ref, l.Kind.String(), "up")
		case l.State == topology.Down && known && was != topology.Down:
			f.emitLink(event.LinkDown, ref, l.Kind.String(), "down")
		}
	}
	for ref, was := range f.links {
		if _, still := seen[ref]; !still && was != topology.Down {
			f.emitLink(event.LinkDown, ref, "link", "gone")
		}
	}
	f.links = seen
}

func (f *Fabric) emitLink(t *event.Type, l topology.LinkRef, kind, what string) {
	a, b := f.portName(l.A), f.portName(l.B)
	f.o.Emit(event.Event{Type: t, Link: a + "--" + b, Message: fmt.Sprintf("%s %s -- %s is %s", kind, a, b, what)})
}

// deliverHosts tells the switches what has become of hosts, each switch in one step.
func (f *Fabric) deliverHosts() {
	if len(f.updates) > 0 {
		by := map[openflow.DatapathID][]topology.Update{}
		for _, u := range f.updates {
			by[u.Switch] = append(by[u.Switch], u)
		}
		f.updates = f.updates[:0]
		for id, us := range by {
			f.o.Switches.DeliverHosts(id, us)
		}
	}
	for _, z := range f.frozen {
		f.o.Switches.DeliverFreeze(z.sw, z.key)
	}
	f.frozen = f.frozen[:0]
}
