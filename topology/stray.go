package topology

import (
	"cmp"
	"slices"
)

// joinTrees joins trees of connected switches with those of disconnected ones (3). What a segment joins comes first: nothing
// can be blocked between two of its ports.
func (f *floodTree) joinTrees() {
	if !slices.Contains(f.stray, true) {
		return
	}
	steps := f.joinSteps()
	joined := newDisjointSets(len(f.stray))
	f.joinBy(joined, steps)
	for f.joinIncomplete(joined) {
	}
	f.joinByTunnel(joined)
}

// joinSteps lists the ways from connected switches and their clouds to disconnected switches.
func (f *floodTree) joinSteps() []step {
	var steps []step
	for node := range f.tree {
		if f.tree[node] < 0 || f.stray[f.tree[node]] {
			continue
		}
		for _, e := range f.edges.of(int32(node)) {
			if !f.isCloud(e.to) && !f.connected[e.to] {
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
	case s.kind != viaCloud:
		return 2 + int(f.depth[s.from])
	case f.cloudAt(s.from).segment:
		return 0
	}
	return 1 + int(f.depth[s.from])
}

func (f *floodTree) joinBy(joined disjointSets, steps []step) {
	for _, s := range steps {
		if s.kind == viaCloud {
			if missing, _ := f.gaps(&f.attachments[s.id], 0); missing > 0 {
				continue
			}
		}
		if joined.join(f.tree[s.from], f.tree[s.to]) {
			f.use(s.edge)
		}
	}
}

// joinIncomplete joins one disconnected switch by an incomplete mesh to a tree that nothing else joins it to, and reports
// whether there was any.
func (f *floodTree) joinIncomplete(joined disjointSets) bool {
	best, bestTree := meshStep{id: -1}, int32(0)
	for i := range f.clouds {
		c := &f.clouds[i]
		if c.complete() {
			continue
		}
		for _, id := range c.attachments {
			a := &f.attachments[id]
			if a.on || f.connected[a.sw] {
				continue
			}
			for tree, stray := range f.stray {
				if stray || joined.find(int32(tree)) == joined.find(f.tree[a.sw]) {
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

// joinByTunnel joins what only a single tunnel of an incomplete mesh joins. Between most switches of the two sides floods do not
// pass even then, but those from beyond one end of the tunnel reach the other.
func (f *floodTree) joinByTunnel(joined disjointSets) {
	for i, l := range f.active {
		if !f.inMesh(int32(i)) || !joined.join(f.tree[f.transit[l.a].sw], f.tree[f.transit[l.b].sw]) {
			continue
		}
		idA, idB := f.ends[i][0], f.ends[i][1]
		a, b := &f.attachments[idA], &f.attachments[idB]
		switch {
		case a.on && b.on:
			f.mergeGroups(&f.clouds[a.cloud], a.group, b.group)
		case a.on:
			f.useAttachment(idB, a.group)
		case b.on:
			f.useAttachment(idA, b.group)
		default:
			f.useMesh(meshStep{id: idB, group: len(f.clouds[a.cloud].groups), gate: idA})
		}
	}
}

func (f *floodTree) mergeGroups(c *cloud, into, gone int) {
	for _, id := range c.groups[gone] {
		f.attachments[id].group = into
	}
	c.groups[into] = append(c.groups[into], c.groups[gone]...)
	c.groups[gone] = nil
}
