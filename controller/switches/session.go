package switches

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// Sessions gives connections to their switches.
type Sessions struct {
	registry *Registry
	deps     Deps

	// Latency is that of packet-ins.
	Latency Latency
	broken  atomic.Uint64
}

// session is the time one connection serves one switch.
type session struct {
	conn  *ofconn.Conn
	peer  string
	ended chan struct{} // closed when the reader has left
}

var (
	// ErrStopping ends connections at the end of the program.
	ErrStopping   = errors.New("eosin is stopping")
	errSuperseded = errors.New("the switch has connected anew from the same address")
)

// NewSessions returns what serves sessions of the switches of a registry.
func NewSessions(r *Registry, d Deps) *Sessions { return &Sessions{registry: r, deps: d} }

// Broken returns how many sessions ended because of what the switch sent or failed to do.
func (s *Sessions) Broken() uint64 { return s.broken.Load() }

// Serve runs the session of a connection, from the end of the handshake to the connection's end. It is the connection's
// reader. The error is why no session came of it.
func (ss *Sessions) Serve(ctx context.Context, f openflow.FeaturesReply, conn *ofconn.Conn, peer string) error {
	s, err := ss.attach(ctx, f, conn, peer)
	if err != nil {
		return err
	}
	err = s.read(conn, &ss.Latency)
	conn.Close(err)
	if reason := conn.Err(); s.detach(reason) && !errors.Is(reason, ofconn.ErrPeerClosed) && !errors.Is(reason, errSuperseded) {
		ss.broken.Add(1)
	}
	return nil
}

// attach gives the connection to its switch. Of two connections with one datapath id the living one stays: a newcomer
// is refused while the incumbent answers, and takes the place of one that does not. A dead one at the newcomer's own
// address is given less time, since it is most likely the newcomer's own past; yet it may be another bridge of the same
// host, which got the same datapath id from the NIC that they share.
func (ss *Sessions) attach(ctx context.Context, f openflow.FeaturesReply, conn *ofconn.Conn, peer string) (*Switch, error) {
	s := ss.registry.getOrAdd(f.DatapathID, func() *Switch {
		s := newSwitch(f.DatapathID, &ss.deps)
		s.stale = &ss.registry.stale
		return s
	})
	incumbent, err := s.claim()
	if err != nil {
		return nil, err
	}
	if incumbent != nil {
		defer s.unclaim()
		within := aliveWithin
		if sameHost(incumbent.conn.RemoteAddr(), conn.RemoteAddr()) {
			within = aliveWithinSameHost
		}
		if s.alive(ctx, within) {
			return nil, fmt.Errorf("datapath id %s belongs to the switch connected from %s, which is alive; give this bridge another one: "+
				"`ovs-vsctl set bridge BRIDGE other-config:datapath-id=…`", f.DatapathID, incumbent.peer)
		}
		incumbent.conn.Close(errSuperseded)
		select {
		case <-ctx.Done():
			return nil, ErrStopping
		case <-incumbent.ended:
		}
	}

	s.mu.Lock()
	defer s.unlock()
	if s.removed {
		return nil, fmt.Errorf("datapath id %s came back while it was being removed; its next attempt is taken", f.DatapathID)
	}
	if s.session != nil {
		return nil, fmt.Errorf("datapath id %s connected twice at the same time", f.DatapathID)
	}
	now := time.Now()
	s.session = &session{conn: conn, peer: peer, ended: make(chan struct{})}
	s.machine.Attach(now)
	s.finish(now)
	s.events = append(s.events, event.Event{
		Type: event.SwitchConnected, Switch: s.machine.Name(),
		Message: fmt.Sprintf("switch %s (datapath id %s) connected from %s", s.machine.Name(), s.id, peer),
	})
	return s, nil
}

// claim returns the session that holds the switch, which must prove that it is alive; nil if there is none. One
// connection at a time may claim it.
func (s *Switch) claim() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil && s.claimed {
		return nil, fmt.Errorf("datapath id %s: another connection claims it at this moment", s.id)
	}
	s.claimed = s.session != nil
	return s.session, nil
}

func (s *Switch) unclaim() {
	s.mu.Lock()
	s.claimed = false
	s.mu.Unlock()
}

// How long an incumbent has to answer when another connection claims its datapath id, from elsewhere or from its own
// address.
const (
	aliveWithin         = 2 * time.Second
	aliveWithinSameHost = 500 * time.Millisecond
)

// alive reports whether the switch answers.
func (s *Switch) alive(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.await(ctx, (*datapath.Machine).Barrier) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session != nil
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
			return fmt.Errorf("switch %s: %w", m.Name(), ErrOffline)
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

// sameHost reports whether two connections come from one IP address. Unix sockets have none.
func sameHost(a, b net.Addr) bool {
	x, ok := a.(*net.TCPAddr)
	y, ok2 := b.(*net.TCPAddr)
	return ok && ok2 && x.IP.Equal(y.IP)
}

// read runs the session: all that one read brought is one step.
func (s *Switch) read(conn *ofconn.Conn, latency *Latency) error {
	for {
		if err := conn.Fill(); err != nil {
			return err
		}
		if err := s.receive(conn, latency); err != nil {
			return err
		}
	}
}

// receive steps the machine through all messages that have been read.
func (s *Switch) receive(conn *ofconn.Conn, latency *Latency) (err error) {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	before := s.machine.PacketInCount()
	for err == nil {
		msg, ok := conn.Next()
		if !ok {
			break
		}
		err = s.machine.Receive(now, msg)
	}
	s.finish(now)
	if n := s.machine.PacketInCount() - before; n > 0 {
		latency.observe(time.Since(now), n)
	}
	return err
}

// detach ends the session. It reports whether the session was lost rather than ended by the controller's own end.
func (s *Switch) detach(reason error) bool {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	peer := s.session.peer
	close(s.session.ended)
	s.session, s.left = nil, now
	s.stale.disconnected()
	s.machine.Detach(now)
	s.deliver(s.machine)
	s.reportServed()
	if errors.Is(reason, ErrStopping) {
		return false
	}
	name := s.machine.Name()
	s.events = append(s.events, event.Event{
		Type: event.SwitchDisconnected, Switch: name, Message: fmt.Sprintf("switch %s (%s) disconnected: %v", name, peer, reason),
	})
	return true
}

// Disconnect closes the connection, if there is one; its reader ends the session.
func (s *Switch) Disconnect(reason error) {
	s.mu.Lock()
	at := s.session
	s.mu.Unlock()
	if at != nil {
		at.conn.Close(reason)
	}
}
