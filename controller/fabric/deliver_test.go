package fabric

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// recorder notes what is delivered to switches, and the events.
type recorder struct {
	graphs int
	calls  []string
	events []event.Event
}

func (r *recorder) DeliverGraph(*topology.Snapshot) { r.graphs++ }

func (r *recorder) DeliverHosts(sw openflow.DatapathID, l []topology.Update) {
	for _, u := range l {
		r.calls = append(r.calls, fmt.Sprintf("%d: %s at %d:%d", sw, u.MAC, u.At, u.Port))
	}
}

func (r *recorder) DeliverFreeze(sw openflow.DatapathID, k topology.HostKey) {
	r.calls = append(r.calls, fmt.Sprintf("%d: freeze %s", sw, k.MAC()))
}

func (*recorder) PortName(ref topology.PortRef) (sw, port string) {
	return fmt.Sprintf("sw%d", ref.Switch), fmt.Sprintf("p%d", ref.Port)
}

// running runs a fabric of switches 1 and 2, whose ports 1 are linked, in virtual time.
func running(t *testing.T, f func(f *Fabric, r *recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		fab := New(Options{
			Switches: r, Emit: func(e event.Event) { r.events = append(r.events, e) }, GraphChanged: func() {},
			NetworkName: func(vlan uint16) string { return fmt.Sprintf("net%d", vlan) },
		})
		fab.SetMoves(2)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- fab.Run(ctx) }() // ends with ctx
		up := topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10)}
		for id := openflow.DatapathID(1); id <= 2; id++ {
			fab.SwitchConnected(id, true)
			fab.Ports(id, map[openflow.PortNo]topology.PortInfo{1: up, 2: up, 3: up})
		}
		for id := openflow.DatapathID(1); id <= 2; id++ {
			peer := topology.PortRef{Switch: 3 - id, Port: 1}
			fab.Facts(id, []apps.Fact{{Kind: apps.HelloSeen, Port: 1, Peer: peer, Seq: 1, At: time.Now()}})
		}
		settle()
		f(fab, r)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// settle waits until what was reported is delivered.
func settle() {
	time.Sleep(2 * snapshotEvery)
	synctest.Wait()
}

// Links that come and go are events with the link's name, and each switch gets the graph.
func TestLinkEvents(t *testing.T) {
	running(t, func(f *Fabric, r *recorder) {
		want := func(typ *event.Type, message string) {
			t.Helper()
			if len(r.events) != 1 || r.events[0].Type != typ || r.events[0].Link != "sw1:p1--sw2:p1" ||
				r.events[0].Message != message {
				t.Errorf("events %v, want %s: %s", r.events, typ, message)
			}
			r.events = nil
		}
		want(event.LinkUp, "wire sw1:p1 -- sw2:p1 is up")
		graphs := r.graphs
		if graphs == 0 || !f.Snapshot().Transit(topology.PortRef{Switch: 1, Port: 1}) {
			t.Errorf("%d graphs, port 1 is not transit", graphs)
		}
		f.Ports(1, map[openflow.PortNo]topology.PortInfo{1: {VLANs: topology.NewVLANs(10)}})
		settle()
		want(event.LinkDown, "wire sw1:p1 -- sw2:p1 is down")
		f.SwitchConnected(1, false)
		f.SwitchRemoved(1)
		settle()
		if len(r.events) != 0 {
			t.Errorf("a link that is down is gone: %v", r.events)
		}
		if r.graphs < graphs+2 {
			t.Errorf("%d graphs since", r.graphs-graphs)
		}
	})
}

// A removed switch takes its links with it.
func TestRemovedSwitch(t *testing.T) {
	running(t, func(f *Fabric, r *recorder) {
		r.events = nil
		f.SwitchRemoved(2)
		settle()
		if len(r.events) != 1 || r.events[0].Message != "link sw1:p1 -- sw2:p1 is gone" {
			t.Errorf("events %v", r.events)
		}
	})
}

// The place of a host goes to every switch. One that moves too often is frozen, with an event that says where.
func TestHosts(t *testing.T) {
	running(t, func(f *Fabric, r *recorder) {
		mac := packet.MAC{2, 0, 0, 0, 0, 1}
		seen := func(sw openflow.DatapathID, port openflow.PortNo) {
			f.Facts(sw, []apps.Fact{{Kind: apps.HostSeen, Port: port, VLAN: 10, MAC: mac, At: time.Now()}})
			settle()
			slices.Sort(r.calls)
		}
		want := func(calls ...string) {
			t.Helper()
			if !slices.Equal(r.calls, calls) {
				t.Errorf("delivered %q, want %q", r.calls, calls)
			}
			r.calls, r.events = nil, nil
		}
		seen(1, 2)
		want("1: "+mac.String()+" at 1:2", "2: "+mac.String()+" at 1:2")
		seen(1, 2)
		want()
		for i := range 2 {
			seen(openflow.DatapathID(2-i), 3)
			want(fmt.Sprintf("1: %s at %d:3", mac, 2-i), fmt.Sprintf("2: %s at %d:3", mac, 2-i))
		}
		if n := f.Moves(10); n != 2 {
			t.Errorf("%d moves are counted", n)
		}
		seen(2, 3)
		if len(r.events) != 1 || r.events[0].Type != event.HostFrozen || r.events[0].Switch != "sw1" ||
			r.events[0].Host != mac.String() || r.events[0].Network != "net10" ||
			!strings.Contains(r.events[0].Message, "it stays at sw1:p3") {
			t.Errorf("events %+v", r.events)
		}
		want("2: "+mac.String()+" at 1:3", "2: freeze "+mac.String())
	})
}
