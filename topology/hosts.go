package topology

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Verdict says what became of a sighting.
type Verdict uint8

// The verdicts.
const (
	Placed      Verdict = iota // the host is new in its component
	Refreshed                  // it is where it was
	Moved                      // it was at another switch, or at another port of this one
	Outdated                   // it was seen elsewhere later: remembered, no more
	OnTransit                  // the port leads to another switch: not taken
	Lone                       // the switch has no links: not taken, the switch looks after its hosts itself
	Frozen                     // the host is frozen elsewhere: not taken
	NewlyFrozen                // this would have been one move too many: not taken, see [Hosts.Freeze]
)

func (v Verdict) String() string {
	return [...]string{
		"placed", "refreshed", "moved", "outdated", "on_transit", "lone", "frozen", "newly_frozen",
	}[v]
}

// Hosts holds the places of hosts in all components of more than one switch. One owner uses it; there are no locks.
//
// A host is a MAC address in a VLAN. Its place in a component is the edge port of the component at which it was seen last; of
// two sightings at the same time, that at the lower port counts. Components know nothing of one another. When a link
// joins two, the newer of their places is the one; when a port becomes transit, what was seen there was never there.
//
// The place follows from the sightings and the snapshot alone, in whatever order they came. A lone switch is not followed:
// when it gets its first link, its hosts have to be sighted again, after [Hosts.Apply].
type Hosts struct {
	limit   int // moves
	net     *Snapshot
	records map[HostKey]*record
	// epoch is the time of the first sighting. Times are kept relative to it, so that they follow the monotonic clock.
	epoch time.Time
}

// NewHosts returns an empty set of hosts that freezes those which move between switches more often than the given number
// of times within [MoveWindow]; 0 = never.
func NewHosts(moves int) *Hosts {
	return &Hosts{limit: moves, net: NewGraph().Snapshot(), records: map[HostKey]*record{}}
}

// SetMoves changes the limit of moves.
func (h *Hosts) SetMoves(moves int) { h.limit = moves }

// Len is the number of hosts known in any component.
func (h *Hosts) Len() int { return len(h.records) }

// Sight takes a sighting and appends what the switches of the component must be told. The switch that saw the host is told only
// if its sighting does not hold; then it alone is told.
func (h *Hosts) Sight(s Sighting, out []Update) ([]Update, Verdict) {
	ref := PortRef{s.Switch, s.Port}
	members := h.net.Members(s.Switch)
	if len(members) < 2 {
		return out, Lone
	}
	key := NewHostKey(s.VLAN, s.MAC)
	r := h.records[key]
	seen := sighting{at: h.since(s.At), PortRef: ref}
	if h.net.Transit(ref) {
		return h.correct(out, key, r, members, s.Switch), OnTransit
	}
	if r == nil {
		h.records[key] = &record{latest: seen}
		return tell(out, key, members, ref), Placed
	}
	place, known := h.place(r, members)
	switch {
	case !known:
		r.put(seen)
		return tell(out, key, members, ref), Placed
	case place.PortRef == ref:
		r.put(seen)
		return out, Refreshed
	case r.moves != nil && r.moves.frozen(seen.at):
		return h.correct(out, key, r, members, s.Switch), Frozen
	case place.newer(seen):
		r.put(seen)
		r.bound(members)
		return append(out, key.update(s.Switch, place.PortRef)), Outdated
	case place.Switch == ref.Switch:
		r.put(seen)
		r.bound(members)
		return out, Moved
	case !h.mayMove(r, seen, place.PortRef):
		return append(out, key.update(s.Switch, place.PortRef)), NewlyFrozen
	}
	r.put(seen)
	r.bound(members)
	return tell(out, key, members, ref), Moved
}

// since converts a time to that of sightings.
func (h *Hosts) since(t time.Time) int64 {
	if h.epoch.IsZero() {
		h.epoch = t
	}
	return int64(t.Sub(h.epoch))
}

func (h *Hosts) mayMove(r *record, seen sighting, from PortRef) bool {
	if h.limit <= 0 {
		return true
	}
	if r.moves == nil {
		r.moves = &moves{}
	}
	if r.moves.Allow(h.limit, seen.at) {
		return true
	}
	r.moves.freeze(seen.at, from, seen.PortRef)
	return false
}

