package topology

import (
	"cmp"
	"slices"
	"sync"

	"github.com/eosin-sdn/eosin/openflow"
)

// State of a link.
type State uint8

// The states.
const (
	Down       State = iota // a port is down, or frames are lost in a direction that worked
	Up                      // frames arrive
	Unverified              // was up when the switches at its ends were last connected
)

func (s State) String() string { return [...]string{"down", "up", "unverified"}[s] }

// LinkState is one link of a snapshot; A is the lower end.
type LinkState struct {
	A, B  PortRef
	Kind  Kind
	State State
	// Forwarding is true if floods of at least one VLAN use the link.
	Forwarding bool
	// Latency in seconds; 0 = not measured.
	Latency float64
}

// Snapshot is the immutable state of a graph. It is safe for concurrent use. Flood trees and next hops are computed on
// first use and kept.
type Snapshot struct {
	*layout
	latencies []float64 // as layout.shown
}

// layout is everything in a snapshot except latencies.
type layout struct {
	version   uint64
	switches  []openflow.DatapathID // ascending; everything below refers to switches by index
	connected []bool

	shown      []shownLink       // ascending
	active     []activeLink      // the live ones of shown
	transit    []transitPort     // ascending
	transitAt  map[PortRef]int32 // index into transit
	segments   [][]int32         // transit ports of each
	components components
	restoring  bool // some port is retained

	classes classes
	views   []view // by class

	forwardingOnce sync.Once
	forwarding     []bool // by active link
}

type shownLink struct {
	ref    LinkRef
	kind   Kind
	state  State
	active int32 // index, -1 = none
}

type activeLink struct {
	kind    Kind
	mesh    bool
	a, b    int32 // transit ports
	segment int32 // index, -1 = none
	vlans   *vlanBits
}

type transitPort struct {
	ref   PortRef
	sw    int32
	vlans *vlanBits
	peers []PortRef // ascending
}

// Snapshot returns the present state: the same snapshot while nothing changes, and one with the same version while only
// latencies change. After another change its cost is linear in switches and links (about 1 ms for 1,000 of each), so
// take one after a batch of facts.
func (g *Graph) Snapshot() *Snapshot {
	switch {
	case g.changed:
		g.prune()
		g.version++
		g.snapshot = &Snapshot{layout: g.layout()}
		g.snapshot.latencies = g.latencies(g.snapshot.layout)
	case g.measured:
		g.snapshot = &Snapshot{layout: g.snapshot.layout, latencies: g.latencies(g.snapshot.layout)}
	}
	g.changed, g.measured = false, false
	return g.snapshot
}

func (g *Graph) latencies(s *layout) []float64 {
	latencies := make([]float64, len(s.shown))
	for i, l := range s.shown {
		latencies[i] = g.links[l.ref].latency
	}
	return latencies
}

func (g *Graph) layout() *layout {
	s := &layout{version: g.version}
	s.switches = make([]openflow.DatapathID, 0, len(g.switches))
	for dpid := range g.switches {
		s.switches = append(s.switches, dpid)
	}
	slices.Sort(s.switches)
	s.connected = make([]bool, len(s.switches))
	for i, dpid := range s.switches {
		s.connected[i] = g.switches[dpid]
	}
	links := make([]*link, 0, len(g.links))
	for _, l := range g.links {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b *link) int { return a.ref.Compare(b.ref) })
	for _, p := range g.ports {
		s.restoring = s.restoring || p.Retained
	}
	s.addPorts(g, links)
	s.addLinks(g, links)
	s.addSegments()
	s.addComponents()
	s.addClasses()
	return s
}

// present reports whether frames that come in by one port of the link come from the other: hellos arrive in one
// direction at least, or the link is a silent tunnel. When a tunnel heals, frames of hosts arrive before the first
// hello: on an edge port they would be learned, and close a loop with the flood tree. A silent wire may lead to other
// hosts.
func (g *Graph) present(l *link) bool {
	_, a := g.switches[l.ref.A.Switch]
	_, b := g.switches[l.ref.B.Switch]
	return a && b && (l.heard() || l.silent && l.kind == Tunnel) && g.ports[l.ref.A].Up && g.ports[l.ref.B].Up
}

