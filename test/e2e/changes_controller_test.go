package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// lastReloadOK is whether the running config is the file's.
const lastReloadOK = "eosin_config_last_reload_successful"

// reload gives the controller a new config and waits until it has logged what became of it.
func (s *site) reload(config, outcome string) {
	s.t.Helper()
	before := strings.Count(s.ctl.Log(), outcome)
	s.ctl.Reload(config)
	s.eventually(patience, "log: "+outcome, func() bool { return strings.Count(s.ctl.Log(), outcome) > before })
}

// A snapshot of flows tells afterwards which of them were touched.
type snapshot struct {
	flows []lab.Flow
	at    time.Time
}

func snap(br *lab.Bridge) snapshot { return snapshot{br.Flows(), time.Now()} }

// touched lists the flows of a bridge that have gone, are new, or are younger than the snapshot.
func (p snapshot) touched(br *lab.Bridge) []string {
	since := time.Since(p.at)
	ages := map[string]time.Duration{} // there may be very many
	for _, f := range br.Flows() {
		ages[f.Text] = f.Age
	}
	var list []string
	for _, f := range p.flows {
		switch age, still := ages[f.Text]; {
		case !still:
			list = append(list, "gone: "+f.Text)
		case age < since:
			list = append(list, "again: "+f.Text)
		}
		delete(ages, f.Text)
	}
	for text := range ages {
		list = append(list, "new: "+text)
	}
	slices.Sort(list)
	return list
}

// gone lists the flows of a bridge that were there and are not any more, or are younger than the snapshot.
func (p snapshot) gone(br *lab.Bridge) []string {
	return slices.DeleteFunc(p.touched(br), func(line string) bool { return strings.HasPrefix(line, "new: ") })
}

// TestReloadDiff: a reload that changes one port touches only the flows of that port and its host, on all switches; a
// broken config changes nothing and is counted.
func TestReloadDiff(t *testing.T) {
	t.Parallel()
	config := func(vif2 string) string {
		return conf(
			bridgeConf(1, "vif1: {access: blue}", "vif2: {access: "+vif2+"}", "vif3: {access: red}",
				"vx0: {tunnel: true}"),
			bridgeConf(2, "vif4: {access: blue}", "vif5: {access: red}", "vx0: {tunnel: true}"),
		)
	}
	const done, refused = "the config is reloaded", "is refused and the running one stays"
	s := newSite(t, config("blue"))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4, vm5 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(a, "vm3"), s.vm(b, "vm4"), s.vm(b, "vm5")
	s.reachAll(vm1, vm2, vm4)
	s.reachAll(vm3, vm5)
	s.steady(a, b)

	untouched := func(what string, at map[*lab.Bridge]snapshot) {
		t.Helper()
		s.steady(a, b)
		for br, before := range at {
			if list := before.touched(br); len(list) > 0 {
				t.Errorf("%s touched flows of %s:\n%s", what, br, strings.Join(list, "\n"))
			}
		}
	}
	before := map[*lab.Bridge]snapshot{a: snap(a), b: snap(b)}
	s.reload(config("blue"), done)
	untouched("a reload of the same config", before)

	groups := slices.Concat(a.DumpGroups(), b.DumpGroups())
	for what, broken := range map[string]string{
		"malformed":       "networks: [",
		"unknown network": config("green"),
		"unknown key":     config("blue") + "colour: blue\n",
	} {
		s.reload(broken, refused)
		if ok := s.metric(lastReloadOK); ok != 0 {
			t.Errorf("%s: %s is %v", what, lastReloadOK, ok)
		}
	}
	untouched("broken configs", before)
	s.same("broken configs", groups, slices.Concat(a.DumpGroups(), b.DumpGroups()))
	s.pings(vm1, vm2)
	s.pings(vm1, vm4)

	before = map[*lab.Bridge]snapshot{a: snap(a), b: snap(b)}
	s.reload(config("red"), done)
	if ok := s.metric(lastReloadOK); ok != 1 {
		t.Errorf("%s is %v after a good config", lastReloadOK, ok)
	}
	s.steady(a, b)
	port := fmt.Sprintf("in_port=%d", vm2.PortNumber())
	for br, snapshot := range before {
		for _, line := range snapshot.touched(br) {
			about := func(text string) bool {
				return strings.Contains(line+",", text+",") || strings.Contains(line, text+" ")
			}
			if !strings.Contains(line, vm2.MAC) && !(br == a && about(port)) {
				t.Errorf("%s: the change of vif2 touched: %s", br, line)
			}
		}
	}
	s.reach(vm2, vm3, vm5)
	s.isolated(vm2, vm1, vm4)
	s.pings(vm1, vm4)
}

