package switches

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Fabric is told what switches find out about the network. It is called under a switch's lock and never blocks.
type Fabric interface {
	Snapshot() *topology.Snapshot
	Facts(openflow.DatapathID, []apps.Fact)
	Ports(openflow.DatapathID, map[openflow.PortNo]topology.PortInfo)
	SwitchConnected(openflow.DatapathID, bool)
	SwitchRemoved(openflow.DatapathID)
}

// Prober is told of replies and of what may change where probes go. It is called under a switch's lock and never
// blocks.
type Prober interface {
	Received(sw openflow.DatapathID, port openflow.PortNo, at time.Time, vlan uint16, r *probe.Trapped)
	HostsChanged()
}

// Deps is what switches need of the rest of the controller.
type Deps struct {
	Keys   datapath.Keys
	Intent func(openflow.DatapathID) datapath.Intent // by the running config
	Fabric Fabric
	Prober Prober
	// AddAddress notes that a host uses an IP address. It is called under a switch's lock and never blocks.
	AddAddress func(netip.Addr, openflow.DatapathID, topology.HostKey)
	// Emit reports an event. It is never called under a lock.
	Emit func(event.Event)
}

// Switch is the shell of one switch: its machine, the lock that guards it, the session it has at present and the one
// timer it needs. It outlives its sessions.
type Switch struct {
	id    openflow.DatapathID
	deps  *Deps
	stale *staleness

	mu      lockorder.Mutex[lockorder.Switch] // guards all below
	machine *datapath.Machine
	session *session  // nil while disconnected
	left    time.Time // when it disconnected
	claimed bool      // another connection waits to hear whether the switch is alive
	served  bool      // the fabric has been told that the switch is connected, and that it obeys
	removed bool      // it is in the registry no more: who still holds it must not use it
	timer   *time.Timer
	wake    time.Time     // when the timer fires; zero when it is not set
	facts   []apps.Fact   // scratch: what one step has found out for the fabric
	events  []event.Event // what is to be emitted after the lock is released
}

// ErrOffline says that a switch is not connected, or cannot be used yet.
var ErrOffline = errors.New("not connected")

// newSwitch returns a switch without a session.
func newSwitch(id openflow.DatapathID, d *Deps) *Switch {
	return &Switch{id: id, deps: d, machine: datapath.New(id, d.Keys, d.Intent(id), d.Fabric.Snapshot())}
}

// ID returns the datapath id.
func (s *Switch) ID() openflow.DatapathID { return s.id }

// Name returns the name that the config gives to the switch, or the datapath id.
func (s *Switch) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Name()
}

// State is what a switch is at one moment, besides its machine.
type State struct {
	Connected bool
	Usable    bool     // it can be asked to send
	Standby   bool     // it is connected, and obeys another controller
	Peer      string   // where it is connected from
	NetConn   net.Conn // nil while disconnected
	Left      time.Time
}

func (s *Switch) state() State {
	st := State{Connected: s.session != nil, Left: s.left}
	if s.session != nil {
		phase := s.machine.Phase()
		st.Usable, st.Standby = phase >= datapath.Adopting, phase == datapath.Standby
		st.Peer, st.NetConn = s.session.peer, s.session.conn.NetConn()
	}
	return st
}

// Read has f look at the machine, which it must not change, under the switch's lock.
func (s *Switch) Read(f func(*datapath.Machine, State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.machine, s.state())
}

// Step runs f as one step of the machine and sends what it brought about. It is how everything but the session's own
// reader touches a switch. A switch that was removed takes no step: the fabric, which has removed it too, would hear of
// it again.
func (s *Switch) Step(f func(now time.Time, m *datapath.Machine, st State) error) error {
	s.mu.Lock()
	defer s.unlock()
	if s.removed {
		return fmt.Errorf("switch %s: %w", s.machine.Name(), ErrOffline)
	}
	now := time.Now()
	err := f(now, s.machine, s.state())
	s.finish(now)
	return err
}

// unlock releases the lock, and emits the events of the step without it: a log that blocks must not stall the switch.
// How many there can be is bounded by what one read brings; the sink bounds what waits for the log.
func (s *Switch) unlock() {
	events := s.events
	s.events = nil
	s.mu.Unlock()
	for _, e := range events {
		s.deps.Emit(e)
	}
}

