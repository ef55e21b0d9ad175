package e2e

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// underlay selects frames between tunnel endpoints and nothing else.
const underlay = "net 172.30.0.0/24 and not arp"

// encapsulated checks that the underlay shows a payload, from one host to another, in lines that have some texts.
func (s *site) encapsulated(seen *lab.Capture, texts ...string) {
	s.t.Helper()
	lines := seen.Lines()
	for _, line := range lines {
		found := true
		for _, text := range texts {
			found = found && strings.Contains(line, text)
		}
		if found {
			return
		}
	}
	s.t.Errorf("the underlay shows no frame with %q:\n%s", texts, strings.Join(lines, "\n"))
}

// crossHost joins two hosts by a tunnel that carries networks by their VNI, and looks at the underlay.
func crossHost(t *testing.T, kind, shows string) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "tun0: {tunnel: true}"),
		bridgeConf(2, "vif2: {access: blue}", "tun0: {tunnel: true}"),
	))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "tun0", lab.TunnelOptions{Type: kind, Key: "flow"})
	vm1, vm2 := s.vm(a, "vm1"), s.vm(b, "vm2")
	s.reachAll(vm1, vm2)
	s.waitLinks(1)

	seen := s.Fabric().Capture("underlay", underlay)
	s.pings(vm1, vm2, lab.Size(1472)) // guests keep their 1500 bytes
	seen.Stop()
	s.encapsulated(seen, "172.30.0.1", "172.30.0.2", "10.0.3.1 > 10.0.3.2: ICMP echo request", shows)
	s.encapsulated(seen, "172.30.0.1", "172.30.0.2", "10.0.3.2 > 10.0.3.1: ICMP echo reply", shows)
}

// TestCrossHostGRE: guests on two hosts reach each other through GRE.
func TestCrossHostGRE(t *testing.T) { crossHost(t, "gre", "GREv0, Flags [key present], key=0x1392") }

// TestCrossHostVXLAN: guests on two hosts reach each other through VXLAN, and the underlay shows the network's VNI.
func TestCrossHostVXLAN(t *testing.T) { crossHost(t, "vxlan", "vni 5010") }

// TestCrossHostGeneve: guests on two hosts reach each other through Geneve, and the underlay shows the network's VNI.
func TestCrossHostGeneve(t *testing.T) { crossHost(t, "geneve", "vni 0x1392") }

// TestCrossHostVLAN: VLANs 10 and 11 on both hosts over one tunnel: the same VLAN reaches, the other does not.
func TestCrossHostVLAN(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {access: red}", "vx0: {tunnel: true}"),
		bridgeConf(2, "vif3: {access: blue}", "vif4: {access: red}", "vx0: {tunnel: true}"),
	))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(b, "vm4")
	s.reachAll(vm1, vm3)
	s.reachAll(vm2, vm4)
	s.isolated(vm1, vm2, vm4)
	s.isolated(vm4, vm1, vm3)

	seen := s.Fabric().Capture("underlay", underlay)
	s.pings(vm1, vm3)
	s.pings(vm2, vm4)
	seen.Stop()
	s.encapsulated(seen, "10.0.3.1 > 10.0.3.3", "vni 5010")
	s.encapsulated(seen, "10.0.3.2 > 10.0.3.4", "vni 5011")

	red := vm4.Capture("")
	inBlue, inRed := unique("blue"), unique("red")
	vm1.SendRaw(frame(everybody, vm1.MAC, words(testType), inBlue))
	vm2.SendRaw(frame(everybody, vm2.MAC, words(testType), inRed))
	s.waitFor(red, inRed)
	if n := len(holding(red.Stop(), inBlue)); n > 0 {
		t.Errorf("%d broadcasts of VLAN 10 were seen in VLAN 11 of the other host", n)
	}
}

