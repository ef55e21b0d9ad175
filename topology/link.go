package topology

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// A direction of a link is lost when as many hellos as LostHellos in a row were sent and not received, the first of them was sent
// at least LostAfter ago, and both switches have answered since the last of them was sent. All are needed: a controller that stood
// still sends and receives nothing, and loses nothing; nor does a link whose switch cannot be asked, since what is sent to it
// stays unsent, and what it hears untold.
const (
	LostHellos = 4
	LostAfter  = 1400 * time.Millisecond
)

// latencyWeight is the weight of a new sample in the moving average.
const latencyWeight = 1.0 / 8

type heard uint8

const (
	never heard = iota // nothing heard since the link was created or last down
	alive
	lost
)

// direction is one way of a link: hellos sent at one end and received at the other.
type direction struct {
	state   heard
	pending int                // hellos sent and not yet received, at most LostHellos
	sent    [LostHellos]uint64 // their sequence numbers, ascending
	since   time.Time          // when the wait for the first of them began
	last    time.Time          // when the last of them was sent
}

func (d *direction) forgive() { d.pending = 0 }

func (d *direction) hello(seq uint64, now time.Time) {
	if d.state != alive {
		return
	}
	if d.pending == 0 {
		d.since = now
	}
	if d.pending == LostHellos {
		return // those that wait are enough
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

// overdue reports whether the direction is lost; asked is when the switches at its ends were both known to answer.
func (d *direction) overdue(now, asked time.Time) bool {
	return d.state == alive && d.pending == LostHellos && now.Sub(d.since) >= LostAfter && !asked.Before(d.last)
}

// link is a pair of ports that heard one another at some time.
type link struct {
	ref     LinkRef
	kind    Kind
	ab, ba  direction
	latency float64 // seconds; 0 = not measured
	// silent means that it went down because nothing is heard any more, and not because a port went down.
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

// LinkSeen records that a discovery frame sent from src was received at dst; seq is the number that [Graph.Sent] was given for
// it, growing with each frame of a port. The first frame creates the link. A port that hears itself makes no link. If the
// two ends disagree on the kind, the link is a tunnel.
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

// Sent records that a discovery frame was sent out of a port. A frame between two switches that are not both connected cannot
// be reported and is not counted.
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

// answerWithin is how long an answer may take that says that hellos have passed the control channel in good time.
const answerWithin = time.Second

// Answered records that a switch has answered after so long what it was asked at a time, as [Graph.Sent] has it: the hellos until
// then have gone out, and those that arrived until then were told. A control channel that stood still may deliver hellos when they
// are too old to be accepted, so that those of before say nothing. As long as nothing is recorded of a switch, it is taken to answer.
func (g *Graph) Answered(dpid openflow.DatapathID, at time.Time, after time.Duration) {
	if !g.switches[dpid] {
		return
	}
	if after > answerWithin {
		for _, l := range g.bySwitch[dpid] {
			l.ab.forgive()
			l.ba.forgive()
		}
	}
	if at.After(g.answered[dpid]) {
		g.answered[dpid] = at
	}
}

// bothAnswered returns since when not both ends of a link are known to answer.
func (g *Graph) bothAnswered(l *link, now time.Time) time.Time {
	at := now
	for _, end := range [...]PortRef{l.ref.A, l.ref.B} {
		if t, known := g.answered[end.Switch]; known && t.Before(at) {
			at = t
		}
	}
	return at
}

// Expire marks what is lost (see [LostHellos]) and returns the links that went down by it, sorted. Call it shortly after
// hellos were sent, when those that arrive had time to arrive.
func (g *Graph) Expire(now time.Time) []LinkRef {
	var down []LinkRef
	for ref, l := range g.links {
		was, heard, asked := l.whole(), l.heard(), g.bothAnswered(l, now)
		for _, d := range [...]*direction{&l.ab, &l.ba} {
			if d.overdue(now, asked) {
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

// LinkDown takes a link down until a discovery frame is received over it again. The ends may be given in either order.
func (g *Graph) LinkDown(a, b PortRef) {
	if l := g.links[NewLinkRef(a, b)]; l != nil && (l.silent || l.ab.state|l.ba.state != never) {
		l.reset()
		g.changed = true
	}
}

// LinksOfPortDown takes every link of a port down.
func (g *Graph) LinksOfPortDown(ref PortRef) {
	for _, l := range g.byPort[ref] {
		g.LinkDown(l.ref.A, l.ref.B)
	}
}

// Measured takes a measured latency of a link in seconds; the link shows the moving average (each new sample weighs an eighth).
// A measurement changes no version of a snapshot.
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

// prune forgets links that are down and one of whose ends is known to lead elsewhere now.
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
