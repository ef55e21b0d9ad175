package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// fabric owns the graph of the network and the places of hosts in it. Switches post what they have found out; one goroutine
// takes that in, and tells every switch what concerns it. Posting never blocks, so no switch waits for another.
type fabric struct {
	c        *Controller
	snapshot atomic.Pointer[topology.Snapshot]

	mu      sync.Mutex // guards all down to wake
	posts   []post
	waiting map[openflow.DatapathID]int // where in posts the newest list of a switch's ports is
	gone    int                         // disconnections since strangers were forgotten last
	moves   int
	moved   map[uint16]uint64 // moves between switches by VLAN, for metrics
	wake    chan struct{}

	// Of the fabric's own goroutine:
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

// post is one thing that a switch has found out.
type post struct {
	sw        openflow.DatapathID
	kind      postKind
	fact      apps.Fact
	connected bool
	ports     map[openflow.PortNo]topology.PortInfo
}

type postKind uint8

const (
	postFact postKind = iota
	postConnection
	postPorts
	postForgotten // the switch is no longer kept
)

const (
	expireEvery   = 100 * time.Millisecond
	forgetEvery   = 5 * time.Second
	snapshotEvery = 20 * time.Millisecond // changes of the graph that come together are told together
)

func newFabric(c *Controller) *fabric {
	f := &fabric{
		c: c, moved: map[uint16]uint64{}, wake: make(chan struct{}, 1), graph: topology.NewGraph(), hosts: topology.NewHosts(0),
		waiting: map[openflow.DatapathID]int{},
		ports:   map[openflow.DatapathID]map[openflow.PortNo]topology.PortInfo{}, links: map[topology.LinkRef]topology.State{},
	}
	f.snapshot.Store(f.graph.Snapshot())
	return f
}

// current returns the latest snapshot of the graph.
func (f *fabric) current() *topology.Snapshot { return f.snapshot.Load() }

func (f *fabric) setMoves(n int) {
	f.mu.Lock()
	f.moves = n
	f.mu.Unlock()
}

// movesOf returns how often hosts of a VLAN moved between switches.
func (f *fabric) movesOf(vlan uint16) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved[vlan]
}

func (f *fabric) post(p ...post) {
	f.mu.Lock()
	f.posts = append(f.posts, p...)
	for i := range p {
		if len(f.waiting) > 0 {
			delete(f.waiting, p[i].sw) // a newer list of ports must not overtake this
		}
	}
	f.mu.Unlock()
	f.poke()
}

// poke has run look at what is posted.
func (f *fabric) poke() {
	select {
	case f.wake <- struct{}{}:
	default: // it will
	}
}

func (f *fabric) postConnected(sw openflow.DatapathID, connected bool) {
	if !connected {
		f.mu.Lock()
		f.gone++
		f.mu.Unlock()
	}
	f.post(post{sw: sw, kind: postConnection, connected: connected})
}

func (f *fabric) postPorts(sw openflow.DatapathID, ports map[openflow.PortNo]topology.PortInfo) {
	f.mu.Lock()
	if i, ok := f.waiting[sw]; ok {
		f.posts[i].ports = ports // the one before was not looked at yet: ports that flap do not pile up
	} else {
		f.waiting[sw] = len(f.posts)
		f.posts = append(f.posts, post{sw: sw, kind: postPorts, ports: ports})
	}
	f.mu.Unlock()
	f.poke()
}

// run takes posts in until ctx ends.
func (f *fabric) run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	var taken []post
	var forgot time.Time
	var told time.Time // when the graph was last looked at
	soon := false      // a wake-up for it is on its way
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-tick.C:
		}
		f.mu.Lock()
		taken, f.posts = f.posts, taken[:0]
		clear(f.waiting)
		crowd := f.gone >= keepStrangers
		f.hosts.SetMoveLimit(f.moves)
		f.mu.Unlock()
		now := time.Now()
		for i := range taken {
			f.take(now, &taken[i])
		}
		f.graph.Expire(now)
		if time.Since(told) >= snapshotEvery {
			told, soon = now, false
			f.tellGraph()
		} else if !soon {
			soon = true
			f.wakeSoon(ctx)
		}
		f.tellHosts()
		clear(taken)
		if now.Sub(forgot) >= forgetEvery || crowd {
			forgot = now
			f.mu.Lock()
			f.gone = 0
			f.mu.Unlock()
			f.c.forgetStrangers(now)
			f.c.book.sweep(f.c.uses)
		}
	}
}

