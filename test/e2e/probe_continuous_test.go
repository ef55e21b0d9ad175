package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/lab"
)

// meshOf returns the pairs of a continuous probe by "source destination".
func (s *site) meshOf(probe string) map[string]probespec.MeshEntry {
	s.t.Helper()
	pairs := map[string]probespec.MeshEntry{}
	for _, m := range get[probespec.MeshEntry](s, "mesh") {
		if m.Probe == probe {
			pairs[m.Source+" "+m.Destination] = m
		}
	}
	return pairs
}

// waitMesh waits until a continuous probe has exactly these pairs and each has been decided as yes says.
func (s *site) waitMesh(probe string, pairs []string, what string, yes func(m probespec.MeshEntry) bool) {
	s.t.Helper()
	var last map[string]probespec.MeshEntry
	if !s.Eventually(patience, func() bool {
		last = s.meshOf(probe)
		for _, p := range pairs {
			if m, known := last[p]; !known || m.Last == nil || !yes(m) {
				return false
			}
		}
		return len(last) == len(pairs)
	}) {
		s.t.Fatalf("pairs of %s not %s: %+v", probe, what, last)
	}
}

func isOK(m probespec.MeshEntry) bool { return m.OK && m.Verdict == m.Expect }

// pairSeries names a series of one pair of a continuous probe.
func pairSeries(metric, probe, pair string) string {
	source, destination, _ := strings.Cut(pair, " ")
	return fmt.Sprintf("%s{destination=%q,probe=%q,source=%q}", metric, destination, probe, source)
}

// TestContinuousProbes: meshes, isolation and pairs of the config; a guest that goes down and comes back; an isolation
// that is broken behind the controller's back; and a reload.
func TestContinuousProbes(t *testing.T) {
	t.Parallel()
	base := conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: blue}",
		"vif4: {access: red}",
		"j1: {access: blue}", "j2: {access: red}")) + named(4) + `probes:
  - {name: blue-mesh, mesh: blue, interval: 200ms, timeout: 300ms}
  - {name: isolation, from: blue, to: red, expect: unreachable, interval: 200ms, timeout: 300ms}
`
	s := newSite(t, base+"  - {name: chosen, pairs: [[vm1, vm2], [vm1, 10.0.3.99]], interval: 200ms, timeout: 300ms}\n")
	br := s.bridge("host1")
	vm1, vm2, vm3, vm4 := s.vm(br, "vm1"), s.vm(br, "vm2"), s.vm(br, "vm3"), s.vm(br, "vm4")
	br.AddInternalPort("j1")
	br.AddInternalPort("j2")
	s.met(vm1, vm2, vm3, vm4)
	s.reachAll(vm1, vm2, vm3)

	mesh := []string{"vm1 vm2", "vm1 vm3", "vm2 vm1", "vm2 vm3", "vm3 vm1", "vm3 vm2"}
	isolated := []string{"vm1 vm4", "vm2 vm4", "vm3 vm4"}
	s.waitMesh("blue-mesh", mesh, "reachable", func(m probespec.MeshEntry) bool {
		return isOK(m) && m.RTT != nil &&
			*m.RTT > 0
	})
	s.waitMesh("isolation", isolated, "isolated", func(m probespec.MeshEntry) bool {
		return isOK(m) && m.Verdict == probespec.Unreachable && m.LossRatio == 1
	})
	s.waitMesh("chosen", []string{"vm1 vm2", "vm1 10.0.3.99"}, "right", func(m probespec.MeshEntry) bool {
		return m.OK == (m.Destination == "vm2") && (m.OK || m.Loss != nil && m.Loss.Stage == "unknown_destination")
	})
	if v := s.metric(pairSeries("eosin_probe_success", "isolation", "vm1 vm4")); v != 1 {
		t.Errorf("the isolation holds, but eosin_probe_success is %v", v)
	}

	s.guestDownAndUp(vm2, mesh)
	s.isolationBroken(br, isolated)
	s.reloadOfProbes(base, mesh)
}

