package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// meshPort is the tunnel port of a host towards the host with a number.
func meshPort(to int) string { return fmt.Sprintf("vx%d", to) }

// mesh makes n hosts with a VXLAN tunnel between any two, and ports vif1 to vif9 of each host in blue.
func mesh(t *testing.T, n int) (*site, []*lab.Bridge) {
	t.Helper()
	return meshWith(t, n, "")
}

// meshWith is mesh with more in the config.
func meshWith(t *testing.T, n int, more string) (*site, []*lab.Bridge) {
	t.Helper()
	var switches []string
	for i := 1; i <= n; i++ {
		var ports []string
		for j := 1; j <= 9; j++ {
			ports = append(ports, fmt.Sprintf("vif%d: {access: blue}", j))
		}
		for j := 1; j <= n; j++ {
			if j != i {
				ports = append(ports, meshPort(j)+": {tunnel: true}")
			}
		}
		switches = append(switches, bridgeConf(i, ports...))
	}
	s := newSite(t, conf(switches...)+more)
	var bridges []*lab.Bridge
	for i := 1; i <= n; i++ {
		bridges = append(bridges, s.bridge(fmt.Sprintf("host%d", i)))
	}
	for i, a := range bridges {
		for j, b := range bridges {
			if i != j {
				a.AddTunnel(meshPort(j+1), lab.TunnelOptions{Type: "vxlan", To: b.Host, Key: "flow"})
			}
		}
	}
	s.waitLinks(n * (n - 1) / 2)
	return s, bridges
}

// arrive lets a guest announce itself where it is now, again and again as a migrated guest does since its link may not
// be ready for the first time, until the controller knows it there.
func (s *site) arrive(vm *lab.VM) {
	s.t.Helper()
	s.eventually(truthWithin, vm.Name+" known at "+s.at(vm), func() bool {
		vm.Announce()
		return s.location(vm) == s.at(vm)
	})
}

// follow checks that a guest is known where it is now, and that other bridges send its frames to the right port.
func (s *site) follow(vm *lab.VM, ports map[*lab.Bridge]string) {
	s.t.Helper()
	s.eventually(truthWithin, vm.Name+" known at "+s.at(vm), func() bool { return s.location(vm) == s.at(vm) })
	for br, port := range ports {
		want := br.PortNumber(port)
		s.eventually(truthWithin, fmt.Sprintf("%s sends to %s by port %s", br, vm.Name, port),
			func() bool { return outPort(br, vm) == want })
	}
}

// TestHostMove: a guest moves between ports of one bridge and between hosts. It is reachable at once, and the flows of
// all bridges follow; also when it appears elsewhere while its old port is still up, as in a live migration.
func TestHostMove(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 3)
	a, b, c := br[0], br[1], br[2]
	vm1, vm2, vm3, vm4 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(c, "vm4")
	s.reachAll(vm1, vm2, vm3, vm4)
	s.follow(vm1, map[*lab.Bridge]string{a: "vif1", b: meshPort(1), c: meshPort(1)})
	others := []*lab.VM{vm2, vm3, vm4}
	reachable := func(moved *lab.VM) {
		t.Helper()
		for _, vm := range others {
			if !vm.WaitReach(moved.IP(), truthWithin) {
				t.Errorf("%s does not reach the moved guest", vm.Name)
			}
			s.pings(moved, vm)
		}
	}

	vm1.Move(a, "vif9")
	s.arrive(vm1)
	s.follow(vm1, map[*lab.Bridge]string{a: "vif9", b: meshPort(1), c: meshPort(1)})
	reachable(vm1)

	vm1.Move(c, "vif8")
	s.arrive(vm1)
	s.follow(vm1, map[*lab.Bridge]string{a: meshPort(3), b: meshPort(3), c: "vif8"})
	reachable(vm1)

	migrated := b.AddVM("vm5", lab.VMOptions{MAC: vm1.MAC, Addrs: []string{"10.0.3.1/24"}})
	s.arrive(migrated)
	s.follow(migrated, map[*lab.Bridge]string{a: meshPort(2), b: "vif5", c: meshPort(2)})
	reachable(migrated)
	if moves := s.metric(`eosin_host_moves_total{network="blue"}`); moves < 1 {
		t.Errorf("eosin_host_moves_total is %v after a live migration", moves)
	}
}

// TestPortDownUp: a port that goes down takes its host and its part in floods with it at once; up again, all is as
// before.
func TestPortDownUp(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 2)
	a, b := br[0], br[1]
	vm1, vm2, vm3 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3")
	s.reachAll(vm1, vm2, vm3)
	before := s.steady(a, b)
	for range 2 {
		vm1.SetUp(false)
		s.eventually(truthWithin, "port vif1 down and its host gone", func() bool {
			p, ok := s.port(a, "vif1")
			return ok && !p.Up && s.location(vm1) == ""
		})
		for _, bridge := range br {
			s.eventually(truthWithin, fmt.Sprintf("%s forgets the host of a port that is down", bridge),
				func() bool { return outPort(bridge, vm1) == 0 })
		}
		s.eventually(truthWithin, "no flood to a port that is down", func() bool {
			return !slices.ContainsFunc(a.DumpGroups(),
				func(g string) bool { return strings.Contains(g+",", fmt.Sprintf("output:%d,", vm1.PortNumber())) })
		})
		s.pings(vm2, vm3)
		s.isolated(vm2, vm1)

		vm1.SetUp(true)
		s.eventually(truthWithin, "port vif1 up", func() bool {
			p, ok := s.port(a, "vif1")
			return ok && p.Up
		})
		s.reach(vm1, vm2, vm3)
		s.same("a port that went down and up", before, s.steady(a, b))
	}
}

