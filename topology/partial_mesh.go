package topology

import "cmp"

// meshStep attaches a switch to a partial mesh: in one of its groups, or in a new one together with an entry switch.
type meshStep struct {
	id      int32 // the attachment to use
	group   int
	entry   int32 // attachment of the switch of the tree that begins a new group; -1 = the group exists
	missing int   // members of the group without a tunnel to the switch
}

func (m meshStep) compare(o meshStep) int {
	return cmp.Or(m.missing-o.missing, cmp.Compare(m.entry, o.entry), cmp.Compare(m.id, o.id), m.group-o.group)
}

// addByPartialMesh adds to the last tree one switch that only a partial mesh joins to it, the one with the fewest
// tunnels missing to a group, and all that becomes reachable (2). It reports whether there was any.
func (f *floodTree) addByPartialMesh() bool {
	tree := int32(len(f.disconnected) - 1)
	best := meshStep{id: -1}
	for i := range f.pseudonodes {
		c := &f.pseudonodes[i]
		if c.complete() {
			continue
		}
		for _, id := range c.attachments {
			if sw := f.attachments[id].sw; f.tree[sw] >= 0 || f.connected[sw] == f.disconnected[tree] {
				continue
			}
			if m, ok := f.meshStep(c, id, tree); ok && (best.id < 0 || m.compare(best) < 0) {
				best = m
			}
		}
	}
	if best.id < 0 {
		return false
	}
	f.useMesh(best)
	a := &f.attachments[best.id]
	f.tree[a.sw] = tree
	f.depth[a.sw] = f.depth[f.attachments[f.pseudonodes[a.pseudonode].groups[best.group][0]].sw] + 2
	f.growFrom(a.sw)
	return true
}

// meshStep finds the best step through a mesh from a tree to a switch that is not in it.
func (f *floodTree) meshStep(c *pseudonode, id, tree int32) (best meshStep, ok bool) {
	a := &f.attachments[id]
	for g, group := range c.groups {
		if missing, present := f.gaps(a, g); f.groupTree(group) == tree && present > 0 &&
			(!ok || missing < best.missing) {
			best, ok = meshStep{id, g, -1, missing}, true
		}
	}
	if ok && best.missing == 0 || f.disconnected[tree] {
		// Disconnected switches form no new groups: each must be free to join one of connected switches.
		return best, ok
	}
	for _, entry := range c.attachments {
		if y := &f.attachments[entry]; !y.on && f.tree[y.sw] == tree && c.linked(a.slot, y.slot) {
			return meshStep{id, len(c.groups), entry, 0}, true
		}
	}
	return best, ok
}

func (f *floodTree) useMesh(m meshStep) {
	if m.entry >= 0 {
		f.useAttachment(m.entry, m.group)
	}
	f.useAttachment(m.id, m.group)
}
