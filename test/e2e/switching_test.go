package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/lab"
)

// TestSingleHostFlat: one bridge, three internal ports moved into namespaces, no config file: all reach each other.
func TestSingleHostFlat(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	br := s.bridge("host1")
	var vms []*lab.VM
	for i := 1; i <= 3; i++ {
		vms = append(vms, br.AddVM(fmt.Sprintf("vm%d", i),
			lab.VMOptions{Addrs: []string{fmt.Sprintf("10.0.3.%d/24", i)}, Internal: true}))
	}
	s.reachAll(vms...)
	for _, vm := range vms {
		s.eventually(patience, vm.Name+" known at its port", func() bool { return s.location(vm) == s.at(vm) })
	}
}

// TestSingleHostVLAN: two VLANs on one bridge: inside reaches, across does not, and no broadcast of one is seen in the
// other.
func TestSingleHostVLAN(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: red}",
		"vif4: {access: red}")))
	br := s.bridge("host1")
	vm1, vm2, vm3, vm4 := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3"), s.vm(br, "vm4")
	s.reachAll(vm1, vm2)
	s.reachAll(vm3, vm4)
	s.isolated(vm1, vm3, vm4)
	s.isolated(vm4, vm1, vm2)

	blue, red := vm2.Capture(""), vm4.Capture("")
	inBlue, inRed := unique("blue"), unique("red")
	vm1.SendRaw(frame(everybody, vm1.MAC, words(testType), inBlue))
	vm3.SendRaw(frame(everybody, vm3.MAC, words(testType), inRed))
	s.waitFor(blue, inBlue)
	s.waitFor(red, inRed)
	if n := len(holding(red.Stop(), inBlue)) + len(holding(blue.Stop(), inRed)); n > 0 {
		t.Errorf("%d broadcasts were seen in the other VLAN", n)
	}
}

// TestTwoBridgesTrunk: two bridges joined as trunk, vm1 and vm3 in VLAN 10, vm2 in 11: vm3 reaches vm1, not vm2.
func TestTwoBridgesTrunk(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(s *site, a, b *lab.Bridge){
		"veth":  func(s *site, a, b *lab.Bridge) { s.Wire(a, "up1", b, "up2") },
		"patch": func(s *site, a, b *lab.Bridge) { s.Patch(a, "up1", b, "up2") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, conf(
				bridgeConf(1, "vif1: {access: blue}", "vif2: {access: red}", "up1: {trunk: [blue, red]}"),
				bridgeConf(2, "vif3: {access: blue}", "vif4: {access: red}", "up2: {trunk: all}"),
			))
			a := s.bridge("host1")
			b := s.secondBridge(a.Host, "br1")
			join(s, a, b)
			vm1, vm2, vm3, vm4 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(b, "vm4")
			s.reach(vm3, vm1)
			s.reach(vm4, vm2) // so that the next line proves something
			s.isolated(vm3, vm2)
			s.isolated(vm2, vm3)
			s.waitLinks(1)
		})
	}
}

// TestDHCP: dnsmasq in a namespace behind the bridge gives a guest its lease, on the same bridge and across a tunnel.
func TestDHCP(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bridge", "tunnel"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, conf(
				bridgeConf(1, "vif1: {access: blue}", "dhcp0: {access: blue}", "vx0: {tunnel: true}"),
				bridgeConf(2, "vif1: {access: blue}", "vx0: {tunnel: true}"),
			))
			a := s.bridge("host1")
			at := a
			if name == "tunnel" {
				at = s.bridge("host2")
				s.Tunnel(a, at, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
			}
			server := a.AddVM("dhcp", lab.VMOptions{Addrs: []string{"10.0.3.253/24"}, Port: "dhcp0"})
			server.StartDHCPServer(lab.DHCPServerOptions{Range: "10.0.3.100,10.0.3.109"})
			vm := at.AddVM("vm1", lab.VMOptions{})
			lease, err := vm.DHCP(patience)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(lease.Addr, "10.0.3.10") || lease.Server != server.IP() {
				t.Errorf("lease %+v", lease)
			}
			s.reach(vm, server)
		})
	}
}

