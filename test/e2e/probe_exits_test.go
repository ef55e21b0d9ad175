package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/lab"
)

// TestProbeExits: the exit status of "eosin probe", and what it says about the reason.
func TestProbeExits(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: red}", "vif4: {access: blue}",
			"vx0: {tunnel: true}"),
		bridgeConf(2, "vif5: {access: blue}", "vx0: {tunnel: true}"),
	)+named(6))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4, vm5 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(a, "vm3"), s.vm(a, "vm4"), s.vm(b, "vm5")
	s.waitLinks(1)
	s.met(vm1, vm2, vm3, vm4, vm5)
	s.reach(vm1, vm2, vm4, vm5)
	vm2.SetSilent(true)
	quick := []string{"-c", "2", "-i", "50ms", "-W", "300ms"}

	// exits checks a command's exit status, and that the text for people holds what it should.
	exits := func(want int, args []string, texts ...string) {
		t.Helper()
		r := s.ctl.Eosin(append([]string{"probe"}, args...)...)
		if r.Exit != want {
			t.Errorf("eosin probe %v: want exit %d: %v", args, want, r)
		}
		said := r.Stdout
		if want > 1 {
			said = r.Stderr
		}
		for _, text := range texts {
			if !strings.Contains(said, text) {
				t.Errorf("eosin probe %v does not say %q: %v", args, text, r)
			}
		}
	}
	// stage checks the stage at which a probe was lost.
	stage := func(want probespec.Stage, args ...string) *probespec.Loss {
		t.Helper()
		r := s.probe(append(args, quick...)...)
		if r.Verdict != probespec.Unreachable || r.Loss == nil || r.Loss.Stage != want || want != "no_reply" &&
			len(r.Loss.Evidence) == 0 {
			t.Fatalf("eosin probe %v: %+v, loss %+v; want stage %s with evidence", args, r, r.Loss, want)
		}
		return r.Loss
	}
	with := func(ends ...string) []string { return append(ends, quick...) }

	exits(0, with("vm1", "vm5"), "reply from vm5", "2 sent, 2 received, 0% loss", "verdict: reachable")
	exits(1, with("vm1", "vm2"), "no reply: seq=2", "100% loss", "guest_silent", "evidence: ", "verdict: unreachable")
	if where := stage("guest_silent", "vm1", "vm2").Where; where == nil || where.String() != "sw1:vif2" {
		t.Errorf("lost at %v, want sw1:vif2", where)
	}
	exits(1, with("vm1", "vm3"), "vm1 is in network blue, vm3 in red", "verdict: unreachable")
	stage("unknown_destination", "vm1", "10.0.3.99")
	exits(1, with("vm1", "10.0.3.99"), "unknown_destination", "10.0.3.99")
	// Named in the config and never seen: where it would be is not known.
	stage("unknown_destination", "vm1", "vm6")

	for _, wrong := range [][]string{
		{},
		{"vm1"},
		{"vm1", "vm5", "vm2"},
		{"vm1", "vm5", "-c", "0"},
		{"vm1", "vm5", "-c", "many"},
		{"vm1", "vm5", "-i", "soon"},
		{"vm1", "vm5", "-W", "-1s"},
		{"vm1", "vm5", "--type", "carrier-pigeon"},
		{"vm1", "vm5", "--color", "65536"},
		{"vm1", "vm5", "--size", "70000"},
		{"vm1", "vm5", "--loud"},
		{"vm1", "vm5", "-o", "yaml"},
		{"vm1", "vm1"},
	} {
		exits(2, wrong, "eosin: ", "eosin probe --help")
	}
	exits(3, with("vm7", "vm5"), `unknown source "vm7"`, "vm1", "vm5")
	exits(3, with("vm1", "nobody"), `unknown destination "nobody"`)

	// A source that is down is found before anything is sent: nobody hears anything.
	vm4.SetUp(false)
	s.eventually(truthWithin, "port vif4 down", func() bool { p, _ := s.port(a, "vif4"); return !p.Up })
	atTarget := vm5.Capture("icmp or arp")
	exits(3, with("vm4", "vm5"), "source_down", "sw1:vif4", "is down")
	if frames := atTarget.Stop(); len(frames) > 0 {
		t.Errorf("%d frames came from a source that is down", len(frames))
	}
	if where := stage("destination_port_down", "vm1", "vm4").Where; where == nil || where.String() != "sw1:vif4" {
		t.Errorf("lost at %v, want sw1:vif4", where)
	}
	exits(1, with("vm5", "vm4"), "destination_port_down")

	b.DelController()
	s.eventually(truthWithin, "switch sw2 not connected", func() bool { return !s.isConnected(b) })
	exits(3, with("vm5", "vm1"), "source_down", "sw2", "not connected")

	if !s.ctl.Stop(5 * time.Second) {
		t.Error("the controller did not end within 5 s")
	}
	exits(3, with("vm1", "vm5"), "no answer from the controller", "eosin serve")
}
