package topology

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

var endA, endB = PortRef{1, 1}, PortRef{2, 1}

// hellos sends from both ends at an interval and lets the named directions arrive at once. Both switches answer.
func hellos(g *Graph, from time.Time, seq uint64, n int, interval time.Duration, ab, ba bool) time.Time {
	for i := range n {
		now := from.Add(time.Duration(i) * interval)
		g.Sent(endA, seq+uint64(i), now)
		g.Sent(endB, seq+uint64(i), now)
		g.Answered(endA.Switch, now, 0)
		g.Answered(endB.Switch, now, 0)
		if ab {
			g.LinkSeen(endA, endB, Wire, seq+uint64(i), now)
		}
		if ba {
			g.LinkSeen(endB, endA, Wire, seq+uint64(i), now)
		}
	}
	return from.Add(time.Duration(n-1) * interval)
}

func TestExpire(t *testing.T) {
	tests := []struct {
		name     string
		n        int
		interval time.Duration
		ab, ba   bool
		down     bool
	}{
		{"all arrive", 10, time.Second, true, true, false},
		{"four lost in 1.4 s", 4, 470 * time.Millisecond, false, false, true},
		{"four lost in less", 4, 400 * time.Millisecond, false, false, false},
		{"many lost in less", 20, 50 * time.Millisecond, false, false, false},
		{"three lost in an hour", 3, time.Hour, false, false, false},
		{"one direction lost", 5, 600 * time.Millisecond, true, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := parseWorld(t, "wire 1:1 2:1").graph()
			last := hellos(g, t0, 10, test.n, test.interval, test.ab, test.ba)
			if down := g.Expire(last); (len(down) == 1) != test.down {
				t.Fatalf("down: %v", down)
			}
			if down := g.Expire(last); len(down) != 0 {
				t.Errorf("down again: %v", down)
			}
			want := Up
			if test.down {
				want = Down
			}
			if got := g.Snapshot().Links()[0].State; got != want {
				t.Errorf("link is %v, want %v", got, want)
			}
			g.LinkSeen(endA, endB, Wire, 100, last)
			g.LinkSeen(endB, endA, Wire, 100, last)
			if got := g.Snapshot().Links()[0].State; got != Up {
				t.Errorf("heard again, link is %v", got)
			}
		})
	}
}

// A suspended controller finds all hellos queued when it resumes, in order, and loses no link by checking early.
func TestExpireAfterStall(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	hellos(g, t0, 10, 3, 600*time.Millisecond, false, false)
	woken := t0.Add(time.Minute)
	if down := g.Expire(woken); len(down) != 0 {
		t.Fatalf("down while standing still: %v", down)
	}
	g.LinkSeen(endA, endB, Wire, 10, woken)
	g.LinkSeen(endB, endA, Wire, 10, woken)
	last := hellos(g, woken, 13, 2, time.Second, false, false)
	if down := g.Expire(last); len(down) != 0 {
		t.Fatalf("down by hellos whose predecessors just came: %v", down)
	}
	if down := g.Expire(woken.Add(LostAfter)); len(down) != 1 {
		t.Fatalf("down: %v, want the link: four hellos wait since it woke", down)
	}
}

// A switch that does not answer, though it is not yet known to be disconnected, may neither send nor report hellos: its
// links are not lost by that.
func TestExpireUnanswered(t *testing.T) {
	for _, silent := range []openflow.DatapathID{endA.Switch, endB.Switch} {
		g := parseWorld(t, "wire 1:1 2:1").graph()
		hellos(g, t0, 10, 2, 400*time.Millisecond, true, true)
		now := t0
		for i := range uint64(20) {
			now = t0.Add(time.Duration(2+i) * 400 * time.Millisecond)
			g.Sent(endA, 12+i, now)
			g.Sent(endB, 12+i, now)
			g.Answered(endA.Switch+endB.Switch-silent, now, 0)
			if down := g.Expire(now); len(down) != 0 {
				t.Fatalf("switch %d does not answer, and after %v this is down: %v", silent, now.Sub(t0), down)
			}
		}
		// Reports from before the silence arrive late, and prove nothing about the time between.
		g.LinkSeen(endB, endA, Wire, 11, now)
		g.LinkSeen(endA, endB, Wire, 11, now)
		if down := g.Expire(now); len(down) != 0 {
			t.Errorf("switch %d is heard again, and this is down: %v", silent, down)
		}
		// The answer comes late: what was sent meanwhile may have arrived too old to be accepted.
		g.Answered(silent, now, 2*time.Second)
		if down := g.Expire(now); len(down) != 0 {
			t.Errorf("switch %d answers again, and this is down: %v", silent, down)
		}
		if down := g.Expire(hellos(g, now, 40, 5, 400*time.Millisecond, false, false)); len(down) != 1 {
			t.Errorf("switch %d answers in time, hellos are lost, and this is down: %v", silent, down)
		}
	}
}