// wakeSoon has the graph looked at again when snapshots may be told again.
func (f *fabric) wakeSoon(ctx context.Context) {
	time.AfterFunc(snapshotEvery, func() { // ends at once
		if ctx.Err() == nil {
			f.poke()
		}
	})
}

func (f *fabric) take(now time.Time, p *post) {
	switch p.kind {
	case postConnection:
		f.graph.SetSwitch(p.sw, p.connected)
	case postForgotten:
		f.graph.RemoveSwitch(p.sw)
		delete(f.ports, p.sw)
	case postPorts:
		for no := range f.ports[p.sw] {
			if _, still := p.ports[no]; !still {
				f.graph.RemovePort(topology.PortRef{Switch: p.sw, Port: no})
			}
		}
		for no, info := range p.ports {
			f.graph.SetPort(topology.PortRef{Switch: p.sw, Port: no}, info)
		}
		f.ports[p.sw] = p.ports
	case postFact:
		f.takeFact(now, p.sw, &p.fact)
	}
}

func (f *fabric) takeFact(now time.Time, sw openflow.DatapathID, fact *apps.Fact) {
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
				f.c.sink.Emit(event.Event{
					Type: event.HostFrozen, Switch: f.c.place(z.Kept).Switch, Host: fact.MAC.String(), Network: networkName(f.c.Config(), fact.VLAN),
					Message: fmt.Sprintf("host %s (VLAN %d) moves too often between %s and %s: it stays at %s for a while",
						fact.MAC, fact.VLAN, f.c.portName(z.Kept), f.c.portName(z.Refused), f.c.portName(z.Kept)),
				})
			}
		}
	default:
	}
}

// tellGraph gives every switch the new snapshot, if there is one.
func (f *fabric) tellGraph() {
	next := f.graph.Snapshot()
	last := f.snapshot.Load()
	if next == last {
		return
	}
	if next.Version() == last.Version() { // only latencies are new
		f.snapshot.Store(next)
		return
	}
	f.noteLinks(next)
	f.updates = f.hosts.Apply(next, f.updates)
	f.snapshot.Store(next)
	for _, s := range f.c.list() {
		_ = s.step(func(_ time.Time, m *datapath.Machine) error {
			m.DeliverGraph(next)
			return nil
		})
	}
	f.c.prober.HostsChanged()
}

// noteLinks tells the operator which links came and went.
func (f *fabric) noteLinks(next *topology.Snapshot) {
	seen := map[topology.LinkRef]topology.State{}
	for _, l := range next.Links() {
		ref := topology.NewLinkRef(l.A, l.B)
		seen[ref] = l.State
		was, known := f.links[ref]
		switch {
		case l.State == topology.Up && (!known || was != topology.Up):
			f.emitLink(event.LinkUp, ref, fmt.Sprintf("%s %s -- %s is up", l.Kind, f.c.portName(l.A), f.c.portName(l.B)))
		case l.State == topology.Down && known && was != topology.Down:
			f.emitLink(event.LinkDown, ref, fmt.Sprintf("%s %s -- %s is down", l.Kind, f.c.portName(l.A), f.c.portName(l.B)))
		}
	}
	for ref, was := range f.links {
		if _, still := seen[ref]; !still && was != topology.Down {
			f.emitLink(event.LinkDown, ref, fmt.Sprintf("link %s -- %s is gone", f.c.portName(ref.A), f.c.portName(ref.B)))
		}
	}
	f.links = seen
}

func (f *fabric) emitLink(t *event.Type, l topology.LinkRef, message string) {
	f.c.sink.Emit(event.Event{Type: t, Link: api.LinkName(f.c.place(l.A), f.c.place(l.B)), Message: message})
}

// tellHosts tells the switches what has become of hosts, each switch in one step.
func (f *fabric) tellHosts() {
	if len(f.updates) > 0 {
		by := map[openflow.DatapathID][]topology.Update{}
		for _, u := range f.updates {
			by[u.Switch] = append(by[u.Switch], u)
		}
		f.updates = f.updates[:0]
		for id, us := range by {
			if s := f.c.lookup(id); s != nil {
				_ = s.step(func(now time.Time, m *datapath.Machine) error {
					for _, u := range us {
						m.DeliverHost(now, topology.NewHostKey(u.VLAN, u.MAC), u.At, u.Port)
					}
					return nil
				})
			}
		}
	}
	for _, z := range f.frozen {
		if s := f.c.lookup(z.sw); s != nil {
			_ = s.step(func(now time.Time, m *datapath.Machine) error {
				m.DeliverFreeze(now, z.key)
				return nil
			})
		}
	}
	f.frozen = f.frozen[:0]
}