// TestPortRenumbered: the same name with another number is the same port.
func TestPortRenumbered(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: red}",
		"vif4: {access: red}")))
	br := s.bridge("host1")
	vm1, vm2, vm3, vm4 := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3"), s.vm(br, "vm4")
	s.reach(vm1, vm2)
	s.reach(vm3, vm4)
	renumber := func(port string, number int) {
		t.Helper()
		br.DelPort(port)
		br.AddPort(port, fmt.Sprintf("ofport_request=%d", number))
		s.eventually(truthWithin, fmt.Sprintf("%s known as port %d", port, number), func() bool {
			p, ok := s.port(br, port)
			return ok && p.Number == uint32(number) && p.Up
		})
	}
	first, third := vm1.PortNumber(), vm3.PortNumber()
	renumber("vif1", 77)
	s.reachAll(vm1, vm2)
	s.isolated(vm1, vm3, vm4)
	if p, _ := s.port(br, "vif1"); p.Mode != "access" || !slices.Equal(p.Networks, []string{"blue"}) {
		t.Errorf("vif1 renumbered: %+v", p)
	}
	s.follow(vm1, map[*lab.Bridge]string{br: "vif1"})
	// A red port takes the number that a blue one had.
	renumber("vif3", first)
	s.reachAll(vm3, vm4)
	s.isolated(vm3, vm1, vm2)
	// Both in one transaction, so that the numbers are exchanged.
	br.Host.Vsctl("del-port", "vif1", "--", "del-port", "vif3", "--",
		"add-port", "br0", "vif1", "--", "set", "Interface", "vif1", fmt.Sprintf("ofport_request=%d", first), "--",
		"add-port", "br0", "vif3", "--", "set", "Interface", "vif3", fmt.Sprintf("ofport_request=%d", third))
	s.reachAll(vm1, vm2)
	s.reachAll(vm3, vm4)
	s.isolated(vm1, vm3, vm4)
	s.isolated(vm3, vm1, vm2)
}

// TestUnplug: a port, a tunnel, a bridge and ovs-vswitchd go away one after another: the rest works, and "eosin get" is
// true within 2 s.
func TestUnplug(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 3)
	a, b, c := br[0], br[1], br[2]
	vm1, vm2, vm3, vm4, vm5 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(c, "vm4"), s.vm(a, "vm5")
	all := []*lab.VM{vm1, vm2, vm3, vm4, vm5}
	s.reachAll(all...)
	s.steady(br...)
	s.exactlyOnce(vm1, all, br, 2+len(all)-1) // so a full mesh splits the horizon

	a.DelPort("vif5")
	s.eventually(truthWithin, "the port and its host gone", func() bool {
		_, there := s.port(a, "vif5")
		return !there && s.location(vm5) == ""
	})
	for _, vm := range []*lab.VM{vm2, vm3, vm4} {
		s.pings(vm1, vm)
	}

	a.DelPort(meshPort(2))
	s.eventually(truthWithin, "the tunnel and its link gone", func() bool {
		return s.linksUp() == 2 && !slices.ContainsFunc(get[api.Tunnel](s, "tunnels"),
			func(o api.Tunnel) bool { return o.Name == "sw1:"+meshPort(2) })
	})
	s.pings(vm1, vm2)
	s.reach(vm1, vm4)
	s.reach(vm3, vm4)
	a.AddTunnel(meshPort(2), lab.TunnelOptions{Type: "vxlan", To: b.Host, Key: "flow"})
	s.waitLinks(3)
	s.reachAll(vm1, vm3, vm4)

	c.Delete()
	s.eventually(truthWithin, "the bridge disconnected, its ports and links not up", func() bool {
		ports := get[api.Port](s, "ports")
		return !s.isConnected(c) && s.linksUp() == 1 && !slices.ContainsFunc(ports,
			func(p api.Port) bool { return p.Switch == "sw3" && p.Up })
	})
	s.pings(vm1, vm2)
	s.reachAll(vm1, vm3)

	b.Host.KillVswitchd()
	s.eventually(truthWithin, "the switch of the killed vswitchd disconnected",
		func() bool { return !s.isConnected(b) && s.linksUp() == 0 })
	s.pings(vm1, vm2)
	b.Host.StartVswitchd()
	s.waitConnected(b)
	s.waitLinks(1)
	s.reachAll(vm1, vm2, vm3)
	s.follow(vm3, map[*lab.Bridge]string{a: meshPort(2), b: "vif3"})
}
