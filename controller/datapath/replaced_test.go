package datapath

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

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

// Only what a switch without connection tracking says is taken for the lack of it.
func TestRefusedForAnotherReason(t *testing.T) {
	p := newPeer(t)
	p.refuse = refuseAdds(apps.TableTrapped, openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull)
	p.attach()
	if p.m.sw.NoConntrack {
		t.Errorf("a full table is taken for a lack of connection tracking: %q", p.notices)
	}
}

// A small limit of packet-ins is one for ARP as well: a quarter of it is not none.
func TestSmallestLimitHoldsForARP(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.PacketIns = 1
	p.m.Configure(in)
	p.attach()
	if r := p.meters[apps.MeterARP].Rate; r != 1 {
		t.Errorf("%d ARP copies a second", r)
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

// A session that breaks during the adoption has found no links yet: the next one adopts as well.
func TestAdoptionIsRepeated(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	before := p.dump()
	p.m = newMachine(inNetwork()) // the controller was restarted
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
