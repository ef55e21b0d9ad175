package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// TestHealRestart: pings every 10 ms over VXLAN lose nothing while the controller is killed and started, then stopped
// and started again. The hosts are known again from the flows as soon as the switches are back, and flows, groups and
// meters are what they were: not one of them was touched.
func TestHealRestart(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	old := map[*lab.Bridge]snapshot{p.a: snap(p.a), p.b: snap(p.b)}
	ping := p.known[0].StartPing(p.known[2].IP(), lab.Count(endless), lab.Interval(10*time.Millisecond))

	back := func(what string) {
		t.Helper()
		p.ctl.Start()
		since := time.Now()
		for _, br := range []*lab.Bridge{p.a, p.b} {
			p.waitConnected(br)
		}
		p.eventually(truthWithin, what+": hosts known from the flows", func() bool {
			return len(get[api.Host](p.site, "hosts")) == len(p.known) && p.locationsRight()
		})
		t.Logf("%s: hosts known %.1f s after the start", what, time.Since(since).Seconds())
	}
	p.ctl.Kill()
	back("killed")
	for _, br := range []*lab.Bridge{p.a, p.b} {
		audits := p.series(br, "eosin_flow_audits_total")
		p.eventually(patience, "the flows taken over and compared", func() bool { return p.metric(audits) >= 1 })
	}
	if !p.ctl.Stop(5 * time.Second) {
		t.Error("the controller did not end within 5 s")
	}
	back("stopped")
	p.waitLinks(1)
	p.same("two restarts", p.before, p.steady(p.a, p.b))
	p.lossless("two restarts", ping)
	for br, snapshot := range old {
		if list := snapshot.touched(br); len(list) > 0 {
			t.Errorf("the restarts touched flows of %s:\n%s", br, strings.Join(list, "\n"))
		}
	}
	p.healed("two restarts", time.Now(), true)
}

// TestHealMovedMeanwhile: guests move while the controller is away, to another port of the same bridge and to another
// bridge; some leave a port behind that goes on being up, as a live migration does. When the controller is back, one
// frame of each suffices: its place is right, and everybody reaches it.
func TestHealMovedMeanwhile(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 2)
	a, b := br[0], br[1]
	vm1, vm2, vm3 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3")
	vm4, vm5 := s.vm(b, "vm4"), s.vm(a, "vm5")
	s.reachAll(vm1, vm2, vm3, vm4, vm5)
	// Where vm4 and vm5 will be: to another bridge, to another port of the same one.
	vm6 := a.AddVM("vm6", lab.VMOptions{MAC: vm4.MAC, Addrs: []string{vm4.IP() + "/24"}})
	vm7 := a.AddVM("vm7", lab.VMOptions{MAC: vm5.MAC, Addrs: []string{vm5.IP() + "/24"}})
	s.steady(a, b)
	for _, vm := range []*lab.VM{vm4, vm5} {
		if s.location(vm) != s.at(vm) {
			t.Fatalf("%s is at %s before it moves, want %s", vm.Name, s.location(vm), s.at(vm))
		}
	}

	s.ctl.Kill()
	vm1.Move(a, "vif8")
	vm2.Move(b, "vif9")
	for _, vm := range []*lab.VM{vm4, vm5} { // gone, but for the links
		vm.Run("ip", "address", "flush", "dev", "eth0")
	}
	s.ctl.Start()
	for _, bridge := range br {
		s.waitConnected(bridge)
	}
	back := time.Now()
	for _, vm := range []*lab.VM{vm6, vm7} { // their ports were there before
		vm.Announce()
		s.eventually(truthWithin, vm.Name+" known at "+s.at(vm), func() bool { return s.location(vm) == s.at(vm) })
		s.reach(vm3, vm) // the API knows a moment before the switch has taken the rule
		s.pings(vm, vm3)
	}
	t.Logf("what moved to ports that were there reached %.1f s after the switches are back", time.Since(back).Seconds())
	s.eventually(patience, "the new ports are open", func() bool { return s.complete(a) && s.complete(b) })
	t.Logf("tables complete %.1f s after the switches are back", time.Since(back).Seconds())
	for _, vm := range []*lab.VM{vm1, vm2} {
		vm.Announce()
		s.eventually(truthWithin, vm.Name+" known at "+s.at(vm), func() bool { return s.location(vm) == s.at(vm) })
	}
	s.reach(vm3, vm1, vm2, vm6, vm7)
	for _, vm := range []*lab.VM{vm2, vm6, vm7} {
		s.pings(vm1, vm)
	}
}

