package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// foreign adds flows, a group and a meter of somebody else's to a bridge: in tables of ours and in others, with cookies
// that are nearly ours. It returns what tells later whether they are all there, untouched.
func foreign(br *lab.Bridge) func() []string {
	br.Host.Ofctl("add-group", br.Name, "group_id=5,type=all,bucket=output:1")
	for _, flow := range []string{
		"cookie=0xabc,table=0,priority=200,udp,tp_dst=4242,actions=drop",
		"cookie=0,table=0,priority=201,udp,tp_dst=4243,actions=drop",
		"cookie=0xe04fffffffffffff," + ofTable("forward") + "priority=300,ip,nw_dst=192.0.2.9,actions=drop",
		"cookie=0xe060000000000000," + ofTable("learn") + "priority=300,ip,nw_dst=192.0.2.9,actions=drop",
		"cookie=0x5," + ofTable("flood") + "priority=77,ip,nw_dst=192.0.2.9,actions=group:5",
		"cookie=0x5,table=200,actions=drop",
	} {
		br.AddFlow(flow)
	}
	br.Host.Ofctl("add-meter", br.Name, "meter=5,pktps,burst,bands=type=drop,rate=1000,burst_size=100")
	since := time.Now()
	return func() (lines []string) {
		age := time.Since(since)
		for _, f := range br.Flows() {
			if ours(f) {
				continue
			}
			if f.Age < age-time.Second { // ovs-ofctl is asked a moment later
				lines = append(lines, "again: "+f.Text)
			} else {
				lines = append(lines, f.Text)
			}
		}
		for _, g := range br.DumpGroups() {
			if strings.Contains(g, "group_id=5,") {
				lines = append(lines, g)
			}
		}
		for _, m := range br.DumpMeters() {
			if strings.Contains(m, "meter=5 ") {
				lines = append(lines, m)
			}
		}
		return lines
	}
}

// TestHealRenamed: a config in which all networks and switches have other names, but the same VLANs, VNIs and datapath
// ids, touches nothing, whether it is reloaded or the controller is started with it, and no ping is lost. What others
// have put into the switches survives that, audits, and changes of the config that do something.
func TestHealRenamed(t *testing.T) {
	t.Parallel()
	config := func(blue, red, a, b, vif2 string) string {
		text := strings.NewReplacer("sw1:", a+":", "sw2:", b+":", "blue", blue, "red", red).Replace(conf(
			bridgeConf(1, "vif1: {access: blue}", "vif2: {access: "+vif2+"}", "vif3: {access: red}",
				"vx0: {tunnel: true}"),
			bridgeConf(2, "vif4: {access: blue}", "vif5: {access: red}", "vx0: {tunnel: true}"),
		))
		return "audit: {interval: 1s}\n" + text
	}
	const done = "the config is reloaded"
	s := newSite(t, config("blue", "red", "sw1", "sw2", "blue"))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4, vm5 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(a, "vm3"), s.vm(b, "vm4"), s.vm(b, "vm5")
	s.waitLinks(1)
	s.reachAll(vm1, vm2, vm4)
	s.reachAll(vm3, vm5)
	s.steady(a, b)
	ofOthers := foreign(a)
	theirs := ofOthers()
	if len(theirs) != 8 {
		t.Fatalf("flows, groups and meters of others: %q", theirs)
	}
	before, old := s.steady(a, b), map[*lab.Bridge]snapshot{a: snap(a), b: snap(b)}
	over := vm1.StartPing(vm4.IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))
	beside := vm2.StartPing(vm1.IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))
	red := vm5.StartPing(vm3.IP(), lab.Count(endless), lab.Interval(20*time.Millisecond))

	check := func(what, network, sw string) {
		t.Helper()
		s.eventually(patience, what+": the names are the new ones", func() bool {
			hosts := get[api.Host](s, "hosts")
			return s.location(vm1) == sw+":vif1" && !slices.ContainsFunc(hosts,
				func(h api.Host) bool { return h.MAC == vm1.MAC && h.Network != network })
		})
		s.audited(a, b)
		for br, snapshot := range old {
			if list := snapshot.touched(br); len(list) > 0 {
				t.Errorf("%s touched flows of %s:\n%s", what, br, strings.Join(list, "\n"))
			}
			now := br.Flows()
			for _, f := range snapshot.flows {
				if i := slices.IndexFunc(now, func(o lab.Flow) bool { return o.Text == f.Text }); i >= 0 &&
					now[i].Packets < f.Packets {
					t.Errorf("%s: the counter of a flow of %s went from %d to %d: %s", what, br, f.Packets,
						now[i].Packets, f.Text)
				}
			}
		}
		s.same(what, before, slices.Concat(dump(a), dump(b)))
		s.same(what+" (of others)", theirs, ofOthers())
	}
	s.reload(config("azure", "crimson", "left", "right", "azure"), done)
	check("a reload with other names", "azure", "left")
	s.ctl.Reload(config("sea", "fire", "one", "two", "sea"))
	s.eventually(patience, "reloaded again", func() bool { return strings.Count(s.ctl.Log(), done) == 2 })
	s.ctl.Stop(5 * time.Second)
	s.ctl.Start()
	s.waitConnected(a)
	s.waitConnected(b)
	check("a restart after it", "sea", "one")

	s.ctl.Kill()
	s.ctl.Configure(config("navy", "rose", "alpha", "beta", "navy"))
	s.ctl.Start()
	s.waitConnected(a)
	s.waitConnected(b)
	check("a restart with other names", "navy", "alpha")
	for i, ping := range []*lab.RunningPing{over, beside, red} {
		if r := ping.Stop(); !r.AllReceived() {
			t.Errorf("ping %d: %v; not answered: %v", i+1, r, unanswered(r))
		} else {
			t.Logf("ping %d: %v", i+1, r)
		}
	}

	// A change that does something, and the loss of the connection, leave what is others' alone as well.
	s.reload(config("navy", "rose", "alpha", "beta", "rose"), done)
	s.reach(vm2, vm3, vm5)
	s.isolated(vm2, vm1)
	s.same("a change of a port (of others)", theirs, ofOthers())
	a.DelFlows("cookie=0xe050000000000000/0xfff0000000000000")
	s.waitLog(patience, "drift", "behind our back")
	s.reach(vm2, vm3, vm5)
	s.steady(a, b)
	s.same("a repair (of others)", theirs, ofOthers())
}
