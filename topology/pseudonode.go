package topology

import "github.com/eosin-sdn/eosin/openflow"

// pseudonode is a node of the flood tree that stands for a mesh of tunnels or for a segment.
type pseudonode struct {
	segment     bool
	attachments []int32
	// Of a mesh: which pairs of attachments (by slot) have a tunnel, as a bit matrix, and how many pairs.
	pairs   []uint64
	tunnels int
	// groups are the attachments in the tree. Floods pass within a group only. A full mesh and a segment have at most
	// one.
	groups [][]int32
}

// attachment is the edge between a switch and a pseudonode: all its ports in a mesh, or one port of a segment.
type attachment struct {
	sw, pseudonode int32
	slot           int // index within the pseudonode
	port           openflow.PortNo
	on             bool // in the tree
	group          int  // if on
}

func (c *pseudonode) linked(a, b int) bool {
	bit := a*len(c.attachments) + b
	return c.pairs[bit/64]&(1<<(bit%64)) != 0
}

func (c *pseudonode) link(a, b int) {
	for _, bit := range [...]int{a*len(c.attachments) + b, b*len(c.attachments) + a} {
		c.pairs[bit/64] |= 1 << (bit % 64)
	}
	c.tunnels++
}

// complete reports whether all attachments reach each other in one hop.
func (c *pseudonode) complete() bool {
	n := len(c.attachments)
	return c.segment || c.tunnels == n*(n-1)/2
}

// gaps counts the members of a group without and with a tunnel to an attachment.
func (f *floodTree) gaps(a *attachment, group int) (missing, present int) {
	c := &f.pseudonodes[a.pseudonode]
	if c.complete() {
		return 0, len(c.groups[group])
	}
	for _, other := range c.groups[group] {
		if c.linked(a.slot, f.attachments[other].slot) {
			present++
		} else {
			missing++
		}
	}
	return missing, present
}

// useAttachment adds an attachment to the tree, in a group of its pseudonode or in a new one.
func (f *floodTree) useAttachment(id int32, group int) {
	a := &f.attachments[id]
	c := &f.pseudonodes[a.pseudonode]
	if group == len(c.groups) {
		c.groups = append(c.groups, nil)
	}
	c.groups[group] = append(c.groups[group], id)
	a.on, a.group = true, group
}

// groupTree returns the tree that a group belongs to.
func (f *floodTree) groupTree(group []int32) int32 { return f.tree[f.attachments[group[0]].sw] }

// addMeshes makes a pseudonode of every set of switches joined by mesh links. Parallel links between two switches are
// spare: floods over both would be delivered twice.
func (f *floodTree) addMeshes() {
	sets := newDisjointSets(len(f.switches))
	var links []int32
	for i, l := range f.active {
		if a, b := f.transit[l.a].sw, f.transit[l.b].sw; f.inMesh(int32(i)) {
			sets.join(a, b)
			links = append(links, int32(i))
		}
	}
	if len(links) == 0 {
		return
	}
	f.allocPseudonodes()
	numberOf := map[int32]int32{} // by representative
	attachmentOf := map[int32]int32{}
	for _, i := range links {
		for end, p := range [...]int32{f.active[i].a, f.active[i].b} {
			sw, port := f.transit[p].sw, f.transit[p].ref.Port
			root := sets.find(sw)
			if _, ok := numberOf[root]; !ok {
				numberOf[root] = int32(len(f.pseudonodes))
				f.pseudonodes = append(f.pseudonodes, pseudonode{})
			}
			id, ok := attachmentOf[sw]
			if !ok {
				id = f.attach(sw, numberOf[root], port)
				attachmentOf[sw] = id
			}
			f.attachments[id].port = min(f.attachments[id].port, port)
			f.ends[i][end] = id
		}
	}
	for i := range f.pseudonodes {
		n := len(f.pseudonodes[i].attachments)
		f.pseudonodes[i].pairs = make([]uint64, (n*n+63)/64)
	}
	for _, i := range links {
		a, b := &f.attachments[f.ends[i][0]], &f.attachments[f.ends[i][1]]
		if c := &f.pseudonodes[a.pseudonode]; !c.linked(a.slot, b.slot) {
			c.link(a.slot, b.slot)
		} else {
			f.spare[i] = true
		}
	}
}

// addSegments makes a pseudonode of every segment.
func (f *floodTree) addSegments() {
	for _, ports := range f.segments {
		f.allocPseudonodes()
		number := int32(len(f.pseudonodes))
		f.pseudonodes = append(f.pseudonodes, pseudonode{segment: true})
		for _, p := range ports {
			if t := &f.transit[p]; t.vlans.has(f.vlan) {
				f.portAttachment[p] = f.attach(t.sw, number, t.ref.Port)
			}
		}
	}
	for i, l := range f.active {
		if l.segment >= 0 && l.vlans.has(f.vlan) {
			f.ends[i] = [2]int32{f.portAttachment[l.a], f.portAttachment[l.b]}
		}
	}
}

// allocPseudonodes allocates what only trees with pseudonodes need.
func (f *floodTree) allocPseudonodes() {
	if f.ends == nil {
		f.ends = make([][2]int32, len(f.active))
		f.spare = make([]bool, len(f.active))
		f.portAttachment = map[int32]int32{}
	}
}

func (f *floodTree) attach(sw, to int32, port openflow.PortNo) int32 {
	id := int32(len(f.attachments))
	c := &f.pseudonodes[to]
	f.attachments = append(f.attachments, attachment{sw: sw, pseudonode: to, slot: len(c.attachments), port: port})
	c.attachments = append(c.attachments, id)
	return id
}
