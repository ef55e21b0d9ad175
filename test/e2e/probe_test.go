package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// named is the part of a config that names the first n guests of a lab: vm3 has the third MAC and 10.0.3.3.
func named(n int) string {
	var b strings.Builder
	b.WriteString("hosts:\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "  vm%d: {mac: \"02:e0:01:00:00:%02x\", ip: 10.0.3.%d}\n", i, i, i)
	}
	return b.String()
}

// met makes guests known: each says who it is until the controller knows its place and address. (What it says before
// the controller knows its port is heard by nobody.)
func (s *site) met(vms ...*lab.VM) {
	s.t.Helper()
	s.eventually(patience, "guests known with their addresses", func() bool {
		hosts := get[api.Host](s, "hosts")
		strangers := slices.DeleteFunc(slices.Clone(vms), func(vm *lab.VM) bool {
			return slices.ContainsFunc(hosts, func(h api.Host) bool {
				return h.MAC == vm.MAC && h.Switch != "" && slices.Contains(h.IPs, vm.IP())
			})
		})
		for _, vm := range strangers {
			vm.Announce()
		}
		return len(strangers) == 0
	})
}

// probe runs "eosin probe" and checks that its exit status says the same as its result.
func (s *site) probe(args ...string) probespec.Result {
	s.t.Helper()
	r := s.ctl.Eosin(append([]string{"probe", "-o", "json"}, args...)...)
	var result probespec.Result
	if err := json.Unmarshal([]byte(r.Stdout), &result); err != nil {
		s.t.Fatalf("eosin probe %v: %v: %v", args, err, r)
	}
	if want := map[bool]int{true: 0, false: 1}[result.Sent > 0 && result.Received == result.Sent]; r.Exit != want {
		s.t.Errorf("eosin probe %v: exit %d, want %d: %s", args, r.Exit, want, r.Stdout)
	}
	return result
}

// color is what the tests ask for where they must know it before the probe runs.
const color = 111

// An echo is an ICMP or ICMPv6 echo as a capture saw it.
type echo struct {
	request  bool
	dmac     string
	smac     string
	src, dst string
	id, seq  int
	tos      int
	vlan     int // 0: untagged
}

// echoes picks the echoes out of captured frames.
func echoes(frames []lab.Frame) []echo {
	var all []echo
	for _, f := range frames {
		var e echo
		found := false
		for _, l := range gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default).Layers() {
			switch l := l.(type) {
			case *layers.Ethernet:
				e.smac, e.dmac = l.SrcMAC.String(), l.DstMAC.String()
			case *layers.Dot1Q:
				e.vlan = int(l.VLANIdentifier)
			case *layers.IPv4:
				e.src, e.dst, e.tos = l.SrcIP.String(), l.DstIP.String(), int(l.TOS)
			case *layers.IPv6:
				e.src, e.dst, e.tos = l.SrcIP.String(), l.DstIP.String(), int(l.TrafficClass)
			case *layers.ICMPv4:
				kind := l.TypeCode.Type()
				e.request, e.id, e.seq = kind == layers.ICMPv4TypeEchoRequest, int(l.Id), int(l.Seq)
				found = e.request || kind == layers.ICMPv4TypeEchoReply
			case *layers.ICMPv6:
				kind := l.TypeCode.Type()
				e.request, found = kind == layers.ICMPv6TypeEchoRequest, kind == layers.ICMPv6TypeEchoRequest ||
					kind == layers.ICMPv6TypeEchoReply
			case *layers.ICMPv6Echo:
				e.id, e.seq = int(l.Identifier), int(l.SeqNumber)
			}
		}
		if found {
			all = append(all, e)
		}
	}
	return all
}

// colored selects the echoes of one color.
func colored(all []echo, id int) []echo {
	return slices.DeleteFunc(slices.Clone(all), func(e echo) bool { return e.id != id })
}

// A speaker is a guest with the address that it uses in a test, and the place where its frames are seen as it sends
// them.
type speaker struct {
	*lab.VM
	ip      string
	vlan    int // of the tag on its frames; 0: untagged
	capture func() *lab.Capture
}

func speaks(vm *lab.VM) speaker {
	return speaker{vm, vm.IP(), 0, func() *lab.Capture { return vm.Capture("") }}
}

// tagged makes a guest that tags its frames itself: it has a switch of its own inside, whose uplink is the port.
func (s *site) tagged(br *lab.Bridge, port, name string, vlan int) speaker {
	inner := br.Host.AddBridge("in-"+name, lab.BridgeOptions{FailMode: "standalone"})
	uplink := s.Wire(br, port, inner, "up-"+name)
	vm := inner.AddVM(name, lab.VMOptions{
		Port:  "in" + port,
		Addrs: []string{"10.0.3." + strings.TrimPrefix(name, "vm") + "/24"},
	})
	br.Host.Vsctl("set", "Port", vm.Port, fmt.Sprintf("tag=%d", vlan))
	return speaker{vm, vm.IP(), vlan, func() *lab.Capture { return br.Host.Capture(uplink.PortB, "") }}
}

