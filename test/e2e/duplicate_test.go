package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// TestDuplicateDatapathID: of two bridges with one datapath id the one that is served goes on being served, on another
// host or on the same one; the other is refused with a line that says what to do, and served as soon as it does that,
// or the first is gone.
func TestDuplicateDatapathID(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := s.bridge("host1")
	vm1, vm2 := s.vm(first, "vm1"), s.vm(first, "vm2")
	s.reachAll(vm1, vm2)
	since := s.session(first).ConnectedSince

	twin := func(h *lab.Host, name string) *lab.Bridge {
		return h.AddBridge(name, lab.BridgeOptions{DatapathID: 1, Controllers: []string{s.ControllerTarget()}})
	}
	elsewhere, beside := twin(s.AddHost("host2"), "br0"), twin(first.Host, "br1")
	for _, from := range []string{elsewhere.Host.ManagementIP(), first.Host.ManagementIP()} {
		s.waitLog(patience, "refused", "connection from tcp:"+from, "other-config:datapath-id",
			first.DatapathID()+" belongs to the switch connected from tcp:"+first.Host.ManagementIP())
	}
	s.eventually(patience, "each of the two has tried again and again", func() bool {
		return s.metric("eosin_openflow_connections_refused_total") >= 6
	})
	if r := s.ctl.Eosin("events", "-o", "json"); r.Exit != 0 || !strings.Contains(r.Stdout, "switch_refused") ||
		!strings.Contains(r.Stdout, "belongs to the switch") {
		t.Errorf("events: %v", r)
	}
	for _, br := range []*lab.Bridge{elsewhere, beside} {
		if flows := br.Flows(); slices.ContainsFunc(flows, ours) {
			t.Errorf("%s got flows", br)
		}
	}
	vm3 := s.vm(first, "vm3")
	s.reachAll(vm1, vm2, vm3)
	if now := s.session(first).ConnectedSince; now == nil || !now.Equal(*since) {
		t.Errorf("the first bridge's session has been anew since %s", now)
	}

	// What the line says.
	beside.Host.Vsctl("set", "bridge", "br1", "other-config:datapath-id=0000000000000099")
	s.eventually(patience, "served with a datapath id of its own", func() bool {
		return slices.ContainsFunc(get[api.Switch](s, "switches"), func(o api.Switch) bool {
			return o.DatapathID == "0000000000000099" && o.Connected
		})
	})
	first.Delete()
	s.eventually(patience, "the twin is served when the first is gone",
		func() bool { return slices.ContainsFunc(elsewhere.Flows(), ours) })
	s.waitConnected(elsewhere)
	for _, o := range get[api.Switch](s, "switches") {
		if at := fmt.Sprintf("tcp:%s:", elsewhere.Host.ManagementIP()); o.DatapathID == elsewhere.DatapathID() &&
			!strings.HasPrefix(o.Address, at) {
			t.Errorf("the switch is at %s, want %s", o.Address, at)
		}
	}
	vm7, vm8 := s.vm(elsewhere, "vm7"), s.vm(elsewhere, "vm8")
	s.reachAll(vm7, vm8)
}