// Snapshots show that a retained port waits for its link, until it is found or removed.
func TestRestoring(t *testing.T) {
	retained := PortInfo{Up: true, Retained: true, VLANs: allVLANs()}
	for what, end := range map[string]func(*Graph){
		"found":   func(g *Graph) { g.SetPort(PortRef{1, 7}, PortInfo{Up: true, VLANs: allVLANs()}) },
		"removed": func(g *Graph) { g.RemovePort(PortRef{1, 7}) },
		"switch":  func(g *Graph) { g.RemoveSwitch(1) },
	} {
		g := parseWorld(t, "wire 1:1 2:1").graph()
		if g.Snapshot().Restoring() {
			t.Fatal("restoring without a restart")
		}
		g.SetPort(PortRef{1, 7}, retained)
		if !g.Snapshot().Restoring() {
			t.Fatal("a retained port does not show")
		}
		end(g)
		if g.Snapshot().Restoring() {
			t.Errorf("%s: still restoring", what)
		}
	}
}

// A silent tunnel is transit and blocked until a port goes down or one of its ends has another link. A silent wire may
// lead to hosts.
func TestSilentTunnel(t *testing.T) {
	lose := func(kind string) *Graph {
		g := parseWorld(t, kind+" 1:1 2:1").graph()
		if down := g.Expire(hellos(g, t0, 10, 5, 400*time.Millisecond, false, false)); len(down) != 1 {
			t.Fatalf("%s: down: %v", kind, down)
		}
		return g
	}
	for kind, transit := range map[string]bool{"gre": true, "mesh": true, "wire": false} {
		s := lose(kind).Snapshot()
		for _, end := range []PortRef{endA, endB} {
			if s.Transit(end) != transit || s.Blocked(10, end) != transit {
				t.Errorf("silent %s, %v: transit %v, blocked %v", kind, end, s.Transit(end), s.Blocked(10, end))
			}
		}
		if l := s.Links()[0]; l.State != Down || l.Forwarding || !s.Standalone(1) {
			t.Errorf("silent %s: %+v, standalone %v", kind, l, s.Standalone(1))
		}
	}
	for what, end := range map[string]func(*Graph){
		"a port goes down and up": func(g *Graph) {
			up := g.ports[endB]
			g.SetPort(endB, PortInfo{VLANs: up.VLANs})
			g.SetPort(endB, up)
		},
		"an end leads elsewhere": func(g *Graph) { g.LinkSeen(PortRef{3, 1}, endB, Tunnel, 1, t0.Add(time.Minute)) },
		"a port is removed":      func(g *Graph) { g.RemovePort(endB) },
		"a switch is forgotten":  func(g *Graph) { g.RemoveSwitch(endB.Switch) },
	} {
		g := lose("gre")
		end(g)
		if s := g.Snapshot(); s.Transit(endA) || s.Blocked(10, endA) {
			t.Errorf("%s: the other end is still transit", what)
		}
	}
	g := lose("gre")
	g.LinkSeen(endA, endB, Tunnel, 100, t0.Add(time.Minute))
	if s := g.Snapshot(); s.Links()[0].State != Up || s.Blocked(10, endA) || s.Standalone(1) {
		t.Error("heard again, and not up")
	}
}

