package topology

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// replicas is what each switch knows, from updates and its own sightings.
type replicas struct {
	t     *testing.T
	g     *Graph
	h     *Hosts
	known map[openflow.DatapathID]map[byte]PortRef
	seen  map[openflow.DatapathID]map[byte]time.Time // by itself
}

func newReplicas(t *testing.T, g *Graph) *replicas {
	a := &replicas{t: t, g: g, h: NewHosts(0), known: map[openflow.DatapathID]map[byte]PortRef{}}
	a.seen = map[openflow.DatapathID]map[byte]time.Time{}
	a.apply()
	return a
}

func (a *replicas) set(dpid openflow.DatapathID, host byte, location PortRef) {
	if a.known[dpid] == nil {
		a.known[dpid] = map[byte]PortRef{}
	}
	a.known[dpid][host] = location
}

func (a *replicas) update(updates []Update) {
	for _, u := range updates {
		a.set(u.Switch, u.MAC[5], PortRef{u.At, u.Port})
	}
}

// apply takes a new snapshot; switches that are standalone no longer announce their hosts, and drop those at transit
// ports.
func (a *replicas) apply() {
	type own struct {
		ref  PortRef
		host byte
	}
	var owns []own
	next := a.g.Snapshot()
	for dpid, hosts := range a.known {
		for host, location := range hosts {
			switch {
			case location.Switch != dpid || !a.h.net.Standalone(dpid):
			case next.Transit(location):
				a.set(dpid, host, PortRef{})
			case !next.Standalone(dpid):
				owns = append(owns, own{location, host})
			}
		}
	}
	a.update(a.h.Apply(next, nil))
	for _, o := range owns {
		a.observe(o.ref, o.host, a.seen[o.ref.Switch][o.host])
	}
}

func (a *replicas) observe(ref PortRef, host byte, at time.Time) {
	if !a.h.net.Transit(ref) {
		a.set(ref.Switch, host, ref)
		if a.seen[ref.Switch] == nil {
			a.seen[ref.Switch] = map[byte]time.Time{}
		}
		a.seen[ref.Switch][host] = at
	}
	updates, _ := a.h.Observe(Sighting{ref.Switch, ref.Port, 10, packet.MAC{5: host}, at}, nil)
	a.update(updates)
}

func (a *replicas) forget(ref PortRef, host byte) {
	if a.known[ref.Switch][host] == ref {
		a.set(ref.Switch, host, PortRef{})
	}
	a.update(a.h.Forget(ref.Switch, ref.Port, 10, packet.MAC{5: host}, nil))
}

// verify demands that what each switch of a component knows is true.
func (a *replicas) verify(hosts byte) {
	a.t.Helper()
	for _, dpid := range a.h.net.Switches() {
		for host := range hosts {
			location, _ := a.h.locate(dpid, 10, packet.MAC{5: host})
			known := a.known[dpid][host]
			if a.h.net.Standalone(dpid) {
				if known.Switch != 0 && known.Switch != dpid {
					a.t.Errorf("standalone switch %d knows host %d is at %v", dpid, host, known)
				}
				continue
			}
			if known.Switch != location.Switch || location.Switch == dpid && known != location {
				a.t.Errorf("switch %d knows host %d at %v; it is at %v", dpid, host, known, location)
			}
		}
	}
}

// The same facts in any order: the same locations, known to every switch.
func TestRandomHostsOrder(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			base := parseWorld(t, "wire 1:1 2:1; wire 3:1 4:1; wire 4:2 5:1; wire 6:1 7:1")
			type fact func(a *replicas)
			var facts []fact
			for range 25 {
				ref := PortRef{openflow.DatapathID(1 + r.IntN(7)), openflow.PortNo(3 + r.IntN(3))}
				host, at := byte(r.IntN(3)), t0.Add(time.Duration(r.IntN(4))*time.Second)
				facts = append(facts, func(a *replicas) { a.observe(ref, host, at) })
			}
			for range r.IntN(3) {
				x, y := PortRef{openflow.DatapathID(1 + r.IntN(7)), 3}, PortRef{openflow.DatapathID(1 + r.IntN(7)), 4}
				facts = append(facts, func(a *replicas) {
					a.g.SetPort(x, PortInfo{Up: true, VLANs: allVLANs()})
					a.g.SetPort(y, PortInfo{Up: true, VLANs: allVLANs()})
					a.g.LinkSeen(x, y, Wire, 1, t0)
					a.apply()
				})
			}
			want := ""
			for range 6 {
				a := newReplicas(t, base.graph())
				for _, fact := range facts {
					fact(a)
				}
				a.verify(3)
				got := ""
				for _, dpid := range a.h.net.Switches() {
					for host := range byte(3) {
						location, ok := a.h.locate(dpid, 10, packet.MAC{5: host})
						got += fmt.Sprintln(dpid, host, location, ok)
					}
				}
				if want == "" {
					want = got
				}
				if got != want {
					t.Fatalf("one order gives\n%s\nanother\n%s", want, got)
				}
				r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			}
		})
	}
}

// Links come and go, hosts come, move and go: what every switch knows stays true.
func TestRandomHostsWalk(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			w := randomWorld(r, shape{segments: true, meshes: 1})
			a := newReplicas(t, w.graph())
			dpids := w.switches()
			port := func() PortRef {
				return PortRef{dpids[r.IntN(len(dpids))], openflow.PortNo(1 + r.IntN(8))}
			}
			for step := range 200 {
				switch kind := r.IntN(10); {
				case kind < 5:
					at := t0.Add(time.Duration(step+r.IntN(5)) * time.Second)
					a.observe(port(), byte(r.IntN(4)), at)
				case kind < 7:
					a.forget(port(), byte(r.IntN(4)))
				case kind < 8 && len(w.media) > 0:
					ports := w.media[r.IntN(len(w.media))].ports
					linkDown(a.g, ports[0], ports[1])
				case kind < 9 && len(w.media) > 0:
					m := w.media[r.IntN(len(w.media))]
					a.g.LinkSeen(m.ports[0], m.ports[1], m.kind, uint64(step), t0)
				case r.IntN(4) == 0:
					dpid := dpids[r.IntN(len(dpids))]
					a.g.RemoveSwitch(dpid)
					a.apply()
					delete(a.known, dpid)
					a.g.SetSwitch(dpid, true)
					for _, p := range w.mediaPorts(dpid) {
						a.g.SetPort(p, w.ports[p])
					}
				}
				if r.IntN(2) == 0 {
					a.apply()
					a.verify(4)
				}
			}
		})
	}
}
