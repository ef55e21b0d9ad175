package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// handshakeTime is how long a switch may take to say who it is, the handshake of TLS included.
const handshakeTime = 10 * time.Second

var errNoHandshake = fmt.Errorf("no OpenFlow handshake within %s", handshakeTime)

// serve is the life of one connection, from accept or connect to its end. It is the reader's goroutine. The connection has a
// seat in the waiting room until it has said who it is. The error is why no session came of it.
func (c *Controller) serve(ctx context.Context, nc net.Conn, peer string) error {
	return c.serveFrom(ctx, c.room.enter(nc), nc, peer)
}

func (c *Controller) serveFrom(ctx context.Context, waiting *seat, nc net.Conn, peer string) error {
	c.counters.accepted.Add(1)
	deadline := time.Now().Add(handshakeTime)
	if err := shakeHands(ctx, nc, deadline); err != nil {
		_ = nc.Close() // the reason is told
		c.room.leave(waiting)
		if waiting.ended.Load() {
			err = errCrowded
		}
		c.turnedAway(peer, err)
		return err
	}
	conn := ofconn.New(nc, ofconn.Options{})
	// The writer belongs to this connection and ends when it is closed.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = conn.Run(context.WithoutCancel(ctx)) // the end of ctx closes the connection below, and says why
	}()
	defer func() { <-written }()

	stop := context.AfterFunc(ctx, func() { conn.Close(errStopping) })
	defer stop()

	features, err := c.handshake(ctx, conn, waiting, deadline)
	if err == nil {
		err = c.bound(features.DatapathID, certificateName(nc))
	}
	c.room.leave(waiting)
	if err != nil {
		if waiting.ended.Load() {
			err = errCrowded
		}
		c.refuse(conn, peer, err)
		return err
	}
	s, err := c.attach(ctx, features, conn, peer)
	if err != nil {
		c.refuse(conn, peer, err)
		return err
	}
	err = s.read(conn)
	conn.Close(err)
	s.detach(conn, conn.Err())
	return nil
}

// refuse ends a connection that has not become a session.
func (c *Controller) refuse(conn *ofconn.Conn, peer string, err error) {
	conn.Close(err)
	c.turnedAway(peer, plainReason(err))
}

// turnedAway tells of a connection that has not become a session.
func (c *Controller) turnedAway(peer string, err error) {
	if errors.Is(err, errStopping) || errors.Is(err, ofconn.ErrPeerClosed) {
		return
	}
	c.counters.refused.Add(1)
	c.sink.Emit(event.Event{Type: event.SwitchRefused, Message: fmt.Sprintf("connection from %s refused: %v", peer, err)})
}

// handshake finds out which switch is at the other end.
func (c *Controller) handshake(ctx context.Context, conn *ofconn.Conn, waiting *seat, deadline time.Time) (openflow.FeaturesReply, error) {
	h := datapath.NewHandshake()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return openflow.FeaturesReply{}, err
	}
	for {
		if err := conn.Write(h.Out); err != nil {
			return openflow.FeaturesReply{}, err
		}
		h.Out = h.Out[:0]
		msg, ok := conn.Next()
		for !ok {
			if err := conn.Fill(); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ofconn.ErrTimeout) {
					err = errNoHandshake
				}
				return openflow.FeaturesReply{}, err
			}
			msg, ok = conn.Next()
		}
		f, done, err := h.Receive(msg)
		if err != nil {
			_ = conn.Write(h.Out)
			flush, cancel := context.WithTimeout(ctx, time.Second)
			_ = conn.Flush(flush) // what was wrong is on its way before the connection ends
			cancel()
			return f, err
		}
		waiting.speaks()
		if done {
			return f, conn.SetReadDeadline(time.Time{})
		}
	}
}

// bound checks that a switch shows the certificate that the config binds its datapath id to, if it does.
func (c *Controller) bound(id openflow.DatapathID, name string) error {
	sw, ok := c.Config().Switches.ByDatapathID(id)
	if !ok || sw.Certificate == "" || sw.Certificate == name {
		return nil
	}
	return fmt.Errorf("datapath id %s is bound to the certificate %q, the connection shows %q", id, sw.Certificate, name)
}

