package topology

import "github.com/eosin-sdn/eosin/openflow"

// cloud is a node that stands for a mesh of tunnels or for a segment.
type cloud struct {
	segment     bool
	attachments []int32
	// Of a mesh: which pairs of attachments (by slot) have a tunnel, as a square of bits, and how many pairs.
	pairs   []uint64
	tunnels int
	// groups are the attachments in the tree. Floods pass within a group only. A mesh that is complete, and a segment, has one
	// group at most.
	groups [][]int32
}

// attachment is the edge between a switch and a cloud: all its mesh ports there, or one port of a segment.
type attachment struct {
	sw, cloud int32
	slot      int // index within the cloud
	port      openflow.PortNo
	on        bool // in the tree
	group     int  // if on
}

func (c *cloud) linked(a, b int) bool {
	bit := a*len(c.attachments) + b
	return c.pairs[bit/64]&(1<<(bit%64)) != 0
}

func (c *cloud) link(a, b int) {
	for _, bit := range [...]int{a*len(c.attachments) + b, b*len(c.attachments) + a} {
		c.pairs[bit/64] |= 1 << (bit % 64)
	}
	c.tunnels++
}

// complete reports whether everybody reaches everybody in one hop.
func (c *cloud) complete() bool {
	n := len(c.attachments)
	return c.segment || c.tunnels == n*(n-1)/2
}

// gaps counts how many of a group have no tunnel to an attachment, and how many have one.
func (f *floodTree) gaps(a *attachment, group int) (missing, present int) {
	c := &f.clouds[a.cloud]
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

// useAttachment puts an attachment into the tree, in a group of its cloud or in a new one.
func (f *floodTree) useAttachment(id int32, group int) {
	a := &f.attachments[id]
	c := &f.clouds[a.cloud]
	if group == len(c.groups) {
		c.groups = append(c.groups, nil)
	}
	c.groups[group] = append(c.groups[group], id)
	a.on, a.group = true, group
}

// groupTree is the tree that a group of a cloud is part of.
func (f *floodTree) groupTree(group []int32) int32 { return f.tree[f.attachments[group[0]].sw] }

// addMeshes makes a cloud of every set of switches joined by mesh links, and notes the links that are second between a pair
// as spare: flooding both would deliver twice.
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
	f.inClouds()
	cloudOf := map[int32]int32{} // by representative
	attachmentOf := map[int32]int32{}
	for _, i := range links {
		for end, p := range [...]int32{f.active[i].a, f.active[i].b} {
			sw, port := f.transit[p].sw, f.transit[p].ref.Port
			root := sets.find(sw)
			if _, ok := cloudOf[root]; !ok {
				cloudOf[root] = int32(len(f.clouds))
				f.clouds = append(f.clouds, cloud{})
			}
			id, ok := attachmentOf[sw]
			if !ok {
				id = f.attach(sw, cloudOf[root], port)
				attachmentOf[sw] = id
			}
			f.attachments[id].port = min(f.attachments[id].port, port)
			f.ends[i][end] = id
		}
	}
	for i := range f.clouds {
		n := len(f.clouds[i].attachments)
		f.clouds[i].pairs = make([]uint64, (n*n+63)/64)
	}
	for _, i := range links {
		a, b := &f.attachments[f.ends[i][0]], &f.attachments[f.ends[i][1]]
		if c := &f.clouds[a.cloud]; !c.linked(a.slot, b.slot) {
			c.link(a.slot, b.slot)
		} else {
			f.spare[i] = true
		}
	}
}

// addSegments makes a cloud of every segment that carries the VLAN.
func (f *floodTree) addSegments() {
	for _, ports := range f.segments {
		f.inClouds()
		number := int32(len(f.clouds))
		f.clouds = append(f.clouds, cloud{segment: true})
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

// inClouds makes room for what only views with clouds need.
func (f *floodTree) inClouds() {
	if f.ends == nil {
		f.ends = make([][2]int32, len(f.active))
		f.spare = make([]bool, len(f.active))
		f.portAttachment = map[int32]int32{}
	}
}

func (f *floodTree) attach(sw, to int32, port openflow.PortNo) int32 {
	id := int32(len(f.attachments))
	c := &f.clouds[to]
	f.attachments = append(f.attachments, attachment{sw: sw, cloud: to, slot: len(c.attachments), port: port})
	c.attachments = append(c.attachments, id)
	return id
}
