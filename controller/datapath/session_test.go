package datapath

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

var update = flag.Bool("update", false, "write what is sent into testdata")

const firstSession = "testdata/first_session.txt"

// The whole pipeline of a switch with two ports in one network, in the order in which it is sent.
func TestFirstSession(t *testing.T) {
	p := newPeer(t)
	p.attach()
	got := p.sent() + "\n"
	if *update {
		if err := os.WriteFile(firstSession, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(firstSession)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("sent:\n%s\nwant, as in %s (if this is how it should be now, run with -update):\n%s", got,
			firstSession, want)
	}
	if p.m.Phase() != Ready {
		t.Fatalf("phase %s", p.m.Phase())
	}
	if p.hellos != 2 {
		t.Errorf("%d discovery frames at once, want one on each port", p.hellos)
	}

	p.pass(time.Second)
	p.wantSent("modify group_id=3763339424,type=all,bucket=actions=pop_vlan,output:1,bucket=actions=pop_vlan,output:2")

	p.recv(packetIn(learnCookie, 1, macA))
	p.wantSent(
		"add cookie=0xe05552540000000a, table=6, "+
			"priority=10,dl_vlan=10,dl_dst=52:54:00:00:00:0a actions=pop_vlan,output:1",
		"add cookie=0xe05552540000000a, table=5, idle_timeout=300, send_flow_rem "+
			"priority=10,in_port=1,dl_vlan=10,dl_src=52:54:00:00:00:0a actions=goto_table:6",
	)
	if s := p.m.Status(); s.Name != "br0" || s.ID != dpid || s.Phase != Ready || s.Ports != 2 || s.Hosts != 1 ||
		s.Flows != len(p.flows) || s.Err != nil {
		t.Errorf("status %+v with %d flows", s, len(p.flows))
	}
}

func TestReconnectSendsNothing(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()

	p.m.Detach(p.now)
	if p.m.Phase() != Offline {
		t.Fatalf("phase %s after Detach", p.m.Phase())
	}
	p.pass(time.Minute)
	p.log = nil
	p.attach()
	p.wantSent("set_config", "set_async", "role_request", "ask desc", "ask port_desc", "ask meter_config", "ask flow",
		"ask group_desc")
	if p.m.Phase() != Ready || p.dump() != before {
		t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), before)
	}
	if len(p.notices) > 0 {
		t.Errorf("notices %q", p.notices)
	}
}

// A switch that was restarted has nothing left: it gets all of it in one bundle.
func TestReconnectAfterSwitchRestart(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()
	p.m.Detach(p.now)
	p.flows = nil
	clear(p.groups)
	clear(p.meters)
	p.log = nil
	p.attach()
	if got := p.sent(); strings.Count(got, "bundle open") != 1 || strings.Count(got, "add meter") != 5 ||
		strings.Contains(got, "\nadd cookie") {
		t.Errorf("sent:\n%s", got)
	}
	if p.dump() != before {
		t.Errorf("flows:\n%s\nwant:\n%s", p.dump(), before)
	}
}

// Changes that come while there is no session are not lost, and not sent twice.
func TestChangesWhileOffline(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.m.Detach(p.now)
	p.m.Configure(inPort("p1", 11))
	p.m.Flush(p.now)
	p.attach()
	got := p.sent()
	for _, want := range []string{
		"bundled add cookie=0xe052000000000001, table=1, " +
			"priority=20,in_port=1,dl_vlan=0 actions=set_field:4107->vlan_vid,goto_table:2",
		"bundled modify group_id=3763339424", "bundled add group_id=3763339440",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "in_port=2") {
		t.Errorf("the other port is touched:\n%s", got)
	}
	p.pass(5 * time.Second)
	p.wantSent("echo_request") // nothing is sent twice
}

// After a restart of the controller the flows of its earlier life go on, and nothing is changed before the links had
// time to be found.
func TestAdoption(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()

	p.m = newMachine(inNetwork())
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
	p.m = newMachine(inNetwork())
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
			p.m = newMachine(inNetwork())
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
		TableID: apps.TableClassify, Priority: 1,
		Cookie: flow.Cookie(apps.OwnerVLAN, 77), Match: m.Bytes(),
	})
	p.groups[flow.GroupID(99<<4)] = nil
	p.m = newMachine(inNetwork())
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
				TableID: apps.TableAdmit, Priority: 5,
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

