package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
	"github.com/eosin-sdn/eosin/topology"
)

// datapathSwitch is the shell of one switch: its machine, the lock that guards it, the connection it has at present and the
// one timer it needs. It outlives its connections.
type datapathSwitch struct {
	c  *Controller
	id openflow.DatapathID

	mu      sync.Mutex
	machine *datapath.Machine
	conn    *ofconn.Conn // nil while disconnected
	peer    string
	left    time.Time // when it disconnected
	claimed bool      // a newcomer waits to hear whether the switch is alive
	served  bool      // the fabric has been told that the switch is connected, and that it obeys
	// forgotten is set when the controller no longer keeps the switch: who still holds it must not use it.
	forgotten bool
	timer     *time.Timer
	wake      time.Time // when the timer fires; zero when it is not set
	posts     []post    // scratch: what one step has found out for the fabric
}

var (
	errStopping   = errors.New("eosin is stopping")
	errSuperseded = errors.New("the switch has connected anew from the same address")
	errOffline    = errors.New("not connected")
)

func newSwitch(c *Controller, id openflow.DatapathID) *datapathSwitch {
	return &datapathSwitch{
		c: c, id: id, machine: datapath.New(id, c.keys, intentFor(c.Config(), id), c.fabric.current()),
	}
}

func (s *datapathSwitch) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Name()
}

// step runs f as one step of the machine and sends what it brought about. It is how everything but the session's own reader
// touches a switch. A switch that was forgotten takes no step: the fabric, which has forgotten it too, would hear of it again.
func (s *datapathSwitch) step(f func(now time.Time, m *datapath.Machine) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgotten {
		return fmt.Errorf("switch %s: %w", s.machine.Name(), errOffline)
	}
	now := time.Now()
	err := f(now, s.machine)
	s.finish(now)
	return err
}

// finish ends a step: one write, the facts on their way, the timer set. The lock is held.
func (s *datapathSwitch) finish(now time.Time) {
	m := s.machine
	m.Flush(now)
	if wire := m.TakeWire(); len(wire) > 0 && s.conn != nil {
		// An error closes the connection; its reader ends the session.
		_ = s.conn.Write(wire)
	}
	s.report(m)
	s.facts(m)
	s.arm(m.Out.TakeWake())
}

// report tells the fabric whether it can count on the switch. One that obeys another controller is like one that has none: it
// goes on forwarding by tables that are not ours to change. The lock is held.
func (s *datapathSwitch) report(m *datapath.Machine) {
	serves := s.conn != nil && !s.standsBy()
	if serves == s.served {
		return
	}
	s.served = serves
	s.c.fabric.postConnected(s.id, serves)
	s.c.prober.HostsChanged()
}

// facts passes on what matters beyond the switch. The lock is held: nobody here waits for another switch.
func (s *datapathSwitch) facts(m *datapath.Machine) {
	facts := m.TakeFacts()
	if len(facts) > 0 {
		alone, hosts := m.Alone(), false
		for i := range facts {
			f := &facts[i]
			switch f.Kind {
			case apps.ProbeReply:
				s.c.prober.Received(s.id, f.Port, f.At, f.VLAN, f.Reply.(*probe.Trapped))
			case apps.HostIP:
				s.c.book.add(f.Addr, hostRef{s.id, uint64(topology.NewHostKey(f.VLAN, f.MAC))})
			case apps.Told:
				s.c.sink.Emit(*f.Event)
			case apps.HostSeen, apps.HostGone:
				hosts = true
				if !alone {
					s.posts = append(s.posts, post{sw: s.id, kind: postFact, fact: *f})
				}
			default:
				s.posts = append(s.posts, post{sw: s.id, kind: postFact, fact: *f})
			}
		}
		if len(s.posts) > 0 { // all that one step found out is one visit
			s.c.fabric.post(s.posts...)
			s.posts = s.posts[:0]
			if cap(s.posts) > 1<<10 {
				s.posts = nil // after a burst
			}
		}
		if hosts {
			s.c.prober.HostsChanged()
		}
	}
	var ports map[openflow.PortNo]topology.PortInfo
	if m.PortsChanged(func(no openflow.PortNo, p topology.PortInfo) {
		if ports == nil {
			ports = map[openflow.PortNo]topology.PortInfo{}
		}
		ports[no] = p
	}) {
		s.c.fabric.postPorts(s.id, ports)
		s.c.prober.HostsChanged()
	}
}

// arm sets the timer to an earlier time than it has. A later one is asked for again when the timer has fired.
func (s *datapathSwitch) arm(at time.Time) {
	if at.IsZero() || (!s.wake.IsZero() && !at.Before(s.wake)) {
		return
	}
	s.wake = at
	d := max(time.Until(at), 0)
	if s.timer == nil {
		// The timer's goroutine ends with one tick; a timer that fires after the controller's end finds no connection.
		s.timer = time.AfterFunc(d, s.tick)
		return
	}
	s.timer.Reset(d)
}

func (s *datapathSwitch) tick() {
	err := s.step(func(now time.Time, m *datapath.Machine) error {
		s.wake = time.Time{}
		return m.Tick(now)
	})
	if err != nil {
		s.disconnect(err)
	}
}

// disconnect closes the connection, if there is one; its reader ends the session.
func (s *datapathSwitch) disconnect(reason error) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		conn.Close(reason)
	}
}

func (s *datapathSwitch) configure(in datapath.Intent) {
	_ = s.step(func(_ time.Time, m *datapath.Machine) error {
		m.Configure(in)
		return nil
	})
}

// exec runs f with the probe app as one step, if the switch can be used.
func (s *datapathSwitch) exec(f func(now time.Time, app *probe.App, out *apps.Output)) error {
	return s.step(func(now time.Time, m *datapath.Machine) error {
		if !s.usable() {
			return fmt.Errorf("switch %s: %w", m.Name(), errOffline)
		}
		app, out := m.Probe()
		f(now, app, out)
		return nil
	})
}

// barrier waits until the switch has confirmed all that is desired at present.
func (s *datapathSwitch) barrier(ctx context.Context) error {
	return s.await(ctx, (*datapath.Machine).NotifyInstalled)
}

// await waits until the switch has answered what ask sends, or the session has ended.
func (s *datapathSwitch) await(ctx context.Context, ask func(*datapath.Machine, chan<- struct{})) error {
	done := make(chan struct{})
	err := s.step(func(_ time.Time, m *datapath.Machine) error {
		if s.conn == nil {
			return fmt.Errorf("switch %s: %w", m.Name(), errOffline)
		}
		ask(m, done)
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