// TestHealRestartRing: in a ring of three, one switch comes back to a restarted controller later than the others.
// Nothing circles and nothing is lost meanwhile, though the links to it cannot be found again yet, and no flow is
// touched.
func TestHealRestartRing(t *testing.T) {
	t.Parallel()
	s := newSite(t, "networks: {flat: {vlan: 1}}\ndefaults: {network: flat}\n")
	a, b, c := s.bridge("host1"), s.bridge("host2"), s.bridge("host3")
	s.Wire(a, "w12", b, "w12")
	s.Wire(b, "w23", c, "w23")
	s.Wire(c, "w13", a, "w13")
	bridges := []*lab.Bridge{a, b, c}
	vms := []*lab.VM{s.vm(a, "vm1"), s.vm(b, "vm2"), s.vm(c, "vm3")}
	s.waitLinks(3)
	s.steady(bridges...)
	s.reachAll(vms...)
	before := s.steady(bridges...)
	old := map[*lab.Bridge]snapshot{}
	for _, br := range bridges {
		old[br] = snap(br)
	}

	// The late one is the one that the blocked link does not concern: both ends of that come back, and its reason does
	// not.
	late := bridges
	for _, l := range get[api.Link](s, "links") {
		if !l.Forwarding {
			late = slices.DeleteFunc(slices.Clone(bridges), func(br *lab.Bridge) bool {
				name := s.switchName(br)
				return name == l.A.Switch || name == l.B.Switch
			})
		}
	}
	if len(late) != 1 {
		t.Fatalf("%d switches are not at a blocked link", len(late))
	}
	var pings []*lab.RunningPing
	for i, vm := range vms {
		pings = append(pings, vm.StartPing(vms[(i+1)%3].IP(), lab.Count(endless), lab.Interval(20*time.Millisecond)))
	}
	s.ctl.Kill()
	late[0].Host.SetManagement(false)
	s.ctl.Start()
	for _, br := range bridges {
		if br != late[0] {
			s.waitConnected(br)
		}
	}
	s.observe(3*time.Second, "no flow is touched while one switch is missing", func() bool {
		for br, snapshot := range old {
			if len(snapshot.touched(br)) > 0 {
				return false
			}
		}
		return true
	})
	s.exactlyOnce(vms[0], vms, bridges, 100) // the pings go on: a storm is thousands of frames for each broadcast
	late[0].Host.SetManagement(true)
	s.waitConnected(late[0])
	s.waitLinks(3)
	for i, ping := range pings {
		if r := ping.Stop(); !r.AllReceived() {
			t.Errorf("ping %d: %v; not answered: %v", i+1, r, unanswered(r))
		} else {
			t.Logf("ping %d: %v", i+1, r)
		}
	}
	s.same("a late switch", before, s.steady(bridges...))
	// If its links are found one after the other, unicast goes by way of the first one for a moment.
	rerouted := fmt.Sprintf("table=%d,", pipeline.Number("forward"))
	for br, snapshot := range old {
		list := slices.DeleteFunc(snapshot.touched(br), func(f string) bool { return strings.Contains(f, rerouted) })
		if len(list) > 0 {
			t.Errorf("the restart touched flows of %s:\n%s", br, strings.Join(list, "\n"))
		}
	}
}