func TestConfigureSendsTheDifference(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.m.Configure(inNetwork())
	p.run()
	p.wantSent()

	p.m.Configure(inPort("p1", 11))
	p.run()
	got := p.sent()
	if strings.Contains(got, "in_port=2") || strings.Contains(got, "meter") || strings.Contains(got, "table=0") {
		t.Errorf("more than the difference:\n%s", got)
	}
	for _, want := range []string{
		"in_port=1,dl_vlan=0 actions=set_field:4107",
		"add group_id=3763339440,type=all,bucket=actions=pop_vlan,output:1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}

	in := inPort("p1", 11)
	in.Name = "renamed"
	p.m.Configure(in)
	p.run()
	p.wantSent()
	if p.m.Name() != "renamed" {
		t.Errorf("name %s", p.m.Name())
	}
}

func TestMeters(t *testing.T) {
	p := newPeer(t)
	p.ready()
	in := inNetwork()
	in.Settings.PacketIns = 400
	p.m.Configure(in)
	p.run()
	p.wantSent("modify meter 0xe0501 rate 400", "modify meter 0xe0502 rate 100")
	in.Settings.PacketIns, in.Settings.Probes = 0, 0
	p.m.Configure(in)
	p.run()
	p.wantSent("modify meter 0xe0501 rate 10000000", "modify meter 0xe0502 rate 10000000",
		"modify meter 0xe0505 rate 10000000")

	// A meter that somebody has changed is put right by the next session.
	p.m.Detach(p.now)
	p.meters[apps.MeterProbe] = flow.Meter{ID: apps.MeterProbe, Rate: 1, Burst: 1}
	p.log = nil
	p.attach()
	if got := p.sent(); strings.Count(got, "meter 0x") != 1 ||
		!strings.Contains(got, "modify meter 0xe0505 rate 10000000") {
		t.Errorf("sent:\n%s", got)
	}
}

func TestEcho(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(openflow.AppendEchoReply(nil, 0, nil)) // the silence begins
	p.pass(echoAfter - time.Millisecond)
	p.wantSent()
	p.pass(time.Millisecond)
	p.wantSent("echo_request")

	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	p.pass(deadAfter - time.Millisecond)
	p.wantSent("echo_request")
	if p.err != nil {
		t.Fatalf("ended after %s: %v", deadAfter-time.Millisecond, p.err)
	}
	p.pass(2 * time.Millisecond)
	if p.err == nil || !strings.Contains(p.err.Error(), "nothing heard for 10s") {
		t.Errorf("ended with %v", p.err)
	}
}

// A controller that stood still has not asked: what the switch has sent meanwhile may wait to be read.
func TestEchoAfterStandstill(t *testing.T) {
	for _, answers := range []bool{true, false} {
		p := newPeer(t)
		p.ready()
		p.recv(openflow.AppendEchoReply(nil, 0, nil))
		p.silent = func(msg []byte) bool { return !answers && openflow.Type(msg[1]) == openflow.TypeEchoRequest }
		p.now = p.now.Add(20 * time.Second)
		if err := p.m.Tick(p.now); err != nil {
			t.Fatalf("ended without having been asked: %v", err)
		}
		p.run()
		p.wantSent("echo_request")
		p.pass(echoWithin - time.Millisecond)
		if p.err != nil {
			t.Fatalf("ended within %s: %v", echoWithin, p.err)
		}
		p.pass(2 * time.Millisecond)
		if (p.err == nil) != answers {
			t.Errorf("answers %v: ended with %v", answers, p.err)
		}
	}
}

// linked gives the machine a link at port 1.
func (p *peer) linked() {
	g := topology.NewGraph()
	here, there := topology.PortRef{Switch: dpid, Port: 1}, topology.PortRef{Switch: dpid + 1, Port: 1}
	for _, ref := range []topology.PortRef{here, there} {
		g.SetSwitch(ref.Switch, true)
		g.SetPort(ref, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10)})
	}
	g.Snapshot() // versions tell graphs apart: this one is not the first
	g.LinkSeen(here, there, topology.Wire, 1, p.now)
	g.LinkSeen(there, here, topology.Wire, 1, p.now)
	p.m.DeliverGraph(g.Snapshot())
	p.run()
}

