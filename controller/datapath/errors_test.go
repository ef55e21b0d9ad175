package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// refuseAdds has the switch refuse bundled rules of a table.
func refuseAdds(table uint8, typ, code uint16) func([]byte) (uint16, uint16) {
	return func(msg []byte) (uint16, uint16) {
		var add openflow.BundleAdd
		var m openflow.FlowMod
		if add.Decode(msg) == nil && m.Decode(add.Message) == nil && m.TableID == table {
			return typ, code
		}
		return 0, 0
	}
}

// An error in a bundle: nothing of it is committed, whoever asks is told which rule it was, and it is tried again later
// and later.
func TestBundleRefused(t *testing.T) {
	p := newPeer(t)
	p.refuse = refuseAdds(pipeline.Number("learn"), openflow.ErrorTypeBadMatch, 6)
	p.attach()
	got := p.sent()
	if !strings.HasSuffix(got, "barrier_request\nbundle discard") || strings.Contains(got, "commit") {
		t.Errorf("sent:\n%s", got)
	}
	if len(p.flows) != 0 || len(p.groups) != 0 {
		t.Errorf("half applied: %d flows, %d groups", len(p.flows), len(p.groups))
	}
	p.wantNotice("switch_error", "bad_match", "table learn", "priority 30")
	if len(p.notices) != 1 {
		t.Errorf("%d notices for one bundle: %q", len(p.notices), p.notices)
	}
	var refusal *openflow.Error
	if st := p.m.Status(); !errors.As(st.Err, &refusal) || !strings.Contains(st.Err.Error(), "table learn") {
		t.Errorf("status says %v", st.Err)
	}

	// The tries: 1 s, 2 s, 4 s … and at most 30 s apart.
	var tries []time.Duration
	began := p.now
	for p.now.Sub(began) < 200*time.Second {
		p.pass(100 * time.Millisecond)
		if strings.Contains(p.sent(), "bundle open") {
			tries = append(tries, p.now.Sub(began).Round(time.Second))
		}
	}
	want := []time.Duration{1, 3, 7, 15, 31, 61, 91, 121, 151, 181}
	if len(tries) != len(want) {
		t.Fatalf("tried at %v", tries)
	}
	for i, w := range want {
		if tries[i] != w*time.Second {
			t.Errorf("tried at %v, want %v", tries, want)
			break
		}
	}

	// When the switch takes it, the error is gone, and the pause is short again.
	p.refuse = nil
	p.pass(31 * time.Second)
	if p.m.Phase() != Ready || p.m.Status().Err != nil || len(p.flows) == 0 || p.m.audit.backoff != retryFirst {
		t.Errorf("phase %s, %v, %d flows, pause %s", p.m.Phase(), p.m.Status().Err, len(p.flows), p.m.audit.backoff)
	}
}

// Open vSwitch answers a commit that fails twice: for the rule and for the commit. The rule's reason is the one to
// tell.
func TestCommitRefused(t *testing.T) {
	p := newPeer(t)
	var rule []byte
	p.silent = func(msg []byte) bool {
		var add openflow.BundleAdd
		if add.Decode(msg) == nil {
			rule = append([]byte(nil), msg...)
		}
		var c openflow.BundleControl
		return c.Decode(msg) == nil && c.Type == openflow.BundleCommitRequest
	}
	p.attach()
	if p.m.Phase() != Committing {
		t.Fatalf("phase %s", p.m.Phase())
	}
	p.sent()
	// bundleError is what Open vSwitch says of a bundle control message, the last that was sent.
	bundleError := func(code, request uint16) []byte {
		xid := p.m.Out.Xid
		return openflow.AppendExperimenterError(nil, xid, openflow.ExperimenterONF, code,
			openflow.AppendBundleControl(nil, xid, 1, request, bundleAtomicOrdered))
	}
	p.recv(
		openflow.AppendError(nil, 1, openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull, rule[:64]),
		bundleError(openflow.BundleErrorMsgFailed, openflow.BundleCommitRequest),
	)
	p.recv(bundleError(openflow.BundleErrorBadID, openflow.BundleDiscardRequest))
	if err := p.m.Status().Err; err == nil || !strings.Contains(err.Error(), "table_full") ||
		!strings.Contains(err.Error(), "table admit") {
		t.Errorf("status says %v", err)
	}
	if len(p.notices) != 1 {
		t.Errorf("notices %q", p.notices)
	}
	p.silent = nil
	p.pass(1100 * time.Millisecond)
	if p.m.Phase() != Ready || len(p.flows) == 0 || p.m.Status().Err != nil {
		t.Errorf("phase %s, %d flows, %v", p.m.Phase(), len(p.flows), p.m.Status().Err)
	}
}

