package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

// guest is one of the site's, at home.
type guest struct {
	name, network, home string
	moves               bool
}

// The guests of all networks share one address range, so that nothing but the VLAN keeps them apart.
var guests = []guest{
	{name: "vm1", network: "blue", home: "host1"},
	{name: "vm2", network: "blue", home: "host2"},
	{name: "vm3", network: "blue", home: "host3"},
	{name: "vm4", network: "blue", home: "host1", moves: true},
	{name: "vm5", network: "red", home: "host1"},
	{name: "vm6", network: "red", home: "host2"},
	{name: "vm7", network: "red", home: "host3", moves: true},
}

var (
	hostNames = []string{"host1", "host2", "host3"}
	tunnels   = [][3]string{{"host1", "host2", "vx12"}, {"host1", "host3", "vx13"}, {"host2", "host3", "vx23"}}
	networks  = []string{"blue", "red"}
)

// A site is three hosts joined by VXLAN tunnels, each with each, their guests, and a controller.
type site struct {
	*lab.Lab
	ctl *lab.Controller
	led *ledger
}

// newSite builds it; the controller serves when it returns.
func newSite(l *lab.Lab, binary string, led *ledger) *site {
	s := &site{Lab: l, led: led}
	s.ctl = l.StartController(binary, siteConfig("", ""))
	bridges := map[string]*lab.Bridge{}
	for _, name := range hostNames {
		bridges[name] = l.AddHost(name).AddBridge("br0", lab.BridgeOptions{Controllers: []string{l.ControllerTarget()}})
	}
	// Port numbers are asked for, since tables are compared that have them.
	for i, t := range tunnels {
		l.Tunnel(bridges[t[0]], bridges[t[1]], t[2], lab.TunnelOptions{Type: "vxlan", Key: "flow"})
		for _, end := range t[:2] {
			l.Host(end).Vsctl("set", "Interface", t[2], fmt.Sprintf("ofport_request=%d", 101+i))
		}
	}
	for i, g := range guests {
		bridges[g.home].AddVM(g.name, lab.VMOptions{
			Addrs:    []string{fmt.Sprintf("10.0.3.%d/24", i+1)},
			Settings: []string{fmt.Sprintf("ofport_request=%d", i+1)},
		})
	}
	// Pings across networks are sent although nobody there answers ARP.
	for _, t := range s.talks(true) {
		l.VM(t.from).Run("ip", "neigh", "replace", t.ip, "lladdr", l.VM(t.to).MAC, "dev", "eth0", "nud", "permanent")
	}
	for _, g := range guests {
		l.VM(g.name).Announce()
	}
	return s
}

// siteConfig is the controller's config with more networks, or more probes.
func siteConfig(moreNetworks, moreProbes string) string {
	var b strings.Builder
	b.WriteString("networks:\n  blue: {vlan: 10, vni: 5010}\n  red: {vlan: 11, vni: 5011}\n  lobby: {vlan: 99}\n" +
		moreNetworks)
	// Hosts that have left are remembered for the timeout, so that what they take is at its height after as long: when
	// a life of the controller has warmed up.
	b.WriteString("learning: {timeout: 45s}\ndefaults: {network: lobby}\nswitches:\n")
	for i, h := range hostNames {
		fmt.Fprintf(&b, "  %s:\n    datapath_id: \"%016x\"\n    ports:\n", h, i+1)
		for _, g := range guests {
			if g.moves || g.home == h {
				fmt.Fprintf(&b, "      %s: {access: %s}\n", portOf(g.name), g.network)
			}
		}
		for _, t := range tunnels {
			if slices.Contains(t[:2], h) {
				fmt.Fprintf(&b, "      %s: {tunnel: true}\n", t[2])
			}
		}
		fmt.Fprintf(&b, "      br0: {closed: true}\n")
	}
	b.WriteString("hosts:\n")
	for i, g := range guests {
		fmt.Fprintf(&b, "  %s: {mac: \"02:e0:01:00:00:%02x\", ip: 10.0.3.%d, network: %s}\n", g.name, i+1, i+1,
			g.network)
	}
	b.WriteString("probes:\n")
	for _, n := range networks {
		fmt.Fprintf(&b, "  - {name: %s, mesh: %s, interval: 1s, timeout: %v}\n", n, n, probeTimeout)
	}
	b.WriteString("  - {name: isolation, from: blue, to: red, expect: unreachable, interval: 2s, timeout: 500ms}\n")
	return b.String() + moreProbes
}

func portOf(guest string) string { return "vif" + strings.TrimPrefix(guest, "vm") }

// pairs are the ordered pairs of guests in one network, or in different ones.
func pairs(across bool) (list []pair) {
	for _, a := range guests {
		for _, b := range guests {
			if a.name != b.name && (a.network != b.network) == across {
				list = append(list, pair{a.name, b.name})
			}
		}
	}
	return list
}

// talks are the pings that run all the time: each pair of a network once, and some across.
func (s *site) talks(across bool) (list []talk) {
	for _, p := range pairs(across) {
		if across && !slices.Contains([]pair{{"vm1", "vm6"}, {"vm5", "vm2"}, {"vm7", "vm4"}}, p) || !across &&
			p.from > p.to {
			continue
		}
		list = append(list, talk{pair: p, ns: s.VM(p.from).Namespace, ip: s.VM(p.to).IP(), across: across})
	}
	return list
}

