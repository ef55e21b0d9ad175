package topology

// addSegments finds the segments: sets of more than two ports joined by links, directly or indirectly, except mesh
// links.
func (s *layout) addSegments() {
	sets := newDisjointSets(len(s.transit))
	shared := false
	for _, l := range s.active {
		if !l.mesh {
			sets.join(l.a, l.b)
			shared = shared || len(s.transit[l.a].peers) > 1 || len(s.transit[l.b].peers) > 1
		}
	}
	if !shared {
		return
	}
	ports := make(map[int32][]int32)
	for i := range s.transit {
		root := sets.find(int32(i))
		ports[root] = append(ports[root], int32(i))
	}
	number := make(map[int32]int32)
	for i := range s.transit {
		if root := int32(i); len(ports[root]) > 2 {
			number[root] = int32(len(s.segments))
			s.segments = append(s.segments, ports[root])
		}
	}
	for i, l := range s.active {
		if n, ok := number[sets.find(l.a)]; ok && !l.mesh {
			s.active[i].segment = n
		}
	}
}
