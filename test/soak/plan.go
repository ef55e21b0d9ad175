package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is a kind of disturbance.
type kind string

const (
	portFlap          kind = "port flap"          // the carrier of a guest's port goes and comes back
	guestMove         kind = "guest move"         // to another host, where it announces itself
	vswitchdRestart   kind = "vswitchd restart"   // as the system's service does it
	vswitchdKill      kind = "vswitchd kill -9"   // and a start
	ovsdbRestart      kind = "ovsdb restart"      // ovs-vswitchd cannot do without it for long
	underlayCut       kind = "underlay cut"       // of one host: all its tunnels are dead, no port changes
	tunnelCut         kind = "tunnel cut"         // between two hosts only, both ways
	managementCut     kind = "management cut"     // between one host and the controller
	flowsDeleted      kind = "flows deleted"      // all flows of the controller are deleted from a host
	configReload      kind = "config reload"      // another config, and back
	configBroken      kind = "broken config"      // is refused, and the right one put back
	controllerFreeze  kind = "controller freeze"  // SIGSTOP, SIGCONT
	controllerRestart kind = "controller restart" // SIGTERM
	controllerKill    kind = "controller kill -9"

	machineBusy kind = "busy machine" // not planned: this process did not run
)

const (
	ms     = time.Millisecond
	second = time.Second
)

// nature says how a kind of disturbance is planned.
type nature struct {
	kind      kind
	shortest  time.Duration // how long it lasts
	longest   time.Duration
	overlaps  bool // a port may flap meanwhile
	first     bool // only from a calm state: the heal of what came before would wait for the controller
	perDeck   int
	pauseMore time.Duration // after it, beyond pause
}

// natures are what a deck is made of. Restarts of the controller are not: they are rare, and the plan places them.
var natures = []nature{
	{kind: portFlap, shortest: 300 * ms, longest: 3 * second, perDeck: 2},
	{kind: guestMove, perDeck: 2},
	{kind: vswitchdRestart, shortest: 500 * ms, longest: 2 * second, perDeck: 1, pauseMore: 3 * second},
	{kind: vswitchdKill, shortest: 500 * ms, longest: 2 * second, perDeck: 1, pauseMore: 3 * second},
	{kind: ovsdbRestart, shortest: 200 * ms, longest: second, perDeck: 1, pauseMore: 3 * second},
	{kind: underlayCut, shortest: 3 * second, longest: 6 * second, perDeck: 1, overlaps: true},
	{kind: tunnelCut, shortest: 4 * second, longest: 8 * second, perDeck: 2, overlaps: true},
	{kind: managementCut, shortest: 6 * second, longest: 12 * second, perDeck: 1, first: true},
	{kind: flowsDeleted, perDeck: 1},
	{kind: configReload, shortest: second, longest: 4 * second, perDeck: 2, overlaps: true},
	{kind: configBroken, shortest: second, longest: 3 * second, perDeck: 1, overlaps: true},
	{kind: controllerFreeze, shortest: 3 * second, longest: 12 * second, perDeck: 1, first: true},
}

// restarts take what they take; the time is that between end and start.
var restarts = map[kind]nature{
	controllerRestart: {kind: controllerRestart, shortest: 200 * ms, longest: 2 * second, first: true},
	controllerKill:    {kind: controllerKill, shortest: 200 * ms, longest: 2 * second, first: true},
}

// pause is between disturbances that follow each other.
const pause = 2 * time.Second

// shape is what the plan knows of the site.
type shape struct {
	hosts  []string
	guests []string          // at ports that may flap
	movers map[string]string // guests that move, and their homes
	cycle  time.Duration     // from one calm to the next
	calm   time.Duration     // of which so long without disturbances
	only   []kind            // what is drawn; empty: all
}

// step is one disturbance.
type step struct {
	kind       kind
	begin, end time.Duration // since the cycle began
	host, peer string        // peer: the other host of a tunnel cut
	guest      string
	to         string // the host that a guest moves to
}

