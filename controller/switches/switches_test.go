package switches

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
	"github.com/eosin-sdn/eosin/topology"
)

// fakeFabric notes what is reported to it.
type fakeFabric struct{ calls []string }

func (f *fakeFabric) call(format string, args ...any) {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fakeFabric) Snapshot() *topology.Snapshot { return topology.NewGraph().Snapshot() }
func (f *fakeFabric) Facts(id openflow.DatapathID, l []apps.Fact) {
	f.call("%d facts %d", id, len(l))
}

func (f *fakeFabric) Ports(id openflow.DatapathID, p map[openflow.PortNo]topology.PortInfo) {
	f.call("%d ports %d", id, len(p))
}

func (f *fakeFabric) SwitchConnected(id openflow.DatapathID, up bool) {
	f.call("%d connected %v", id, up)
}
func (f *fakeFabric) SwitchRemoved(id openflow.DatapathID) { f.call("%d removed", id) }

type fakeProber struct{}

func (fakeProber) Received(openflow.DatapathID, openflow.PortNo, time.Time, uint16, *probe.Trapped) {}

func (fakeProber) HostsChanged() {}

func deps(f Fabric) *Deps {
	key := probe.NewKey()
	return &Deps{
		Keys:   datapath.Keys{Hellos: discovery.NewSigner(time.Now()), Probes: &key},
		Intent: func(id openflow.DatapathID) datapath.Intent { return datapath.Intent{Name: fmt.Sprintf("sw%d", id)} },
		Fabric: f, Prober: fakeProber{}, AddAddress: func(netip.Addr, openflow.DatapathID, topology.HostKey) {},
		Emit: func(event.Event) {},
	}
}

// add adds a switch to a registry.
func add(r *Registry, id openflow.DatapathID, d *Deps) *Switch {
	return r.getOrAdd(id, d)
}

// plug has a port come up.
func plug(s *Switch) error {
	return s.Step(func(now time.Time, m *datapath.Machine, _ State) error {
		m.Attach(now)
		return m.Receive(now, openflow.AppendPortStatus(nil, 0, &openflow.PortStatus{
			Reason: openflow.PortAdd, Desc: openflow.PortDesc{No: 1, Name: "p1", State: openflow.PortStateLive},
		}))
	})
}

func TestRegistry(t *testing.T) {
	r, d := NewRegistry(), deps(&fakeFabric{})
	for _, id := range []openflow.DatapathID{3, 1, 2} {
		add(r, id, d)
	}
	if s := add(r, 2, d); s != r.Get(2) || r.Get(4) != nil {
		t.Error("Get does not return what was added")
	}
	var ids []openflow.DatapathID
	for _, s := range r.List() {
		ids = append(ids, s.ID())
	}
	if !slices.Equal(ids, []openflow.DatapathID{1, 2, 3}) {
		t.Errorf("the list is %v", ids)
	}
	if r.ByName("sw2") != r.Get(2) || r.ByName("0000000000000003") != r.Get(3) || r.ByName("sw4") != nil {
		t.Error("ByName")
	}
	for ref, want := range map[topology.PortRef]string{
		{Switch: 1, Port: 9}: "sw1 9", {Switch: 7, Port: 9}: "0000000000000007 9",
	} {
		if sw, port := r.PortName(ref); sw+" "+port != want {
			t.Errorf("%s is %s %s, want %s", ref, sw, port, want)
		}
	}
}