// fallbackTOS is the TOS byte of the probes' own DSCP where there is no connection tracker.
const fallbackTOS = 0b101011 << 2

// injected probes while the guest pings by itself, and checks what both guests see:
//
//  1. The source sees neither the colored requests nor the replies.
//  2. The destination sees exactly the requests, as if the source had sent them, and answers each.
//  3. The guest's own pings, whatever their DSCP, are all answered once.
func (s *site) injected(from, to speaker, args ...string) {
	s.t.Helper()
	const sent, own = 5, 150
	if !from.WaitReach(to.ip, patience) || !to.WaitReach(from.ip, patience) {
		s.t.Fatalf("%s and %s do not reach each other", from.Name, to.Name)
	}
	s.eventually(patience, "both guests known with their addresses", func() bool {
		known := 0
		for _, h := range get[api.Host](s, "hosts") {
			if h.MAC == from.MAC && slices.Contains(h.IPs, from.ip) || h.MAC == to.MAC &&
				slices.Contains(h.IPs, to.ip) {
				known++
			}
		}
		return known == 2 || netip.MustParseAddr(from.ip).Is6()
	})
	atSource, atTarget := from.capture(), to.capture()
	var pings []*lab.RunningPing
	tos := []int{0, 0x10, 46 << 2, fallbackTOS}
	for i, t := range tos {
		pings = append(pings, from.StartPing(to.ip, lab.Count(own), lab.Interval(10*time.Millisecond), lab.TOS(t),
			lab.Identifier(uint16(2001+i))))
	}
	s.eventually(patience, "the guest's own pings", func() bool {
		all := echoes(atTarget.Frames())
		return !slices.ContainsFunc(tos,
			func(t int) bool { return !slices.ContainsFunc(all, func(e echo) bool { return e.tos == t }) })
	})
	result := s.probe(append([]string{
		from.ip, to.ip, "--color", fmt.Sprint(color), "-c", fmt.Sprint(sent), "-i",
		"100ms",
	}, args...)...)
	if result.Verdict != probespec.Reachable || result.Sent != sent || result.Received != sent ||
		result.Color != color {
		s.t.Errorf("%s to %s: %+v", from.Name, to.Name, result)
	}
	for i, p := range pings {
		if r := p.Wait(); !r.AllReceived() {
			s.t.Errorf("the guest's own pings with TOS %#x: %v", tos[i], r)
		}
	}

	for _, c := range []*lab.Capture{atSource, atTarget} {
		c.Wait(2*own*len(tos), patience) // a busy machine writes what it has captured some time later
	}
	source, target := echoes(atSource.Stop()), echoes(atTarget.Stop())
	if seen := colored(source, color); len(seen) > 0 || len(source) < 2*own*len(tos) {
		s.t.Errorf("the source sees %d echoes, among them colored ones: %+v", len(source), seen)
	}
	var requests, replies []int
	for _, e := range colored(target, color) {
		want := echo{
			request: true, dmac: to.MAC, smac: from.MAC, src: from.ip, dst: to.ip, id: color, seq: e.seq,
			tos: e.tos, vlan: to.vlan,
		}
		if e.request {
			requests = append(requests, e.seq)
		} else {
			replies = append(replies, e.seq)
			want.request, want.dmac, want.smac, want.src, want.dst = false, from.MAC, to.MAC, to.ip, from.ip
		}
		if e != want {
			s.t.Errorf("the destination sees %+v, want %+v", e, want)
		}
	}
	if want := []int{1, 2, 3, 4, 5}; !slices.Equal(requests, want) || !slices.Equal(replies, want) {
		s.t.Errorf("the destination sees the requests %v and answers %v, want %v", requests, replies, want)
	}
	if first, last := target[0], target[len(target)-1]; first.id == color || last.id == color {
		s.t.Errorf("the guest did not ping for as long as the probe ran")
	}
}

