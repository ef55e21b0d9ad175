package topology

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// Apply takes a new snapshot and appends the updates that follow from changes of components and transit ports.
//
//  1. Sightings at ports that have become transit, and at switches that are gone or standalone now, are dropped.
//  2. A switch gets an update for each host whose location has changed for it; also for a host of its own, if its own
//     sighting was superseded and holds again.
//  3. A switch that knew a location, and whose component has none now, is told that it is unknown. A switch that has
//     become standalone keeps its own hosts.
func (h *Hosts) Apply(next *Snapshot, out []Update) []Update {
	before := h.net
	h.net = next
	if before.layout == next.layout {
		return out
	}
	c := newComponentChange(before, next)
	var affected []HostKey
	for key, r := range h.records {
		if c.affects(r) {
			affected = append(affected, key)
		}
	}
	slices.Sort(affected)
	for _, key := range affected {
		r := h.records[key]
		c.was = locations(c.was[:0], r, before)
		h.keep(key, r, c.valid)
		c.is = c.is[:0]
		if h.records[key] != nil {
			c.is = locations(c.is, r, next)
		}
		out = c.appendUpdates(key, out)
	}
	return out
}

// componentLocation is the location of a host in one component.
type componentLocation struct {
	members []openflow.DatapathID
	at      sighting
}

// locations appends the location of a host in each component that saw it.
func locations(list []componentLocation, r *record, net *Snapshot) []componentLocation {
	for s := range r.each {
		members := net.Members(s.Switch)
		i := slices.IndexFunc(list, func(p componentLocation) bool { return p.members[0] == members[0] })
		if i < 0 {
			list = append(list, componentLocation{members, s})
		} else if s.newer(list[i].at) {
			list[i].at = s
		}
	}
	return list
}

// find returns the location in the component of a switch; the zero port if there is none.
func find(list []componentLocation, dpid openflow.DatapathID) PortRef {
	for _, p := range list {
		if contains(p.members, dpid) {
			return p.at.PortRef
		}
	}
	return PortRef{}
}

// componentChange is the difference of two snapshots as far as hosts are concerned.
type componentChange struct {
	next       *Snapshot
	same       []bool // by switch of next: its component has the same members as before
	newTransit map[PortRef]bool
	was, is    []componentLocation // of the current host, before and after
}

func newComponentChange(before, next *Snapshot) *componentChange {
	c := &componentChange{next: next, same: make([]bool, len(next.switches)), newTransit: map[PortRef]bool{}}
	sameMembers := make([]bool, len(next.components.members))
	for i, members := range next.components.members {
		sameMembers[i] = slices.Equal(members, before.Members(members[0]))
	}
	for i, component := range next.components.of {
		c.same[i] = sameMembers[component]
	}
	for _, p := range next.transit {
		if !before.Transit(p.ref) {
			c.newTransit[p.ref] = true
		}
	}
	return c
}

// affects reports whether the change may concern any location of a host.
func (c *componentChange) affects(r *record) bool {
	for s := range r.each {
		if i, known := c.next.index(s.Switch); !known || !c.same[i] || c.newTransit[s.PortRef] {
			return true
		}
	}
	return false
}

// valid reports whether a sighting still counts.
func (c *componentChange) valid(s sighting) bool {
	return !c.next.Standalone(s.Switch) && !c.newTransit[s.PortRef]
}

func (c *componentChange) appendUpdates(key HostKey, out []Update) []Update {
	for _, p := range c.is {
		for _, member := range p.members {
			known := find(c.was, member)
			if known.Switch != p.at.Switch || member == p.at.Switch && known != p.at.PortRef {
				out = append(out, key.update(member, p.at.PortRef))
			}
		}
	}
	for _, p := range c.was {
		for _, member := range p.members {
			_, present := c.next.index(member)
			own := member == p.at.Switch && !c.next.Transit(p.at.PortRef)
			if present && !own && find(c.is, member) == (PortRef{}) {
				out = append(out, key.update(member, PortRef{}))
			}
		}
	}
	return out
}
