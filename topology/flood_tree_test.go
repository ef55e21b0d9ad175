package topology

import (
	"slices"
	"strings"
	"testing"
)

func TestFloodTree(t *testing.T) {
	tests := []struct {
		name, world, want string
	}{
		{"line", "wire 1:1 2:1; wire 2:2 3:1", "1:1-2:1 2:2-3:1"},
		{"triangle", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 1:2", "1:1-2:1 1:2-3:2"},
		{
			"ring of five", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 4:1; wire 4:2 5:1; wire 5:2 1:2",
			"1:1-2:1 1:2-5:2 2:2-3:1 4:2-5:1",
		},
		{"parallel wires", "wire 1:1 2:2; wire 1:2 2:1; wire 1:3 2:3", "1:1-2:2"},
		{"parallel wire and tunnel", "gre 1:1 2:1; wire 1:2 2:2", "1:2-2:2"},
		{"cable within a switch", "wire 1:1 1:2; wire 1:3 2:1", "1:3-2:1"},
		{"mesh of three", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2", "1:1-2:1 1:2-3:1 2:2-3:2"},
		{
			"mesh of four", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 1:3 4:1; mesh 2:2 3:2; mesh 2:3 4:2; mesh 3:3 4:3",
			"1:1-2:1 1:2-3:1 1:3-4:1 2:2-3:2 2:3-4:2 3:3-4:3",
		},
		{"mesh and wire between two", "mesh 1:1 2:1; wire 1:2 2:2", "1:2-2:2"},
		{
			"mesh of three and a wire", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2; wire 2:9 3:9",
			"1:1-2:1 1:2-3:1 2:2-3:2",
		},
		{
			"mesh of three and a wire to the root", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2; wire 1:9 3:9",
			"1:1-2:1 1:9-3:9",
		},
		{
			"two tunnels between two in a mesh", "mesh 1:1 2:1; mesh 1:2 2:2; mesh 1:3 3:1; mesh 2:3 3:2",
			"1:1-2:1 1:3-3:1 2:3-3:2",
		},
		{"hub of trunk tunnels", "gre 3:1 1:1; gre 3:2 2:1; gre 3:3 4:1", "1:1-3:1 2:1-3:2 3:3-4:1"},
		{
			"mesh with one tunnel missing and a way round", "mesh 1:1 2:1; mesh 1:2 3:1; wire 2:9 4:1; wire 4:2 3:9",
			"1:1-2:1 2:9-4:1 3:9-4:2",
		},
		{
			"disconnected in a ring", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 4:1; wire 4:2 1:2; off 2",
			"1:1-2:1 1:2-4:2 3:2-4:1",
		},
		{"disconnected root", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 1:2; off 1", "1:1-2:1 2:2-3:1"},
		{"disconnected between", "wire 1:1 2:1; wire 2:2 3:1; off 2", "1:1-2:1 2:2-3:1"},
		{"disconnected in a mesh", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2; off 3", "1:1-2:1 1:2-3:1 2:2-3:2"},
		{
			"disconnected by wire and mesh", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2; wire 1:9 3:9; off 3",
			"1:1-2:1 1:9-3:9",
		},
		// Leaves 1 and 2, spines 3 and 4; what 1 and 3 do with the wire between them nobody knows.
		{
			"disconnected component of a leaf and a spine",
			"wire 1:1 3:1; wire 1:2 4:1; wire 2:1 3:2; wire 2:2 4:2; off 1; off 3", "1:1-3:1 2:1-3:2 2:2-4:2",
		},
		{"all disconnected", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 1:2; off 1; off 2; off 3", "1:1-2:1 1:2-3:2"},
		{"segment", "wire 1:1 2:1 3:1", "1:1-2:1 1:1-3:1 2:1-3:1"},
		{"segment and a wire beside it", "wire 1:1 2:1 3:1; wire 2:2 3:2", "1:1-2:1 1:1-3:1 2:1-3:1"},
		{"two ports in one segment", "wire 1:1 1:2 2:1 3:1", "1:1-2:1 1:1-3:1 2:1-3:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := parseWorld(t, test.world)
			s := w.graph().Snapshot()
			if got := strings.Join(forwarding(s), " "); got != test.want {
				t.Errorf("forwarding links\n got %s\nwant %s", got, test.want)
			}
			w.checkFloods(t, s, 10)
		})
	}
}

func TestFloodPerVLAN(t *testing.T) {
	w := parseWorld(t, `
		wire 1:1 2:1 vlans=10
		wire 1:2 2:2 vlans=10,11
		wire 2:3 3:1 vlans=11
		wire 3:2 1:3 vlans=10,11`)
	s := w.graph().Snapshot()
	for _, vlan := range []uint16{10, 11} {
		w.checkFloods(t, s, vlan)
	}
	for _, test := range []struct {
		vlan    uint16
		port    PortRef
		blocked bool
	}{
		{10, PortRef{1, 1}, false},
		{10, PortRef{1, 2}, true},
		{10, PortRef{2, 3}, true}, // does not carry it
		{11, PortRef{1, 1}, true}, // does not carry it
		{11, PortRef{1, 2}, false},
		{11, PortRef{2, 3}, true},
		{12, PortRef{1, 3}, true},
		{12, PortRef{1, 7}, false}, // edge
		{10, PortRef{8, 1}, false}, // edge, for all that is known
	} {
		if got := s.Blocked(test.vlan, test.port); got != test.blocked {
			t.Errorf("VLAN %d at %v: %v, want %v", test.vlan, test.port, got, test.blocked)
		}
	}
	if got := len(s.views); got != 3 {
		t.Errorf("%d views, want 3: for VLAN 10, for 11, for the rest", got)
	}
}

// A mesh that lacks a tunnel loses floods between the two, and nothing else.
func TestFloodIncompleteMesh(t *testing.T) {
	w := parseWorld(t, "mesh 1:1 2:1; mesh 1:2 4:1; mesh 2:2 3:2; mesh 2:3 4:2; mesh 3:3 4:3") // no 1-3
	s := w.graph().Snapshot()
	for _, from := range w.switches() {
		taken := w.flood(t, s, from, 10, false)
		for _, to := range w.switches() {
			want := 1
			if from+to == 4 && from != to {
				want = 0
			}
			if taken[to] != want {
				t.Errorf("flood from %d: %d takes %d copies, want %d", from, to, taken[to], want)
			}
		}
	}
	if port, ok := s.Next(10, 1, 3); !ok || port != 1 {
		t.Errorf("known unicast from 1 to 3 leaves by %v, %v; want port 1, by way of 2", port, ok)
	}
}

// A wire heard at one end only is not used by floods, but its port is transit: no hosts are learned there.
func TestHalfLink(t *testing.T) {
	g := parseWorld(t, "wire 1:1 2:1").graph()
	for i := range uint64(LostHellos) {
		g.Sent(PortRef{1, 1}, 10+i, t0)
		g.Sent(PortRef{2, 1}, 10+i, t0)
	}
	g.LinkSeen(PortRef{2, 1}, PortRef{1, 1}, Wire, 13, t0)
	if down := g.Expire(t0.Add(LostAfter)); !slices.Equal(down, []LinkRef{{PortRef{1, 1}, PortRef{2, 1}}}) {
		t.Fatalf("down: %v", down)
	}
	s := g.Snapshot()
	if l := s.Links()[0]; l.State != Down || l.Forwarding {
		t.Errorf("link %+v", l)
	}
	for _, p := range []PortRef{{1, 1}, {2, 1}} {
		if !s.Transit(p) || !s.Blocked(10, p) {
			t.Errorf("%v: transit %v, %v", p, s.Transit(p), s.Blocked(10, p))
		}
	}
	if !s.Standalone(1) {
		t.Error("1 is joined by half a link")
	}
}
