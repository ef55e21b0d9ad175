package topology

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// shape says what a random world may have.
type shape struct {
	vlans    bool // ports carry different VLANs
	off      bool // some switches are disconnected
	apart    bool // no two disconnected switches are neighbors
	segments bool
	meshes   int  // full meshes without a switch in common
	holes    bool // some tunnels of a mesh are missing
}

func randomWorld(r *rand.Rand, sh shape) *world {
	w := newWorld()
	n := 2 + r.IntN(9)
	ids := r.Perm(20)[:n]
	used := map[openflow.DatapathID]openflow.PortNo{}
	port := func(i int) PortRef {
		dpid := openflow.DatapathID(ids[i] + 1)
		used[dpid]++
		return PortRef{dpid, used[dpid]}
	}
	vlans := func() VLANs {
		if !sh.vlans {
			return allVLANs()
		}
		return [...]VLANs{allVLANs(), NewVLANs(10), NewVLANs(11), NewVLANs(11, 10), NewVLANs(9, 10, 11)}[r.IntN(5)]
	}
	for _, i := range ids {
		w.off[openflow.DatapathID(i+1)] = false
	}
	for range r.IntN(2 * n) {
		w.join(Kind(r.IntN(2)), false, vlans(), port(r.IntN(n)), port(r.IntN(n)))
	}
	if sh.segments {
		for range r.IntN(3) {
			ports := []PortRef{port(r.IntN(n)), port(r.IntN(n)), port(r.IntN(n))}
			for range r.IntN(3) {
				ports = append(ports, port(r.IntN(n)))
			}
			w.join(Wire, false, allVLANs(), ports...)
		}
	}
	free := r.Perm(n)
	for range sh.meshes {
		size := min(2+r.IntN(4), len(free))
		for i, a := range free[:size] {
			for _, b := range free[:i] {
				if !sh.holes || r.IntN(3) > 0 {
					w.join(Tunnel, true, allVLANs(), port(a), port(b))
				}
			}
		}
		free = free[size:]
	}
	if sh.vlans {
		for _, m := range w.media {
			if p := m.ports[0]; !w.ports[p].Mesh && r.IntN(3) == 0 {
				w.ports[p] = PortInfo{Up: true, VLANs: vlans()}
			}
		}
	}
	if sh.off {
		for _, dpid := range w.switches() {
			w.off[dpid] = r.IntN(4) == 0 && !(sh.apart && w.offBeside(dpid))
		}
	}
	return w
}

func (w *world) offBeside(dpid openflow.DatapathID) bool {
	for _, p := range w.mediaPorts(dpid) {
		if slices.ContainsFunc(w.peers(p, 10), func(q PortRef) bool { return w.off[q.Switch] }) {
			return true
		}
	}
	return false
}

// rounds runs a test on many random worlds; a failure names the seed.
func rounds(t *testing.T, sh shape, test func(t *testing.T, r *rand.Rand, w *world)) {
	n := uint64(400)
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 1))
		w := randomWorld(r, sh)
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { test(t, r, w) }) {
			t.Fatalf("world: %+v", w)
		}
	}
}

func TestRandomFloods(t *testing.T) {
	for name, sh := range map[string]shape{
		"wires":         {},
		"meshes":        {meshes: 3},
		"segments":      {segments: true, meshes: 2},
		"VLANs":         {vlans: true, meshes: 1},
		"disconnected":  {off: true, meshes: 2},
		"all of it":     {vlans: true, segments: true, off: true, meshes: 2},
		"disconnected2": {off: true, apart: true, vlans: true},
	} {
		t.Run(name, func(t *testing.T) {
			rounds(t, sh, func(t *testing.T, _ *rand.Rand, w *world) {
				s := w.graph().Snapshot()
				for _, vlan := range []uint16{10, 11} {
					w.checkFloods(t, s, vlan)
				}
			})
		})
	}
}

