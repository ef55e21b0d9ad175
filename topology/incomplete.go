package topology

import "cmp"

// meshStep is a way into an incomplete mesh for a switch: into a group of it, or into a new group together with a gate.
type meshStep struct {
	id      int32 // the attachment to use
	group   int
	gate    int32 // attachment of a switch in the tree that begins the group; -1 = the group exists
	missing int   // how many of the group the switch has no tunnel to
}

func (m meshStep) compare(o meshStep) int {
	return cmp.Or(m.missing-o.missing, cmp.Compare(m.gate, o.gate), cmp.Compare(m.id, o.id), m.group-o.group)
}

// takeIncomplete adds one switch of those that nothing but an incomplete mesh joins to the last tree (2), and all that this makes
// reachable: the one with the fewest tunnels missing to a group. A switch of the tree that does not flood into the mesh yet
// can begin another group. It reports whether there was any.
func (f *floodTree) takeIncomplete() bool {
	tree := int32(len(f.stray) - 1)
	best := meshStep{id: -1}
	for i := range f.clouds {
		c := &f.clouds[i]
		if c.complete() {
			continue
		}
		for _, id := range c.attachments {
			if sw := f.attachments[id].sw; f.tree[sw] >= 0 || f.connected[sw] == f.stray[tree] {
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
	f.depth[a.sw] = f.depth[f.attachments[f.clouds[a.cloud].groups[best.group][0]].sw] + 2
	f.growFrom(a.sw)
	return true
}

// meshStep finds the best way by a mesh from a tree to a switch that is not in it.
func (f *floodTree) meshStep(c *cloud, id, tree int32) (best meshStep, ok bool) {
	a := &f.attachments[id]
	for g, group := range c.groups {
		if missing, present := f.gaps(a, g); f.groupTree(group) == tree && present > 0 && (!ok || missing < best.missing) {
			best, ok = meshStep{id, g, -1, missing}, true
		}
	}
	if ok && best.missing == 0 || f.stray[tree] {
		// Disconnected switches do not form groups apart: each must be free to join one of connected switches.
		return best, ok
	}
	for _, gate := range c.attachments {
		if y := &f.attachments[gate]; !y.on && f.tree[y.sw] == tree && c.linked(a.slot, y.slot) {
			return meshStep{id, len(c.groups), gate, 0}, true
		}
	}
	return best, ok
}

func (f *floodTree) useMesh(m meshStep) {
	if m.gate >= 0 {
		f.useAttachment(m.gate, m.group)
	}
	f.useAttachment(m.id, m.group)
}
