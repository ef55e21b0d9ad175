package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// healWithin is how soon after the end of a disturbance everything must be as it was.
const healWithin = 5 * time.Second

// A healSite is a small network on which something is done that has to heal: two bridges and a VXLAN tunnel between
// them, two guests on the first and one on the second that know each other, and guests that nobody knows yet.
type healSite struct {
	*site
	a, b   *lab.Bridge
	known  []*lab.VM // vm1 and vm2 at a, vm3 at b
	silent []*lab.VM // vm4 at a, vm5 at b: they have not sent a frame
	before []string  // what the bridges held when all was well
}

func newHealSite(t *testing.T) *healSite {
	t.Helper()
	s, br := mesh(t, 2)
	p := &healSite{site: s, a: br[0], b: br[1]}
	p.known = []*lab.VM{s.vm(p.a, "vm1"), s.vm(p.a, "vm2"), s.vm(p.b, "vm3")}
	p.silent = []*lab.VM{s.vm(p.a, "vm4"), s.vm(p.b, "vm5")}
	s.reachAll(p.known...)
	s.eventually(patience, "all places known", p.locationsRight)
	p.before = s.steady(br...)
	for _, vm := range p.silent {
		if at := s.location(vm); at != "" {
			t.Fatalf("%s is known at %s: it is no new host", vm.Name, at)
		}
	}
	return p
}

func (p *healSite) locationsRight() bool {
	return !slices.ContainsFunc(p.known, func(vm *lab.VM) bool { return p.location(vm) != p.at(vm) })
}

// state is what the controller says of a bridge.
func (s *site) state(br *lab.Bridge) api.Switch {
	s.t.Helper()
	switches := get[api.Switch](s, "switches")
	i := slices.IndexFunc(switches, func(o api.Switch) bool { return o.DatapathID == br.DatapathID() })
	if i < 0 {
		return api.Switch{}
	}
	return switches[i]
}

// complete reports whether a bridge is connected and holds all the flows that the controller wants there, and none
// besides.
func (s *site) complete(br *lab.Bridge) bool {
	s.t.Helper()
	st := s.state(br)
	if !st.Connected {
		return false
	}
	n := 0
	for _, f := range br.Flows() {
		if ours(f) {
			n++
		}
	}
	return n > 0 && n == st.Flows
}

// answered reports whether one ping between two guests is answered.
func answered(from, to *lab.VM) bool {
	return from.Ping(to.IP(), lab.Count(1), lab.Timeout(250*time.Millisecond)).AllReceived()
}

// healed checks that everything is well within healWithin of the end of a disturbance: the switches are connected and
// their tables complete, guests reach each other, places are right, and a guest that has said nothing yet is learned.
// With same, the tables must be what they were before it as well.
func (p *healSite) healed(what string, end time.Time, same bool) {
	p.t.Helper()
	guest, whom, links := p.silent[0], p.known[2], len(p.known)-2 // a third bridge brings a guest and a link
	steps := []struct {
		what string
		yes  func() bool
	}{
		{"connected", func() bool {
			return p.isConnected(p.a) && p.isConnected(p.b) && p.isConnected(p.known[len(p.known)-1].Bridge)
		}},
		{"vm1 reaches vm3", func() bool { return answered(p.known[0], p.known[2]) }},
		{"vm3 reaches vm2", func() bool { return answered(p.known[2], p.known[1]) }},
		{"vm2 reaches vm1", func() bool { return answered(p.known[1], p.known[0]) }},
		{"links are up", func() bool { return p.linksUp() == links }},
		{"places are right", p.locationsRight},
		{"tables are complete", func() bool { return p.complete(p.a) && p.complete(p.b) }},
		{"tables are what they were", func() bool {
			return !same || len(difference(p.before, slices.Concat(dump(p.a), dump(p.b)))) == 0
		}},
		{"a new guest reaches others", func() bool { return answered(guest, whom) }},
		// It goes on sending: its first frames may have passed before the switch had a controller again.
		{"a new guest is learned", func() bool { return answered(guest, whom) && p.location(guest) == p.at(guest) }},
	}
	var times []string
	for _, s := range steps {
		ok := p.Eventually(max(patience, healWithin), s.yes)
		took := time.Since(end)
		times = append(times, fmt.Sprintf("%s after %.1f s", s.what, took.Seconds()))
		if !ok {
			p.t.Fatalf("%s: not even within %v: %s; %s", what, patience, s.what, strings.Join(times, ", "))
		}
		if took > healWithin {
			p.t.Errorf("%s: %s only %.1f s after its end", what, s.what, took.Seconds())
		}
	}
	p.t.Logf("%s: %s", what, strings.Join(times, ", "))
}

// outage keeps up for a time what a test has broken on purpose; meanwhile the switches must keep all flows that they
// had.
func (p *healSite) outage(d time.Duration, before map[*lab.Bridge]snapshot) {
	p.t.Helper()
	p.observe(d, "the switches keep their flows", func() bool {
		for br, snapshot := range before {
			if len(snapshot.gone(br)) > 0 {
				return false
			}
		}
		return true
	})
}

// untouched checks that no flow of before has gone or was made anew.
func (p *healSite) untouched(before map[*lab.Bridge]snapshot) {
	p.t.Helper()
	for br, snapshot := range before {
		if list := snapshot.gone(br); len(list) > 0 {
			p.t.Errorf("flows of %s were touched:\n%s", br, strings.Join(list, "\n"))
		}
	}
}

// lossless ends pings that ran through a disturbance and checks that nothing was lost.
func (p *healSite) lossless(what string, pings ...*lab.RunningPing) {
	p.t.Helper()
	for i, ping := range pings {
		if r := ping.Stop(); !r.AllReceived() {
			p.t.Errorf("%s: ping %d: %v; not answered: %v", what, i+1, r, unanswered(r))
		} else {
			p.t.Logf("%s: ping %d: %v", what, i+1, r)
		}
	}
}

// unanswered lists the requests that were lost.
func unanswered(r lab.PingResult) (lost []int) {
	for seq := 1; seq <= r.Sent; seq++ {
		if _, ok := r.RTTs[seq]; !ok {
			lost = append(lost, seq)
		}
	}
	return lost
}
