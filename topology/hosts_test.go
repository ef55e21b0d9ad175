package topology

import (
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

var vm = packet.MAC{0x52, 0x54, 0, 0, 0, 1}

func sightingAt(ref PortRef, seconds float64) Sighting {
	return Sighting{
		Switch: ref.Switch, Port: ref.Port, VLAN: 10, MAC: vm,
		At: t0.Add(time.Duration(seconds * float64(time.Second))),
	}
}

func updateFor(to openflow.DatapathID, location PortRef) Update {
	return Update{Switch: to, VLAN: 10, MAC: vm, At: location.Switch, Port: location.Port}
}

// check compares updates and empties them.
func check(t *testing.T, what string, got *[]Update, want ...Update) {
	t.Helper()
	if !slices.Equal(*got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, *got, want)
	}
	*got = (*got)[:0]
}

func TestHostsObserve(t *testing.T) {
	w := parseWorld(t, "wire 1:1 2:1; wire 2:2 3:1; switch 4")
	h := NewHosts(5)
	out := h.Apply(w.graph().Snapshot(), nil)
	check(t, "empty", &out)
	a, b, c := PortRef{1, 10}, PortRef{1, 11}, PortRef{3, 10}
	steps := []struct {
		name    string
		at      PortRef
		seconds float64
		verdict Verdict
		want    []Update
	}{
		{"new", a, 1, Placed, []Update{updateFor(2, a), updateFor(3, a)}},
		{"again", a, 2, Refreshed, nil},
		{"by a transit port", PortRef{2, 1}, 3, OnTransit, []Update{updateFor(2, a)}},
		{"at a standalone switch", PortRef{4, 1}, 3, Standalone, nil},
		{"at an unknown switch", PortRef{5, 1}, 3, Standalone, nil},
		{"at another port", b, 4, Moved, nil},
		{"at another switch", c, 5, Moved, []Update{updateFor(1, c), updateFor(2, c)}},
		{"late news", a, 4.5, Outdated, []Update{updateFor(1, c)}},
		{"at the same time, a lower port", b, 5, Moved, []Update{updateFor(2, b), updateFor(3, b)}},
		{"at the same time, a higher port", c, 5, Outdated, []Update{updateFor(3, b)}},
	}
	for _, s := range steps {
		var verdict Verdict
		out, verdict = h.Observe(sightingAt(s.at, s.seconds), out)
		if verdict != s.verdict {
			t.Errorf("%s: %v, want %v", s.name, verdict, s.verdict)
		}
		check(t, s.name, &out, s.want...)
	}
	if location, ok := h.locate(2, 10, vm); !ok || location != b {
		t.Errorf("location %v, %v", location, ok)
	}
	if _, ok := h.locate(2, 11, vm); ok {
		t.Error("a location in another VLAN")
	}
	out = h.Forget(3, 10, 10, vm, out)
	check(t, "forget where it is not", &out)
	out = h.Forget(1, 11, 10, vm, out)
	check(t, "forget", &out, updateFor(2, PortRef{}), updateFor(3, PortRef{}))
	if len(h.records) != 0 {
		t.Errorf("%d hosts left", len(h.records))
	}
}

func TestHostsMergeAndSplit(t *testing.T) {
	w := parseWorld(t, "wire 1:1 2:1; wire 3:1 4:1")
	g := w.graph()
	h := NewHosts(5)
	out := h.Apply(g.Snapshot(), nil)
	a, c := PortRef{1, 10}, PortRef{4, 10}
	out, _ = h.Observe(sightingAt(a, 1), out)
	check(t, "left", &out, updateFor(2, a))
	out, _ = h.Observe(sightingAt(c, 2), out)
	check(t, "right", &out, updateFor(3, c))
	if got := h.all(); !slices.Equal(got, []PortRef{a, c}) {
		t.Errorf("locations of one host in two components: %v", got)
	}

	for _, p := range []PortRef{{2, 2}, {3, 2}} {
		g.SetPort(p, PortInfo{Up: true, VLANs: allVLANs()})
	}
	g.LinkSeen(PortRef{2, 2}, PortRef{3, 2}, Wire, 1, t0)
	out = h.Apply(g.Snapshot(), out)
	check(t, "merged", &out, updateFor(1, c), updateFor(2, c))

	linkDown(g, PortRef{3, 2}, PortRef{2, 2})
	out = h.Apply(g.Snapshot(), out)
	check(t, "split", &out, updateFor(1, a), updateFor(2, a))

	linkDown(g, PortRef{1, 1}, PortRef{2, 1})
	out = h.Apply(g.Snapshot(), out)
	check(t, "standalone", &out, updateFor(2, PortRef{}))
	if got := h.all(); !slices.Equal(got, []PortRef{c}) {
		t.Errorf("hosts at %v", got)
	}

	g.RemoveSwitch(4)
	out = h.Apply(g.Snapshot(), out)
	check(t, "removed", &out, updateFor(3, PortRef{}))
}

