package topology

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

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

// maxSightings limits the sightings of a host in one component; the oldest is dropped.
const maxSightings = 16

// record is the state of one host: its sightings in all components, and its moves.
type record struct {
	latest sighting   // the newest of all
	others []sighting // unordered; nil for a host that was seen at one port
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

// location returns the newest sighting in a component.
func (r *record) location(members []openflow.DatapathID) (newest sighting, known bool) {
	for s := range r.each {
		if contains(members, s.Switch) && (!known || s.newer(newest)) {
			newest, known = s, true
		}
	}
	return newest, known
}

// put adds a sighting, or updates that of the same port if it is newer.
func (r *record) put(s sighting) {
	if r.latest.PortRef == s.PortRef {
		r.latest.at = max(r.latest.at, s.at) // it remains the newest
		return
	}
	i := slices.IndexFunc(r.others, func(o sighting) bool { return o.PortRef == s.PortRef })
	if i >= 0 {
		if s.at <= r.others[i].at {
			return
		}
		r.others[i] = s
	} else {
		r.others = append(r.others, s)
	}
	r.promote()
}

// putWithin puts a sighting, and drops the oldest one in its component if there are too many. The newest is never
// dropped.
func (r *record) putWithin(members []openflow.DatapathID, s sighting) {
	r.put(s)
	count, oldest := 0, -1
	for i, o := range r.others {
		if contains(members, o.Switch) {
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

// keep drops all sightings that the function rejects, and reports whether any is left.
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
	r.promote()
	return true
}

// promote swaps the newest of the others with latest if it is newer.
func (r *record) promote() {
	for i, o := range r.others {
		if o.newer(r.latest) {
			r.others[i], r.latest = r.latest, o
		}
	}
}

func (r *record) dropOther(i int) {
	last := len(r.others) - 1
	r.others[i] = r.others[last]
	r.others = r.others[:last]
	if last == 0 {
		r.others = nil
	}
}
