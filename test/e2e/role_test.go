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

// role is what a controller says of its role at a bridge; empty while it is not connected there.
func role(t *testing.T, ctl *lab.Controller, br *lab.Bridge) string {
	t.Helper()
	var switches []api.Switch
	if err := ctl.GetJSON("/api/v1/switches", &switches); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(switches, func(s api.Switch) bool { return s.DatapathID == br.DatapathID() && s.Connected })
	if i < 0 {
		return ""
	}
	return switches[i].Role
}

// writes is how many messages the controller has sent to sw1 that only a master may send.
func (s *site) writes() (sum float64) {
	s.t.Helper()
	for _, typ := range []string{"flow_mod", "group_mod", "meter_mod", "packet_out", "experimenter"} {
		sum += s.metric(fmt.Sprintf("eosin_openflow_messages_total{direction=\"out\",switch=\"sw1\",type=%q}", typ))
	}
	return sum
}

// roleConf is the config of both controllers: a rival that has it finds everything as it should be.
var roleConf = conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: blue}"))

// twoGuests makes a bridge with two guests that reach each other.
func (s *site) twoGuests() (br *lab.Bridge, vm1, vm2 *lab.VM) {
	s.t.Helper()
	br = s.bridge("host1")
	vm1, vm2 = s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)
	return br, vm1, vm2
}

// TestRoles: the controller is the master of its bridges. Another one that claims a bridge later is obeyed, and the
// first writes nothing from then on, says so, and sees its ports; when the bridge connects to it anew, it takes the
// bridge back with all that the other has learned, and no frame is lost on the way.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t, roleConf)
	br, vm1, vm2 := s.twoGuests()
	s.eventually(patience, "the role is master", func() bool { return role(t, s.ctl, br) == "master" })
	before := s.steady(br)

	// The rival comes.
	rival := s.StartRival(program, roleConf)
	pinger := vm1.StartPing(vm2.IP(), lab.Count(100_000), lab.Interval(10*time.Millisecond))
	br.SetController(s.ControllerTarget(), s.RivalTarget())
	s.eventually(patience, "the rival is the master", func() bool { return role(t, rival, br) == "master" })
	s.eventually(patience, "the first controller knows", func() bool { return role(t, s.ctl, br) == "slave" })
	s.waitLog(patience, "another controller has become the switch's master", "sw1")
	if r := s.ctl.Eosin("get", "switches"); !strings.Contains(r.Stdout, "slave") {
		t.Errorf("get switches: %v", r)
	}
	if v := s.metric(fmt.Sprintf("eosin_switch_role{datapath_id=%q,role=\"slave\",switch=\"sw1\"}",
		br.DatapathID())); v != 1 {
		t.Errorf("eosin_switch_role is %v", v)
	}
	sent := s.writes()

	// The rival serves: a new guest is learned by it, and its rules stay.
	vm3 := s.vm(br, "vm3")
	s.reachAll(vm1, vm2, vm3)
	s.eventually(patience, "the rival learns vm3", func() bool { return outPort(br, vm3) == vm3.PortNumber() })
	s.eventually(patience, "the first controller sees the new port", func() bool {
		p, ok := s.port(br, vm3.Port)
		return ok && p.Up
	})
	if r := s.ctl.Eosin("probe", vm1.MAC, vm2.MAC, "-c", "1"); r.Exit != 3 ||
		!strings.Contains(r.Stderr, "another controller is the master of switch sw1") {
		t.Errorf("a probe at a switch that is not ours: %v", r)
	}
	served := s.steady(br)
	if d := difference(before, served); !slices.ContainsFunc(d,
		func(l string) bool { return strings.Contains(l, vm3.MAC) }) ||
		slices.ContainsFunc(d, func(l string) bool {
			return strings.HasPrefix(l, "- ") && strings.Contains(l, "table=") && !strings.Contains(l, "group")
		}) {
		t.Errorf("the rival changed:\n%s", strings.Join(d, "\n"))
	}
	if now := s.writes(); now != sent {
		t.Errorf("a slave wrote %v messages", now-sent)
	}

	// The rival goes, and the bridge connects to the first one anew.
	rival.Kill()
	br.SetController(s.ControllerTarget())
	s.ctl.Stop(5 * time.Second)
	s.ctl.Start()
	s.eventually(patience, "the first controller is the master again",
		func() bool { return role(t, s.ctl, br) == "master" })
	s.same("taking the bridge back", served, s.steady(br))
	s.eventually(patience, "vm3 is known", func() bool { return s.location(vm3) == s.at(vm3) })
	if r := pinger.Stop(); !r.AllReceived() {
		t.Errorf("pings while controllers took turns: %v", r)
	}
}

// TestTakeBack: a controller that was replaced for a while, and has not restarted, forgets what it knew and takes over
// what the bridge holds by then.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, roleConf)
	br, vm1, vm2 := s.twoGuests()
	rival := s.StartRival(program, roleConf)
	br.SetController(s.RivalTarget())
	s.eventually(patience, "the rival is the master", func() bool { return role(t, rival, br) == "master" })
	vm3 := s.vm(br, "vm3")
	s.reachAll(vm1, vm2, vm3)
	br.SetController(s.RivalTarget(), s.ControllerTarget())
	s.eventually(patience, "the first is the master again", func() bool { return role(t, s.ctl, br) == "master" })
	s.eventually(patience, "the rival knows", func() bool { return role(t, rival, br) == "slave" })
	s.eventually(patience, "vm3 is known", func() bool { return s.location(vm3) == s.at(vm3) })
	s.reachAll(vm1, vm2, vm3)

	// And it is the rival's turn to come back.
	s.ctl.Kill()
	br.SetController(s.RivalTarget())
	s.eventually(patience, "connected to the rival", func() bool { return role(t, rival, br) != "" })
	s.reachAll(vm1, vm2, vm3)
}

// TestEqualRole: with `role: equal` the controller does not claim its bridges.
func TestEqualRole(t *testing.T) {
	t.Parallel()
	s := newSite(t, "openflow: {role: equal}\n")
	br := s.bridge("host1")
	s.eventually(patience, "the role is equal", func() bool { return role(t, s.ctl, br) == "equal" })
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)
}