// TestGatewayHub: three hosts, the third a hub with keyless GRE tunnels to both and a router: guests of both hosts
// reach each other through the hub and an address outside through the router, and nothing is sent back into the tunnel
// it came from.
func TestGatewayHub(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif3: {access: red}", "gre0: {trunk: [blue, red]}"),
		bridgeConf(2, "vif2: {access: blue}", "vif4: {access: red}", "gre0: {trunk: [blue, red]}"),
		bridgeConf(3, "gre1: {trunk: [blue, red]}", "gre2: {trunk: [blue, red]}", "gw0: {access: blue}"),
	))
	a, b, hub := s.bridge("host1"), s.bridge("host2"), s.bridge("hub")
	for spoke, port := range map[*lab.Bridge]string{a: "gre1", b: "gre2"} {
		spoke.AddTunnel("gre0", lab.TunnelOptions{Type: "gre", To: hub.Host})
		hub.AddTunnel(port, lab.TunnelOptions{Type: "gre", To: spoke.Host})
	}
	guest := func(br *lab.Bridge, name, ip string) *lab.VM {
		return br.AddVM(name, lab.VMOptions{Addrs: []string{ip}, Gateway: "10.0.3.254"})
	}
	vm1, vm2 := guest(a, "vm1", "10.0.3.1/24"), guest(b, "vm2", "10.0.3.2/24")
	vm3, vm4 := s.vm(a, "vm3"), s.vm(b, "vm4")
	router := hub.AddRouter("router", lab.RouterOptions{
		Inside: lab.VMOptions{Port: "gw0", Addrs: []string{"10.0.3.254/24"}}, Outside: "192.0.2.1/24",
		Outer: "192.0.2.2/24",
	})
	s.waitLinks(2)
	s.reachAll(vm1, vm2, router.VM)
	s.reachAll(vm3, vm4)
	s.isolated(vm1, vm3, vm4)

	outside := router.Outer.Capture("icmp")
	for _, vm := range []*lab.VM{vm1, vm2} {
		if !vm.WaitReach("192.0.2.2", patience) {
			t.Errorf("%s does not reach the outer network", vm.Name)
		}
	}
	outside.Stop()
	if text := strings.Join(outside.Lines(), "\n"); !strings.Contains(text, "192.0.2.1 > 192.0.2.2") ||
		strings.Contains(text, "10.0.3.") {
		t.Errorf("the outer network sees:\n%s", text)
	}

	// Broadcasts and unicast, known and unknown, from every corner: each crosses each tunnel once at most, in one
	// direction.
	s.steady(a, b, hub)
	seen := s.Fabric().Capture("underlay", underlay)
	arrived := s.listen(fmt.Sprintf("ether proto %#x", testType), vm1, vm2, router.VM)
	sent := map[string]string{}
	for _, from := range []*lab.VM{vm1, vm2, router.VM} {
		for _, dst := range []string{
			everybody, "33:33:00:00:00:05", "02:00:00:00:99:99", vm1.MAC, vm2.MAC,
			router.MAC,
		} {
			if dst == from.MAC {
				continue
			}
			payload := unique("hub")
			sent[payload] = from.Name + " to " + dst
			from.SendRaw(frame(dst, from.MAC, words(testType), payload))
		}
	}
	for _, from := range []*lab.VM{vm1, vm2, router.VM} {
		last := unique("last")
		from.SendRaw(frame(everybody, from.MAC, words(testType), last))
		for _, e := range arrived {
			s.waitFor(e.Capture, last)
		}
	}
	frames := seen.Stop()
	for payload, what := range sent {
		crossed := map[string]int{}
		for _, f := range holding(frames, payload) {
			from, to := outerAddresses(f)
			crossed[from+" > "+to]++
			if crossed[to+" > "+from] > 0 || crossed[from+" > "+to] > 1 {
				t.Errorf("%s: %v", what, crossed)
			}
		}
		if strings.Contains(what, everybody) && len(crossed) != 2 {
			t.Errorf("%s crossed %v, want both tunnels", what, crossed)
		}
	}
	for _, e := range arrived {
		got := e.Stop()
		for payload, what := range sent {
			if n := len(holding(got, payload)); n > 1 || n == 0 && strings.Contains(what, everybody) {
				t.Errorf("%s arrived %d times at %s", what, n, e.vm.Name)
			}
		}
	}
}

