package topology

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// A direction of a link is lost if all of these hold:
//
//  1. LostHellos hellos in a row were sent and not received;
//  2. the first of them was sent at least LostAfter ago, since a controller that was suspended loses nothing;
//  3. both switches have answered since the last of them was sent, since on a control channel that does not answer,
//     hellos may be neither sent nor reported.
const (
	LostHellos = 4
	LostAfter  = 1400 * time.Millisecond
)

// latencyWeight is the weight of a new sample in the exponential moving average.
const latencyWeight = 1.0 / 8

// directionState is the state of one direction of a link.
type directionState uint8

const (
	never directionState = iota // no hello received since the link was created or went down
	alive
	lost
)

// direction is one direction of a link: hellos sent at one end and received at the other.
type direction struct {
	state   directionState
	pending int                // hellos sent and not yet received, at most LostHellos
	sent    [LostHellos]uint64 // their sequence numbers, ascending
	since   time.Time          // start of the wait for the first of them
	last    time.Time          // when the last of them was sent
}

func (d *direction) clearPending() { d.pending = 0 }

func (d *direction) hello(seq uint64, now time.Time) {
	if d.state != alive {
		return
	}
	if d.pending == 0 {
		d.since = now
	}
	if d.pending == LostHellos {
		return // enough to decide
	}
	d.sent[d.pending], d.last = seq, now
	d.pending++
}

func (d *direction) received(seq uint64, now time.Time) {
	d.state = alive
	acked := 0
	for acked < d.pending && d.sent[acked] <= seq {
		acked++
	}
	if acked > 0 {
		copy(d.sent[:], d.sent[acked:d.pending])
		d.pending -= acked
		d.since = now
	}
}

// overdue reports whether the direction is lost; answered is the last time when both switches were known to answer.
func (d *direction) overdue(now, answered time.Time) bool {
	return d.state == alive && d.pending == LostHellos && now.Sub(d.since) >= LostAfter && !answered.Before(d.last)
}

// link is a pair of ports of which one has heard the other.
type link struct {
	ref     LinkRef
	kind    Kind
	ab, ba  direction
	latency float64 // seconds; 0 = not measured
	// silent means that it went down because no hello arrives any more, and not because a port went down.
	silent bool
}

func (l *link) from(src PortRef) *direction {
	if src == l.ref.A {
		return &l.ab
	}
	return &l.ba
}

// heard reports whether frames arrive in at least one direction.
func (l *link) heard() bool { return l.ab.state == alive || l.ba.state == alive }

// whole reports whether frames arrive and no direction is known to fail.
func (l *link) whole() bool { return l.heard() && l.ab.state != lost && l.ba.state != lost }

func (l *link) reset() { l.ab, l.ba, l.silent = direction{}, direction{}, false }

// LinkSeen records that a discovery frame sent from src was received at dst; seq is its number in [Graph.Sent],
// ascending per port. The first frame creates the link. A port that hears itself makes no link. If the two ends
// disagree on the kind, the link is a tunnel.
func (g *Graph) LinkSeen(src, dst PortRef, kind Kind, seq uint64, now time.Time) {
	if src == dst {
		return
	}
	ref := NewLinkRef(src, dst)
	l := g.links[ref]
	if l == nil {
		l = &link{ref: ref, kind: kind}
		g.add(l)
	}
	before, kindBefore := l.from(src).state, l.kind
	l.kind = max(l.kind, kind)
	l.silent = false
	l.from(src).received(seq, now)
	if before != alive || l.kind != kindBefore {
		g.changed = true
	}
}

// Sent records that a discovery frame was sent out of a port. A frame between two switches that are not both connected
// cannot be reported and is not counted.
func (g *Graph) Sent(src PortRef, seq uint64, now time.Time) {
	if !g.switches[src.Switch] {
		return
	}
	for _, l := range g.byPort[src] {
		dst := l.ref.A
		if dst == src {
			dst = l.ref.B
		}
		if g.switches[dst.Switch] {
			l.from(src).hello(seq, now)
		}
	}
}

// maxAnswerTime is the longest response time of a control channel that is assumed to pass hellos in time.
const maxAnswerTime = time.Second

