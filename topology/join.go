package topology

import (
	"cmp"
	"slices"
)

// joinTrees joins trees of connected switches with components of disconnected ones (3). Segments come first: nothing
// can be blocked between two of their ports.
func (f *floodTree) joinTrees() {
	if !slices.Contains(f.disconnected, true) {
		return
	}
	steps := f.joinSteps()
	joined := newDisjointSets(len(f.disconnected))
	f.joinBy(joined, steps)
	for f.joinByPartialMesh(joined) {
	}
	f.joinByTunnel(joined)
}

// joinSteps lists the edges from connected switches and their pseudonodes to disconnected switches.
func (f *floodTree) joinSteps() []step {
	var steps []step
	for node := range f.tree {
		if f.tree[node] < 0 || f.disconnected[f.tree[node]] {
			continue
		}
		for _, e := range f.edges.of(int32(node)) {
			if !f.isPseudonode(e.to) && !f.connected[e.to] {
				steps = append(steps, step{int32(node), e})
			}
		}
	}
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(f.joinRank(a)-f.joinRank(b), cmp.Compare(a.kind, b.kind), cmp.Compare(a.from, b.from),
			cmp.Compare(a.port, b.port), cmp.Compare(a.to, b.to), cmp.Compare(a.far, b.far))
	})
	return steps
}

func (f *floodTree) joinRank(s step) int {
	switch {
	case s.kind != viaPseudonode:
		return 2 + int(f.depth[s.from])
	case f.pseudonodeAt(s.from).segment:
		return 0
	}
	return 1 + int(f.depth[s.from])
}

func (f *floodTree) joinBy(joined disjointSets, steps []step) {
	for _, s := range steps {
		if s.kind == viaPseudonode {
			if missing, _ := f.gaps(&f.attachments[s.id], 0); missing > 0 {
				continue
			}
		}
		if joined.join(f.tree[s.from], f.tree[s.to]) {
			f.use(s.edge)
		}
	}
}

// joinByPartialMesh joins one disconnected switch through a partial mesh to a tree that nothing else joins it to. It
// reports whether there was any.
func (f *floodTree) joinByPartialMesh(joined disjointSets) bool {
	best, bestTree := meshStep{id: -1}, int32(0)
	for i := range f.pseudonodes {
		c := &f.pseudonodes[i]
		if c.complete() {
			continue
		}
		for _, id := range c.attachments {
			a := &f.attachments[id]
			if a.on || f.connected[a.sw] {
				continue
			}
			for tree, disconnected := range f.disconnected {
				if disconnected || joined.find(int32(tree)) == joined.find(f.tree[a.sw]) {
					continue
				}
				if m, ok := f.meshStep(c, id, int32(tree)); ok && (best.id < 0 || m.compare(best) < 0) {
					best, bestTree = m, int32(tree)
				}
			}
		}
	}
	if best.id < 0 {
		return false
	}
	joined.join(bestTree, f.tree[f.attachments[best.id].sw])
	f.useMesh(best)
	return true
}

// joinByTunnel joins what only a single tunnel of a partial mesh joins. Most switches of the two sides still do not
// exchange floods, but floods from beyond one end of the tunnel reach the other end.
func (f *floodTree) joinByTunnel(joined disjointSets) {
	for i, l := range f.active {
		if !f.inMesh(int32(i)) || !joined.join(f.tree[f.transit[l.a].sw], f.tree[f.transit[l.b].sw]) {
			continue
		}
		idA, idB := f.ends[i][0], f.ends[i][1]
		a, b := &f.attachments[idA], &f.attachments[idB]
		switch {
		case a.on && b.on:
			f.mergeGroups(&f.pseudonodes[a.pseudonode], a.group, b.group)
		case a.on:
			f.useAttachment(idB, a.group)
		case b.on:
			f.useAttachment(idA, b.group)
		default:
			f.useMesh(meshStep{id: idB, group: len(f.pseudonodes[a.pseudonode].groups), entry: idA})
		}
	}
}

func (f *floodTree) mergeGroups(c *pseudonode, into, gone int) {
	for _, id := range c.groups[gone] {
		f.attachments[id].group = into
	}
	c.groups[into] = append(c.groups[into], c.groups[gone]...)
	c.groups[gone] = nil
}
