// Package fabric owns the graph of the network and the places of hosts in it.
package fabric

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Switches take what concerns them.
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
// goroutine applies that and delivers to each what concerns it. Reporting never blocks: no switch waits for another.
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
		o: o, wakeCh: make(chan struct{}, 1), latest: map[openflow.DatapathID]int{}, moved: map[uint16]uint64{},
		graph: topology.NewGraph(), hosts: topology.NewHosts(0), links: map[topology.LinkRef]topology.State{},
		ports: map[openflow.DatapathID]map[openflow.PortNo]topology.PortInfo{},
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