// Freeze returns how a host is frozen; false if it is not frozen at that time.
func (h *Hosts) Freeze(vlan uint16, mac packet.MAC, now time.Time) (Freeze, bool) {
	r := h.records[NewHostKey(vlan, mac)]
	if r == nil || r.moves == nil || !r.moves.frozen(h.since(now)) {
		return Freeze{}, false
	}
	return Freeze{Kept: r.moves.kept, Refused: r.moves.refused, Until: h.epoch.Add(time.Duration(r.moves.until))}, true
}

// Forget says that a host is no longer at a port: it was silent for too long, or the port went down. If that was its place, the
// component knows no place until the host is seen again, since older sightings are no better.
func (h *Hosts) Forget(dpid openflow.DatapathID, port openflow.PortNo, vlan uint16, mac packet.MAC, out []Update) []Update {
	key := NewHostKey(vlan, mac)
	r, members := h.records[key], h.net.Members(dpid)
	if r == nil || len(members) < 2 {
		return out
	}
	ref := PortRef{dpid, port}
	place, known := h.place(r, members)
	if !known || place.PortRef != ref {
		if r.latest.PortRef != ref {
			h.keep(key, r, func(s sighting) bool { return s.PortRef != ref })
		}
		return out
	}
	h.keep(key, r, func(s sighting) bool { return !within(members, s.Switch) })
	for _, member := range members {
		if member != dpid {
			out = append(out, key.update(member, PortRef{}))
		}
	}
	return out
}

// Place returns where the component of a switch has a host.
func (h *Hosts) Place(from openflow.DatapathID, vlan uint16, mac packet.MAC) (PortRef, bool) {
	r := h.records[NewHostKey(vlan, mac)]
	if r == nil {
		return PortRef{}, false
	}
	s, known := h.place(r, h.net.Members(from))
	return s.PortRef, known
}

// All calls yield for every host and place (one for each component that knows the host) until it returns false, in no order.
func (h *Hosts) All(yield func(Host) bool) {
	for key, r := range h.records {
		for s := range r.each {
			if place, _ := h.place(r, h.net.Members(s.Switch)); place.PortRef != s.PortRef {
				continue
			}
			if !yield(Host{VLAN: key.VLAN(), MAC: key.MAC(), Place: s.PortRef, Seen: h.epoch.Add(time.Duration(s.at))}) {
				return
			}
		}
	}
}

// Tell appends all that a switch must know, for one that starts from nothing.
func (h *Hosts) Tell(dpid openflow.DatapathID, out []Update) []Update {
	members := h.net.Members(dpid)
	if len(members) < 2 {
		return out
	}
	for key, r := range h.records {
		if place, known := h.place(r, members); known && place.Switch != dpid {
			out = append(out, key.update(dpid, place.PortRef))
		}
	}
	return out
}

// place finds the newest sighting in a component.
func (h *Hosts) place(r *record, members []openflow.DatapathID) (best sighting, known bool) {
	for s := range r.each {
		if within(members, s.Switch) && (!known || s.newer(best)) {
			best, known = s, true
		}
	}
	return best, known
}

// keep drops the sightings that the function refuses, and the host with its last one.
func (h *Hosts) keep(key HostKey, r *record, accept func(sighting) bool) {
	if !r.keep(accept) {
		delete(h.records, key)
	}
}

// correct tells a switch whose sighting was not taken where the host is, if anybody knows.
func (h *Hosts) correct(out []Update, key HostKey, r *record, members []openflow.DatapathID, dpid openflow.DatapathID) []Update {
	if r != nil {
		if place, known := h.place(r, members); known {
			return append(out, key.update(dpid, place.PortRef))
		}
	}
	return out
}

// tell tells all switches of a component but the host's own.
func tell(out []Update, key HostKey, members []openflow.DatapathID, place PortRef) []Update {
	out = slices.Grow(out, len(members))
	u := key.update(0, place)
	for _, member := range members {
		if member != place.Switch {
			u.Switch = member
			out = append(out, u)
		}
	}
	return out
}

func within(members []openflow.DatapathID, dpid openflow.DatapathID) bool {
	_, ok := slices.BinarySearch(members, dpid)
	return ok
}