// TestInjectedPing: guests notice nothing of a colored probe but the requests that the destination gets. In every way
// in which a guest can be attached.
func TestInjectedPing(t *testing.T) {
	t.Parallel()
	blue := func(ports ...string) string { return conf(bridgeConf(1, ports...)) }
	for _, c := range []struct {
		name, config string
		build        func(s *site) (from, to speaker)
		args         []string
	}{
		{"flat", "", func(s *site) (speaker, speaker) {
			br := s.bridge("host1")
			return speaks(s.vm(br, "vm1")), speaks(s.vm(br, "vm2"))
		}, nil},
		{"access", blue("vif1: {access: blue}", "vif2: {access: blue}"), func(s *site) (speaker, speaker) {
			br := s.bridge("host1")
			return speaks(s.vm(br, "vm1")), speaks(s.vm(br, "vm2"))
		}, nil},
		{"internal", blue("vif1: {access: blue}", "vif2: {access: blue}"), func(s *site) (speaker, speaker) {
			br := s.bridge("host1")
			return speaks(br.AddVM("vm1", lab.VMOptions{Internal: true, Addrs: []string{"10.0.3.1/24"}})),
				speaks(br.AddVM("vm2", lab.VMOptions{Internal: true, Addrs: []string{"10.0.3.2/24"}}))
		}, nil},
		{
			"trunk-to-access", blue("vif1: {trunk: [blue, red]}", "vif2: {access: blue}"),
			func(s *site) (speaker, speaker) {
				br := s.bridge("host1")
				return s.tagged(br, "vif1", "vm1", 10), speaks(s.vm(br, "vm2"))
			}, nil,
		},
		{
			"access-to-trunk", blue("vif1: {access: red}", "vif2: {trunk: [blue, red], native: blue}"),
			func(s *site) (speaker, speaker) {
				br := s.bridge("host1")
				return speaks(s.vm(br, "vm1")), s.tagged(br, "vif2", "vm2", 11)
			}, nil,
		},
		{"vxlan", conf(
			bridgeConf(1, "vif1: {access: blue}", "vx0: {tunnel: true}"),
			bridgeConf(2, "vif2: {access: blue}", "vx0: {tunnel: true}"),
		), func(s *site) (speaker, speaker) {
			a, b := s.bridge("host1"), s.bridge("host2")
			s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
			return speaks(s.vm(a, "vm1")), speaks(s.vm(b, "vm2"))
		}, nil},
		{"wire", conf(
			bridgeConf(1, "vif1: {access: blue}", "up1: {trunk: all}"),
			bridgeConf(2, "vif2: {access: blue}", "up2: {trunk: all}"),
		), func(s *site) (speaker, speaker) {
			a, b := s.bridge("host1"), s.bridge("host2")
			s.Wire(a, "up1", b, "up2")
			return speaks(s.vm(a, "vm1")), speaks(s.vm(b, "vm2"))
		}, nil},
		{"icmp6", blue("vif1: {access: blue}", "vif2: {access: blue}") + `hosts:
  vm1: {mac: "02:e0:01:00:00:01", ip: "fd00::1"}
  vm2: {mac: "02:e0:01:00:00:02", ip: "fd00::2"}
`, func(s *site) (speaker, speaker) {
			br := s.bridge("host1")
			return speaks(br.AddVM("vm1", lab.VMOptions{Addrs: []string{"fd00::1/64"}})),
				speaks(br.AddVM("vm2", lab.VMOptions{Addrs: []string{"fd00::2/64"}}))
		}, []string{"--type", "icmp6"}},
		{
			"dscp", blue("vif1: {access: blue}", "vif2: {access: blue}") + "probing: {trap: dscp}\n",
			func(s *site) (speaker, speaker) {
				br := s.bridge("host1")
				return speaks(s.vm(br, "vm1")), speaks(s.vm(br, "vm2"))
			}, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.config)
			from, to := c.build(s)
			s.injected(from, to, c.args...)
		})
	}
}

// TestInjectedARP: the source sees nothing, the destination sees one request without a sender's address for each that
// was sent, and remembers nobody because of it.
func TestInjectedARP(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}")))
	br := s.bridge("host1")
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.met(vm1, vm2)
	s.reach(vm1, vm2)
	before := vm2.Run("ip", "neigh")
	atSource, atTarget := vm1.Capture("arp"), vm2.Capture("arp")
	r := s.probe(vm1.IP(), vm2.IP(), "--type", "arp", "--color", fmt.Sprint(color), "-c", "3", "-i", "50ms")
	if r.Verdict != probespec.Reachable || r.Received != 3 {
		t.Errorf("%+v", r)
	}
	// The guests may renew what they know of each other by themselves.
	probes := func(c *lab.Capture) (requests, replies int) {
		for _, f := range c.Stop() {
			arp, ok := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet,
				gopacket.Default).Layer(layers.LayerTypeARP).(*layers.ARP)
			if !ok {
				continue
			}
			sender, target := net.HardwareAddr(arp.SourceHwAddress).String(),
				net.HardwareAddr(arp.DstHwAddress).String()
			const prefix = "02:e0:51:00:6f:" // with the color
			switch {
			case arp.Operation == layers.ARPRequest && strings.HasPrefix(sender, prefix):
				requests++
				if a, _ := netip.AddrFromSlice(arp.SourceProtAddress); !a.IsUnspecified() {
					t.Errorf("an ARP probe has the sender's address %v", a)
				}
			case arp.Operation == layers.ARPReply && strings.HasPrefix(target, prefix):
				replies++
			}
		}
		return requests, replies
	}
	if requests, replies := probes(atTarget); requests != 3 || replies != 3 {
		t.Errorf("the destination sees %d requests and answers %d, want 3", requests, replies)
	}
	if requests, replies := probes(atSource); requests+replies > 0 {
		t.Errorf("the source sees %d requests and %d replies", requests, replies)
	}
	// without its state
	address := func(neighbours string) string { return strings.Join(strings.Fields(neighbours)[:5], " ") }
	if after := vm2.Run("ip", "neigh"); address(after) != address(before) ||
		strings.Count(after, "\n") != strings.Count(before, "\n") {
		t.Errorf("the destination's neighbours were\n%sand are\n%s", before, after)
	}
}

