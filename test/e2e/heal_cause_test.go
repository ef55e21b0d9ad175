package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// away is how long the controller, or the way to it, is gone: longer than Open vSwitch waits before it gives a
// connection up, and than the controller does.
const away = 20 * time.Second

// aftermath is for what the controller does once it is back, which must lose nothing, either.
const aftermath = 2 * time.Second

// endless is more pings than any test sends.
const endless = 1_000_000

// TestHealFreeze: the controller stands still for 20 s. A switch that waits for it longer than that keeps its session.
// Guests that it knows and guests that it has never seen talk all the time, and nothing is lost when it goes on,
// either.
func TestHealFreeze(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	target := strings.Trim(p.b.Host.Vsctl("get", "Bridge", "br0", "controller"), "[]")
	p.b.Host.Vsctl("set", "Controller", target, "inactivity_probe=60000")
	since := *p.state(p.b).ConnectedSince
	old := map[*lab.Bridge]snapshot{p.a: snap(p.a), p.b: snap(p.b)}
	over := p.known[0].StartPing(p.known[2].IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))
	beside := p.known[1].StartPing(p.known[0].IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))

	p.ctl.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { p.ctl.Signal(syscall.SIGCONT) })
	p.outage(away/2, old)
	p.pings(p.silent[1], p.known[1])
	p.outage(away/2, old)
	p.ctl.Signal(syscall.SIGCONT)
	p.healed("a frozen controller", time.Now(), false) // b knows one guest more
	p.outage(aftermath, old)
	p.lossless("a frozen controller", over, beside)
	if again := p.state(p.b).ConnectedSince; again == nil || !again.Equal(since) {
		t.Errorf("the session that its switch kept began at %v, now at %v", since, again)
	}
	p.untouched(old)
}

// TestHealCut: the network between two switches and the controller is cut for 20 s; what joins them to the third, a
// tunnel and a wire, is not. Nothing is lost, and the controller does not take the links for dead or the guests for
// moved.
func TestHealCut(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	p.reload(conf(
		bridgeConf(1, "vx2: {tunnel: true}", "vif1: {access: blue}", "vif2: {access: blue}", "vif4: {access: blue}"),
		bridgeConf(2, "vx1: {tunnel: true}", "vif3: {access: blue}", "vif5: {access: blue}", "w1: {trunk: all}"),
		bridgeConf(3, "w1: {trunk: all}", "vif6: {access: blue}"),
	), "the config is reloaded")
	c := p.bridge("host3")
	p.Wire(p.b, "w1", c, "w1")
	p.waitLinks(2)
	vm6 := p.vm(c, "vm6")
	p.reach(vm6, p.known...)
	p.known = append(p.known, vm6)
	p.eventually(patience, "all places known", p.locationsRight)
	bridges := []*lab.Bridge{p.a, p.b, c}
	p.steady(bridges...)
	old := map[*lab.Bridge]snapshot{}
	for _, br := range bridges {
		old[br] = snap(br)
	}
	var pings []*lab.RunningPing
	for _, way := range [][2]int{{0, 2}, {1, 0}, {3, 0}, {2, 3}} {
		pings = append(pings, p.known[way[0]].StartPing(p.known[way[1]].IP(), lab.Count(endless),
			lab.Interval(20*time.Millisecond)))
	}

	for _, br := range []*lab.Bridge{p.a, c} {
		br.Host.SetManagement(false)
	}
	cut := time.Now()
	p.eventually(away, "both switches are shown as disconnected", func() bool {
		if slices.ContainsFunc(get[api.Link](p.site, "links"), func(l api.Link) bool { return l.State == "down" }) {
			t.Fatalf("%v after the cut a link is shown as down: what joins the switches is not cut", since(cut))
		}
		if !p.locationsRight() {
			t.Fatalf("%v after the cut guests are shown elsewhere", since(cut))
		}
		return !p.isConnected(p.a) && !p.isConnected(c)
	})
	p.pings(p.silent[1], p.known[1])
	p.pings(p.silent[1], vm6)
	p.outage(time.Until(cut.Add(away)), old)
	for _, br := range []*lab.Bridge{p.a, c} {
		br.Host.SetManagement(true)
	}
	p.healed("a cut management network", time.Now(), false) // b knows one guest more
	p.outage(aftermath, old)
	p.lossless("a cut management network", pings...)
	p.untouched(old)
}