// TestControllerDead: with the controller killed, hosts that it knows and hosts that it has never seen talk, broadcasts
// arrive exactly once, and networks stay apart.
func TestControllerDead(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif5: {access: red}", "vx0: {tunnel: true}"),
		bridgeConf(2, "vif3: {access: blue}", "vif4: {access: blue}", "vif6: {access: red}", "vx0: {tunnel: true}"),
	))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm5 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(a, "vm5")
	vm3, vm4, vm6 := s.vm(b, "vm3"), s.vm(b, "vm4"), s.vm(b, "vm6")
	s.reachAll(vm1, vm3)
	s.reachAll(vm5, vm6)
	s.waitLinks(1)
	s.steady(a, b)
	for _, vm := range []*lab.VM{vm2, vm4} {
		if at := s.location(vm); at != "" {
			t.Fatalf("%s is known at %s: it is no new host", vm.Name, at)
		}
	}
	s.ctl.Kill()
	for _, vm := range []*lab.VM{vm1, vm3} {
		vm.ForgetNeighbors()
	}
	s.pings(vm1, vm3)
	s.pings(vm2, vm4)
	s.pings(vm1, vm2)
	s.pings(vm4, vm1)
	s.pings(vm5, vm6)
	s.isolated(vm1, vm5, vm6)
	s.isolated(vm2, vm6)
	blue := []*lab.VM{vm1, vm2, vm3, vm4}
	s.exactlyOnce(vm1, blue, []*lab.Bridge{a, b}, 4)
	s.exactlyOnce(vm4, blue, []*lab.Bridge{a, b}, 4)
}

// TestControllerRestart: a ping over VXLAN loses nothing while the controller is killed and started again; the hosts
// are known again from the flows, which are what they were.
func TestControllerRestart(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 2)
	a, b := br[0], br[1]
	vm1, vm2, vm3 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3")
	vms := []*lab.VM{vm1, vm2, vm3}
	s.reachAll(vms...)
	s.eventually(patience, "all known", func() bool {
		return !slices.ContainsFunc(vms, func(vm *lab.VM) bool { return s.location(vm) != s.at(vm) })
	})
	before := s.steady(br...)
	old := map[*lab.Bridge]snapshot{a: snap(a), b: snap(b)}

	// The ping outlasts all that the controller does in the first seconds of its life.
	const interval = 50 * time.Millisecond
	ping := vm1.StartPing(vm3.IP(), lab.Count(400), lab.Interval(interval))
	s.ctl.Kill()
	s.ctl.Start()
	for _, bridge := range br {
		s.waitConnected(bridge)
	}
	s.eventually(patience, "all known again", func() bool {
		return !slices.ContainsFunc(vms, func(vm *lab.VM) bool { return s.location(vm) != s.at(vm) })
	})
	s.waitLinks(1)
	s.same("the restart", before, s.steady(br...))
	if r := ping.Wait(); !r.AllReceived() {
		t.Errorf("ping across the restart: %v", r)
	}
	s.same("the restart, some seconds later,", before, s.steady(br...))
	for bridge, snapshot := range old {
		if list := snapshot.touched(bridge); len(list) > 0 {
			t.Errorf("the restart touched flows of %s:\n%s", bridge, strings.Join(list, "\n"))
		}
	}
	s.reachAll(vms...)
}

// TestTwiceInARow: the same lab, name and all, twice: what the first leaves behind would show in the second.
func TestTwiceInARow(t *testing.T) {
	t.Parallel()
	lab.Start(t) // for its checks of the machine
	name := lab.NameFor(t) + "twice"
	var dumps [2][]string
	for i := range dumps {
		l, err := lab.New(name, lab.Options{Fatal: func(err error) { t.Fatal(err) }})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if t.Failed() {
					t.Log(l.Dump())
				}
				if err := l.Destroy(); err != nil {
					t.Error(err)
				}
			}()
			s := &site{l, t, l.StartController(program, conf(
				bridgeConf(1, "vif1: {access: blue}", "vx0: {tunnel: true}"),
				bridgeConf(2, "vif2: {access: blue}", "vx0: {tunnel: true}"),
			))}
			a, b := s.bridge("host1"), s.bridge("host2")
			s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
			vm1, vm2 := s.vm(a, "vm1"), s.vm(b, "vm2")
			s.waitLinks(1)
			s.reachAll(vm1, vm2)
			dumps[i] = s.steady(a, b)
		}()
		if left := leftovers(t, name); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	if d := difference(dumps[0], dumps[1]); len(d) > 0 {
		t.Errorf("the second run ended with other tables:\n%s", strings.Join(d, "\n"))
	}
}

