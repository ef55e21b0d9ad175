package topology

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// Apply takes a new snapshot and appends what switches must be told because components or transit ports changed.
//
//  1. Sightings at ports that are transit now, and at switches that are gone or alone now, are dropped.
//  2. Each switch is told of each host whose place for it is another than before; also of its own host, if its own sighting
//     was superseded and holds again.
//  3. A switch that knew a place and whose component has none now is told that nobody knows. A switch that is alone now keeps
//     its own hosts.
func (h *Hosts) Apply(next *Snapshot, out []Update) []Update {
	before := h.net
	h.net = next
	if before.layout == next.layout {
		return out
	}
	c := newNetChange(before, next)
	var affected []HostKey
	for key, r := range h.records {
		if !c.leaves(r) {
			affected = append(affected, key)
		}
	}
	slices.Sort(affected)
	for _, key := range affected {
		r := h.records[key]
		c.was = places(c.was[:0], r, before)
		h.keep(key, r, c.holds)
		c.is = c.is[:0]
		if h.records[key] != nil {
			c.is = places(c.is, r, next)
		}
		out = c.tell(key, out)
	}
	return out
}

// componentPlace is where one component has a host.
type componentPlace struct {
	members []openflow.DatapathID
	at      sighting
}

// places finds the place of a host in each component that saw it.
func places(list []componentPlace, r *record, net *Snapshot) []componentPlace {
	for s := range r.each {
		members := net.Members(s.Switch)
		i := slices.IndexFunc(list, func(p componentPlace) bool { return p.members[0] == members[0] })
		if i < 0 {
			list = append(list, componentPlace{members, s})
		} else if s.newer(list[i].at) {
			list[i].at = s
		}
	}
	return list
}

// find returns the place that the component of a switch has; the zero port if it has none.
func find(list []componentPlace, dpid openflow.DatapathID) PortRef {
	for _, p := range list {
		if within(p.members, dpid) {
			return p.at.PortRef
		}
	}
	return PortRef{}
}

// netChange is the difference of two snapshots as far as hosts are concerned.
type netChange struct {
	next       *Snapshot
	same       []bool // by switch of next: its component has the members that it had
	newTransit map[PortRef]bool
	was, is    []componentPlace // of the host at hand
}

func newNetChange(before, next *Snapshot) *netChange {
	c := &netChange{next: next, same: make([]bool, len(next.switches)), newTransit: map[PortRef]bool{}}
	sameSet := make([]bool, len(next.components.members))
	for i, members := range next.components.members {
		sameSet[i] = slices.Equal(members, before.Members(members[0]))
	}
	for i, set := range next.components.of {
		c.same[i] = sameSet[set]
	}
	for _, p := range next.transit {
		if !before.Transit(p.ref) {
			c.newTransit[p.ref] = true
		}
	}
	return c
}

// leaves reports whether the change leaves all places of a host as they are.
func (c *netChange) leaves(r *record) bool {
	for s := range r.each {
		if i, known := c.next.index(s.Switch); !known || !c.same[i] || c.newTransit[s.PortRef] {
			return false
		}
	}
	return true
}

// holds reports whether a sighting still counts.
func (c *netChange) holds(s sighting) bool {
	return !c.next.Alone(s.Switch) && !c.newTransit[s.PortRef]
}

func (c *netChange) tell(key HostKey, out []Update) []Update {
	for _, p := range c.is {
		for _, member := range p.members {
			told := find(c.was, member)
			if told.Switch != p.at.Switch || member == p.at.Switch && told != p.at.PortRef {
				out = append(out, key.update(member, p.at.PortRef))
			}
		}
	}
	for _, p := range c.was {
		for _, member := range p.members {
			_, known := c.next.index(member)
			own := member == p.at.Switch && !c.next.Transit(p.at.PortRef)
			if known && !own && find(c.is, member) == (PortRef{}) {
				out = append(out, key.update(member, PortRef{}))
			}
		}
	}
	return out
}