// TestHealShortCuts: the network to the controller is cut for less than it takes either side to give the connection up.
// When it is whole again, TCP may be in one direction only, for some seconds; neither that nor the cut loses a packet
// or moves a flow.
func TestHealShortCuts(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	guests := []*lab.VM{p.silent[0], p.vm(p.a, "vm6")}
	p.steady(p.a, p.b)
	old := map[*lab.Bridge]snapshot{p.a: snap(p.a), p.b: snap(p.b)}
	ping := p.known[0].StartPing(p.known[2].IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))
	for i, cut := range []time.Duration{4 * time.Second, 6 * time.Second} {
		p.silent[0] = guests[i]
		p.a.Host.SetManagement(false)
		p.outage(cut, old)
		p.a.Host.SetManagement(true)
		end := time.Now()
		p.healed(fmt.Sprintf("a cut of %v", cut), end, false)
		p.outage(time.Until(end.Add(healWithin)), old)
	}
	p.lossless("short cuts", ping)
	p.untouched(old)
}

// TestHealVswitchd: ovs-vswitchd is restarted, and crashes; its tables are empty then.
func TestHealVswitchd(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	p.a.Host.RestartVswitchd()
	p.healed("a restart of ovs-vswitchd", time.Now(), true)
	p.a.Host.KillVswitchd()
	p.b.Host.KillVswitchd()
	p.a.Host.StartVswitchd()
	p.b.Host.StartVswitchd()
	p.healed("a crash of ovs-vswitchd on both hosts", time.Now(), false)
}

// TestHealOVSDB: ovsdb-server is restarted, and crashes for longer than Open vSwitch and the controller keep their
// connection.
func TestHealOVSDB(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	p.a.Host.RestartOVSDB()
	p.healed("a restart of ovsdb-server", time.Now(), true)
	old := map[*lab.Bridge]snapshot{p.b: snap(p.b)}
	p.a.Host.KillOVSDB()
	p.outage(12*time.Second, old)
	p.a.Host.StartOVSDB()
	p.healed("a crash of ovsdb-server", time.Now(), false)
}

// remake deletes a bridge and makes it again with the same ports.
func (p *healSite) remake(br *lab.Bridge, o lab.BridgeOptions) *lab.Bridge {
	p.t.Helper()
	o.Controllers = []string{p.ControllerTarget()}
	br.Delete()
	again := br.Host.AddBridge(br.Name, o)
	again.AddTunnel(meshPort(2), lab.TunnelOptions{Type: "vxlan", To: p.b.Host, Key: "flow"})
	for _, vm := range append(p.known[:2:2], p.silent[0]) {
		again.AddPort(vm.Port)
		vm.Bridge = again
	}
	return again
}

// TestHealBridge: a bridge is deleted and made again, with its old datapath id and with another.
func TestHealBridge(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	p.a = p.remake(p.a, lab.BridgeOptions{DatapathID: 1})
	p.healed("a bridge made again", time.Now(), false)

	p.ctl.Reload(conf(
		bridgeConf(1, "vif1: {access: blue}"),
		bridgeConf(2, "vx1: {tunnel: true}", "vif3: {access: blue}", "vif5: {access: blue}"),
		bridgeConf(9, "vx2: {tunnel: true}", "vif1: {access: blue}", "vif2: {access: blue}", "vif4: {access: blue}"),
	))
	p.a = p.remake(p.a, lab.BridgeOptions{DatapathID: 9})
	p.healed("a bridge made again with another datapath id", time.Now(), false)
	p.steady(p.a, p.b)
}

// TestHealRenumbered: every port of a bridge is deleted and added again, with another number and with that of another
// port.
func TestHealRenumbered(t *testing.T) {
	t.Parallel()
	p := newHealSite(t)
	for round, numbers := range [][]int{{41, 42, 43, 44}, {44, 43, 42, 41}, {42, 41, 44, 43}} {
		vms := append(p.known[:2:2], p.silent[0])
		var del, add []string
		for i, vm := range vms {
			del = append(del, "--", "del-port", vm.Port)
			add = append(add, "--", "add-port", "br0", vm.Port, "--", "set", "Interface", vm.Port,
				fmt.Sprintf("ofport_request=%d", numbers[i]))
		}
		del = append(del, "--", "del-port", meshPort(2))
		add = append(
			add, "--", "add-port", "br0", meshPort(2), "--", "set", "Interface", meshPort(2), "type=vxlan",
			"options:remote_ip="+p.b.Host.UnderlayIP(), "options:key=flow",
			fmt.Sprintf("ofport_request=%d", numbers[3]),
		)
		if round == 0 { // in two transactions: Open vSwitch gives all numbers back in between
			p.a.Host.Vsctl(del[1:]...)
			p.a.Host.Vsctl(add[1:]...)
		} else {
			p.a.Host.Vsctl(append(del[1:], add...)...)
		}
		p.healed(fmt.Sprintf("ports renumbered to %v", numbers), time.Now(), false)
		for i, vm := range vms {
			if n := vm.PortNumber(); n != numbers[i] {
				t.Fatalf("port %s has number %d, want %d", vm.Port, n, numbers[i])
			}
		}
	}
}