// finish ends a step: one write, the facts on their way, the timer set. The lock is held.
func (s *Switch) finish(now time.Time) {
	m := s.machine
	m.Flush(now)
	if wire := m.TakeWire(); len(wire) > 0 && s.session != nil {
		// An error closes the connection; its reader ends the session.
		_ = s.session.conn.Write(wire)
	}
	s.reportServed()
	s.deliver(m)
	s.arm(m.Out.TakeWake())
}

// reportServed tells the fabric whether it can count on the switch. One that obeys another controller is like one that
// has none: it goes on forwarding by tables that are not ours to change. The lock is held.
func (s *Switch) reportServed() {
	serves := s.session != nil && s.machine.Phase() != datapath.Standby
	if serves == s.served {
		return
	}
	s.served = serves
	s.deps.Fabric.SwitchConnected(s.id, serves)
	s.deps.Prober.HostsChanged()
}

// deliver passes on what matters beyond the switch. The lock is held: nobody here waits for another switch.
func (s *Switch) deliver(m *datapath.Machine) {
	facts := m.TakeFacts()
	if len(facts) > 0 {
		alone, hosts := m.Alone(), false
		for i := range facts {
			f := &facts[i]
			switch f.Kind {
			case apps.ProbeReply:
				s.deps.Prober.Received(s.id, f.Port, f.At, f.VLAN, f.Reply.(*probe.Trapped))
			case apps.HostIP:
				s.deps.AddAddress(f.Addr, s.id, topology.NewHostKey(f.VLAN, f.MAC))
			case apps.Told:
				s.events = append(s.events, *f.Event)
			case apps.HostSeen, apps.HostGone:
				hosts = true
				if !alone {
					s.facts = append(s.facts, *f)
				}
			default:
				s.facts = append(s.facts, *f)
			}
		}
		if len(s.facts) > 0 {
			s.deps.Fabric.Facts(s.id, s.facts)
			s.facts = s.facts[:0]
			if cap(s.facts) > 1<<10 {
				s.facts = nil // after a burst
			}
		}
		if hosts {
			s.deps.Prober.HostsChanged()
		}
	}
	var ports map[openflow.PortNo]topology.PortInfo
	if m.PortsChanged(func(no openflow.PortNo, p topology.PortInfo) {
		if ports == nil {
			ports = map[openflow.PortNo]topology.PortInfo{}
		}
		ports[no] = p
	}) {
		s.deps.Fabric.Ports(s.id, ports)
		s.deps.Prober.HostsChanged()
	}
}

// arm sets the timer to an earlier time than it has. A later one is asked for again when the timer has fired.
func (s *Switch) arm(at time.Time) {
	if at.IsZero() || (!s.wake.IsZero() && !at.Before(s.wake)) {
		return
	}
	s.wake = at
	d := max(time.Until(at), 0)
	if s.timer == nil {
		// The timer's goroutine ends with one tick; a timer that fires after the controller's end finds no session.
		s.timer = time.AfterFunc(d, s.tick)
		return
	}
	s.timer.Reset(d)
}

func (s *Switch) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (s *Switch) tick() {
	err := s.Step(func(now time.Time, m *datapath.Machine, _ State) error {
		s.wake = time.Time{}
		return m.Tick(now)
	})
	if err != nil {
		s.Disconnect(err)
	}
}

// Configure makes in what the switch should be.
func (s *Switch) Configure(in datapath.Intent) {
	_ = s.Step(func(_ time.Time, m *datapath.Machine, _ State) error {
		m.Configure(in)
		return nil
	})
}

// Exec runs f with the probe app as one step, if the switch can be used.
func (s *Switch) Exec(f func(now time.Time, app *probe.App, out *apps.Output)) error {
	return s.Step(func(now time.Time, m *datapath.Machine, st State) error {
		if !st.Usable {
			return fmt.Errorf("switch %s: %w", m.Name(), ErrOffline)
		}
		app, out := m.Probe()
		f(now, app, out)
		return nil
	})
}