func TestCommitUnanswered(t *testing.T) {
	p := newPeer(t)
	p.silent = func(msg []byte) bool {
		var c openflow.BundleControl
		return c.Decode(msg) == nil && c.Type == openflow.BundleCommitRequest
	}
	p.attach()
	p.pass(29 * time.Second)
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.pass(2 * time.Second)
	if p.err == nil || !strings.Contains(p.err.Error(), "commit") {
		t.Errorf("ended with %v in phase %s", p.err, p.m.Phase())
	}
}

// tableFull refuses every rule that does not come in a bundle.
func tableFull(msg []byte) (typ, code uint16) {
	if openflow.Type(msg[1]) == openflow.TypeFlowMod {
		return openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull
	}
	return 0, 0
}

// An error after that: what the switch has is looked at again after the pause, and repaired.
func TestRefusedWhenReady(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.refuse = tableFull
	p.recv(packetIn(learnCookie, 1, macA))
	p.refuse = nil
	p.wantNotice("switch_error", "table_full", "table forward")
	if err := p.m.Status().Err; err == nil || !strings.Contains(err.Error(), "table_full") {
		t.Errorf("status says %v", err)
	}
	p.sent()
	p.pass(retryFirst - time.Millisecond)
	p.wantSent()
	p.pass(2 * time.Millisecond)
	got := p.sent()
	if !strings.HasPrefix(got, "ask meter_config\nask flow\nask group_desc\nbundle open") ||
		strings.Count(got, "bundled add") != 2 || !strings.HasSuffix(got, "bundle commit") {
		t.Errorf("sent:\n%s", got)
	}
	if err := p.m.Status().Err; err != nil {
		t.Errorf("after the repair the status says %v", err)
	}
}

// A table without room for all hosts: the bundle is discarded whole, and then all but the hosts' rules are in place;
// those are tried by themselves, later and later, and told of once. When there is room, all is well again without
// anybody's help.
func TestTableFullOfHosts(t *testing.T) {
	p := newPeer(t)
	p.ready()
	const hosts = 10
	for i := range hosts {
		p.recv(packetIn(learnCookie, 1, packet.MAC{2, 0, 0, 0, 1, byte(i)}))
	}
	all := p.dump()
	without := strings.Join(slices.DeleteFunc(strings.Split(all, "\n"), func(line string) bool {
		return strings.Contains(line, "table=5,") && strings.Contains(line, "dl_src=02:00:00:00:01:")
	}), "\n")
	if n := strings.Count(all, "\n") - strings.Count(without, "\n"); n != hosts {
		t.Fatalf("%d rules of hosts in:\n%s", n, all)
	}

	p.m.Detach(p.now)
	p.flows, p.notices, p.log = nil, nil, nil
	clear(p.groups)
	p.refuse = func(msg []byte) (uint16, uint16) {
		var add openflow.BundleAdd
		if add.Decode(msg) == nil {
			msg = add.Message
		}
		var m openflow.FlowMod
		if m.Decode(msg) == nil && m.TableID == pipeline.Number("learn") && m.Priority == 10 {
			return openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull
		}
		return 0, 0
	}
	p.attach()
	if len(p.flows) != 0 || len(p.groups) != 0 {
		t.Errorf("half applied: %d flows, %d groups", len(p.flows), len(p.groups))
	}
	p.wantNotice("switch_error", "table_full", "table learn")
	p.pass(retryFirst + time.Millisecond)
	if p.m.Phase() != Ready || p.dump() != without {
		t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), without)
	}
	if err := p.m.Status().Err; err == nil || !strings.Contains(err.Error(), "table_full") ||
		!strings.Contains(err.Error(), fmt.Sprintf("%d more", hosts-1)) {
		t.Errorf("status says %v", err)
	}

	p.sent()
	p.notices = nil
	var tries []time.Duration
	for began := p.now; p.now.Sub(began) < 70*time.Second; {
		p.pass(100 * time.Millisecond)
		if strings.Contains(p.sent(), "table=5") {
			tries = append(tries, p.now.Sub(began).Round(time.Second))
		}
	}
	if want := []time.Duration{
		2 * time.Second, 6 * time.Second, 14 * time.Second, 30 * time.Second, 60 * time.Second,
	}; !slices.Equal(tries, want) {
		t.Errorf("tried at %v, want %v", tries, want)
	}
	if len(p.notices) != len(tries) {
		t.Errorf("%d notices for %d tries", len(p.notices), len(tries))
	}
	// Other changes are not held up.
	p.m.Configure(inPort("p2", 11))
	p.run()
	if got := p.dump(); !strings.Contains(got, "in_port=2,dl_vlan=0 actions=set_field:4107->vlan_vid") {
		t.Errorf("after a change of a port:\n%s", got)
	}
	p.m.Configure(inNetwork())
	p.run()

	p.refuse = nil
	p.pass(retryMost + 2*time.Second)
	if p.dump() != all || p.m.Status().Err != nil || p.m.audit.backoff != retryFirst || p.m.audit.hostsSeparate {
		t.Errorf("with room again: %v, pause %s, flows:\n%s\nwant:\n%s",
			p.m.Status().Err, p.m.audit.backoff, p.dump(), all)
	}
}