// Answered records that a switch has answered a request of time at, and how long it took: hellos sent before at have
// gone out, and those received before it were reported. A control channel that was stuck may have delivered hellos too
// late to be accepted, so that earlier ones prove nothing. A switch without a record is assumed to answer.
func (g *Graph) Answered(dpid openflow.DatapathID, at time.Time, after time.Duration) {
	if !g.switches[dpid] {
		return
	}
	if after > maxAnswerTime {
		for _, l := range g.bySwitch[dpid] {
			l.ab.clearPending()
			l.ba.clearPending()
		}
	}
	if at.After(g.answered[dpid]) {
		g.answered[dpid] = at
	}
}

// bothAnswered returns the last time when both ends of a link were known to answer.
func (g *Graph) bothAnswered(l *link, now time.Time) time.Time {
	at := now
	for _, end := range [...]PortRef{l.ref.A, l.ref.B} {
		if t, known := g.answered[end.Switch]; known && t.Before(at) {
			at = t
		}
	}
	return at
}

// Expire marks lost directions (see [LostHellos]) and returns the links that went down by it, sorted. Call it shortly
// after hellos were sent, when those that arrive had time to arrive.
func (g *Graph) Expire(now time.Time) []LinkRef {
	var down []LinkRef
	for ref, l := range g.links {
		was, heard, answered := l.whole(), l.heard(), g.bothAnswered(l, now)
		for _, d := range [...]*direction{&l.ab, &l.ba} {
			if d.overdue(now, answered) {
				d.state, d.pending = lost, 0
				g.changed = true
			}
		}
		if heard && !l.heard() {
			l.reset()
			l.silent = true
		}
		if was && !l.whole() {
			down = append(down, ref)
		}
	}
	slices.SortFunc(down, LinkRef.Compare)
	return down
}

// linkDown takes a link down until a discovery frame is received over it again.
func (g *Graph) linkDown(l *link) {
	if l.silent || l.ab.state|l.ba.state != never {
		l.reset()
		g.changed = true
	}
}

// Measured takes a latency sample of a link in seconds; snapshots have the moving average. It does not change the
// version of snapshots.
func (g *Graph) Measured(a, b PortRef, seconds float64) {
	l := g.links[NewLinkRef(a, b)]
	if l == nil || seconds <= 0 {
		return
	}
	if l.latency == 0 {
		l.latency = seconds
	} else {
		l.latency += latencyWeight * (seconds - l.latency)
	}
	g.measured = true
}

func (g *Graph) add(l *link) {
	g.links[l.ref] = l
	g.byPort[l.ref.A] = append(g.byPort[l.ref.A], l)
	g.byPort[l.ref.B] = append(g.byPort[l.ref.B], l)
	g.bySwitch[l.ref.A.Switch] = append(g.bySwitch[l.ref.A.Switch], l)
	if l.ref.B.Switch != l.ref.A.Switch {
		g.bySwitch[l.ref.B.Switch] = append(g.bySwitch[l.ref.B.Switch], l)
	}
	g.changed = true
}

func (g *Graph) remove(l *link) {
	delete(g.links, l.ref)
	removeFrom(g.byPort, l.ref.A, l)
	removeFrom(g.byPort, l.ref.B, l)
	removeFrom(g.bySwitch, l.ref.A.Switch, l)
	removeFrom(g.bySwitch, l.ref.B.Switch, l)
	g.changed = true
}

func removeFrom[K comparable](index map[K][]*link, key K, l *link) {
	rest := slices.DeleteFunc(index[key], func(o *link) bool { return o == l })
	if len(rest) == 0 {
		delete(index, key)
		return
	}
	index[key] = rest
}

// prune removes links that are down and one of whose ends has another live link now.
func (g *Graph) prune() {
	leadsElsewhere := func(ref PortRef) bool {
		return slices.ContainsFunc(g.byPort[ref], (*link).heard)
	}
	for _, l := range g.links {
		if !l.heard() && (leadsElsewhere(l.ref.A) || leadsElsewhere(l.ref.B)) {
			g.remove(l)
		}
	}
}