// at lists the guests that are at a host now.
func (s *site) at(host string) (names []string) {
	for _, v := range s.VMs() {
		if v.Bridge.Host.Name == host {
			names = append(names, v.Name)
		}
	}
	return names
}

// placement says where the guests are that may be elsewhere.
func (s *site) placement() string {
	var at []string
	for _, g := range guests {
		if g.moves {
			at = append(at, g.name+"@"+s.VM(g.name).Bridge.Host.Name)
		}
	}
	return strings.Join(at, " ")
}

// windowOf says what a step, about to begin, may lose.
func (s *site) windowOf(d step) *window {
	w := &window{step: d}
	switch d.kind {
	case portFlap, guestMove:
		w.traffic.guests = []string{d.guest}
	case vswitchdRestart, vswitchdKill, ovsdbRestart:
		w.traffic.guests = s.at(d.host)
	case flowsDeleted:
		w.traffic.guests, w.drift = s.at(d.host), d.host
	case underlayCut:
		here := s.at(d.host)
		var there []string
		for _, g := range guests {
			if !slices.Contains(here, g.name) {
				there = append(there, g.name)
			}
		}
		w.traffic.between = [2][]string{here, there}
	case tunnelCut:
		w.traffic.between = [2][]string{s.at(d.host), s.at(d.peer)}
	case managementCut:
		w.probes.guests = s.at(d.host)
	case controllerFreeze, controllerRestart, controllerKill:
		w.probes.all = true
	case configReload, configBroken: // nothing
	}
	return w
}

// begin does the first half of a step: what breaks.
func (s *site) begin(d step) {
	switch h := s.Host(d.host); d.kind {
	case portFlap:
		v := s.VM(d.guest)
		v.Bridge.Host.SetLink(v.Port, false)
	case guestMove:
		v := s.VM(d.guest)
		v.Move(s.Host(d.to).Bridge("br0"), v.Port)
		v.Announce() // as the hypervisor does for it
	case vswitchdRestart:
		h.StopVswitchd()
	case vswitchdKill:
		h.KillVswitchd()
	case ovsdbRestart:
		h.StopOVSDB()
	case underlayCut:
		h.SetUnderlay(false)
	case tunnelCut:
		h.Bridge(underlay).AddFlow("priority=100,ip,nw_src=" + s.Host(d.peer).UnderlayIP() + ",actions=drop")
		s.Host(d.peer).Bridge(underlay).AddFlow("priority=100,ip,nw_src=" + h.UnderlayIP() + ",actions=drop")
	case managementCut:
		h.SetManagement(false)
	case flowsDeleted:
		h.Bridge("br0").DelFlows("cookie=0xe050000000000000/0xfff0000000000000")
	case configReload:
		s.ctl.Reload(siteConfig("  green: {vlan: 12, vni: 5012}\n",
			"  - {name: more, pairs: [[vm1, vm2], [vm6, vm5]], interval: 500ms}\n"))
	case configBroken:
		s.ctl.Reload(siteConfig("  green: {vlan: 10}\n", ""))
	case controllerFreeze:
		s.ctl.Signal(syscall.SIGSTOP)
	case controllerRestart:
		if !s.ctl.Stop(5 * time.Second) {
			s.led.violate("the controller did not end within 5 s of SIGTERM")
		}
	case controllerKill:
		s.ctl.Kill()
	}
}

// underlay is the bridge of a host that holds the tunnels' endpoint.
const underlay = "br-phy"

// end does the second half: what breaks heals.
func (s *site) end(d step) {
	switch h := s.Host(d.host); d.kind {
	case portFlap:
		v := s.VM(d.guest)
		v.Bridge.Host.SetLink(v.Port, true)
	case vswitchdRestart, vswitchdKill:
		h.StartVswitchd()
	case ovsdbRestart:
		h.StartOVSDB()
	case underlayCut:
		h.SetUnderlay(true)
	case tunnelCut:
		h.Bridge(underlay).DelFlows("ip,nw_src=" + s.Host(d.peer).UnderlayIP())
		s.Host(d.peer).Bridge(underlay).DelFlows("ip,nw_src=" + h.UnderlayIP())
	case managementCut:
		h.SetManagement(true)
	case configReload, configBroken:
		s.ctl.Reload(siteConfig("", ""))
	case controllerFreeze:
		s.ctl.Signal(syscall.SIGCONT)
	case controllerRestart, controllerKill:
		s.ctl.Start()
	case guestMove, flowsDeleted: // done
	}
}

// dump is what the bridges hold, without ages and counters.
func (s *site) dump() (lines []string) {
	for _, h := range s.Hosts() {
		b := h.Bridge("br0")
		for _, line := range slices.Concat(b.DumpFlows(), b.DumpGroups(), b.DumpMeters()) {
			lines = append(lines, h.Name+" "+line)
		}
	}
	return lines
}

// difference is what two dumps do not share: lines that went (-) and came (+).
func difference(before, after []string) (d []string) {
	count := map[string]int{}
	for _, line := range after {
		count[line]++
	}
	for _, line := range before {
		if count[line]--; count[line] < 0 {
			d = append(d, "- "+line)
		}
	}
	for _, line := range after {
		if count[line]--; count[line] >= 0 {
			d = append(d, "+ "+line)
		}
	}
	return d
}
