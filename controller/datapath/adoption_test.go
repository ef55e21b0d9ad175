package datapath

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// Flows are read before anything is stated until an audit has taken them over, and again after another controller's
// time.
func TestAdoptionStates(t *testing.T) {
	t.Parallel()
	var a adoption
	want := func(when string, dump, reset bool) {
		t.Helper()
		if d, r := a.attach(); d != dump || r != reset || a.flows != 0 {
			t.Errorf("%s: dump %v, reset %v, %d flows", when, d, r, a.flows)
		}
	}
	want("first session", true, false)
	a.flows = 7
	want("a session that broke before the audit", true, false)
	a.state = adoptionDone
	want("a session after an audit", false, false)
	a.state = adoptionStale
	want("after standby", true, true)
	want("and again", true, false)
}

func TestAdoptionRetains(t *testing.T) {
	t.Parallel()
	var a adoption
	if a.retainOver(epoch) {
		t.Error("nothing is retained, and it is over")
	}
	a.retain(epoch)
	if a.retainOver(epoch.Add(retainTime - 1)) {
		t.Error("too early")
	}
	if !a.retainOver(epoch.Add(retainTime)) || a.retainOver(epoch.Add(retainTime)) {
		t.Error("not reported once")
	}
}

// After a restart of the controller the flows of its earlier life go on, and nothing is changed before the links had
// time to be found.
func TestAdoption(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()

	p.m = newTestMachine(inNetwork())
	p.log = nil
	p.attach()
	p.wantSent("set_config", "set_async", "role_request", "ask desc", "ask port_desc", "ask meter_config", "ask flow")
	p.wantNotice("switch_adopted", "br0", "flows of ours from before")
	if p.m.Phase() != Adopting {
		t.Fatalf("phase %s", p.m.Phase())
	}
	if s := p.m.Status(); s.Hosts != 1 {
		t.Errorf("%d hosts restored", s.Hosts)
	}
	p.pass(adoptTime - time.Millisecond)
	if got := p.sent(); got != "" || p.dump() != before {
		t.Errorf("sent while adopting:\n%s", got)
	}
	p.pass(2 * time.Second)
	if got := p.sent(); strings.Contains(got, "bundle") || strings.Contains(got, "add") ||
		strings.Contains(got, "delete") {
		t.Errorf("sent after adopting:\n%s", got)
	}
	if p.m.Phase() != Ready || p.dump() != before {
		t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), before)
	}
	// The host is known: its frames that were under way change nothing.
	p.recv(packetIn(learnCookie, 1, macA))
	p.wantSent()
}

// A host that has moved while the controller was away is followed by its first frame, also while nothing else is
// changed.
func TestAdoptionFollowsHosts(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	p.m = newTestMachine(inNetwork())
	p.attach()
	p.m.Configure(inPort("p2", 10)) // something that has the apps restate everything
	p.run()
	p.pass(100 * time.Millisecond)
	p.sent()
	p.recv(packetIn(learnCookie, 2, macA))
	if p.m.Phase() != Adopting {
		t.Fatalf("phase %s", p.m.Phase())
	}
	got := p.sent()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "actions=pop_vlan,output:2") ||
		!strings.Contains(got, "delete ") {
		t.Errorf("sent:\n%s", got)
	}
	p.recv(packetIn(learnCookie, 2, macB))
	if got := p.sent(); strings.Count(got, "add ") != 2 {
		t.Errorf("sent for a new host:\n%s", got)
	}
	p.pass(5 * time.Second)
	if got := p.sent(); p.m.Phase() != Ready || strings.Contains(got, "bundle") {
		t.Errorf("phase %s, sent:\n%s", p.m.Phase(), got)
	}
}

// Links of before a restart are believed in until they are found, their port goes down, or it takes too long; until
// then the rules of their ports stay.
func TestAdoptionHoldsLinks(t *testing.T) {
	g := topology.NewGraph()
	here, there := topology.PortRef{Switch: dpid, Port: 1}, topology.PortRef{Switch: dpid + 1, Port: 1}
	for _, ref := range []topology.PortRef{here, there} {
		g.SetSwitch(ref.Switch, true)
		g.SetPort(ref, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10)})
	}
	g.LinkSeen(here, there, topology.Wire, 1, epoch)
	g.LinkSeen(there, here, topology.Wire, 1, epoch)
	g.Snapshot()
	g.SetSwitch(dpid+2, true) // so that its version is another than that of an empty graph
	for what, end := range map[string]func(p *peer){
		"found": func(p *peer) { p.m.DeliverGraph(g.Snapshot()) },
		"down": func(p *peer) {
			d := port(1)
			d.State = openflow.PortStateLinkDown
			p.recv(openflow.AppendPortStatus(nil, 0, &openflow.PortStatus{Reason: openflow.PortModify, Desc: d}))
		},
		"late": func(p *peer) { p.pass(retainTime) },
	} {
		t.Run(what, func(t *testing.T) {
			p := newPeer(t)
			p.m.DeliverGraph(g.Snapshot())
			p.ready()
			before := p.dump()
			p.m = newTestMachine(inNetwork())
			p.attach()
			p.pass(retainTime - time.Second)
			if p.m.Phase() != Ready || p.dump() != before {
				t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), before)
			}
			held := func() (n int) {
				p.m.portsDirty = true
				p.m.PortsChanged(func(_ openflow.PortNo, i topology.PortInfo) {
					if i.Retained {
						n++
					}
				})
				return n
			}
			if held() != 1 {
				t.Errorf("%d ports held", held())
			}
			end(p)
			p.run()
			if held() != 0 {
				t.Errorf("%d ports held", held())
			}
			if same := p.dump() == before; same != (what == "found") {
				t.Errorf("the flows are what they were: %v\n%s", same, p.dump())
			}
		})
	}
}

// What the earlier life left and nobody wants any more is pruned, and only after the adoption.
func TestAdoptionPrunes(t *testing.T) {
	p := newPeer(t)
	p.ready()
	m := flow.Match{}.InPort(77)
	p.flows = append(p.flows, openflow.FlowStats{
		TableID: pipeline.Number("classify"), Priority: 1,
		Cookie: flow.Cookie(apps.OwnerVLAN, 77), Match: m.Bytes(),
	})
	p.groups[flow.GroupID(99<<4)] = nil
	p.m = newTestMachine(inNetwork())
	p.log = nil
	p.attach()
	p.pass(5 * time.Second)
	got := p.sent()
	for _, want := range []string{
		"bundled delete cookie=0xe05200000000004d, table=1, priority=1,in_port=77 actions=drop",
		"bundled delete group_id=3763340848",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "add") {
		t.Errorf("more than pruned:\n%s", got)
	}
}

// A session that breaks during the adoption has found no links yet: the next one adopts as well.
func TestAdoptionIsRepeated(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()
	p.m = newTestMachine(inNetwork()) // the controller was restarted
	p.attach()
	p.pass(adoptTime / 2)
	p.m.Detach(p.now)
	p.pass(time.Second)
	p.attach()
	if p.m.Phase() != Adopting {
		t.Fatalf("phase %s", p.m.Phase())
	}
	p.pass(adoptTime + heldTime)
	if p.m.Phase() != Ready || p.dump() != before {
		t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), before)
	}
}

// heldTime is longer than restored rules of hosts elsewhere are held.
const heldTime = 11 * time.Second
