package oftest

import (
	"errors"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

var (
	errDisconnect  = errors.New("disconnected by the switch")
	errHello       = errors.New("controller does not speak OpenFlow 1.3")
	errNotOpenFlow = errors.New("first message is not a hello")
)

// Session is one controller's session with a switch, over a connection (Serve) or stepped by its caller (Open, Step).
// Guarded by the switch's lock.
type Session struct {
	sw      *Switch
	conn    *ofconn.Conn // nil: stepped
	in      []byte       // stepped: received, and not a whole message yet
	out     []byte       // to be sent to the controller
	spare   []byte       // stepped: the buffer that out alternates with
	err     error        // stepped: why the session has ended
	bundles map[uint32]*bundle
	role    uint32
	async   *openflow.AsyncConfig // nil: the defaults
	hello   bool                  // the controller's hello has arrived
}

// begin adds a session; mu is held.
func (s *Switch) begin(conn *ofconn.Conn) *Session {
	c := &Session{sw: s, conn: conn, role: openflow.RoleEqual, bundles: make(map[uint32]*bundle)}
	c.out = openflow.AppendHello(c.out, 0)
	s.sessions[c] = struct{}{}
	return c
}

// Open begins a session without a connection, which lasts until Step returns an error.
func (s *Switch) Open() *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin(nil)
}

// Step gives the switch what the controller has sent and returns what the switch sends to that controller, packet-ins
// and port changes since the last Step included. It is synchronous: frames have crossed all wires when it returns. out
// is valid until the next Step returns.
func (c *Session) Step(now time.Time, in []byte) (out []byte, err error) {
	s := c.sw
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = now.UnixNano()
	if c.err == nil {
		c.receive(in)
	}
	s.deliver()
	if c.err != nil {
		delete(s.sessions, c)
	}
	out, c.out, c.spare = c.out, c.spare[:0], c.out
	return out, c.err
}

// receive handles the whole messages of a stepped session; mu is held.
func (c *Session) receive(b []byte) {
	if len(c.in) > 0 {
		b = append(c.in, b...)
	}
	for c.err == nil && !c.sw.faults.StallReading && len(b) >= openflow.HeaderLen {
		n := max(int(be.Uint16(b[2:])), openflow.HeaderLen) // handle rejects a shorter length
		if len(b) < n {
			break
		}
		c.err = c.handle(b[:n:n])
		b = b[n:]
	}
	c.in = append(c.in[:0], b...)
}

// handle takes one message; mu is held. An error ends the session.
func (c *Session) handle(msg []byte) error {
	s := c.sw
	h, err := openflow.DecodeHeader(msg)
	if err != nil {
		return err
	}
	if int(h.Type) < len(s.received) {
		s.received[h.Type]++
	}
	if !c.hello {
		return c.handleHello(h, msg)
	}
	if h.Version != openflow.Version {
		c.refuse(h.Xid, badRequest(openflow.BadRequestBadVersion), msg)
		return nil
	}
	s.request(c, h, msg)
	return nil
}

func (c *Session) handleHello(h openflow.Header, msg []byte) error {
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

// deliver carries the frames of the current step over the wires and writes what waits for sessions with a connection.
// Frames arrive before the barrier reply that follows them. mu is held, and released in between.
func (s *Switch) deliver() {
	if outs := s.outs; len(outs) > 0 {
		s.outs = nil
		s.mu.Unlock()
		s.carry(outs)
		s.mu.Lock()
	}
	s.flush()
}

// flush writes what waits for sessions with a connection; mu is held.
func (s *Switch) flush() {
	for c := range s.sessions {
		if c.conn == nil || len(c.out) == 0 {
			continue
		}
		_ = c.conn.Write(c.out) // a failed write closes the connection; its reader returns the reason
		if c.out = c.out[:0]; cap(c.out) > 64<<10 {
			c.out = nil
		}
	}
}

// event is an asynchronous message with what decides which controllers get it.
type event struct {
	msg    []byte
	typ    openflow.Type
	reason uint8
}

// wants reports whether the session's role and async config let a message through (OpenFlow 1.3.5 sections 6.3.6 and
// 7.3.10).
func (c *Session) wants(e event) bool {
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

// event queues a message for the controllers, in order with their replies. Events of a bundle wait until it has
// succeeded.
func (s *Switch) event(typ openflow.Type, reason uint8, msg []byte) {
	e := event{msg, typ, reason}
	if s.bundling {
		s.events = append(s.events, e)
		return
	}
	s.emit(e)
}

func (s *Switch) emit(e event) {
	for c := range s.sessions {
		if c.hello && c.wants(e) {
			c.out = append(c.out, e.msg...)
		}
	}
}

func (s *Switch) packetIn(m *openflow.PacketIn) {
	s.event(openflow.TypePacketIn, uint8(m.Reason), openflow.AppendPacketIn(nil, 0, m))
}

func (s *Switch) portStatus(reason openflow.PortReason, d openflow.PortDesc) {
	m := openflow.PortStatus{Reason: reason, Desc: d}
	s.event(openflow.TypePortStatus, uint8(reason), openflow.AppendPortStatus(nil, 0, &m))
}

// SendPacketIn sends the controllers a packet-in that no flow has caused.
func (s *Switch) SendPacketIn(m *openflow.PacketIn) {
	s.step(func() { s.packetIn(m) })
}