// learnMeter bounds the copies of frames from unknown hosts.
const learnMeter = 0xe0501

// TestDrift: flows, groups and meters that somebody deletes or alters behind the controller's back are repaired, with a
// log line; flows with other cookies are left alone, whatever happens.
func TestDrift(t *testing.T) {
	t.Parallel()
	s := newSite(t, "audit: {interval: 5s}\n"+conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}",
		"vif3: {access: red}")))
	br := s.bridge("host1")
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.vm(br, "vm3")
	for _, flow := range []string{
		"cookie=0xabc,table=0,priority=200,udp,tp_dst=4242,actions=drop",
		"cookie=0xe04fffffffffffff," + ofTable("forward") + "priority=300,ip,nw_dst=192.0.2.9,actions=drop",
		"cookie=0x5,table=200,actions=drop",
	} {
		br.AddFlow(flow)
	}
	br.Host.Ofctl("add-group", "br0", "group_id=5,type=all,bucket=output:1")
	s.reachAll(vm1, vm2)
	before := s.steady(br)

	const drifts = `eosin_flow_drifts_total{switch="sw1"}`
	for _, drift := range []struct {
		what   string
		within time.Duration
		do     func()
	}{
		// The switch says that hosts' flows have gone, so this is seen at once.
		{
			"all flows deleted", patience,
			func() { br.DelFlows(fmt.Sprintf("cookie=%#x/%#x", uint64(ourCookie), uint64(ourCookieMask))) },
		},
		// Nobody says anything of these: the regular audit finds them.
		{
			"a flow altered, another deleted, one of our cookie added, a group deleted, a meter deleted", patience,
			func() {
				br.Host.Ofctl("mod-flows", "br0", ofTable("forward")+"dl_vlan=10,dl_dst="+vm1.MAC+",actions=drop")
				br.Host.Ofctl("--strict", "del-flows", "br0",
					fmt.Sprintf(ofTable("classify")+"priority=20,in_port=%d,vlan_tci=0x1000/0x1fff", vm2.PortNumber()))
				br.Host.Ofctl("del-meter", "br0", fmt.Sprintf("meter=%d", learnMeter))
				br.Host.Ofctl("del-groups", "br0", "group_id="+groupOfVLAN(t, br, 11))
				br.AddFlow(fmt.Sprintf("cookie=%#x,"+ofTable("forward")+"priority=900,dl_vlan=10,actions=drop",
					uint64(ourCookie|5<<48|1)))
			},
		},
	} {
		seen := s.metric(drifts)
		drift.do()
		damage := difference(before, dump(br))
		if len(damage) == 0 {
			t.Fatalf("%s: nothing changed", drift.what)
		}
		s.eventually(drift.within, drift.what+": repaired", func() bool {
			return len(difference(before, dump(br))) == 0
		})
		s.eventually(patience, drift.what+": counted", func() bool { return s.metric(drifts) > seen })
		s.pings(vm1, vm2)
		s.reach(vm2, vm1)
	}
	s.waitLog(patience, "drift", "sw1", "behind our back")

	s.ctl.Kill()
	s.ctl.Start()
	s.waitConnected(br)
	s.reach(vm1, vm2)
	s.same("a restart among foreign flows", before, s.steady(br))
}

// groupOfVLAN is the id of the group that floods a VLAN.
func groupOfVLAN(t *testing.T, br *lab.Bridge, vlan int) string {
	t.Helper()
	for _, f := range br.Flows() {
		if id, ok := strings.CutPrefix(f.Actions, "group:"); ok && f.Match == fmt.Sprintf("dl_vlan=%d", vlan) {
			return id
		}
	}
	t.Fatalf("no flood rule for VLAN %d", vlan)
	return ""
}

// TestHandshakeRefused: a bridge that speaks OpenFlow 1.0 only is refused, the log says which command helps, and it
// does.
func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	h := s.AddHost("host1")
	br := h.AddBridge("br0", lab.BridgeOptions{
		Controllers: []string{s.ControllerTarget()},
		Protocols:   []string{"OpenFlow10"},
	})
	s.waitLog(patience, "refused", "ovs-vsctl set bridge BRIDGE protocols=OpenFlow13")
	if list := get[api.Switch](s, "switches"); len(list) > 0 {
		t.Errorf("refused, but there is %+v", list)
	}
	if refused := s.metric("eosin_openflow_connections_refused_total"); refused < 1 {
		t.Errorf("%v refused connections counted", refused)
	}
	h.Vsctl("set", "bridge", "br0", "protocols=OpenFlow13")
	s.waitConnected(br)
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)
}
