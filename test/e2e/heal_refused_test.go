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

// learnTable is where each known host has a rule.
var learnTable = int(pipeline.Number("learn"))

// limitTable lets a table of a bridge hold no more than so many flows; what is above is refused.
func limitTable(br *lab.Bridge, table, flows int) {
	br.Host.Vsctl("--", "--id=@limit", "create", "Flow_Table", fmt.Sprintf("flow_limit=%d", flows),
		"overflow_policy=refuse",
		"--", "set", "Bridge", br.Name, fmt.Sprintf("flow_tables:%d=@limit", table))
}

func unlimit(br *lab.Bridge) { br.Host.Vsctl("clear", "Bridge", br.Name, "flow_tables") }

func inTable(br *lab.Bridge, table int) (n int) {
	for _, f := range br.Flows() {
		if f.Table == table {
			n++
		}
	}
	return n
}

// TestHealTableFull: a switch whose table is full says so in all places, is asked again at growing intervals, goes on
// serving what needs no room there, and is whole again by itself when there is room. That a bundle was refused leaves
// nothing half applied.
func TestHealTableFull(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1,
		"vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: blue}", "vif4: {access: blue}",
		"vif5: {access: red}", "vif6: {access: red}",
	)))
	br := s.bridge("host1")
	vm1, vm2, vm3 := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3")
	s.reachAll(vm1, vm2)
	s.steady(br)
	const errors = `eosin_switch_errors_total{switch="sw1"}`
	if n := s.metric(errors); n != 0 {
		t.Fatalf("%v errors before anything", n)
	}
	limitTable(br, learnTable, inTable(br, learnTable))

	full := time.Now()
	s.reach(vm3, vm1, vm2)
	s.eventually(truthWithin, "the error is shown", func() bool { return s.state(br).Error != "" })
	r := s.ctl.Eosin("get", "switches")
	for _, text := range []string{"\nsw1: error: ", "flow_mod_failed: table_full", "rule in table learn"} {
		if !strings.Contains(r.Stdout, text) {
			t.Errorf("eosin get switches does not say %q:\n%s", text, r.Stdout)
		}
	}
	s.waitLog(truthWithin, "level=error", "switch sw1", "table_full", "table learn")
	// Guests on new ports: what they need elsewhere is installed meanwhile.
	vm5, vm6 := s.vm(br, "vm5"), s.vm(br, "vm6")
	s.reachAll(vm5, vm6)
	s.isolated(vm5, vm1, vm3)
	// Tries after 0, 1, 3 and 7 s, with up to three hosts' rules each.
	s.observe(time.Until(full.Add(4*time.Second)), "the switch is not asked too often", func() bool {
		return s.metric(errors) <= 30 && strings.Count(s.ctl.Log(), "event=switch_error") <= 15
	})
	s.eventually(patience, "the switch was asked again", func() bool { return s.metric(errors) >= 2 })

	// All is lost, and cannot be brought back whole: hosts are left out, and nothing else.
	br.DelFlows(fmt.Sprintf("cookie=%#x/%#x", uint64(ourCookie), uint64(ourCookieMask)))
	limitTable(br, learnTable, 7)
	lost := time.Now()
	s.eventually(patience, "all but rules of hosts", func() bool {
		n := 0
		for _, f := range br.Flows() {
			if ours(f) && f.Table < learnTable {
				n++
			}
		}
		want := 0
		for _, f := range get[api.Flow](s, "flows") {
			if int(f.Table) < learnTable {
				want++
			}
		}
		if n != 0 && n != want {
			t.Errorf("half applied: %d flows of %d", n, want)
		}
		return n == want
	})
	t.Logf("all but rules of hosts %.1f s after they were lost", time.Since(lost).Seconds())
	s.reachAll(vm1, vm2, vm3)
	s.reach(vm5, vm6)
	s.isolated(vm5, vm1, vm3)
	if s.complete(br) || s.state(br).Error == "" {
		t.Errorf("complete: %v, error %q", s.complete(br), s.state(br).Error)
	}

	unlimit(br)
	lifted := time.Now()
	s.eventually(2*patience, "all flows, and no error", func() bool {
		return s.complete(br) &&
			s.state(br).Error == ""
	})
	t.Logf("whole %.1f s after there was room", time.Since(lifted).Seconds())
	s.reachAll(vm1, vm2, vm3)
	s.reachAll(vm5, vm6)
}

// TestHealTableFullAtStart: a switch with no room for what every frame needs is left as it was, and served as soon as
// it has room.
func TestHealTableFullAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	h := s.AddHost("host1")
	br := h.AddBridge("br0", lab.BridgeOptions{})
	limitTable(br, 1, 2)
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	br.SetController(s.ControllerTarget())
	s.waitConnected(br)
	s.eventually(patience, "the error is shown",
		func() bool { return strings.Contains(s.state(br).Error, "table classify") })
	s.observe(2*time.Second, "no flow of a refused bundle is there",
		func() bool { return !slices.ContainsFunc(br.Flows(), ours) })
	unlimit(br)
	s.reachAll(vm1, vm2)
	s.eventually(patience, "no error", func() bool { return s.complete(br) && s.state(br).Error == "" })
}