// outerAddresses are the tunnel endpoints of a frame on the underlay.
func outerAddresses(f []byte) (from, to string) {
	const ipv4, source, destination = 14, 14 + 12, 14 + 16
	if len(f) < destination+4 || binary.BigEndian.Uint16(f[12:]) != 0x0800 || f[ipv4]>>4 != 4 {
		return "?", "?"
	}
	text := func(b []byte) string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) }
	return text(f[source:]), text(f[destination:])
}

// TestMultiHostContainers: two hosts with containers on a bridge that is also the hosts' own interface, as Docker's is;
// they are joined by GRE and then, while everything runs, by VXLAN instead.
func TestMultiHostContainers(t *testing.T) {
	t.Parallel()
	s := newSite(t, `
networks: {containers: {vlan: 1, vni: 42}}
defaults: {network: containers}
switches:
`+bridgeConf(1, "gre0: {trunk: all}", "vx0: {tunnel: true}")+bridgeConf(2, "gre0: {trunk: all}", "vx0: {tunnel: true}"))
	var hosts []*lab.Bridge
	var containers []*lab.VM
	for i := 1; i <= 2; i++ {
		h := s.AddHost(fmt.Sprintf("host%d", i))
		br := s.secondBridge(h, "docker0")
		h.AddAddr("docker0", fmt.Sprintf("172.18.0.25%d/24", i))
		h.SetLink("docker0", true)
		for j := 1; j <= 2; j++ {
			containers = append(containers, br.AddVM(fmt.Sprintf("c%d%d", i, j), lab.VMOptions{
				Port: fmt.Sprintf("veth%d", j), Addrs: []string{fmt.Sprintf("172.18.0.%d%d/24", i, j)},
			}))
		}
		hosts = append(hosts, br)
	}
	all := func(shows string) {
		t.Helper()
		s.waitLinks(1)
		s.reachAll(containers...)
		for i, br := range hosts {
			// From the hosts themselves, through the bridges' LOCAL ports.
			for _, to := range containers {
				if !br.Host.WaitReach(to.IP(), patience) {
					t.Errorf("host%d does not reach %s", i+1, to.Name)
				}
			}
		}
		seen := s.Fabric().Capture("underlay", underlay)
		s.pings(containers[0], containers[3])
		seen.Stop()
		s.encapsulated(seen, "172.18.0.11 > 172.18.0.22: ICMP echo request", shows)
	}
	s.Tunnel(hosts[0], hosts[1], "gre0", lab.TunnelOptions{Type: "gre"})
	all("GREv0")
	for _, br := range hosts {
		br.DelPort("gre0")
	}
	s.waitLinks(0)
	s.isolated(containers[0], containers[2])
	s.Tunnel(hosts[0], hosts[1], "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	all("vni 42")
}

// TestUnderlayCut: a tunnel whose underlay is cut is said to be down, and up again when it heals, though its port never
// changes.
func TestUnderlayCut(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1, "vx0: {tunnel: true}"), bridgeConf(2, "vx0: {tunnel: true}")))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	s.waitLinks(1)
	tunnelsUp := func(want bool) func() bool {
		return func() bool {
			tunnels := get[api.Tunnel](s, "tunnels")
			return len(tunnels) == 2 && tunnels[0].Up == want && tunnels[1].Up == want &&
				(tunnels[0].Peer != nil) == want
		}
	}
	s.eventually(patience, "tunnels up", tunnelsUp(true))

	a.Host.SetUnderlay(false)
	began := time.Now()
	s.waitLinks(0)
	s.eventually(patience, "tunnels down", tunnelsUp(false))
	t.Logf("known after %v", time.Since(began).Round(time.Millisecond))

	a.Host.SetUnderlay(true)
	s.waitLinks(1)
	s.eventually(patience, "tunnels up again", tunnelsUp(true))
}
