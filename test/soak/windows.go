package main

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// lead is how long before a disturbance a request may have been sent that it still hits, or whose answer it hits.
const lead = 250 * time.Millisecond

// heal is how long after the end of a disturbance packets may still be lost by it. The project promises 5 s for
// restarts of daemons and cut networks; what happens to one guest's port is over sooner.
var heal = map[kind]time.Duration{
	portFlap:        3 * time.Second,
	guestMove:       3 * time.Second,
	vswitchdRestart: 5 * time.Second,
	vswitchdKill:    5 * time.Second,
	ovsdbRestart:    5 * time.Second,
	underlayCut:     5 * time.Second,
	tunnelCut:       5 * time.Second,
	flowsDeleted:    3 * time.Second,
	machineBusy:     2 * time.Second,
}

// A scope says which pairs of guests a disturbance explains losses of.
type scope struct {
	guests  []string    // every pair that one of them is an end of
	between [2][]string // every pair with an end in each
	all     bool
}

func (s scope) has(a, b string) bool {
	in := slices.Contains[[]string]
	return s.all || in(s.guests, a) || in(s.guests, b) ||
		in(s.between[0], a) && in(s.between[1], b) || in(s.between[0], b) && in(s.between[1], a)
}

// A window is a disturbance as it happened. Losses outside of every window are unexplained.
type window struct {
	step
	began time.Time
	ended time.Time // zero while it lasts
	// traffic are the pairs whose packets it may lose, probes those whose probes it may: what cuts the controller off
	// loses no packet of a guest, but a probe under way.
	traffic, probes scope
	// drift is the switch whose flows it changes behind the controller's back.
	drift string
	// lost counts the packets that it explains, and slowest is how long after its end the last of them was sent.
	lost       int
	probesLost int
	slowest    time.Duration
}

// covers reports whether something that was sent between two times may have been lost by the window.
func (w *window) covers(from, to time.Time) bool {
	if to.Before(w.began.Add(-lead)) {
		return false
	}
	return w.ended.IsZero() || !from.After(w.ended.Add(heal[w.kind]))
}

// A pair is a source and a destination of pings or probes.
type pair struct{ from, to string }

func (p pair) String() string { return p.from + " > " + p.to }

// explainPing finds the window that explains the loss of a packet, and counts it there; nil if there is none. Where
// several do, it is the latest: it needs the shortest delay.
func explainPing(windows []*window, p pair, sent time.Time) *window {
	for w := range latest(windows) {
		if w.traffic.has(p.from, p.to) && w.covers(sent, sent) {
			w.lost++
			if !w.ended.IsZero() {
				w.slowest = max(w.slowest, sent.Sub(w.ended))
			}
			return w
		}
	}
	return nil
}

// latest yields the windows from the last to the first, then those of the busy machine, which explain only what nothing
// else does.
func latest(windows []*window) iter.Seq[*window] {
	return func(yield func(*window) bool) {
		for _, busy := range [...]bool{false, true} {
			for _, w := range slices.Backward(windows) {
				if (w.kind == machineBusy) == busy && !yield(w) {
					return
				}
			}
		}
	}
}

// explainProbe is the same for probes that were sent some time between two times. What loses packets loses probes.
func explainProbe(windows []*window, p pair, from, to time.Time, probes int) *window {
	for w := range latest(windows) {
		if (w.traffic.has(p.from, p.to) || w.probes.has(p.from, p.to)) && w.covers(from.Add(-probeHeal), to) {
			w.probesLost += probes
			return w
		}
	}
	return nil
}

// probeHeal is how much longer a controller that has to catch up may take to probe a pair than the pair to talk.
const probeHeal = 2 * time.Second

// explainDrift finds the window that explains that flows of a switch were found changed between two times.
func explainDrift(windows []*window, sw string, from, to time.Time) bool {
	const seenWithin = 10 * time.Second // at once, or by the regular audit
	return slices.ContainsFunc(windows, func(w *window) bool {
		return w.drift == sw && !to.Before(w.began) && (w.ended.IsZero() || !from.After(w.ended.Add(seenWithin)))
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