// Sightings at a port are void once the port is known to be transit.
func TestHostsTransit(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1; switch 3").graph()
	h := NewHosts(5)
	out := h.Apply(g.Snapshot(), nil)
	a, b := PortRef{1, 10}, PortRef{2, 5}
	out, _ = h.Observe(sightingAt(a, 1), out)
	out, _ = h.Observe(sightingAt(b, 2), out[:0])
	check(t, "moved", &out, updateFor(1, b))
	g.SetPort(b, PortInfo{Up: true, VLANs: allVLANs()})
	g.SetPort(PortRef{3, 1}, PortInfo{Up: true, VLANs: allVLANs()})
	g.LinkSeen(PortRef{3, 1}, b, Wire, 1, t0)
	out = h.Apply(g.Snapshot(), out)
	check(t, "back", &out, updateFor(1, a), updateFor(2, a), updateFor(3, a))
}

func TestHostsFreeze(t *testing.T) {
	h := NewHosts(2)
	h.Apply(parseWorld(t, "wire 1:1 2:1").graph().Snapshot(), nil)
	a, b := PortRef{1, 10}, PortRef{2, 10}
	for _, s := range []struct {
		at      PortRef
		seconds float64
		verdict Verdict
	}{
		{a, 0, Placed},
		{b, 1, Moved},
		{a, 2, Moved},
		{b, 11.5, Moved}, // the first move is more than 10 s ago
		{a, 11.7, NewlyFrozen},
		{a, 12, Frozen},
		{b, 13, Refreshed},
		{PortRef{2, 11}, 13, Frozen},
		{a, 71.6, Frozen},
		{a, 71.8, Moved},
		{b, 72, Moved},
		{a, 72.1, NewlyFrozen},
	} {
		_, verdict := h.Observe(sightingAt(s.at, s.seconds), nil)
		if verdict != s.verdict {
			t.Fatalf("at %v after %v s: %v, want %v", s.at, s.seconds, verdict, s.verdict)
		}
		if verdict == NewlyFrozen {
			f, ok := h.Freeze(10, vm, sightingAt(s.at, s.seconds).At)
			if until := sightingAt(a, s.seconds+60).At; !ok || f.Kept != b || f.Refused != a || !f.Until.Equal(until) {
				t.Errorf("freeze %+v, %v", f, ok)
			}
		}
	}
	if _, ok := h.Freeze(10, vm, sightingAt(a, 140).At); ok {
		t.Error("frozen for ever")
	}
	h.SetMoveLimit(0)
	for i := range 20 {
		at := [...]PortRef{a, b}[i%2]
		if _, verdict := h.Observe(sightingAt(at, 200+float64(i)/10), nil); verdict == NewlyFrozen {
			t.Fatal("frozen without a limit")
		}
	}
}

// The sightings of one host are limited, and its location is kept.
func TestHostsBound(t *testing.T) {
	h := NewHosts(0)
	h.Apply(parseWorld(t, "wire 1:1 2:1").graph().Snapshot(), nil)
	for i := range 1000 {
		h.Observe(sightingAt(PortRef{openflow.DatapathID(1 + i%2), openflow.PortNo(10 + i)}, float64(i)), nil)
	}
	r := h.records[NewHostKey(10, vm)]
	if got := 1 + len(r.others); got > maxSightings {
		t.Errorf("%d sightings", got)
	}
	if location, _ := h.locate(1, 10, vm); location != (PortRef{2, 1009}) {
		t.Errorf("location %v", location)
	}
}
