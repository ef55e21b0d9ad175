package switches

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
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
	s, err := ss.attach(ctx, f.DatapathID, conn, peer)
	if err != nil {
		return err
	}
	err = s.read(conn, &ss.Latency)
	conn.Close(err)
	reason := conn.Err()
	if s.detach(reason) && !errors.Is(reason, ofconn.ErrPeerClosed) && !errors.Is(reason, errSuperseded) {
		ss.broken.Add(1)
	}
	return nil
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
	s.registry.disconnected()
	s.machine.Detach(now)
	s.deliver(s.machine)
	s.reportServed()
	if errors.Is(reason, ErrStopping) {
		return false
	}
	name := s.machine.Name()
	s.events = append(s.events, event.Event{
		Type: event.SwitchDisconnected, Switch: name,
		Message: fmt.Sprintf("switch %s (%s) disconnected: %v", name, peer, reason),
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
