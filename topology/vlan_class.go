package topology

import "math/bits"

// classes groups VLANs that are carried by the same links; each class has one view.
type classes struct {
	of    [maxVLANs]uint16
	first []uint16 // lowest VLAN of each class
}

// addClasses starts with one class of all VLANs, and splits it by each distinct VLAN set of a link or segment port.
func (s *layout) addClasses() {
	c := &s.classes
	c.first = []uint16{0}
	seen := map[*vlanBits]bool{noVLANs: true}
	known := map[vlanBits]bool{}
	split := func(set *vlanBits) {
		if seen[set] {
			return
		}
		seen[set] = true
		if !known[*set] {
			known[*set] = true
			c.split(set)
		}
	}
	for _, l := range s.active {
		if l.segment < 0 {
			split(l.vlans)
		}
	}
	for _, segment := range s.segments {
		for _, p := range segment {
			split(s.transit[p].vlans)
		}
	}
	s.views = make([]view, len(c.first))
}

// split moves the VLANs of the set from their classes to new ones, and renumbers the classes by their lowest VLAN.
func (c *classes) split(set *vlanBits) {
	moved := make([]uint16, len(c.first)) // 0 = no class yet; no class that something moves to has number 0
	next := uint16(len(c.first))
	for i, w := range set {
		for ; w != 0; w &= w - 1 {
			vlan := i*64 + bits.TrailingZeros64(w)
			old := c.of[vlan]
			if moved[old] == 0 {
				moved[old] = next
				next++
			}
			c.of[vlan] = moved[old]
		}
	}
	number := make([]uint16, next) // new number plus one
	c.first = c.first[:0]
	for vlan, old := range c.of {
		if number[old] == 0 {
			c.first = append(c.first, uint16(vlan))
			number[old] = uint16(len(c.first))
		}
		c.of[vlan] = number[old] - 1
	}
}
