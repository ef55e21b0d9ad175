package topology

import (
	"github.com/eosin-sdn/eosin/openflow"
)

// Next returns the out port of a switch on the shortest path of the VLAN to another; false if there is no path, or if
// both are the same. A path through a disconnected switch is taken only if there is no other. Ties: the lowest next
// switch, then wire before tunnel, then the lowest port. Following Next from switch to switch always arrives.
func (s *layout) Next(vlan uint16, from, to openflow.DatapathID) (openflow.PortNo, bool) {
	f, known := s.index(from)
	t, target := s.index(to)
	if !known || !target || f == t || vlan >= maxVLANs || s.components.of[f] != s.components.of[t] {
		return 0, false
	}
	v := s.view(int(s.classes.of[vlan]))
	table := v.next[t].Load()
	if table == nil {
		// Several goroutines may compute this at once; they get the same result.
		table = s.nextTable(v, t)
		v.next[t].Store(table)
	}
	port := (*table)[f]
	return port, port != noPort
}

const noPort openflow.PortNo = 0 // not a valid port number (OpenFlow 1.3.5, 7.2.1)

// distance to a target: disconnected switches on the path weigh more than any number of hops.
type distance struct{ disconnected, hops int32 }

func (d distance) less(o distance) bool {
	return d.disconnected < o.disconnected || d.disconnected == o.disconnected && d.hops < o.hops
}

var unreached = distance{disconnected: 1 << 30}

// nextTable computes the next hop of every switch towards one target, outwards from the target. Where no switch is
// disconnected this is breadth-first search; else a switch is queued again when a shorter distance is found.
func (s *layout) nextTable(v *view, target int32) *[]openflow.PortNo {
	dist := make([]distance, len(s.switches))
	for i := range dist {
		dist[i] = unreached
	}
	dist[target] = distance{}
	queue := make([]int32, 1, len(s.switches))
	queue[0] = target
	for head := 0; head < len(queue); head++ {
		via := queue[head]
		d := s.beyond(dist[via], via, target)
		for _, e := range v.hops.of(via) {
			if d.less(dist[e.to]) {
				dist[e.to] = d
				queue = append(queue, e.to)
			}
		}
	}
	table := make([]openflow.PortNo, len(s.switches))
	for i := range table {
		if dist[i] == unreached || int32(i) == target {
			continue
		}
		for _, e := range v.hops.of(int32(i)) {
			if dist[e.to] != unreached && dist[i] == s.beyond(dist[e.to], e.to, target) {
				table[i] = e.port
				break
			}
		}
	}
	return &table
}

// beyond returns the distance of the neighbors of a switch through it.
func (s *layout) beyond(d distance, via, target int32) distance {
	d.hops++
	if via != target && !s.connected[via] {
		d.disconnected++
	}
	return d
}