// guestDownAndUp takes the second guest down and up again.
func (s *site) guestDownAndUp(vm2 *lab.VM, mesh []string) {
	s.t.Helper()
	vm2.SetUp(false)
	s.eventually(patience, "vm2 not reached", func() bool {
		m, known := s.meshOf("chosen")["vm1 vm2"]
		return known && !m.OK && m.Verdict == probespec.Unreachable && m.LossRatio > 0 && m.Loss != nil
	})
	if v := s.metric(pairSeries("eosin_probe_success", "chosen", "vm1 vm2")); v != 0 {
		s.t.Errorf("vm2 is down, but eosin_probe_success is %v", v)
	}
	if m := s.meshOf("blue-mesh")["vm1 vm2"]; m.OK || m.Verdict != probespec.Unreachable {
		s.t.Errorf("vm2 is down, but the mesh says %+v", m)
	}
	if m := s.meshOf("blue-mesh")["vm1 vm3"]; !m.OK {
		s.t.Errorf("vm2 is down, but it is vm3 that is not reached: %+v", m)
	}
	vm2.SetUp(true)
	s.met(vm2)
	s.waitMesh("blue-mesh", mesh, "reachable again", isOK)
	s.waitMesh("chosen", []string{"vm1 vm2", "vm1 10.0.3.99"}, "right again",
		func(m probespec.MeshEntry) bool { return m.OK == (m.Destination == "vm2") })
}

// isolationBroken joins the networks behind the controller's back.
func (s *site) isolationBroken(br *lab.Bridge, isolated []string) {
	s.t.Helper()
	violations := func(pair string) float64 {
		return s.metric(pairSeries("eosin_isolation_violations_total", "isolation", pair))
	}
	s.waitMesh("isolation", isolated, "isolated", isOK)
	for _, pair := range isolated {
		if v := violations(pair); v != 0 {
			s.t.Errorf("%v violations of %s before anything was joined", v, pair)
		}
	}
	// Somebody joins the networks: a Linux bridge, which the controller cannot see, between a port of each.
	join := [][]string{
		{"ip", "link", "add", "joint", "type", "bridge"},
		{"ip", "link", "set", "j1", "master", "joint"},
		{"ip", "link", "set", "j2", "master", "joint"},
		{"ip", "link", "set", "joint", "up"},
	}
	for _, command := range join {
		br.Host.Run(command...)
	}
	s.eventually(patience, "the violation is seen and counted", func() bool {
		m := s.meshOf("isolation")["vm1 vm4"]
		return !m.OK && m.Verdict == probespec.Reachable && violations("vm1 vm4") > 0
	})
	if v := s.metric(pairSeries("eosin_probe_success", "isolation", "vm1 vm4")); v != 0 {
		s.t.Errorf("the isolation is broken, but eosin_probe_success is %v", v)
	}
	s.waitLog(patience, "isolation", "vm1", "vm4")
	br.DelPort("j1") // and with it what was seen in the wrong network
	br.DelPort("j2")
	s.eventually(patience, "the isolation holds again", func() bool { return s.meshOf("isolation")["vm1 vm4"].OK })
}

// reloadOfProbes changes some of the probes.
func (s *site) reloadOfProbes(base string, mesh []string) {
	s.t.Helper()
	kept, changed := pairSeries("eosin_probe_sent_total", "blue-mesh", "vm1 vm3"),
		pairSeries("eosin_probe_sent_total", "chosen", "vm1 vm2")
	keptBefore, changedBefore := s.metric(kept), s.metric(changed)
	at := s.metric("eosin_config_last_reload_success_timestamp_seconds")
	s.eventually(patience, "the clock's next second", func() bool {
		s.ctl.Reload(base + "  - {name: chosen, pairs: [[vm1, vm3]], interval: 200ms, timeout: 300ms}\n" +
			"  - {name: more, pairs: [[vm3, vm1]], interval: 200ms}\n")
		return s.metric("eosin_config_last_reload_success_timestamp_seconds") > at
	})
	s.waitMesh("chosen", []string{"vm1 vm3"}, "that of the new config", isOK)
	s.waitMesh("more", []string{"vm3 vm1"}, "that of the new config", isOK)
	s.waitMesh("blue-mesh", mesh, "still reachable", isOK)
	if after := s.metric(kept); after < keptBefore {
		s.t.Errorf("a pair that the reload did not change began anew: %v requests, %v before", after, keptBefore)
	}
	s.eventually(patience, "the unchanged pair goes on", func() bool { return s.metric(kept) > keptBefore })
	body, err := s.ctl.Get("/metrics")
	if err != nil || strings.Contains(string(body), changed) {
		s.t.Errorf("a pair that the reload removed still has %s (%v before): %v", changed, changedBefore, err)
	}
	if names := probeNames(s); !slices.Equal(names, []string{"blue-mesh", "chosen", "isolation", "more"}) {
		s.t.Errorf("probes %v", names)
	}
}

func probeNames(s *site) []string {
	var names []string
	for _, p := range get[probespec.Status](s, "probes") {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}