// Stale switches are removed: at once if they never became ready, else after an hour or when there are too many. Those
// that the config names stay.
func TestPrune(t *testing.T) {
	r, f, now := NewRegistry(), &fakeFabric{}, time.Now()
	d := deps(f)
	for id := openflow.DatapathID(1); id <= 4; id++ {
		s := add(r, id, d)
		s.left = now.Add(-time.Minute)
	}
	r.Get(3).left = time.Time{} // it was never connected
	a, _ := net.Pipe()
	r.Get(4).session = &session{conn: ofconn.New(a, ofconn.Options{})}
	r.Prune(now, func(id openflow.DatapathID) bool { return id == 2 })
	if r.Get(1) != nil || r.Get(2) == nil || r.Get(3) == nil || r.byID[4] == nil {
		t.Errorf("left are %v", r.byID)
	}
	if want := []string{"1 removed"}; !slices.Equal(f.calls, want) {
		t.Errorf("reported %q, want %q", f.calls, want)
	}
}

// Many that disconnect at once wake the pruning.
func TestManyDisconnect(t *testing.T) {
	r := NewRegistry()
	for range MaxStale - 1 {
		r.disconnected()
	}
	select {
	case <-r.pruneNow:
		t.Fatal("woken too early")
	default:
	}
	r.disconnected()
	<-r.pruneNow
}

// Who looked a switch up before it was removed (a reload, a timer) does not bring it back to the fabric.
func TestRemovedSwitchTakesNoStep(t *testing.T) {
	r, f := NewRegistry(), &fakeFabric{}
	s := add(r, 1, deps(f))
	if err := plug(s); err != nil {
		t.Fatal(err)
	}
	s.remove()
	before := len(f.calls)
	s.Configure(datapath.Intent{})
	s.tick()
	err := s.Step(func(time.Time, *datapath.Machine, State) error { t.Error("it took a step"); return nil })
	if !errors.Is(err, ErrOffline) {
		t.Errorf("error %v", err)
	}
	if n := len(f.calls); n != before {
		t.Errorf("reported of a switch that was removed: %q", f.calls[before:])
	}
}

// Events are emitted after the lock is released, and once.
func TestEventsAreEmittedUnlocked(t *testing.T) {
	d := deps(&fakeFabric{})
	s := add(NewRegistry(), 1, d)
	emitted := 0
	d.Emit = func(e event.Event) {
		emitted++
		if name := s.Name(); e.Switch != name { // takes the lock
			t.Errorf("the event is about %q", e.Switch)
		}
	}
	for range 2 {
		_ = s.Step(func(now time.Time, m *datapath.Machine, _ State) error {
			if emitted > 0 {
				return nil
			}
			m.Out.Emit(now, event.Event{Type: event.Drift, Switch: "sw1", Message: "x"})
			return nil
		})
	}
	if emitted != 1 {
		t.Errorf("emitted %d times", emitted)
	}
}

// Events stay in order when a step follows before those of the one before are emitted.
func TestEventsStayInOrder(t *testing.T) {
	d := deps(&fakeFabric{})
	s := add(NewRegistry(), 1, d)
	raise := func(text string) {
		s.update(func(now time.Time, m *datapath.Machine) {
			m.Out.Emit(now, event.Event{Type: event.Drift, Message: text})
		})
	}
	var got []string
	d.Emit = func(e event.Event) {
		if e.Message == "first" {
			raise("second") // as another goroutine may at this moment
		}
		got = append(got, e.Message)
	}
	raise("first")
	raise("third")
	if want := []string{"first", "second", "third"}; !slices.Equal(got, want) {
		t.Errorf("emitted %q, want %q", got, want)
	}
}

// A connection that claims a switch while the program ends leaves the incumbent to end for that reason.
func TestClaimAtTheEnd(t *testing.T) {
	r, d := NewRegistry(), deps(&fakeFabric{})
	a, b := net.Pipe()
	incumbent := ofconn.New(a, ofconn.Options{})
	s := add(r, 1, d)
	s.session = &session{conn: incumbent, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewSessions(r, *d).attach(ctx, 1, ofconn.New(b, ofconn.Options{}), "pipe")
	if !errors.Is(err, ErrStopping) || incumbent.Err() != nil || s.claimed {
		t.Errorf("attach: %v; the incumbent: %v, claimed %v", err, incumbent.Err(), s.claimed)
	}
}
