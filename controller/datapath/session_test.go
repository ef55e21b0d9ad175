package datapath

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
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
