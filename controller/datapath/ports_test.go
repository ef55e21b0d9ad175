package datapath

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// group is the flood group of VLAN 10.
const group10 = "group_id=3763339424,type=all"

// portsChanged returns what the graph is told of ports.
func (p *peer) portsChanged() map[openflow.PortNo]topology.PortInfo {
	ports := map[openflow.PortNo]topology.PortInfo{}
	if !p.m.PortsChanged(func(no openflow.PortNo, info topology.PortInfo) { ports[no] = info }) {
		return nil
	}
	return ports
}

func TestPortAdded(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.portsChanged()
	p.recv(portStatus(openflow.PortAdd, port(3)))
	got := p.sent()
	if strings.Count(got, "in_port=3") != 5 || strings.Contains(got, "in_port=1") || strings.Contains(got, "group") {
		t.Errorf("sent:\n%s", got)
	}
	if info := p.portsChanged(); len(info) != 3 || !info[3].Up {
		t.Errorf("ports %+v", info)
	}
	// Discovery has its chance before the port floods.
	p.pass(settleTime - time.Millisecond)
	if got := p.sent(); strings.Contains(got, "group") {
		t.Errorf("sent before it has settled:\n%s", got)
	}
	p.pass(2 * time.Millisecond)
	p.wantSent("modify " + group10 +
		",bucket=actions=pop_vlan,output:1,bucket=actions=pop_vlan,output:2,bucket=actions=pop_vlan,output:3")
}

func TestPortDownAndUp(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	p.sent()
	p.portsChanged()

	down := port(1)
	down.State = openflow.PortStateLinkDown
	p.recv(portStatus(openflow.PortModify, down))
	got := p.sent()
	for _, want := range []string{
		"delete cookie=0xe05552540000000a, table=5", "delete cookie=0xe05552540000000a, table=6",
		"modify " + group10 + ",bucket=actions=pop_vlan,output:2",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if p.m.Status().Hosts != 0 || p.portsChanged()[1].Up {
		t.Errorf("%d hosts left", p.m.Status().Hosts)
	}
	p.wantNotice("port_down", "p1")

	p.recv(portStatus(openflow.PortModify, down)) // nothing new
	p.wantSent()
	if p.portsChanged() != nil {
		t.Error("told without a change")
	}

	p.recv(portStatus(openflow.PortModify, port(1)))
	p.wantNotice("port_up", "p1")
	p.pass(time.Second)
	if got := p.sent(); !strings.Contains(got,
		"modify "+group10+",bucket=actions=pop_vlan,output:1,bucket=actions=pop_vlan,output:2") {
		t.Errorf("sent:\n%s", got)
	}
}

func TestPortDeleted(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 2, macA))
	p.sent()
	p.recv(portStatus(openflow.PortDelete, port(2)))
	got := p.sent()
	if n := strings.Count(got, "delete "); n != 7 ||
		!slices.Contains(strings.Split(got, "\n"), "modify "+group10+",bucket=actions=pop_vlan,output:1") {
		t.Errorf("%d deletions, sent:\n%s", n, got)
	}
	if p.m.Status().Ports != 1 || p.m.Status().Hosts != 0 {
		t.Errorf("%+v", p.m.Status())
	}
	p.wantNotice("port_removed", "p2")
	p.recv(portStatus(openflow.PortDelete, port(2)), portStatus(openflow.PortDelete, port(77))) // nothing is there
	p.wantSent()
}

// A port of the same number and another name is another port, with another place in the config.
func TestPortRenamed(t *testing.T) {
	p := newPeer(t)
	p.m.Configure(inPort("special", 11))
	p.ready()
	renamed := port(1)
	renamed.Name = "special"
	p.recv(portStatus(openflow.PortModify, renamed))
	got := p.sent()
	if !strings.Contains(got, "in_port=1,dl_vlan=0 actions=set_field:4107->vlan_vid") ||
		strings.Contains(got, "in_port=2") {
		t.Errorf("sent:\n%s", got)
	}
}

// The same name with a new number is the same port: it has the same mode.
func TestPortRenumbered(t *testing.T) {
	p := newPeer(t)
	p.m.Configure(inPort("p1", 11))
	p.ready()
	p.m.Detach(p.now)
	moved := port(9)
	moved.Name = "p1"
	p.ports[0] = moved
	p.attach()
	got := p.sent()
	if !strings.Contains(got, "bundled add cookie=0xe052000000000009, table=1, "+
		"priority=20,in_port=9,dl_vlan=0 actions=set_field:4107->vlan_vid,goto_table:2") ||
		strings.Count(got, "bundled delete cookie=0xe052000000000001") != 5 {
		t.Errorf("sent:\n%s", got)
	}
}

// A device in another namespace shows neither address nor link, and yet frames pass.
func TestPortUnobservable(t *testing.T) {
	p := newPeer(t)
	hidden := openflow.PortDesc{No: 3, Name: "vm", State: openflow.PortStateLinkDown}
	down := port(4)
	down.State = openflow.PortStateLinkDown
	p.ports = append(p.ports, hidden, down)
	p.ready()
	for no, want := range map[openflow.PortNo][2]bool{1: {true, true}, 3: {true, false}, 4: {false, true}} {
		if got, ok := p.m.Port(no); !ok || got.Up != want[0] || got.Observable != want[1] {
			t.Errorf("port %d: up %v, observable %v, want %v", no, got.Up, got.Observable, want)
		}
	}
	if b := string(p.groups[3763339424]); !strings.Contains(b, "\x00\x00\x00\x03") ||
		strings.Contains(b, "\x00\x00\x00\x04\xff") {
		t.Errorf("flood group %x", b)
	}
	// When it comes back, it goes on.
	p.recv(portStatus(openflow.PortModify, port(3)))
	if got, _ := p.m.Port(3); !got.Up || !got.Observable {
		t.Errorf("port 3: %+v", got)
	}
}

