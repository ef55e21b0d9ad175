package topology

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Sighting is a frame from a host that came in by a port.
type Sighting struct {
	Switch openflow.DatapathID
	Port   openflow.PortNo
	VLAN   uint16
	MAC    packet.MAC
	At     time.Time
}

// Update tells a switch where a host is now.
type Update struct {
	// Switch is the recipient.
	Switch openflow.DatapathID
	VLAN   uint16
	MAC    packet.MAC
	// At is the switch of the host; 0 = unknown. If it is Switch itself, an earlier sighting of its own holds again.
	At openflow.DatapathID
	// Port is the host's port on At.
	Port openflow.PortNo
}

// update makes an update for a switch; the zero location says that the host's location is unknown.
func (k HostKey) update(to openflow.DatapathID, location PortRef) Update {
	return Update{Switch: to, VLAN: k.VLAN(), MAC: k.MAC(), At: location.Switch, Port: location.Port}
}

// Verdict says what became of a sighting.
type Verdict uint8

// The verdicts.
const (
	Placed      Verdict = iota // the host is new in its component
	Refreshed                  // it is where it was
	Moved                      // it was at another switch, or at another port of this one
	Outdated                   // it was seen elsewhere later: only remembered
	OnTransit                  // refused: the port leads to another switch
	Standalone                 // refused: the switch has no links and tracks its hosts itself
	Frozen                     // refused: the host is frozen elsewhere
	NewlyFrozen                // refused: one move too many, see [Hosts.Freeze]
)

// Hosts tracks the locations of hosts in all components of more than one switch. It is not safe for concurrent use.
//
// The location of a host in a component is the edge port of the component where it was seen last; of two sightings at
// the same time, the one at the lower port counts. When a link joins two components, the newer of their locations wins;
// when a port becomes transit, sightings there are void.
//
// Locations follow from the sightings and the snapshot alone, in whatever order they came. The hosts of a standalone
// switch are not tracked: when it gets its first link, they have to be observed again, after [Hosts.Apply].
type Hosts struct {
	moveLimit int
	net       *Snapshot
	records   map[HostKey]*record
	// epoch is the time of the first sighting. Times are kept relative to it, so that they follow the monotonic clock.
	epoch time.Time
}

// NewHosts returns an empty set of hosts. A host that moves between switches more often than moveLimit within
// [MoveWindow] is frozen; 0 = never.
func NewHosts(moveLimit int) *Hosts {
	return &Hosts{moveLimit: moveLimit, net: NewGraph().Snapshot(), records: map[HostKey]*record{}}
}

// SetMoveLimit changes the limit of moves.
func (h *Hosts) SetMoveLimit(limit int) { h.moveLimit = limit }

// Observe takes a sighting and appends updates for the switches of the component. The switch that saw the host gets one
// only if its sighting is not accepted; then no other switch gets one.
func (h *Hosts) Observe(s Sighting, out []Update) ([]Update, Verdict) {
	ref := PortRef{s.Switch, s.Port}
	members := h.net.Members(s.Switch)
	if len(members) < 2 {
		return out, Standalone
	}
	key := NewHostKey(s.VLAN, s.MAC)
	r := h.records[key]
	seen := sighting{at: h.since(s.At), PortRef: ref}
	if h.net.Transit(ref) {
		return correct(out, key, r, members, s.Switch), OnTransit
	}
	if r == nil {
		h.records[key] = &record{latest: seen}
		return announce(out, key, members, ref), Placed
	}
	location, known := r.location(members)
	switch {
	case !known:
		r.put(seen)
		return announce(out, key, members, ref), Placed
	case location.PortRef == ref:
		r.put(seen)
		return out, Refreshed
	case r.moves != nil && r.moves.frozen(seen.at):
		return correct(out, key, r, members, s.Switch), Frozen
	case location.newer(seen):
		r.putWithin(members, seen)
		return append(out, key.update(s.Switch, location.PortRef)), Outdated
	case location.Switch == ref.Switch:
		r.putWithin(members, seen)
		return out, Moved
	case !h.mayMove(r, seen, location.PortRef):
		return append(out, key.update(s.Switch, location.PortRef)), NewlyFrozen
	}
	r.putWithin(members, seen)
	return announce(out, key, members, ref), Moved
}

// since converts a time to that of sightings.
func (h *Hosts) since(t time.Time) int64 {
	if h.epoch.IsZero() {
		h.epoch = t
	}
	return int64(t.Sub(h.epoch))
}

func (h *Hosts) mayMove(r *record, seen sighting, from PortRef) bool {
	if h.moveLimit <= 0 {
		return true
	}
	if r.moves == nil {
		r.moves = &moves{}
	}
	if r.moves.Allow(h.moveLimit, seen.at) {
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
	m := r.moves
	return Freeze{Kept: m.kept, Refused: m.refused, Until: h.epoch.Add(time.Duration(m.until))}, true
}

// Forget says that a host is no longer at a port: it was silent for too long, or the port went down. If that was its
// location, the component knows none until the host is seen again, since older sightings are no better.
func (h *Hosts) Forget(
	dpid openflow.DatapathID, port openflow.PortNo, vlan uint16, mac packet.MAC, out []Update,
) []Update {
	key := NewHostKey(vlan, mac)
	r, members := h.records[key], h.net.Members(dpid)
	if r == nil || len(members) < 2 {
		return out
	}
	ref := PortRef{dpid, port}
	location, known := r.location(members)
	if !known || location.PortRef != ref {
		if r.latest.PortRef != ref {
			h.keep(key, r, func(s sighting) bool { return s.PortRef != ref })
		}
		return out
	}
	h.keep(key, r, func(s sighting) bool { return !contains(members, s.Switch) })
	for _, member := range members {
		if member != dpid {
			out = append(out, key.update(member, PortRef{}))
		}
	}
	return out
}

// keep drops the sightings that the function rejects, and the host with its last one.
func (h *Hosts) keep(key HostKey, r *record, accept func(sighting) bool) {
	if !r.keep(accept) {
		delete(h.records, key)
	}
}

// correct tells a switch whose sighting was refused where the host is, if that is known.
func correct(out []Update, key HostKey, r *record, members []openflow.DatapathID, dpid openflow.DatapathID) []Update {
	if r != nil {
		if location, known := r.location(members); known {
			return append(out, key.update(dpid, location.PortRef))
		}
	}
	return out
}

// announce tells all switches of a component but the host's own.
func announce(out []Update, key HostKey, members []openflow.DatapathID, location PortRef) []Update {
	out = slices.Grow(out, len(members))
	u := key.update(0, location)
	for _, member := range members {
		if member != location.Switch {
			u.Switch = member
			out = append(out, u)
		}
	}
	return out
}

func contains(members []openflow.DatapathID, dpid openflow.DatapathID) bool {
	_, ok := slices.BinarySearch(members, dpid)
	return ok
}