// Whatever a disconnected switch does with its flood ports, nobody takes a copy twice.
func TestRandomWild(t *testing.T) {
	rounds(t, shape{off: true, apart: true, meshes: 2, vlans: true}, func(t *testing.T, _ *rand.Rand, w *world) {
		s := w.graph().Snapshot()
		for _, from := range w.switches() {
			for to, n := range w.flood(t, s, from, 10, true) {
				if n > 1 {
					t.Errorf("flood from %d: %d takes %d copies", from, to, n)
				}
			}
		}
	})
}

// Meshes with tunnels missing: nothing is delivered twice, and what only a tunnel joins is joined.
func TestRandomHoles(t *testing.T) {
	rounds(t, shape{off: true, meshes: 2, holes: true, vlans: true, segments: true},
		func(t *testing.T, _ *rand.Rand, w *world) {
			s := w.graph().Snapshot()
			union := newDisjointSets(32)
			for _, l := range s.Links() {
				if l.Forwarding {
					union.join(int32(l.A.Switch), int32(l.B.Switch))
				}
			}
			for _, from := range w.switches() {
				for to, n := range w.flood(t, s, from, 10, false) {
					if n > 1 {
						t.Errorf("flood from %d: %d takes %d copies", from, to, n)
					}
				}
				for to := range w.reach(from, 10) {
					if union.find(int32(from)) != union.find(int32(to)) {
						t.Errorf("no forwarding links join %d to %d", from, to)
					}
				}
			}
		})
}

func TestRandomOrder(t *testing.T) {
	rounds(t, shape{vlans: true, segments: true, off: true, meshes: 2, holes: true},
		func(t *testing.T, r *rand.Rand, w *world) {
			want := w.dump(w.graph().Snapshot(), 9, 10, 11)
			for range 3 {
				if got := w.dump(w.shuffled(r).Snapshot(), 9, 10, 11); got != want {
					t.Fatalf("one order gives\n%s\nanother\n%s", want, got)
				}
			}
		})
}

// naiveDistances relaxes all hops until nothing changes: disconnected on the way times 1000, plus hops.
func (w *world) naiveDistances(to openflow.DatapathID, vlan uint16) map[openflow.DatapathID]int {
	dist := map[openflow.DatapathID]int{to: 0}
	for changed := true; changed; {
		changed = false
		for _, m := range w.media {
			for _, p := range m.ports {
				for _, q := range w.peers(p, vlan) {
					d, ok := dist[q.Switch]
					if !ok || q.Switch == p.Switch {
						continue
					}
					d++
					if w.off[q.Switch] && q.Switch != to {
						d += 1000
					}
					if old, known := dist[p.Switch]; !known || d < old {
						dist[p.Switch], changed = d, true
					}
				}
			}
		}
	}
	return dist
}

func TestRandomPaths(t *testing.T) {
	rounds(t, shape{vlans: true, segments: true, off: true, meshes: 2, holes: true},
		func(t *testing.T, r *rand.Rand, w *world) {
			s := w.shuffled(r).Snapshot()
			for _, vlan := range []uint16{10, 11} {
				for _, to := range w.switches() {
					dist := w.naiveDistances(to, vlan)
					for _, from := range w.switches() {
						port, ok := s.Next(vlan, from, to)
						d, reachable := dist[from]
						if ok != (reachable && from != to) {
							t.Fatalf("VLAN %d from %d to %d: %v, %v, naive distance %d, %v", vlan, from, to, port, ok,
								d, reachable)
						}
						if !ok {
							continue
						}
						closer := func(q PortRef) bool {
							step := 1
							if w.off[q.Switch] && q.Switch != to {
								step += 1000
							}
							n, known := dist[q.Switch]
							return known && n+step == d
						}
						if !slices.ContainsFunc(w.peers(PortRef{from, port}, vlan), closer) {
							t.Fatalf("VLAN %d from %d to %d: port %d is not on a shortest way", vlan, from, to, port)
						}
					}
				}
			}
		})
}
