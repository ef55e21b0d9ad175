package datapath

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// What differs is drift only if it was there before, and nothing was rejected since.
func TestDriftIsWhatOthersChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(a *audit)
		drift  flow.Drift
		want   bool
	}{
		{"first audit of a session", func(*audit) {}, flow.Drift{Missing: 1, Meters: 1}, false},
		{"nothing differs", func(a *audit) { a.end() }, flow.Drift{}, false},
		{"a flow differs", func(a *audit) { a.end() }, flow.Drift{Altered: 1}, true},
		{"a meter differs", func(a *audit) { a.end() }, flow.Drift{Meters: 1}, true},
		{
			"a bundle was rejected", func(a *audit) { a.end(); a.baseline = baselineRejected },
			flow.Drift{Missing: 1},
			false,
		},
		{"a change was rejected", func(a *audit) { a.end(); a.repair(epoch) }, flow.Drift{Missing: 1}, false},
		{
			"that was repaired", func(a *audit) { a.end(); a.baseline = baselineRejected; a.end() },
			flow.Drift{Missing: 1},
			true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := audit{backoff: retryFirst}
			c.before(&a)
			a.begin(epoch)
			if a.drift.Any() {
				t.Error("the drift of the audit before is left")
			}
			a.drift = c.drift
			if got := a.end(); got != c.want {
				t.Errorf("drift: %v", got)
			}
		})
	}
}

func TestAuditSchedule(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, c := range []struct {
		name string
		plan func(a *audit)
		want time.Time // of the next audit; zero: never
	}{
		{"interval", func(a *audit) { a.ready(epoch, 30*time.Second) }, after(30 * time.Second)},
		{"no interval", func(a *audit) { a.ready(epoch, 0) }, time.Time{}},
		{"sign of drift", func(a *audit) { a.ready(epoch, 30*time.Second); a.soon(epoch) }, after(soonAfter)},
		{"sign of drift without interval", func(a *audit) { a.ready(epoch, 0); a.soon(epoch) }, after(soonAfter)},
		{"many signs", func(a *audit) { a.soon(epoch); a.soon(after(time.Millisecond)) }, after(soonAfter)},
		{
			"a sign just before the interval ends",
			func(a *audit) { a.ready(epoch, time.Second); a.soon(after(900 * time.Millisecond)) },
			after(time.Second),
		},
		{"rejected", func(a *audit) { a.ready(epoch, 30*time.Second); a.repair(epoch) }, after(retryFirst)},
		{
			"rejected again before the repair",
			func(a *audit) { a.repair(epoch); a.repair(after(time.Millisecond)) },
			after(retryFirst),
		},
		{
			"more strays than one audit removes",
			func(a *audit) { a.drift.Stray = maxStrays; a.ready(epoch, 30*time.Second) },
			after(soonAfter),
		},
		{
			"hosts by themselves",
			func(a *audit) { a.hostsSeparate = true; a.ready(epoch, 30*time.Second) },
			after(recheckAfter),
		},
		{"standby", func(a *audit) { a.repair(epoch); a.cancel() }, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := audit{backoff: retryFirst}
			c.plan(&a)
			if !a.nextAt.Equal(c.want) {
				t.Errorf("after %s, want %s", a.nextAt.Sub(epoch), c.want.Sub(epoch))
			}
			if c.want.IsZero() {
				c.want = after(time.Hour)
				a.soon(c.want.Add(-soonAfter)) // nothing was due before
			}
			if a.due(c.want.Add(-1)) || !a.due(c.want) {
				t.Error("due at another time")
			}
		})
	}
}

// Each repair that fails has the next one come later, up to a bound; when the switch has taken all, the pause is short
// again.
func TestAuditBackoff(t *testing.T) {
	t.Parallel()
	a, now := audit{backoff: retryFirst}, epoch
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		a.repair(now)
		if got := a.repairAt.Sub(now); got != want*time.Second {
			t.Errorf("repaired after %s, want %ds", got, want)
		}
		now = a.repairAt
		a.begin(now)
	}
	a.hostsSeparate = true
	if a.ready(now, 0); a.backoff != retryMost {
		t.Errorf("pause %s while rules of hosts are still rejected", a.backoff)
	}
	a.hostsSeparate = false
	if a.ready(now, 0); a.backoff != retryFirst {
		t.Errorf("pause %s after all was taken", a.backoff)
	}
}