// attach gives the connection to its switch. Of two connections with one datapath id the living one stays: a newcomer is
// refused while the incumbent answers, and takes the place of one that does not. A dead one at the newcomer's own address is
// given less time, since it is most likely the newcomer's own past; yet it may be another bridge of the same host, which got
// the same datapath id from the NIC that they share.
func (c *Controller) attach(ctx context.Context, f openflow.FeaturesReply, conn *ofconn.Conn, peer string) (*datapathSwitch, error) {
	c.mu.Lock()
	s := c.switches[f.DatapathID]
	if s == nil {
		s = newSwitch(c, f.DatapathID)
		c.switches[f.DatapathID] = s
	}
	c.mu.Unlock()

	s.mu.Lock()
	incumbent, at := s.conn, s.peer
	if incumbent != nil && s.claimed {
		s.mu.Unlock()
		return nil, fmt.Errorf("datapath id %s: another connection claims it at this moment", f.DatapathID)
	}
	s.claimed = incumbent != nil
	s.mu.Unlock()
	if incumbent != nil {
		defer func() {
			s.mu.Lock()
			s.claimed = false
			s.mu.Unlock()
		}()
		within := aliveWithin
		if sameHost(incumbent.RemoteAddr(), conn.RemoteAddr()) {
			within = aliveAtHome
		}
		if s.alive(ctx, within) {
			return nil, fmt.Errorf("datapath id %s belongs to the switch connected from %s, which is alive; give this bridge another one: `ovs-vsctl set bridge BRIDGE other-config:datapath-id=…`", f.DatapathID, at)
		}
		incumbent.Close(errSuperseded)
		for s.holds(incumbent) { // its reader is on its way out
			select {
			case <-ctx.Done():
				return nil, errStopping
			case <-time.After(time.Millisecond):
			}
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgotten {
		return nil, fmt.Errorf("datapath id %s came back while it was being forgotten; its next attempt is taken", f.DatapathID)
	}
	if s.conn != nil {
		return nil, fmt.Errorf("datapath id %s connected twice at the same time", f.DatapathID)
	}
	now := time.Now()
	s.conn, s.peer = conn, peer
	s.machine.Attach(now)
	s.finish(now)
	c.sink.Emit(event.Event{
		Type: event.SwitchConnected, Switch: s.machine.Name(),
		Message: fmt.Sprintf("switch %s (datapath id %s) connected from %s", s.machine.Name(), s.id, peer),
	})
	return s, nil
}

// How long an incumbent has to answer when another switch claims its datapath id, from elsewhere or from its own address.
const (
	aliveWithin = 2 * time.Second
	aliveAtHome = 500 * time.Millisecond
)

func (s *datapathSwitch) alive(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return s.await(ctx, (*datapath.Machine).Barrier) == nil && !s.vacant()
}

func (s *datapathSwitch) vacant() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == nil
}

func (s *datapathSwitch) holds(conn *ofconn.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == conn
}

// sameHost reports whether two connections come from one IP address. Unix sockets have none.
func sameHost(a, b net.Addr) bool {
	x, ok := a.(*net.TCPAddr)
	y, ok2 := b.(*net.TCPAddr)
	return ok && ok2 && x.IP.Equal(y.IP)
}

// read runs the session: all that one read brought is one step.
func (s *datapathSwitch) read(conn *ofconn.Conn) error {
	for {
		if err := conn.Fill(); err != nil {
			return err
		}
		s.mu.Lock()
		now := time.Now()
		before := s.machine.PacketInCount()
		var err error
		for err == nil {
			msg, ok := conn.Next()
			if !ok {
				break
			}
			err = s.machine.Receive(now, msg)
		}
		s.finish(now)
		if n := s.machine.PacketInCount() - before; n > 0 {
			s.c.latency.observe(time.Since(now), n)
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// detach ends the session of a connection.
func (s *datapathSwitch) detach(conn *ofconn.Conn, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != conn {
		return
	}
	now := time.Now()
	s.conn, s.left = nil, now
	s.machine.Detach(now)
	s.facts(s.machine)
	s.report(s.machine)
	name, peer := s.machine.Name(), s.peer
	if errors.Is(reason, errStopping) {
		return
	}
	if !errors.Is(reason, ofconn.ErrPeerClosed) && !errors.Is(reason, errSuperseded) {
		s.c.counters.broken.Add(1)
	}
	s.c.sink.Emit(event.Event{Type: event.SwitchDisconnected, Switch: name, Message: fmt.Sprintf("switch %s (%s) disconnected: %v", name, peer, reason)})
}