// addPorts lists the transit ports with their peers.
func (s *layout) addPorts(g *Graph, links []*link) {
	type end struct{ ref, peer PortRef }
	ends := make([]end, 0, 2*len(links))
	for _, l := range links {
		if g.present(l) {
			ends = append(ends, end{l.ref.A, l.ref.B}, end{l.ref.B, l.ref.A})
		}
	}
	slices.SortFunc(ends, func(a, b end) int { return cmp.Or(a.ref.Compare(b.ref), a.peer.Compare(b.peer)) })
	peers := make([]PortRef, len(ends))
	s.transit = make([]transitPort, 0, len(ends))
	s.transitAt = make(map[PortRef]int32, len(ends))
	for i, e := range ends {
		peers[i] = e.peer
		if i > 0 && ends[i-1].ref == e.ref {
			last := &s.transit[len(s.transit)-1]
			last.peers = last.peers[:len(last.peers)+1]
			continue
		}
		sw, _ := s.index(e.ref.Switch)
		s.transitAt[e.ref] = int32(len(s.transit))
		s.transit = append(s.transit, transitPort{e.ref, sw, g.ports[e.ref].VLANs.raw(), peers[i : i+1]})
	}
}

func (s *layout) addLinks(g *Graph, links []*link) {
	s.shown = make([]shownLink, 0, len(links))
	for _, l := range links {
		shown := shownLink{ref: l.ref, kind: l.kind, active: -1}
		if g.present(l) && l.whole() {
			shown.state = Up
			if !g.switches[l.ref.A.Switch] || !g.switches[l.ref.B.Switch] {
				shown.state = Unverified
			}
			shown.active = int32(len(s.active))
			a, b := s.transitAt[l.ref.A], s.transitAt[l.ref.B]
			s.active = append(s.active, activeLink{
				kind: l.kind, a: a, b: b, segment: -1,
				mesh:  g.ports[l.ref.A].Mesh && g.ports[l.ref.B].Mesh,
				vlans: s.transit[a].vlans.and(s.transit[b].vlans),
			})
		}
		s.shown = append(s.shown, shown)
	}
}

func (s *layout) index(dpid openflow.DatapathID) (int32, bool) {
	i, ok := slices.BinarySearch(s.switches, dpid)
	return int32(i), ok
}

// Version grows with every change of the graph that a snapshot shows, latencies aside.
func (s *layout) Version() uint64 { return s.version }

// Switches returns every known datapath id, ascending. The slice is shared: do not change it.
func (s *layout) Switches() []openflow.DatapathID { return s.switches }

// Restoring reports whether any link from before a restart of the controller has not been found again yet: switches
// that forward may still be unknown, and may close loops that this graph does not show.
func (s *layout) Restoring() bool { return s.restoring }

// Transit reports whether frames that come in by the port come from another switch.
func (s *layout) Transit(ref PortRef) bool {
	_, ok := s.transitAt[ref]
	return ok
}

// Links returns all known links, ascending.
func (s *Snapshot) Links() []LinkState {
	s.forwardingOnce.Do(s.addForwarding)
	links := make([]LinkState, len(s.shown))
	for i, l := range s.shown {
		links[i] = LinkState{
			A: l.ref.A, B: l.ref.B, Kind: l.kind, State: l.state, Latency: s.latencies[i],
			Forwarding: l.active >= 0 && s.forwarding[l.active],
		}
	}
	return links
}

func (s *layout) addForwarding() {
	s.forwarding = make([]bool, len(s.active))
	for class := range s.views {
		for i, on := range s.view(class).links {
			s.forwarding[i] = s.forwarding[i] || on
		}
	}
}
