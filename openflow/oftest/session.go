package oftest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

var (
	errDisconnect  = errors.New("disconnected by the switch")
	errHello       = errors.New("controller does not speak OpenFlow 1.3")
	errNotOpenFlow = errors.New("first message is not a hello")
)

// session is one connection to a controller. Guarded by the switch's lock.
type session struct {
	conn    *ofconn.Conn
	out     []byte // what the step under way answers
	bundles map[uint32]*bundle
	role    uint32
	async   *openflow.AsyncConfig // nil: the defaults
	hello   bool                  // the controller's hello has come
	count   int                   // messages that came in
}

// Serve runs the switch's side of one connection and returns why it ended.
// Several may run at the same time: that switch has several controllers.
func (s *Switch) Serve(nc net.Conn) error {
	c := &session{conn: ofconn.New(nc, ofconn.Options{MaxQueue: s.o.WriteQueue}), role: openflow.RoleEqual}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		c.conn.Close(errDisconnect)
		return errDisconnect
	}
	s.sessions[c] = struct{}{}
	c.out = openflow.AppendHello(c.out, 0)
	s.flush()
	s.mu.Unlock()

	// The writer belongs to Serve: it ends when the connection is closed, and
	// Serve waits for it.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.conn.Run(context.Background()) // the reason is Err's
	}()
	err := s.read(c)
	if errors.Is(err, errHello) {
		// The error message is to arrive before the end.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = c.conn.Flush(ctx) // best effort
		cancel()
	}
	c.conn.Close(err)
	<-done
	s.mu.Lock()
	delete(s.sessions, c)
	s.mu.Unlock()
	return c.conn.Err()
}

// read handles all that comes in; what one read brought is answered with one
// write.
func (s *Switch) read(c *session) error {
	for {
		if !s.waitUnstalled(c) {
			return c.conn.Err()
		}
		if err := c.conn.Fill(); err != nil {
			return err
		}
		var fatal error
		s.mu.Lock()
		for fatal == nil {
			msg, ok := c.conn.Next()
			if !ok {
				break
			}
			fatal = s.receiveMessage(c, msg)
		}
		if outs := s.outs; len(outs) > 0 {
			// Frames arrive before the barrier reply that comes after them.
			s.outs = nil
			s.mu.Unlock()
			_, _ = s.carry(outs) // counted as a storm
			s.mu.Lock()
		}
		s.flush()
		s.mu.Unlock()
		if fatal != nil {
			return fatal
		}
	}
}

// receiveMessage handles one message; mu is held. An error ends the session.
func (s *Switch) receiveMessage(c *session, msg []byte) error {
	h, err := openflow.DecodeHeader(msg)
	if err != nil {
		return err
	}
	if int(h.Type) < len(s.received) {
		s.received[h.Type]++
	}
	if !c.hello {
		return s.receiveHello(c, h, msg)
	}
	if h.Version != openflow.Version {
		c.out = openflow.AppendError(c.out, h.Xid, openflow.ErrorTypeBadRequest, openflow.BadRequestBadVersion, msg)
	} else {
		s.request(c, h, msg)
	}
	c.count++
	if n := s.faults.DisconnectAfter; n > 0 && c.count >= n {
		return errDisconnect
	}
	return nil
}

func (s *Switch) receiveHello(c *session, h openflow.Header, msg []byte) error {
	var hello openflow.Hello
	switch {
	case h.Type != openflow.TypeHello:
		return errNotOpenFlow
	case hello.Decode(msg) != nil || !hello.Supports(openflow.Version):
		c.out = openflow.AppendError(c.out, h.Xid, openflow.ErrorTypeHelloFailed, openflow.HelloFailedIncompatible,
			[]byte("only OpenFlow 1.3"))
		return errHello
	}
	c.hello = true
	return nil
}

// flush writes what the step under way has for each session; mu is held.
func (s *Switch) flush() {
	for c := range s.sessions {
		if len(c.out) == 0 {
			continue
		}
		_ = c.conn.Write(c.out) // a failed write closes the connection; its reader sees why
		if c.out = c.out[:0]; cap(c.out) > 64<<10 {
			c.out = nil
		}
	}
}

// event is an asynchronous message with what decides who gets it.
type event struct {
	msg    []byte
	typ    openflow.Type
	reason uint8
}

// wants reports whether the session's role and async config let a message
// through (OpenFlow 1.3.5 sections 6.3.6 and 7.3.10).
func (c *session) wants(e event) bool {
	slave := c.role == openflow.RoleSlave
	if c.async == nil {
		return !slave || e.typ == openflow.TypePortStatus
	}
	var master, other uint32
	switch e.typ {
	case openflow.TypePacketIn:
		master, other = c.async.PacketInMaster, c.async.PacketInSlave
	case openflow.TypePortStatus:
		master, other = c.async.PortStatusMaster, c.async.PortStatusSlave
	default:
		master, other = c.async.FlowRemovedMaster, c.async.FlowRemovedSlave
	}
	if slave {
		master = other
	}
	return master>>e.reason&1 == 1
}

// event tells the controllers something, in order with their replies. What a
// bundle causes waits until it is known to succeed.
func (s *Switch) event(typ openflow.Type, reason uint8, msg []byte) {
	e := event{msg, typ, reason}
	if s.bundling {
		s.events = append(s.events, e)
		return
	}
	s.tell(e)
}

func (s *Switch) tell(e event) {
	for c := range s.sessions {
		if c.hello && c.wants(e) {
			c.out = append(c.out, e.msg...)
		}
	}
}

func (s *Switch) packetIn(m *openflow.PacketIn) {
	s.event(openflow.TypePacketIn, uint8(m.Reason), openflow.AppendPacketIn(nil, 0, m))
}

func (s *Switch) flowRemoved(m *openflow.FlowRemoved) {
	s.event(openflow.TypeFlowRemoved, uint8(m.Reason), openflow.AppendFlowRemoved(nil, 0, m))
}

func (s *Switch) portStatus(reason openflow.PortReason, d openflow.PortDesc) {
	m := openflow.PortStatus{Reason: reason, Desc: d}
	s.event(openflow.TypePortStatus, uint8(reason), openflow.AppendPortStatus(nil, 0, &m))
}

// SendPacketIn sends the controllers a packet-in that no flow has caused, as a
// load generator does.
func (s *Switch) SendPacketIn(m *openflow.PacketIn) {
	s.step(func() { s.packetIn(m) })
}

// Connect dials a controller and serves it. With retry above 0 it does so
// again and again, so long after each end, until ctx ends; otherwise once. It
// returns why the last connection ended, or ctx's cause.
func (s *Switch) Connect(ctx context.Context, network, addr string, retry time.Duration) error {
	for {
		err := s.connectOnce(ctx, network, addr)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if retry <= 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retry):
		}
	}
}

func (s *Switch) connectOnce(ctx context.Context, network, addr string) error {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return fmt.Errorf("connect to controller: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // Serve then says why
	defer stop()
	return s.Serve(nc)
}