func (s step) String() string {
	text := string(s.kind)
	switch {
	case s.to != "":
		text += " " + s.guest + " to " + s.to
	case s.guest != "":
		text += " " + s.guest
	case s.peer != "":
		text += " " + s.host + "-" + s.peer
	case s.host != "":
		text += " " + s.host
	}
	return text
}

// plan returns the disturbances of each cycle of a run. Equal seeds, lengths and shapes have equal plans. The
// controller is killed and restarted in the first third, so that the rest of the run is one life of it, whose figures
// can be compared.
func plan(seed uint64, total time.Duration, s shape) [][]step {
	p := &planner{shape: s, rand: rand.New(rand.NewPCG(seed, 0xe05)), at: map[string]string{}}
	for guest, home := range s.movers {
		p.at[guest] = home
	}
	cycles := make([][]step, max(1, int(total/s.cycle)))
	forced := map[int]kind{}
	switch n := len(cycles); {
	case n >= 6:
		forced[n/6], forced[n/3] = controllerKill, controllerRestart
	case n >= 2:
		forced[0] = controllerKill
	}
	for i := range cycles {
		cycles[i] = p.cycleOf(forced[i])
	}
	return cycles
}

type planner struct {
	shape
	rand *rand.Rand
	deck []nature
	at   map[string]string // where the movers are
}

// cycleOf fills one cycle. forced, unless it is empty, comes first.
func (p *planner) cycleOf(forced kind) []step {
	var steps []step
	now := pause / 2
	budget := p.cycle - p.calm
	for first := true; ; first = false {
		n, ok := restarts[forced]
		if !first || !ok {
			n, ok = p.draw(first, budget-now)
		}
		if !ok {
			return steps
		}
		d := step{kind: n.kind, begin: now}
		d.end = d.begin + between(p.rand, n.shortest, min(n.longest, max(n.shortest, budget-now)))
		p.target(&d)
		steps = append(steps, d)
		if n.overlaps && d.end-d.begin > 1500*time.Millisecond && p.rand.IntN(2) == 0 {
			f := step{kind: portFlap, begin: d.begin + 500*time.Millisecond, guest: pick(p.rand, p.guests)}
			f.end = f.begin + between(p.rand, 300*time.Millisecond, d.end-f.begin-500*time.Millisecond)
			steps = append(steps, f)
		}
		now = d.end + pause + n.pauseMore
		if n.first {
			now += pause
		}
	}
}

// draw takes the next card of the deck that may be played now and fits into what is left of the cycle.
func (p *planner) draw(first bool, left time.Duration) (nature, bool) {
	for range 2 {
		for i, n := range p.deck {
			if n.first && !first || n.shortest > left || left <= 0 {
				continue
			}
			p.deck = slices.Delete(p.deck, i, i+1)
			return n, true
		}
		if len(p.deck) > len(natures) {
			break // nothing fits
		}
		var more []nature
		for _, n := range natures {
			if len(p.only) > 0 && !slices.Contains(p.only, n.kind) {
				continue
			}
			for range n.perDeck {
				more = append(more, n)
			}
		}
		p.rand.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
		p.deck = append(p.deck, more...)
	}
	return nature{}, false
}

// target chooses whom a disturbance hits.
func (p *planner) target(d *step) {
	switch d.kind {
	case portFlap:
		d.guest = pick(p.rand, p.guests)
	case guestMove:
		d.guest = pick(p.rand, sortedKeys(p.movers))
		for d.to = p.at[d.guest]; d.to == p.at[d.guest]; {
			d.to = pick(p.rand, p.hosts)
		}
		p.at[d.guest] = d.to
	case tunnelCut:
		d.host = pick(p.rand, p.hosts)
		for d.peer = d.host; d.peer == d.host; {
			d.peer = pick(p.rand, p.hosts)
		}
	case vswitchdRestart, vswitchdKill, ovsdbRestart, underlayCut, managementCut, flowsDeleted:
		d.host = pick(p.rand, p.hosts)
	case configReload, configBroken, controllerFreeze, controllerRestart, controllerKill:
	default:
		panic(fmt.Sprintf("no target for %q", d.kind))
	}
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func between(r *rand.Rand, a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(r.Int64N(int64(b-a)))
}
