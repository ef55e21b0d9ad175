package topology

import (
	"cmp"
	"slices"
)

// floodTree works out the flood tree of one VLAN. The numbers in the comments are those of the package documentation.
type floodTree struct {
	*layout
	vlan uint16

	clouds         []cloud
	attachments    []attachment
	ends           [][2]int32 // by active link in a cloud: the attachments at its ends
	spare          []bool     // by active link: mesh link beside another between the same switches
	portAttachment map[int32]int32

	edges  adjacency
	tree   []int32 // by node: number of its tree, -1 = none yet
	depth  []int32 // by node: steps from the root
	stray  []bool  // by tree: made of disconnected switches
	linkOn []bool  // by active link outside clouds

	best    []step // by node: the best way to it offered at this depth
	offered []int32
}

// step is a way from a node in the tree to one that is not.
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
	nodes := len(s.switches) + len(f.clouds)
	arcs := make([]arc, 0, 2*len(s.active)+2*len(f.attachments))
	for i, l := range s.active {
		if !l.mesh && l.segment < 0 && l.vlans.has(vlan) {
			arcs = s.linkArcs(arcs, l.a, l.b, l.kind, int32(i))
		}
	}
	for i, a := range f.attachments {
		node := f.node(a.cloud)
		e := edge{to: node, kind: viaCloud, port: a.port, id: int32(i)}
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

func (f *floodTree) node(cloud int32) int32    { return int32(len(f.switches)) + cloud }
func (f *floodTree) isCloud(node int32) bool   { return int(node) >= len(f.switches) }
func (f *floodTree) cloudAt(node int32) *cloud { return &f.clouds[int(node)-len(f.switches)] }

// grow builds all trees, of connected switches first, and joins them.
func (f *floodTree) grow() {
	for _, stray := range [...]bool{false, true} {
		for i := range f.switches {
			if f.tree[i] >= 0 || f.connected[i] == stray {
				continue
			}
			f.tree[i] = int32(len(f.stray))
			f.stray = append(f.stray, stray)
			f.growFrom(int32(i))
			for f.takeIncomplete() {
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
		f.offer(before, false)
		f.offer(last, true)
		before, last = last, f.accept(depth)
	}
}

// offer notes the ways out of some nodes: by links, or by attachments.
func (f *floodTree) offer(nodes []int32, attachments bool) {
	stray := f.stray[len(f.stray)-1]
	for _, from := range nodes {
		for _, e := range f.edges.of(from) {
			if (e.kind == viaCloud) != attachments || f.tree[e.to] >= 0 || !f.isCloud(e.to) && f.connected[e.to] == stray {
				continue
			}
			if f.best[e.to].from < 0 {
				f.offered = append(f.offered, e.to)
			}
			if s := (step{from, e}); s.before(f.best[e.to]) {
				f.best[e.to] = s
			}
		}
	}
}

// accept takes the nodes that were offered a way, in their order, and returns them.
func (f *floodTree) accept(depth int32) (taken []int32) {
	slices.Sort(f.offered)
	for _, node := range f.offered {
		s := f.best[node]
		f.best[node].from = -1
		if s.kind == viaCloud && !f.isCloud(node) {
			var fits bool
			if s, fits = f.fittingCloud(node, depth-1); !fits {
				continue
			}
		}
		f.take(node, s, depth)
		taken = append(taken, node)
	}
	f.offered = f.offered[:0]
	return taken
}

// fittingCloud finds the first cloud at a depth of the last tree of which the switch reaches all that are attached.
func (f *floodTree) fittingCloud(sw, depth int32) (step, bool) {
	for _, e := range f.edges.of(sw) {
		if e.kind != viaCloud || int(f.tree[e.to]) != len(f.stray)-1 || f.depth[e.to] != depth {
			continue
		}
		if missing, _ := f.gaps(&f.attachments[e.id], 0); missing == 0 {
			return step{e.to, e}, true
		}
	}
	return step{}, false
}

func (f *floodTree) take(node int32, s step, depth int32) {
	f.tree[node], f.depth[node] = int32(len(f.stray)-1), depth
	f.use(s.edge)
}

func (f *floodTree) use(e edge) {
	if e.kind != viaCloud {
		f.linkOn[e.id] = true
		return
	}
	f.useAttachment(e.id, 0)
}

// result says which transit ports and which active links floods of the VLAN use.
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
		if a := &f.attachments[id]; a.on && len(f.clouds[a.cloud].groups[0]) > 1 {
			ports[p] = true
		}
	}
	return ports, links
}

// together reports whether floods pass between two attachments of one cloud.
func (f *floodTree) together(a, b int32) bool {
	x, y := &f.attachments[a], &f.attachments[b]
	return x.on && y.on && x.group == y.group
}

// inMesh reports whether an active link is one of a cloud of the VLAN.
func (f *floodTree) inMesh(i int32) bool {
	l := &f.active[i]
	return l.mesh && f.transit[l.a].sw != f.transit[l.b].sw && l.vlans.has(f.vlan)
}