// TestInjectedByHand does with ovs-ofctl alone what the controller does, beside it on the same bridge: hand-written
// flows know the color by the connection's mark and lead the reply to a port of their own, where tcpdump sees it. The
// verdicts agree.
func TestInjectedByHand(t *testing.T) {
	t.Parallel()
	const ownColor = 112 // the controller's probe must not be mixed up with the one by hand
	s := newSite(t, conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: blue}",
		"vif4: {access: red}")))
	br := s.bridge("host1")
	vm1, vm2, vm3, vm4 := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3"), s.vm(br, "vm4")
	catcher := br.AddVM("catcher", lab.VMOptions{Port: "catch"})
	s.met(vm1, vm2, vm3, vm4)
	s.reach(vm1, vm2, vm3)
	vm3.SetSilent(true)
	br.AddFlow(fmt.Sprintf("table=200,priority=1,cookie=0x6f,ct_state=+trk+rpl,ct_mark=%d,actions=output:%d", color,
		catcher.PortNumber()))
	br.AddFlow("table=200,priority=0,cookie=0x6f,actions=resubmit(,0)")

	for _, to := range []*lab.VM{vm2, vm3, vm4} {
		reply := fmt.Sprintf("cookie=0x6f,ct_state=-trk,icmp,icmp_type=0,dl_dst=%s,nw_src=%s,nw_dst=%s", vm1.MAC,
			to.IP(), vm1.IP())
		br.AddFlow(fmt.Sprintf("table=0,priority=60000,%s,actions=ct(zone=%d,table=200)", reply, color))
		filter := fmt.Sprintf("icmp[4:2] = %d", color)
		atSource, atTarget, caught := vm1.Capture(filter), to.Capture(filter), catcher.Capture(filter)
		br.Host.Ofctl("packet-out", br.Name,
			fmt.Sprintf("in_port=%d,packet=%x,actions=ct(commit,zone=%d,exec(set_field:%d->ct_mark)),table",
				vm1.PortNumber(), echoRequest(t, vm1, to), color, color))
		reached := caught.Wait(1, 500*time.Millisecond)
		// it would lead the controller's replies astray
		br.DelFlows(strings.Replace(reply, "cookie=0x6f", "cookie=0x6f/-1", 1))
		result := s.probe(vm1.IP(), to.IP(), "-c", "1", "--color", fmt.Sprint(ownColor+to.PortNumber()), "-W", "500ms")
		if byHand := map[bool]probespec.Verdict{
			true:  probespec.Reachable,
			false: probespec.Unreachable,
		}[reached]; byHand != result.Verdict {
			t.Errorf("%s to %s: by hand %s, by the controller %s", vm1.Name, to.Name, byHand, result.Verdict)
		}
		if reached != (to == vm2) {
			t.Errorf("%s to %s: reached %v", vm1.Name, to.Name, reached)
		}
		if seen := atSource.Stop(); len(seen) > 0 {
			t.Errorf("the source sees %d frames of the probe by hand to %s", len(seen), to.Name)
		}
		requests := slices.DeleteFunc(echoes(atTarget.Stop()), func(e echo) bool { return !e.request })
		want := []echo{{request: true, smac: vm1.MAC, dmac: to.MAC, src: vm1.IP(), dst: to.IP(), id: color, seq: 1}}
		if to == vm4 {
			want = nil // it is in another network
		}
		if !slices.Equal(requests, want) {
			t.Errorf("%s sees %+v, want %+v", to.Name, requests, want)
		}
		caught.Stop()
	}
}

// echoRequest is an echo request from one guest to another.
func echoRequest(t *testing.T, from, to *lab.VM) []byte {
	t.Helper()
	ip := &layers.IPv4{
		Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: net.ParseIP(from.IP()),
		DstIP: net.ParseIP(to.IP()),
	}
	buffer := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: mac(from.MAC), DstMAC: mac(to.MAC), EthernetType: layers.EthernetTypeIPv4}, ip,
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: color, Seq: 1},
		gopacket.Payload(make([]byte, 56)))
	if err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