func TestDisconnected(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	hellos(g, t0, 10, 3, time.Second, false, false)
	g.SetSwitch(2, false)
	last := hellos(g, t0.Add(3*time.Second), 13, 10, time.Second, false, false)
	if down := g.Expire(last); len(down) != 0 {
		t.Fatalf("a link of a disconnected switch expired: %v", down)
	}
	if l := g.Snapshot().Links()[0]; l.State != Unverified || !l.Forwarding {
		t.Errorf("link %+v", l)
	}
	g.SetSwitch(2, true)
	if down := g.Expire(last); len(down) != 0 {
		t.Fatalf("down by hellos of before: %v", down)
	}
	if l := g.Snapshot().Links()[0]; l.State != Up {
		t.Errorf("link %+v", l)
	}
}

func TestLinkLife(t *testing.T) {
	g := NewGraph()
	all := PortInfo{Up: true, VLANs: allVLANs()}
	state := func() string {
		links := g.Snapshot().Links()
		if len(links) != 1 {
			return "none"
		}
		return links[0].State.String()
	}
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"a frame of a port that nobody described", func() { g.LinkSeen(endA, endB, Wire, 1, t0) }, "down"},
		{"one end", func() { g.SetSwitch(1, true); g.SetPort(endA, all) }, "down"},
		{"both ends", func() { g.SetSwitch(2, true); g.SetPort(endB, all) }, "up"},
		{"port down", func() { g.SetPort(endB, PortInfo{VLANs: allVLANs()}) }, "down"},
		{"port up", func() { g.SetPort(endB, all) }, "down"},
		{"heard again", func() { g.LinkSeen(endB, endA, Wire, 2, t0) }, "up"},
		{"a port that hears itself", func() { g.LinkSeen(endA, endA, Wire, 3, t0) }, "up"},
		{"other port down", func() { g.SetPort(endA, PortInfo{VLANs: allVLANs()}) }, "down"},
		{"port removed", func() { g.RemovePort(endA) }, "none"},
	} {
		step.do()
		if got := state(); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

// A cable that was moved leaves no old link once its new one is known.
func TestCableMoved(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1; wire 3:1 4:1").graph()
	linkDown(g, endA, endB)
	if n := len(g.Snapshot().Links()); n != 2 {
		t.Fatalf("%d links, want the one that is down too", n)
	}
	c := PortRef{3, 2}
	g.SetPort(c, PortInfo{Up: true, VLANs: allVLANs()})
	g.LinkSeen(endA, c, Wire, 5, t0)
	if links := g.Snapshot().Links(); len(links) != 2 || links[0].B != c {
		t.Errorf("links %+v", links)
	}
}

func TestVersion(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	s := g.Snapshot()
	g.LinkSeen(endA, endB, Wire, 7, t0)
	g.SetSwitch(1, true)
	g.SetPort(PortRef{1, 99}, PortInfo{Up: true, VLANs: NewVLANs(7)})
	var ids []uint16
	for id := range uint16(maxVLANs) {
		ids = append(ids, id)
	}
	g.SetPort(endA, PortInfo{Up: true, VLANs: NewVLANs(ids...)}) // all, as before
	if g.Snapshot() != s {
		t.Error("a new snapshot, but nothing changed")
	}
	g.Measured(endB, endA, 0.008)
	g.Measured(endB, endA, 0.016)
	m := g.Snapshot()
	if l := m.Links()[0]; math.Abs(l.Latency-0.009) > 1e-12 || m.Version() != s.Version() || s.Links()[0].Latency != 0 {
		t.Errorf("latency %v, version %d, was %d", l.Latency, m.Version(), s.Version())
	}
	g.SetPort(endA, PortInfo{Up: true, VLANs: NewVLANs(7)})
	if v := g.Snapshot().Version(); v <= s.Version() {
		t.Errorf("version %d, was %d", v, s.Version())
	}
}

func TestSegmentPeers(t *testing.T) {
	s := parseWorld(t, "wire 1:1 2:1 3:1").graph().Snapshot()
	if got := peers(s, endA); !slices.Equal(got, []PortRef{{2, 1}, {3, 1}}) {
		t.Errorf("peers %v", got)
	}
	if got := peers(s, PortRef{3, 2}); got != nil {
		t.Errorf("an edge port has the peers %v", got)
	}
}
