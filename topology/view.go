package topology

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eosin-sdn/eosin/openflow"
)

// view is the flood tree and the next hops of one class of VLANs.
type view struct {
	once  sync.Once
	ports []bool // by transit port: floods use it
	links []bool // by active link: floods use it
	hops  adjacency
	next  []atomic.Pointer[[]openflow.PortNo] // by target switch, then by source switch
}

// edge leads from one node to another. Nodes are the switches followed by the pseudonodes of the view.
type edge struct {
	to   int32
	kind uint8 // Kind, or viaPseudonode
	port openflow.PortNo
	far  openflow.PortNo
	id   int32 // link, or attachment if viaPseudonode
}

const viaPseudonode = uint8(Tunnel) + 1

// adjacency lists the edges of each node in one array.
type adjacency struct {
	start []int32
	edges []edge
}

func (a *adjacency) of(node int32) []edge { return a.edges[a.start[node]:a.start[node+1]] }

type arc struct {
	from int32
	edge
}

// newAdjacency sorts the edges of each node by target, kind and ports.
func newAdjacency(nodes int, arcs []arc) adjacency {
	a := adjacency{start: make([]int32, nodes+1), edges: make([]edge, len(arcs))}
	for _, e := range arcs {
		a.start[e.from+1]++
	}
	for i := range nodes {
		a.start[i+1] += a.start[i]
	}
	at := slices.Clone(a.start)
	for _, e := range arcs {
		a.edges[at[e.from]] = e.edge
		at[e.from]++
	}
	for i := range nodes {
		slices.SortFunc(a.of(int32(i)), func(x, y edge) int {
			return cmp.Or(cmp.Compare(x.to, y.to), cmp.Compare(x.kind, y.kind), cmp.Compare(x.port, y.port),
				cmp.Compare(x.far, y.far))
		})
	}
	return a
}

// view returns the view of a class, built on first use.
func (s *layout) view(class int) *view {
	v := &s.views[class]
	v.once.Do(func() { s.build(v, s.classes.first[class]) })
	return v
}

func (s *layout) build(v *view, vlan uint16) {
	f := newFloodTree(s, vlan)
	f.grow()
	v.ports, v.links = f.result()
	v.hops = newAdjacency(len(s.switches), s.hopArcs(vlan))
	v.next = make([]atomic.Pointer[[]openflow.PortNo], len(s.switches))
}

// linkArcs appends both directions between two transit ports; none if they are ports of one switch.
func (s *layout) linkArcs(arcs []arc, a, b int32, kind Kind, id int32) []arc {
	p, q := &s.transit[a], &s.transit[b]
	if p.sw == q.sw {
		return arcs
	}
	return append(arcs,
		arc{p.sw, edge{to: q.sw, kind: uint8(kind), port: p.ref.Port, far: q.ref.Port, id: id}},
		arc{q.sw, edge{to: p.sw, kind: uint8(kind), port: q.ref.Port, far: p.ref.Port, id: id}})
}

// hopArcs returns the single hops of the VLAN between switches.
func (s *layout) hopArcs(vlan uint16) []arc {
	arcs := make([]arc, 0, 2*len(s.active))
	for i, l := range s.active {
		if l.segment < 0 && l.vlans.has(vlan) {
			arcs = s.linkArcs(arcs, l.a, l.b, l.kind, int32(i))
		}
	}
	for _, segment := range s.segments {
		for i, a := range segment {
			for _, b := range segment[:i] {
				if s.transit[a].vlans.has(vlan) && s.transit[b].vlans.has(vlan) {
					arcs = s.linkArcs(arcs, a, b, Wire, -1)
				}
			}
		}
	}
	return arcs
}

// Blocked reports whether floods of a VLAN must neither leave by a port nor be accepted from it: a transit port that is
// not in the flood tree of the VLAN.
func (s *layout) Blocked(vlan uint16, ref PortRef) bool {
	i, transit := s.transitAt[ref]
	return transit && (vlan >= maxVLANs || !s.view(int(s.classes.of[vlan])).ports[i])
}
