package topology

import (
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
	// Switch is who must be told.
	Switch openflow.DatapathID
	VLAN   uint16
	MAC    packet.MAC
	// At is the switch that has the host; 0 = nobody knows any more. If it is Switch itself, an earlier sighting of its own
	// holds again.
	At openflow.DatapathID
	// Port is the host's port on At.
	Port openflow.PortNo
}

// Host is a host with its place.
type Host struct {
	VLAN  uint16
	MAC   packet.MAC
	Place PortRef
	Seen  time.Time
}

func (k HostKey) update(to openflow.DatapathID, place PortRef) Update {
	return Update{Switch: to, VLAN: k.VLAN(), MAC: k.MAC(), At: place.Switch, Port: place.Port}
}

// sighting is the latest time at which a host was seen at a port.
type sighting struct {
	at int64 // nanoseconds since the first sighting of all
	PortRef
}

// newer orders sightings: by time, and at the same time the lower port counts as newer.
func (s sighting) newer(o sighting) bool {
	if s.at != o.at {
		return s.at > o.at
	}
	return s.Compare(o.PortRef) < 0
}

// maxSightings bounds the ports of one component at which a host is remembered; the oldest gives way.
const maxSightings = 16

// record is all that is remembered of a host: where it was seen in all components, and its moves.
type record struct {
	latest sighting   // the newest of all
	others []sighting // in no order; nil for a host that was seen at one port
	moves  *moves     // nil for a host that never moved
}

// each calls yield for all sightings until it returns false.
func (r *record) each(yield func(sighting) bool) {
	if !yield(r.latest) {
		return
	}
	for _, s := range r.others {
		if !yield(s) {
			return
		}
	}
}

// put adds a sighting, or renews that of the same port if it is newer.
func (r *record) put(s sighting) {
	if r.latest.PortRef == s.PortRef {
		// The newest of all stays so.
		r.latest.at = max(r.latest.at, s.at)
		return
	}
	if i := r.other(s.PortRef); i >= 0 {
		if s.at <= r.others[i].at {
			return
		}
		r.others[i] = s
	} else {
		r.others = append(r.others, s)
	}
	r.settle()
}

// bound drops the oldest sighting in a component if there are too many; the newest one is never dropped.
func (r *record) bound(members []openflow.DatapathID) {
	count, oldest := 0, -1
	for i, o := range r.others {
		if within(members, o.Switch) {
			count++
			if oldest < 0 || r.others[oldest].newer(o) {
				oldest = i
			}
		}
	}
	if count >= maxSightings {
		r.dropOther(oldest)
	}
}

// keep drops all sightings but those that the function accepts, and reports whether any is left.
func (r *record) keep(accept func(sighting) bool) bool {
	for i := len(r.others) - 1; i >= 0; i-- {
		if !accept(r.others[i]) {
			r.dropOther(i)
		}
	}
	if accept(r.latest) {
		return true
	}
	if len(r.others) == 0 {
		return false
	}
	r.latest = r.others[0]
	r.dropOther(0)
	r.settle()
	return true
}

// settle moves the newest of the others to latest if it is newer.
func (r *record) settle() {
	for i, o := range r.others {
		if o.newer(r.latest) {
			r.others[i], r.latest = r.latest, o
		}
	}
}

func (r *record) other(ref PortRef) int {
	for i, o := range r.others {
		if o.PortRef == ref {
			return i
		}
	}
	return -1
}

func (r *record) dropOther(i int) {
	last := len(r.others) - 1
	r.others[i] = r.others[last]
	r.others = r.others[:last]
	if last == 0 {
		r.others = nil
	}
}
