package e2e

import (
	"fmt"
	"testing"

	"github.com/eosin-sdn/eosin/lab"
)

// TestTriangle: three bridges in a ring: every broadcast arrives exactly once everywhere, guests reach each other, the
// cut of any wire heals, and nothing ever circles.
func TestTriangle(t *testing.T) {
	t.Parallel()
	s := newSite(t, "networks: {flat: {vlan: 1}}\ndefaults: {network: flat}\nswitches:\n"+
		bridgeConf(1, "w12: {trunk: all}", "w13: {trunk: all}")+
		bridgeConf(2, "w12: {trunk: all}", "w23: {trunk: all}")+
		bridgeConf(3, "w13: {trunk: all}", "w23: {trunk: all}"))
	a, b, c := s.bridge("host1"), s.bridge("host2"), s.bridge("host3")
	ring := []*lab.Wire{s.Wire(a, "w12", b, "w12"), s.Wire(b, "w23", c, "w23"), s.Wire(c, "w13", a, "w13")}
	s.loop(ring, []*lab.Bridge{a, b, c}, s.vm(a, "vm1"), s.vm(b, "vm2"), s.vm(c, "vm3"))
}

// TestParallelWires: two bridges with two wires: the same, without any config.
func TestParallelWires(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	a, b := s.bridge("host1"), s.bridge("host2")
	wires := []*lab.Wire{s.Wire(a, "w1", b, "w1"), s.Wire(a, "w2", b, "w2")}
	s.loop(wires, []*lab.Bridge{a, b}, s.vm(a, "vm1"), s.vm(b, "vm2"), s.vm(a, "vm3"), s.vm(b, "vm4"))
}

// loop checks bridges that one wire more joins than a tree needs: as they are, with each wire cut in turn, and healed
// again.
func (s *site) loop(wires []*lab.Wire, bridges []*lab.Bridge, vms ...*lab.VM) {
	s.t.Helper()
	hops := len(bridges) - 1
	check := func(when string, senders ...*lab.VM) {
		s.t.Helper()
		s.reach(vms[0], vms[1:]...)
		s.steady(bridges...)
		for _, vm := range senders {
			s.exactlyOnce(vm, vms, bridges, hops+len(vms)-1)
		}
		if s.t.Failed() {
			s.t.Fatalf("%s", when)
		}
	}
	s.waitLinks(len(wires))
	s.reachAll(vms...)
	check("whole", vms...)
	for i, w := range wires {
		w.Cut()
		s.waitLinks(len(wires) - 1)
		check(fmt.Sprintf("wire %d cut", i), vms[i])
		w.Heal()
		s.waitLinks(len(wires))
		check(fmt.Sprintf("wire %d healed", i), vms[(i+1)%len(vms)])
	}
}