// A port status that comes while the list of ports is under way is newer than the list.
func TestPortStatusDuringTheList(t *testing.T) {
	p := newPeer(t)
	xid := p.withhold(openflow.MultipartPortDesc)
	p.attach()
	one, three := port(1), port(3)
	first := openflow.AppendMultipartReply(nil, *xid, openflow.MultipartPortDesc, true,
		openflow.AppendPortDesc(nil, &one))
	p.recv(first, portStatus(openflow.PortDelete, port(1)), portStatus(openflow.PortAdd, three))
	p.recv(openflow.AppendMultipartReply(nil, *xid, openflow.MultipartPortDesc, false, nil))
	if s := p.m.Status(); s.Ports != 1 {
		t.Errorf("%d ports", s.Ports)
	}
	if _, ok := p.m.Port(3); !ok {
		t.Error("port 3 is missing")
	}
}

func TestPortsThatCannotBe(t *testing.T) {
	p := newPeer(t)
	p.ready()
	for _, no := range []openflow.PortNo{0, openflow.PortMax + 1, openflow.PortController, openflow.PortAny} {
		d := port(1)
		d.No = no
		p.recv(portStatus(openflow.PortAdd, d))
	}
	p.wantSent()
	if p.m.Status().Ports != 2 || p.m.Unsolicited != 4 {
		t.Errorf("%d ports, %d unsolicited", p.m.Status().Ports, p.m.Unsolicited)
	}
	local := port(1)
	local.No, local.Name = openflow.PortLocal, "br0"
	p.recv(portStatus(openflow.PortAdd, local))
	if p.m.Status().Ports != 3 {
		t.Error("the local port is missing")
	}
}

func TestPortNamesArePrintable(t *testing.T) {
	p := newPeer(t)
	p.ready()
	d := port(3)
	d.Name = "a\x1b[2J\nb\xff"
	p.recv(portStatus(openflow.PortAdd, d))
	if got, _ := p.m.Port(3); got.Name != "a?[2J?b?" {
		t.Errorf("name %q", got.Name)
	}
}

// A switch cannot make the controller remember ports without end.
func TestTooManyPorts(t *testing.T) {
	p := newPeer(t)
	p.ready()
	for i := range maxPorts + 100 {
		p.receive(portStatus(openflow.PortAdd, port(openflow.PortNo(i+1))))
	}
	if n := p.m.Status().Ports; n != maxPorts {
		t.Errorf("%d ports", n)
	}
}

// A port that flaps must not fill the log.
func TestPortFlood(t *testing.T) {
	p := newPeer(t)
	p.ready()
	down := port(1)
	down.State = openflow.PortStateLinkDown
	for range 5000 {
		p.receive(portStatus(openflow.PortModify, down))
		p.receive(portStatus(openflow.PortModify, port(1)))
	}
	p.run()
	if n := len(p.notices); n > 1100 {
		t.Errorf("%d notices", n)
	}
	if got, _ := p.m.Port(1); !got.Up || got.Mode != intent.Access {
		t.Errorf("port 1: %+v", got)
	}
}

// A port that goes and comes back within one read is a port that has just come up: its hosts are gone, and discovery
// has its chance before it floods.
func TestPortReplacedWithinOneStep(t *testing.T) {
	renamed, down := port(1), port(1)
	renamed.Name, down.State = "q1", openflow.PortStateLinkDown
	for _, c := range []struct {
		name string
		msgs [][]byte
	}{
		{"deleted and added", [][]byte{
			portStatus(openflow.PortDelete, port(1)),
			portStatus(openflow.PortAdd, port(1)),
		}},
		{"deleted and another added", [][]byte{
			portStatus(openflow.PortDelete, port(1)),
			portStatus(openflow.PortAdd, renamed),
		}},
		{"another by modification", [][]byte{portStatus(openflow.PortModify, renamed)}},
		{"down and up", [][]byte{portStatus(openflow.PortModify, down), portStatus(openflow.PortModify, port(1))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.ready()
			p.recv(packetIn(learnCookie, 1, macA), packetIn(learnCookie, 2, macB))
			p.hellos = 0
			p.recv(c.msgs...)
			if n := p.m.Status().Hosts; n != 1 {
				t.Errorf("%d hosts, want the one of port 2", n)
			}
			if p.m.sw.Ports[1].Settled {
				t.Error("it floods at once")
			}
			p.pass(settleTime - time.Millisecond)
			if p.hellos < 3 {
				t.Errorf("%d hellos before it floods", p.hellos)
			}
		})
	}
}

// The same while nobody looked: after a reconnection the number belongs to another port.
func TestPortReplacedWhileDisconnected(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA), packetIn(learnCookie, 2, macB))
	p.m.Detach(p.now)
	p.ports[0].Name = "q1"
	p.attach()
	if n := p.m.Status().Hosts; n != 1 {
		t.Errorf("%d hosts, want the one of port 2", n)
	}
	if p.m.sw.Ports[1].Settled || !p.m.sw.Ports[2].Settled {
		t.Errorf("settled: %v and %v", p.m.sw.Ports[1].Settled, p.m.sw.Ports[2].Settled)
	}
}