// A switch that has no bundles is told so in words.
func TestBundlesRefused(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(msg []byte) (uint16, uint16) {
		if openflow.Type(msg[1]) == openflow.TypeExperimenter {
			return openflow.ErrorTypeBadRequest, openflow.BadRequestBadExperimenter
		}
		return 0, 0
	}
	p.attach()
	p.wantNotice("switch_error", "the switch refuses bundles", "bad_experimenter")
	if err := p.m.Status().Err; err == nil || !strings.Contains(err.Error(), "refuses bundles") || len(p.flows) > 0 {
		t.Errorf("status says %v, with %d flows", err, len(p.flows))
	}
}

// A switch that refuses all the time must not fill the log.
func TestErrorFlood(t *testing.T) {
	p := newPeer(t)
	p.ready()
	flood := openflow.AppendError(nil, 1, openflow.ErrorTypeBadRequest, openflow.BadRequestBadType, make([]byte, 8))
	for range 50_000 {
		p.receive(flood)
	}
	p.run()
	if n := len(p.notices); n < 100 || n > 1100 {
		t.Errorf("%d notices", n)
	}
	if p.m.Errors != 50_000 {
		t.Errorf("%d errors counted", p.m.Errors)
	}
	p.notices = nil
	p.pass(time.Second)
	p.recv(flood)
	p.wantNotice("switch_error", "left out")
}

// A switch without connection tracking refuses the trap's rules: probes are trapped by DSCP from then on.
func TestConntrackRefused(t *testing.T) {
	for _, c := range []struct {
		trap intent.Trap
		want bool
	}{{intent.TrapAuto, true}, {intent.TrapConntrack, false}} {
		p := newPeer(t)
		in := inNetwork()
		in.Trap = c.trap
		p.m.Configure(in)
		p.refuse = refuseAdds(pipeline.Number("trapped"), openflow.ErrorTypeBadMatch, 6)
		p.attach()
		p.refuse = nil
		if p.m.sw.NoConntrack != c.want {
			t.Errorf("trap %d: no conntrack: %v", c.trap, p.m.sw.NoConntrack)
		}
		if c.want {
			p.wantNotice("no_conntrack", "DSCP")
		}
		p.pass(5 * time.Second)
		app, out := p.m.Probe()
		app.AddTrap(probe.Trap{
			VLAN: 10, Type: probe.ICMP, EthDst: macA,
			Src: netip.MustParseAddr("10.0.3.2"), Dst: netip.MustParseAddr("10.0.3.1"),
		}, out)
		p.run()
		if got := p.dump(); strings.Contains(got, "ct(") == c.want || strings.Contains(got, "nw_tos") != c.want {
			t.Errorf("trap %d, flows:\n%s", c.trap, got)
		}
	}
}

// Only what a switch without connection tracking says is taken for the lack of it.
func TestRefusedForAnotherReason(t *testing.T) {
	p := newPeer(t)
	p.refuse = refuseAdds(pipeline.Number("trapped"), openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull)
	p.attach()
	if p.m.sw.NoConntrack {
		t.Errorf("a full table is taken for a lack of connection tracking: %q", p.notices)
	}
}
