package topology

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

var endA, endB = PortRef{1, 1}, PortRef{2, 1}

// hellos sends from both ends at an interval and lets the named directions arrive at once.
func hellos(g *Graph, from time.Time, seq uint64, n int, interval time.Duration, ab, ba bool) time.Time {
	for i := range n {
		now := from.Add(time.Duration(i) * interval)
		g.Sent(endA, seq+uint64(i), now)
		g.Sent(endB, seq+uint64(i), now)
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
			if down := g.Expire(last, nil); (len(down) == 1) != test.down {
				t.Fatalf("down: %v", down)
			}
			if down := g.Expire(last, nil); len(down) != 0 {
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

// A controller that stood still finds all hellos waiting when it wakes, in order, and loses nothing by looking early.
func TestExpireAfterStall(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	hellos(g, t0, 10, 3, 600*time.Millisecond, false, false)
	woken := t0.Add(time.Minute)
	if down := g.Expire(woken, nil); len(down) != 0 {
		t.Fatalf("down while standing still: %v", down)
	}
	g.LinkSeen(endA, endB, Wire, 10, woken)
	g.LinkSeen(endB, endA, Wire, 10, woken)
	last := hellos(g, woken, 13, 2, time.Second, false, false)
	if down := g.Expire(last, nil); len(down) != 0 {
		t.Fatalf("down by hellos whose predecessors just came: %v", down)
	}
	if down := g.Expire(woken.Add(LostAfter), nil); len(down) != 1 {
		t.Fatalf("down: %v, want the link: four hellos wait since it woke", down)
	}
}

// What a silent switch does not report is not lost; when it speaks again, the wait begins anew.
func TestExpireSilent(t *testing.T) {
	for _, silent := range []openflow.DatapathID{1, 2} {
		g := parseWorld(t, "wire 1:1 2:1").graph()
		last := hellos(g, t0, 10, 10, time.Second, false, false)
		if down := g.Expire(last, func(id openflow.DatapathID) bool { return id == silent }); len(down) != 0 {
			t.Fatalf("down while %v is silent: %v", silent, down)
		}
		none := func(openflow.DatapathID) bool { return false }
		if down := g.Expire(last, none); len(down) != 0 {
			t.Fatalf("down by hellos of before: %v", down)
		}
		last = hellos(g, last, 20, 4, time.Second, false, false)
		if down := g.Expire(last, none); len(down) != 1 {
			t.Fatalf("down: %v, want the link: both ends speak, and nothing arrives", down)
		}
	}
}

// A port whose link of before is missing shows in snapshots until it is found, goes or is given up.
func TestRelinking(t *testing.T) {
	held := PortInfo{Up: true, Held: true, VLANs: AllVLANs()}
	for what, end := range map[string]func(*Graph){
		"found":   func(g *Graph) { g.SetPort(PortRef{1, 7}, PortInfo{Up: true, VLANs: AllVLANs()}) },
		"removed": func(g *Graph) { g.RemovePort(PortRef{1, 7}) },
		"switch":  func(g *Graph) { g.RemoveSwitch(1) },
	} {
		g := parseWorld(t, "wire 1:1 2:1").graph()
		if g.Snapshot().Relinking() {
			t.Fatal("relinking without a restart")
		}
		g.SetPort(PortRef{1, 7}, held)
		if !g.Snapshot().Relinking() {
			t.Fatal("a held port does not show")
		}
		end(g)
		if g.Snapshot().Relinking() {
			t.Errorf("%s: still relinking", what)
		}
	}
}

func TestDisconnected(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	hellos(g, t0, 10, 3, time.Second, false, false)
	g.SetSwitch(2, false)
	last := hellos(g, t0.Add(3*time.Second), 13, 10, time.Second, false, false)
	if down := g.Expire(last, nil); len(down) != 0 {
		t.Fatalf("a link of a disconnected switch expired: %v", down)
	}
	if l := g.Snapshot().Links()[0]; l.State != Unverified || !l.Forwarding {
		t.Errorf("link %+v", l)
	}
	g.SetSwitch(2, true)
	if down := g.Expire(last, nil); len(down) != 0 {
		t.Fatalf("down by hellos of before: %v", down)
	}
	if l := g.Snapshot().Links()[0]; l.State != Up {
		t.Errorf("link %+v", l)
	}
}

func TestLinkLife(t *testing.T) {
	g := NewGraph()
	all := PortInfo{Up: true, VLANs: AllVLANs()}
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
		{"port down", func() { g.SetPort(endB, PortInfo{VLANs: AllVLANs()}) }, "down"},
		{"port up", func() { g.SetPort(endB, all) }, "down"},
		{"heard again", func() { g.LinkSeen(endB, endA, Wire, 2, t0) }, "up"},
		{"a port that hears itself", func() { g.LinkSeen(endA, endA, Wire, 3, t0) }, "up"},
		{"links of port down", func() { g.LinksOfPortDown(endA) }, "down"},
		{"port removed", func() { g.RemovePort(endA) }, "none"},
	} {
		step.do()
		if got := state(); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

// A cable that was moved leaves no trace once its new place is known.
func TestCableMoved(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1; wire 3:1 4:1").graph()
	g.LinkDown(endA, endB)
	if n := len(g.Snapshot().Links()); n != 2 {
		t.Fatalf("%d links, want the one that is down too", n)
	}
	c := PortRef{3, 2}
	g.SetPort(c, PortInfo{Up: true, VLANs: AllVLANs()})
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
	g.SetPort(endA, PortInfo{Up: true, VLANs: NewVLANs(AllVLANs().IDs()...)})
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
	if got := s.Peers(endA); !slices.Equal(got, []PortRef{{2, 1}, {3, 1}}) {
		t.Errorf("peers %v", got)
	}
	if peer, ok := s.Peer(PortRef{3, 1}); !ok || peer != endA {
		t.Errorf("peer %v, %v", peer, ok)
	}
	if _, ok := s.Peer(PortRef{3, 2}); ok {
		t.Error("an edge port has a peer")
	}
}
