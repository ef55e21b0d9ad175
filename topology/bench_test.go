package topology

import (
	"fmt"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// benchWorld makes n switches in a named shape.
func benchWorld(shape string, n int) *world {
	w := newWorld()
	join := func(a, b, pa, pb int) {
		w.join(Wire, false, allVLANs(), PortRef{openflow.DatapathID(a), openflow.PortNo(pa)},
			PortRef{openflow.DatapathID(b), openflow.PortNo(pb)})
	}
	for i := 1; i <= n; i++ {
		w.off[openflow.DatapathID(i)] = false
		switch {
		case shape == "star" && i > 1:
			join(1, i, i, 1)
		case shape == "line" && i > 1, shape == "ring" && i > 1:
			join(i-1, i, 2, 1)
		}
	}
	switch shape {
	case "ring":
		join(n, 1, 2, 1)
	case "mesh":
		for i := 1; i <= n; i++ {
			for j := 1; j < i; j++ {
				w.join(Tunnel, true, allVLANs(), PortRef{openflow.DatapathID(j), openflow.PortNo(i)},
					PortRef{openflow.DatapathID(i), openflow.PortNo(j)})
			}
		}
	}
	return w
}

// BenchmarkObserve is a new host in a component of 100 switches: all get an update and look up the next hop.
func BenchmarkObserve(b *testing.B) {
	for _, shape := range []string{"star", "line", "ring", "mesh"} {
		b.Run(shape+"/100", func(b *testing.B) {
			s := benchWorld(shape, 100).graph().Snapshot()
			h := NewHosts(5)
			h.Apply(s, nil)
			var out []Update
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				mac := packet.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
				i++
				out, _ = h.Observe(Sighting{50, 1000, 10, mac, t0}, out[:0])
				for _, u := range out {
					if _, ok := s.Next(u.VLAN, u.Switch, u.At); !ok {
						b.Fatal("no path")
					}
				}
			}
		})
	}
}

// BenchmarkObserveKnown is a frame of a host that is where it was.
func BenchmarkObserveKnown(b *testing.B) {
	h := NewHosts(5)
	h.Apply(benchWorld("star", 100).graph().Snapshot(), nil)
	s := Sighting{50, 1000, 10, packet.MAC{2}, t0}
	b.ReportAllocs()
	for b.Loop() {
		s.At = s.At.Add(time.Second)
		h.Observe(s, nil)
	}
}

// BenchmarkSnapshot is a snapshot with its flood tree.
func BenchmarkSnapshot(b *testing.B) {
	for _, test := range []struct {
		shape string
		n     int
	}{
		{"isolated", 1000},
		{"star", 100},
		{"line", 100},
		{"ring", 100},
		{"mesh", 100},
		{"star", 1000},
		{"line", 1000},
		{"ring", 1000},
	} {
		b.Run(fmt.Sprint(test.shape, "/", test.n), func(b *testing.B) {
			g := benchWorld(test.shape, test.n).graph()
			connected := true
			b.ReportAllocs()
			for b.Loop() {
				connected = !connected
				g.SetSwitch(1, connected)
				s := g.Snapshot()
				s.view(int(s.classes.of[10]))
			}
		})
	}
}

// BenchmarkApply is a cut and its healing in a ring of 100 switches with 10,000 hosts.
func BenchmarkApply(b *testing.B) {
	g := benchWorld("ring", 100).graph()
	h := NewHosts(5)
	h.Apply(g.Snapshot(), nil)
	for i := range 10000 {
		h.Observe(Sighting{openflow.DatapathID(1 + i%100), 1000, 10, packet.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, t0},
			nil)
	}
	a, z := PortRef{1, 2}, PortRef{2, 1}
	var out []Update
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		if i%2 == 1 {
			linkDown(g, a, z)
		} else {
			g.LinkSeen(a, z, Wire, i, t0)
		}
		out = h.Apply(g.Snapshot(), out[:0])
	}
	if len(out) != 0 {
		b.Fatalf("%d updates, but no component changed", len(out))
	}
}