func TestDrift(t *testing.T) {
	in := flow.Match{}.InPort(2)
	for _, c := range []struct {
		name   string
		change func(p *peer)
		notice string
	}{
		{"all flows deleted", func(p *peer) { p.flows = nil }, "27 missing"},
		{"one flow deleted", func(p *peer) { p.flows = p.flows[1:] }, "1 missing"},
		{"altered", func(p *peer) { p.flows[len(p.flows)-1].Instructions = nil }, "1 altered"},
		{"timeout altered", func(p *peer) { p.flows[3].IdleTimeout = 7 }, "1 altered"},
		{"stray", func(p *peer) {
			p.flows = append(p.flows, openflow.FlowStats{
				TableID: pipeline.Number("admit"), Priority: 5,
				Cookie: flow.Cookie(apps.OwnerVLAN, 1), Match: in.Bytes(),
			})
		}, "1 stray"},
		{"group deleted", func(p *peer) { clear(p.groups) }, "1 groups"},
		{"meter deleted", func(p *peer) { delete(p.meters, apps.MeterARP) }, "1 meters"},
		{
			"meter altered", func(p *peer) { p.meters[apps.MeterARP] = flow.Meter{ID: apps.MeterARP, Rate: 1} },
			"1 meters",
		},
		{"group altered", func(p *peer) { p.groups[3763339424] = nil }, "1 groups"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.ready()
			before, group := p.dump(), string(p.groups[3763339424])
			c.change(p)
			p.pass(31 * time.Second)
			if p.dump() != before || string(p.groups[3763339424]) != group || p.meters[apps.MeterARP].Rate != 5000 {
				t.Errorf("flows:\n%s\nwant:\n%s", p.dump(), before)
			}
			p.wantNotice("drift", "br0", c.notice)
			if p.m.Drifts != 1 {
				t.Errorf("%d drifts counted", p.m.Drifts)
			}
			p.log, p.notices = nil, nil
			p.pass(31 * time.Second)
			if got := strings.ReplaceAll(p.sent(), "echo_request\n",
				""); got != "ask meter_config\nask flow\nask group_desc" {
				t.Errorf("sent again:\n%s", got)
			}
			if len(p.notices) > 0 {
				t.Errorf("said again: %q", p.notices)
			}
		})
	}
}

// A flow-removed for a flow that should be there is a sign that somebody deletes flows: the audit comes at once.
func TestDriftSuspected(t *testing.T) {
	p := newPeer(t)
	p.ready()
	gone := p.flows[0]
	p.flows = p.flows[1:]
	p.recv(openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{
		Cookie: gone.Cookie, Priority: gone.Priority, TableID: gone.TableID, Reason: openflow.FlowRemovedDelete,
		Match: gone.Match,
	}))
	p.pass(time.Second)
	p.wantNotice("drift", "1 missing")
}

func TestForeignStateIsLeftAlone(t *testing.T) {
	p := newPeer(t)
	foreign := openflow.FlowStats{TableID: 0, Priority: 42, Cookie: 0xbeef}
	p.flows = append(p.flows, foreign, openflow.FlowStats{TableID: 200, Priority: 1})
	p.groups[7] = nil
	p.meters[3] = flow.Meter{ID: 3, Rate: 1, Burst: 1}
	p.ready()
	p.pass(2 * time.Minute)
	if s := p.dump(); !strings.Contains(s, "cookie=0xbeef") || !strings.Contains(s, "table=200") {
		t.Errorf("flows:\n%s", s)
	}
	if _, there := p.groups[7]; !there || p.meters[3].Rate != 1 || p.m.Drifts != 0 {
		t.Errorf("groups %v, meters %v, %d drifts", p.groups, p.meters, p.m.Drifts)
	}
}