// TestReservedMulticast: no frame of the range that bridges keep to themselves is forwarded; everything else is just
// carried: other multicast, unknown ethertypes, IPv6 with neighbour discovery.
func TestReservedMulticast(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	br := s.bridge("host1")
	vm1 := br.AddVM("vm1", lab.VMOptions{Addrs: []string{"10.0.3.1/24", "fd00::1/64"}})
	vm2 := br.AddVM("vm2", lab.VMOptions{Addrs: []string{"10.0.3.2/24", "fd00::2/64"}})
	s.reachAll(vm1, vm2)

	const lldp, slow, spanningTree, eapol = 0x88cc, 0x8809, 0x0026, 0x888e
	dropped, passed := map[string]string{}, map[string]string{}
	var frames [][]byte
	add := func(where map[string]string, dst, src string, ethertype uint16) {
		payload := unique("to")
		where[payload] = fmt.Sprintf("%s to %s type %#x", src, dst, ethertype)
		frames = append(frames, frame(dst, src, words(ethertype), payload))
	}
	for last := range 16 {
		for _, ethertype := range []uint16{testType, lldp, slow, spanningTree, eapol, 0x0800} {
			add(dropped, fmt.Sprintf("01:80:c2:00:00:%02x", last), vm1.MAC, ethertype)
		}
	}
	// As the controller's own discovery frames look, but forged.
	add(dropped, "01:80:c2:00:00:0e", "02:e0:51:11:d0:00", lldp)
	// Sources that no host can have.
	for _, src := range []string{everybody, "01:00:5e:00:00:01", "00:00:00:00:00:00"} {
		add(dropped, everybody, src, testType)
	}
	for _, dst := range []string{
		"01:80:c2:00:00:10", "01:80:c2:00:00:21", "01:00:5e:01:02:03", "33:33:00:01:02:03",
		"01:00:0c:cc:cc:cc", everybody, vm2.MAC,
	} {
		for _, ethertype := range []uint16{testType, lldp, 0x9000, 0x22f0} {
			add(passed, dst, vm1.MAC, ethertype)
		}
	}
	seen := vm2.Capture("")
	for _, f := range frames {
		vm1.SendRaw(f)
	}
	last := unique("last")
	vm1.SendRaw(frame(everybody, vm1.MAC, words(testType), last))
	s.waitFor(seen, last)
	got := seen.Stop()
	for payload, what := range dropped {
		if len(holding(got, payload)) > 0 {
			t.Errorf("forwarded: %s", what)
		}
	}
	for payload, what := range passed {
		if n := len(holding(got, payload)); n != 1 {
			t.Errorf("arrived %d times: %s", n, what)
		}
	}

	for _, vm := range []*lab.VM{vm1, vm2} {
		vm.ForgetNeighbors()
	}
	solicited := vm2.Capture("icmp6 and ip6[40] == 135")
	if r := vm1.Ping("fd00::2"); !r.AllReceived() {
		t.Errorf("IPv6: %v\n%s", r, r.Output)
	}
	if len(solicited.Stop()) == 0 {
		t.Error("vm2 saw no neighbour solicitation: the ping proves nothing")
	}
}

