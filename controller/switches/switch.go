package switches

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
)

// Switch is the shell of one switch: its machine, the lock that guards it, the session it has at present and the one
// timer it needs. It outlives its sessions.
type Switch struct {
	id       openflow.DatapathID
	deps     *Deps
	registry *Registry

	mu      lockorder.Mutex[lockorder.Switch] // guards all below
	machine *datapath.Machine
	session *session  // nil while disconnected
	left    time.Time // when it disconnected
	claimed bool      // another connection waits to hear whether the switch is alive
	served  bool      // it was reported to the fabric as connected
	removed bool      // it is no longer in the registry: it takes no step
	timer   *time.Timer
	wake    time.Time   // when the timer fires; zero when it is not set
	facts   []apps.Fact // scratch: what one step has found out for the fabric

	events   []event.Event // to be emitted after the lock is released
	emitting bool          // a goroutine emits events, and will emit these
}

// ErrOffline says that a switch is not connected, or cannot be used yet.
var ErrOffline = errors.New("not connected")

// offline is ErrOffline with the switch's name. The lock is held.
func (s *Switch) offline() error { return fmt.Errorf("switch %s: %w", s.machine.Name(), ErrOffline) }

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
		return s.offline()
	}
	now := time.Now()
	err := f(now, s.machine, s.state())
	s.finish(now)
	return err
}

// unlock releases the lock and then emits the events of the step: a log that blocks must not stall the switch. One
// goroutine at a time emits, so that they stay in order; how many there can be is bounded by what one read brings.
func (s *Switch) unlock() {
	if s.emitting || len(s.events) == 0 {
		s.mu.Unlock()
		return
	}
	s.emitting = true
	for len(s.events) > 0 {
		events := s.events
		s.events = nil
		s.mu.Unlock()
		for _, e := range events {
			s.deps.Emit(e)
		}
		s.mu.Lock()
	}
	s.emitting = false
	s.mu.Unlock()
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
	s.update(func(_ time.Time, m *datapath.Machine) { m.Configure(in) })
}

// update is a Step that cannot fail. A switch that is nil or was removed is left alone.
func (s *Switch) update(f func(time.Time, *datapath.Machine)) {
	if s == nil {
		return
	}
	_ = s.Step(func(now time.Time, m *datapath.Machine, _ State) error {
		f(now, m)
		return nil
	})
}

// Exec runs f with the probe app as one step, if the switch can be used.
func (s *Switch) Exec(f func(now time.Time, app *probe.App, out *apps.Output)) error {
	return s.Step(func(now time.Time, m *datapath.Machine, st State) error {
		if !st.Usable {
			return s.offline()
		}
		app, out := m.Probe()
		f(now, app, out)
		return nil
	})
}

// Barrier waits until the switch has confirmed all that is desired at present.
func (s *Switch) Barrier(ctx context.Context) error {
	return s.await(ctx, (*datapath.Machine).NotifyInstalled)
}

// await waits until the switch has answered what send sends, or the session has ended.
func (s *Switch) await(ctx context.Context, send func(*datapath.Machine, chan<- struct{})) error {
	done := make(chan struct{})
	err := s.Step(func(_ time.Time, m *datapath.Machine, st State) error {
		if !st.Connected {
			return s.offline()
		}
		send(m, done)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