// A dump cannot bring more hosts than the limit, nor more strays than one audit can remove.
func TestDumpBomb(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.HostsPerSwitch = 100
	p.m.Configure(in)
	const flows = maxStrays + 1000
	for i := range uint64(flows) {
		m := flow.Match{}.InPort(1).VLAN(10).EthSrc(packet.MACFromUint64(0x5254_2000_0000 + i))
		p.flows = append(p.flows, openflow.FlowStats{
			TableID: pipeline.Number("learn"), Priority: 10, IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
			Cookie: flow.Cookie(apps.OwnerHosts, i),
			Match:  m.Bytes(), Instructions: flow.Instructions(nil).Goto(pipeline.Number("forward")),
		})
	}
	p.partLen = 500
	deleted := 0
	p.silent = func(msg []byte) bool { // what it deletes is only counted: the fake switch is slow at it
		var add openflow.BundleAdd
		var m openflow.FlowMod
		if add.Decode(msg) == nil && m.Decode(add.Message) == nil && m.Command == openflow.FlowDeleteStrict {
			deleted++
			return true
		}
		return false
	}
	p.attach()
	if n := p.m.Status().Hosts; n != 100 {
		t.Errorf("%d hosts", n)
	}
	p.pass(adoptTime + time.Millisecond)
	if p.m.Phase() != Ready || deleted < maxStrays || deleted > maxStrays+100 {
		t.Errorf("phase %s, %d strays deleted at once", p.m.Phase(), deleted)
	}
	p.flows = p.flows[:1000]
	p.sent()
	p.pass(soonAfter + time.Millisecond)
	if got := p.sent(); !strings.Contains(got, "ask flow") {
		t.Errorf("the rest is not looked at soon; sent:\n%.2000s", got)
	}
}

// A refused rule is repaired, and nobody is accused of having changed it.
func TestRefusedIsNoDrift(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.refuse = tableFull
	p.recv(packetIn(learnCookie, 1, macA))
	p.refuse = nil
	p.notices = nil
	p.pass(retryFirst + time.Millisecond)
	if p.m.Drifts != 0 || len(p.notices) != 0 || p.m.Phase() != Ready {
		t.Errorf("%d drifts, phase %s, notices %q", p.m.Drifts, p.m.Phase(), p.notices)
	}
}

// Nor is anybody when the refusal arrives while an audit is under way.
func TestRefusedDuringAuditIsNoDrift(t *testing.T) {
	p := newPeer(t)
	p.ready()
	var refused []byte
	p.silent = func(msg []byte) bool { // its refusal is still on the way
		if openflow.Type(msg[1]) != openflow.TypeFlowMod {
			return false
		}
		refused = bytes.Clone(msg)
		return true
	}
	p.recv(packetIn(learnCookie, 1, macA))
	p.silent, p.notices = nil, nil
	p.refuse = func(msg []byte) (uint16, uint16) {
		if openflow.Type(msg[1]) == openflow.TypeMultipartRequest && refused != nil { // and overtakes the dump
			if p.m.Phase() != Auditing {
				t.Errorf("phase %s", p.m.Phase())
			}
			p.receive(openflow.AppendError(nil, 1, openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull,
				refused[:64]))
			refused = nil
		}
		return 0, 0
	}
	p.pass(31 * time.Second)
	p.wantNotice("switch_error", "table_full")
	if p.m.Drifts != 0 || p.m.Phase() != Ready || !strings.Contains(p.dump(), macA.String()) {
		t.Errorf("%d drifts, phase %s, flows:\n%s", p.m.Drifts, p.m.Phase(), p.dump())
	}
}

// What a switch lost while it was away (it was restarted, hosts timed out) is brought about again, and nobody is
// accused of having changed it.
func TestReconnectIsNoDrift(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	p.m.Detach(p.now)
	p.flows = nil
	clear(p.groups)
	p.attach()
	if p.m.Drifts != 0 || len(p.notices) != 0 || len(p.flows) == 0 {
		t.Errorf("%d drifts, notices %q, %d flows", p.m.Drifts, p.notices, len(p.flows))
	}
	p.flows = p.flows[1:]
	p.pass(31 * time.Second)
	if p.m.Drifts != 1 {
		t.Error("what was changed afterwards is none either")
	}
}
