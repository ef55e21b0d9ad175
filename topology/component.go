package topology

import "github.com/eosin-sdn/eosin/openflow"

// components are the sets of switches joined by live links, whatever VLANs the links carry.
type components struct {
	of      []int32 // by switch
	members [][]openflow.DatapathID
}

func (s *layout) addComponents() {
	sets := newDisjointSets(len(s.switches))
	for _, l := range s.active {
		sets.join(s.transit[l.a].sw, s.transit[l.b].sw)
	}
	of := make([]int32, len(s.switches))
	sizes := make([]int, 0, len(s.switches))
	for i := range s.switches {
		root := sets.find(int32(i))
		if root == int32(i) {
			of[i] = int32(len(sizes))
			sizes = append(sizes, 1)
			continue
		}
		of[i] = of[root] // the root is the lowest member, so its component is numbered
		sizes[of[i]]++
	}
	all := make([]openflow.DatapathID, len(s.switches))
	members := make([][]openflow.DatapathID, len(sizes))
	for c, size := range sizes {
		members[c], all = all[:0:size], all[size:]
	}
	for i, dpid := range s.switches {
		members[of[i]] = append(members[of[i]], dpid)
	}
	s.components = components{of: of, members: members}
}

// Members returns the switches of the component of a switch, itself included, ascending; nil if the switch is unknown.
// The slice is shared: do not change it.
func (s *layout) Members(dpid openflow.DatapathID) []openflow.DatapathID {
	if i, ok := s.index(dpid); ok {
		return s.components.members[s.components.of[i]]
	}
	return nil
}

// Standalone reports whether no live link joins the switch to another.
func (s *layout) Standalone(dpid openflow.DatapathID) bool { return len(s.Members(dpid)) < 2 }