// TestDoubleTags: what tagged, priority-tagged and double-tagged frames become on access ports and trunks.
func TestDoubleTags(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1,
		"vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: red}",
		"vif4: {trunk: [blue, red], native: red}", "vif5: {trunk: [blue]}",
	)))
	br := s.bridge("host1")
	access, blue, red, native, trunk := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3"), s.vm(br, "vm4"),
		s.vm(br, "vm5")
	s.reach(access, blue)
	s.reach(red, native) // untagged on the trunk with a native network

	const (
		prio5 = 5 << 13
		vid10 = 10
		vid11 = 11
		vid12 = 12
		vid99 = 99
	)
	none := words()
	tag := func(w ...uint16) []uint16 { return w }
	cases := []struct {
		what string
		from *lab.VM
		tags []uint16
		at   map[*lab.VM][]uint16 // the tags with which it arrives; nowhere else
	}{
		{"access, untagged", access, none, map[*lab.VM][]uint16{
			blue: none, native: tag(customer, vid10),
			trunk: tag(customer, vid10),
		}},
		{"access, priority tag", access, tag(customer, 0), map[*lab.VM][]uint16{
			blue:   none,
			native: tag(customer, vid10), trunk: tag(customer, vid10),
		}},
		{
			"access, priority tag with priority", access, tag(customer, prio5),
			map[*lab.VM][]uint16{blue: none, native: tag(customer, prio5|vid10), trunk: tag(customer, prio5|vid10)},
		},
		{"access, its own VLAN's tag", access, tag(customer, vid10), nil},
		{"access, another VLAN's tag", access, tag(customer, vid11), nil},
		{"access, tag hidden behind a priority tag", access, tag(customer, 0, customer, vid11), nil},
		{"access, two tags", access, tag(customer, vid10, customer, vid11), nil},
		{"access, service tag", access, tag(service, vid11), nil},
		{"access, service tag hidden behind a priority tag", access, tag(customer, 0, service, vid11), nil},

		{
			"trunk, allowed tag", trunk, tag(customer, vid10),
			map[*lab.VM][]uint16{access: none, blue: none, native: tag(customer, vid10)},
		},
		{
			"trunk, allowed tag with priority", trunk, tag(customer, prio5|vid10),
			map[*lab.VM][]uint16{access: none, blue: none, native: tag(customer, prio5|vid10)},
		},
		{"trunk, tag of a network it does not carry", trunk, tag(customer, vid11), nil},
		{"trunk, tag of no network", trunk, tag(customer, vid12), nil},
		{"trunk, untagged without a native network", trunk, none, nil},
		{"trunk, priority tag without a native network", trunk, tag(customer, 0), nil},
		{"trunk, two tags: the outer counts", trunk, tag(customer, vid10, customer, vid99), map[*lab.VM][]uint16{
			access: tag(customer, vid99), blue: tag(customer, vid99), native: tag(customer, vid10, customer, vid99),
		}},
		{"trunk, two tags: the outer is not carried", trunk, tag(customer, vid12, customer, vid10), nil},

		{"native trunk, untagged", native, none, map[*lab.VM][]uint16{red: none}},
		{"native trunk, priority tag", native, tag(customer, 0), map[*lab.VM][]uint16{red: none}},
		{"native trunk, tag of its native network", native, tag(customer, vid11), map[*lab.VM][]uint16{red: none}},
		{
			"native trunk, other tag", native, tag(customer, vid10),
			map[*lab.VM][]uint16{access: none, blue: none, trunk: tag(customer, vid10)},
		},
	}
	tagged := func(from *lab.VM, tags []uint16, payload string) []byte {
		return frame(everybody, from.MAC, append(slices.Clone(tags), testType), payload)
	}
	listeners := s.listen("", access, blue, red, native, trunk)
	payloads := make([]string, len(cases))
	for i, c := range cases {
		payloads[i] = unique("frame")
		c.from.SendRaw(tagged(c.from, c.tags, payloads[i]))
	}
	// What is sent after them and arrives everywhere ends the wait for what must not arrive.
	last := unique("last")
	for _, vm := range []*lab.VM{access, red} {
		vm.SendRaw(tagged(vm, none, last))
	}
	seen := map[*lab.VM][]lab.Frame{}
	for _, e := range listeners {
		s.waitFor(e.Capture, last)
		seen[e.vm] = e.Stop()
	}
	for i, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			for vm, all := range seen {
				frames := holding(all, payloads[i])
				tags, expected := c.at[vm]
				if vm == c.from {
					tags, expected = c.tags, true // as it goes out
				}
				switch want := tagged(c.from, tags, payloads[i]); {
				case !expected && len(frames) > 0:
					t.Errorf("%s sees it: %x", vm.Name, frames)
				case expected && (len(frames) != 1 || !bytes.Equal(frames[0], want)):
					t.Errorf("%s sees %x, want it once as %x", vm.Name, frames, want)
				}
			}
		})
	}
	// What a port may not send is counted by the rule that drops it.
	for _, vm := range []*lab.VM{access, trunk} {
		counted := uint64(0)
		for _, f := range br.Flows() {
			if f.Actions == "drop" && strings.Contains(f.Match, fmt.Sprintf("in_port=%d", vm.PortNumber())) {
				counted += f.Packets
			}
		}
		if counted < 5 {
			t.Errorf("%s: the rules that drop have counted %d frames", vm.Name, counted)
		}
	}
}