// A switch with links that is heard and answers nothing is at the end of a connection that is whole in one direction
// only.
func TestEchoOneWay(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.linked()
	p.pass(2 * time.Second)
	if got := p.sent(); strings.Count(got, "echo_request") < 3 || p.err != nil {
		t.Fatalf("sent %q, ended with %v", got, p.err)
	}
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	for p.sent() == "" {
		p.pass(50 * time.Millisecond)
	}
	asked := p.now
	for range 9 {
		p.pass(500 * time.Millisecond)
		p.recv(openflow.AppendEchoRequest(nil, 1, nil), openflow.AppendEchoReply(nil, 4711, nil))
	}
	if p.err != nil {
		t.Fatalf("after %s ended with %v", p.now.Sub(asked), p.err)
	}
	p.pass(600 * time.Millisecond)
	if p.err == nil || !strings.Contains(p.err.Error(), "heard, and has answered nothing") {
		t.Errorf("after %s: %v", p.now.Sub(asked), p.err)
	}
}

// A switch that had no links need not have answered before it has some.
func TestEchoUnansweredBeforeLinks(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	p.pass(6 * time.Second)
	for range 10 {
		p.recv(openflow.AppendEchoRequest(nil, 1, nil))
		p.pass(4 * time.Second)
	}
	p.silent = nil
	p.linked()
	p.pass(10 * time.Second)
	if p.err != nil {
		t.Errorf("ended with %v", p.err)
	}
}

func TestEchoAnswered(t *testing.T) {
	p := newPeer(t)
	p.attach()
	p.log = nil
	p.receive(openflow.AppendEchoRequest(nil, 0xabcd, []byte("payload")))
	p.m.Flush(p.now)
	if got, want := string(p.m.TakeWire()), string(openflow.AppendEchoReply(nil, 0xabcd,
		[]byte("payload"))); got != want {
		t.Errorf("answered %x, want %x", got, want)
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
			TableID: apps.TableLearn, Priority: 10, IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
			Cookie: flow.Cookie(apps.OwnerHosts, i),
			Match:  m.Bytes(), Instructions: flow.Instructions(nil).Goto(apps.TableForward),
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

// After discovery frames on a link the switch is asked for an answer, one question at a time, and the answer is told:
// it is as true as when the question was sent.
func TestAnswered(t *testing.T) {
	p := newPeer(t)
	p.ready()
	g := topology.NewGraph()
	here, there := p.m.sw.Ref(1), topology.PortRef{Switch: p.m.sw.ID + 1, Port: 1}
	for _, end := range []topology.PortRef{here, there} {
		g.SetSwitch(end.Switch, true)
		g.SetPort(end, topology.PortInfo{Up: true, VLANs: topology.AllVLANs()})
	}
	g.Snapshot() // versions tell graphs apart: this one is not the first
	g.LinkSeen(there, here, topology.Wire, 1, p.now)
	p.m.DeliverGraph(g.Snapshot())
	p.facts = nil

	told := func() (hellos int, answered []time.Time) {
		for _, f := range p.facts {
			switch f.Kind {
			case apps.HelloSent:
				hellos++
			case apps.Answered:
				answered = append(answered, f.At)
			}
		}
		p.facts = nil
		return hellos, answered
	}
	from := p.now
	p.pass(2 * time.Second)
	hellos, answered := told()
	if hellos < 4 || len(answered) != hellos || answered[0].Before(from) {
		t.Errorf("%d hellos on the link, answers %v", hellos, answered)
	}

	var question []byte
	p.silent = func(msg []byte) bool {
		if openflow.Type(msg[1]) == openflow.TypeEchoRequest {
			question = bytes.Clone(msg)
			return true
		}
		return false
	}
	asked := p.now
	p.log = nil
	p.pass(2 * time.Second)
	if got := strings.Count(p.sent(), "echo_request"); got != 1 {
		t.Errorf("%d questions to a switch that does not answer, want 1", got)
	}
	if hellos, answered := told(); hellos < 4 || len(answered) > 0 {
		t.Errorf("%d hellos on the link; nothing was answered, and this was told: %v", hellos, answered)
	}
	p.silent = nil
	p.recv(openflow.AppendEchoReply(nil, binary.BigEndian.Uint32(question[4:]), nil))
	if late := p.facts[len(p.facts)-1]; late.Latency < time.Second ||
		!late.At.Add(late.Latency).Equal(p.now.Add(-time.Microsecond)) && !late.At.Add(late.Latency).Equal(p.now) {
		t.Errorf("at %v: %+v", p.now, late)
	}
	if _, answered := told(); len(answered) != 1 || answered[0].Before(asked) ||
		!answered[0].Before(asked.Add(time.Second)) {
		t.Errorf("answered late: %v, asked at %v", answered, asked)
	}
}
