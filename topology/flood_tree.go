package topology

import (
	"cmp"
	"slices"
)

// floodTree computes the flood tree of one VLAN. Numbers in comments refer to the package documentation.
type floodTree struct {
	*layout
	vlan uint16

	pseudonodes    []pseudonode
	attachments    []attachment
	ends           [][2]int32 // by active link of a pseudonode: the attachments at its ends
	spare          []bool     // by active link: mesh link parallel to another
	portAttachment map[int32]int32

	edges        adjacency
	tree         []int32 // by node: its tree, -1 = none yet
	depth        []int32 // by node: steps from the root
	disconnected []bool  // by tree: made of disconnected switches
	linkOn       []bool  // by active link that is not of a pseudonode: in the tree

	best       []step // by node: the best candidate step at this depth
	candidates []int32
}

// step is an edge from a node in the tree to one that is not.
type step struct {
	from int32 // -1 = none
	edge
}

func (s step) before(o step) bool {
	return o.from < 0 || cmp.Or(cmp.Compare(s.kind, o.kind), cmp.Compare(s.from, o.from),
		cmp.Compare(s.port, o.port), cmp.Compare(s.far, o.far)) < 0
}

func newFloodTree(s *layout, vlan uint16) *floodTree {
	f := &floodTree{layout: s, vlan: vlan, linkOn: make([]bool, len(s.active))}
	f.addMeshes()
	f.addSegments()
	nodes := len(s.switches) + len(f.pseudonodes)
	arcs := make([]arc, 0, 2*len(s.active)+2*len(f.attachments))
	for i, l := range s.active {
		if !l.mesh && l.segment < 0 && l.vlans.has(vlan) {
			arcs = s.linkArcs(arcs, l.a, l.b, l.kind, int32(i))
		}
	}
	for i, a := range f.attachments {
		node := f.node(a.pseudonode)
		e := edge{to: node, kind: viaPseudonode, port: a.port, id: int32(i)}
		arcs = append(arcs, arc{a.sw, e})
		e.to = a.sw
		arcs = append(arcs, arc{node, e})
	}
	f.edges = newAdjacency(nodes, arcs)
	f.tree, f.depth, f.best = make([]int32, nodes), make([]int32, nodes), make([]step, nodes)
	for i := range nodes {
		f.tree[i], f.best[i].from = -1, -1
	}
	return f
}

func (f *floodTree) node(pseudonode int32) int32  { return int32(len(f.switches)) + pseudonode }
func (f *floodTree) isPseudonode(node int32) bool { return int(node) >= len(f.switches) }
func (f *floodTree) pseudonodeAt(node int32) *pseudonode {
	return &f.pseudonodes[int(node)-len(f.switches)]
}

// grow builds all trees, those of connected switches first, and joins them.
func (f *floodTree) grow() {
	for _, disconnected := range [...]bool{false, true} {
		for i := range f.switches {
			if f.tree[i] >= 0 || f.connected[i] == disconnected {
				continue
			}
			f.tree[i] = int32(len(f.disconnected))
			f.disconnected = append(f.disconnected, disconnected)
			f.growFrom(int32(i))
			for f.addByPartialMesh() {
			}
		}
	}
	f.joinTrees()
}

// growFrom extends the last tree breadth first from one of its nodes (1).
func (f *floodTree) growFrom(root int32) {
	var before []int32 // nodes one depth above the last ones
	last := []int32{root}
	for depth := f.depth[root] + 1; len(before)+len(last) > 0; depth++ {
		f.addCandidates(before, false)
		f.addCandidates(last, true)
		before, last = last, f.accept(depth)
	}
}

// addCandidates collects the steps out of some nodes: links, or attachments.
func (f *floodTree) addCandidates(nodes []int32, attachments bool) {
	disconnected := f.disconnected[len(f.disconnected)-1]
	for _, from := range nodes {
		for _, e := range f.edges.of(from) {
			if (e.kind == viaPseudonode) != attachments || f.tree[e.to] >= 0 || !f.isPseudonode(e.to) &&
				f.connected[e.to] == disconnected {
				continue
			}
			if f.best[e.to].from < 0 {
				f.candidates = append(f.candidates, e.to)
			}
			if s := (step{from, e}); s.before(f.best[e.to]) {
				f.best[e.to] = s
			}
		}
	}
}

// accept adds the candidate nodes to the tree, in ascending order, and returns those added.
func (f *floodTree) accept(depth int32) (added []int32) {
	slices.Sort(f.candidates)
	for _, node := range f.candidates {
		s := f.best[node]
		f.best[node].from = -1
		if s.kind == viaPseudonode && !f.isPseudonode(node) {
			var fits bool
			if s, fits = f.fittingMesh(node, depth-1); !fits {
				continue
			}
		}
		f.add(node, s, depth)
		added = append(added, node)
	}
	f.candidates = f.candidates[:0]
	return added
}

// fittingMesh finds the first pseudonode at a depth of the last tree whose attached switches the switch all reaches.
func (f *floodTree) fittingMesh(sw, depth int32) (step, bool) {
	for _, e := range f.edges.of(sw) {
		if e.kind != viaPseudonode || int(f.tree[e.to]) != len(f.disconnected)-1 || f.depth[e.to] != depth {
			continue
		}
		if missing, _ := f.gaps(&f.attachments[e.id], 0); missing == 0 {
			return step{e.to, e}, true
		}
	}
	return step{}, false
}

func (f *floodTree) add(node int32, s step, depth int32) {
	f.tree[node], f.depth[node] = int32(len(f.disconnected)-1), depth
	f.use(s.edge)
}

func (f *floodTree) use(e edge) {
	if e.kind != viaPseudonode {
		f.linkOn[e.id] = true
		return
	}
	f.useAttachment(e.id, 0)
}

// result returns the transit ports and active links that floods of the VLAN use.
func (f *floodTree) result() (ports, links []bool) {
	ports, links = make([]bool, len(f.transit)), f.linkOn
	for i, l := range f.active {
		if !l.vlans.has(f.vlan) {
			continue
		}
		if f.inMesh(int32(i)) || l.segment >= 0 {
			links[i] = f.together(f.ends[i][0], f.ends[i][1]) && !f.spare[i]
		}
		if links[i] {
			ports[l.a], ports[l.b] = true, true
		}
	}
	for p, id := range f.portAttachment {
		if a := &f.attachments[id]; a.on && len(f.pseudonodes[a.pseudonode].groups[0]) > 1 {
			ports[p] = true
		}
	}
	return ports, links
}

// together reports whether floods pass between two attachments of one pseudonode.
func (f *floodTree) together(a, b int32) bool {
	x, y := &f.attachments[a], &f.attachments[b]
	return x.on && y.on && x.group == y.group
}

// inMesh reports whether an active link belongs to a mesh of the VLAN.
func (f *floodTree) inMesh(i int32) bool {
	l := &f.active[i]
	return l.mesh && f.transit[l.a].sw != f.transit[l.b].sw && l.vlans.has(f.vlan)
}
