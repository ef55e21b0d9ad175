package hostile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// peer is the switch's end of a connection, message by message. It behaves unless a case has it do otherwise.
type peer struct {
	t  *testing.T
	nc net.Conn

	mu sync.Mutex // one write at a time

	// alter changes what is about to be sent in the course of the protocol; nil leaves it unsent.
	alter func(msg []byte) []byte
	// answer, if set, may answer a request in the place of the good switch.
	answer func(request []byte) (reply []byte, ok bool)

	ready chan struct{} // closed when the controller's flows are installed
	ended chan struct{} // closed when the connection has ended
	err   error         // why; after ended
	echo  chan []byte   // echo replies
	last  []byte        // the last error message
}

func (s *suite) dial(t *testing.T) *peer { return s.dialFrom(t, "127.0.0.1") }

// dialFrom connects from an address of loopback.
func (s *suite) dialFrom(t *testing.T, from string) *peer {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: s.joinWithin}
	nc, err := d.Dial("tcp", s.openflow)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return &peer{t: t, nc: nc, ready: make(chan struct{}), ended: make(chan struct{}), echo: make(chan []byte, 16)}
}

func (p *peer) close() { _ = p.nc.Close() }

// reset closes without a farewell.
func (p *peer) reset() {
	if tcp, ok := p.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	p.close()
}

// send writes bytes as they are. An error is what a case may want: the controller has hung up.
func (p *peer) send(msgs ...[]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.nc.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err := p.nc.Write(bytes.Join(msgs, nil))
	return err
}

// hungUp waits until the controller has closed the connection.
func (p *peer) hungUp(within time.Duration) error {
	if err := p.nc.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil // closed
	}
	switch n, err := io.Copy(io.Discard, p.nc); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("still open after %s and %d bytes", within, n)
	default:
		return nil
	}
}

// serve is a good switch's side of the protocol, until the connection ends.
func (p *peer) serve(id openflow.DatapathID) {
	defer close(p.ended)
	p.err = p.protocol(id)
	p.close()
}

func (p *peer) protocol(id openflow.DatapathID) error {
	if err := p.say(openflow.AppendHello(nil, 1)); err != nil {
		return err
	}
	r := make([]byte, 64<<10)
	for {
		if _, err := io.ReadFull(p.nc, r[:openflow.HeaderLen]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint16(r[2:]))
		if n < openflow.HeaderLen || n > len(r) {
			return fmt.Errorf("the controller sent a message of %d bytes", n)
		}
		if _, err := io.ReadFull(p.nc, r[openflow.HeaderLen:n]); err != nil {
			return err
		}
		if err := p.request(id, r[:n]); err != nil {
			return err
		}
	}
}

// say sends what the protocol wants, as far as the case lets it.
func (p *peer) say(msg []byte) error {
	if p.alter != nil {
		msg = p.alter(msg)
	}
	if len(msg) == 0 {
		return nil
	}
	return p.send(msg)
}

// request answers one message of the controller.
func (p *peer) request(id openflow.DatapathID, msg []byte) error {
	if p.answer != nil {
		if reply, ok := p.answer(msg); ok {
			if len(reply) == 0 {
				return nil
			}
			return p.send(reply)
		}
	}
	xid := binary.BigEndian.Uint32(msg[4:])
	switch openflow.Type(msg[1]) {
	case openflow.TypeFeaturesRequest:
		return p.say(featuresReply(xid, id))
	case openflow.TypeEchoRequest:
		return p.say(openflow.AppendEchoReply(nil, xid, msg[openflow.HeaderLen:]))
	case openflow.TypeEchoReply:
		if string(msg[openflow.HeaderLen:]) != pingText {
			return nil // of a flood
		}
		select {
		case p.echo <- bytes.Clone(msg):
		default:
		}
	case openflow.TypeBarrierRequest:
		return p.say(openflow.AppendBarrierReply(nil, xid))
	case openflow.TypeRoleRequest:
		return p.say(openflow.AppendRoleReply(nil, xid, openflow.RoleEqual, 0))
	case openflow.TypeMultipartRequest:
		return p.say(multipartReply(msg))
	case openflow.TypeError:
		p.last = bytes.Clone(msg)
	case openflow.TypeExperimenter:
		var c openflow.BundleControl
		if c.Decode(msg) != nil {
			return nil // an addition
		}
		if err := p.say(openflow.AppendBundleControl(nil, xid, c.ID, c.Type+1, c.Flags)); err != nil {
			return err
		}
		if c.Type == openflow.BundleCommitRequest {
			select {
			case <-p.ready:
			default:
				close(p.ready)
			}
		}
	}
	return nil
}

// join becomes a switch and goes on being one in the background. It returns when the controller has installed its
// flows.
func (p *peer) join(id openflow.DatapathID, within time.Duration) error {
	go p.serve(id) // ends with the connection
	select {
	case <-p.ready:
		return nil
	case <-p.ended:
		return fmt.Errorf("the connection ended: %w", p.err)
	case <-time.After(within):
		p.close()
		return errors.New("time out")
	}
}

// mustJoin is join with a switch of its own that has to succeed.
func (s *suite) mustJoin(t *testing.T) *peer {
	t.Helper()
	p := s.dial(t)
	if err := p.join(s.id(), s.joinWithin); err != nil {
		t.Fatal(err)
	}
	return p
}

// pingText distinguishes the echoes of ping from those of floods.
const pingText = "are you there?"

// ping sends an echo request and returns how long the reply took.
func (p *peer) ping(within time.Duration) (time.Duration, error) {
	began := time.Now()
	xid := uint32(began.UnixNano())
	want := openflow.AppendEchoReply(nil, xid, []byte(pingText))
	if err := p.send(openflow.AppendEchoRequest(nil, xid, []byte(pingText))); err != nil {
		return 0, err
	}
	late := time.After(within)
	for {
		select {
		case got := <-p.echo:
			if bytes.Equal(got, want) {
				return time.Since(began), nil
			}
		case <-p.ended:
			return 0, fmt.Errorf("the connection ended: %w", p.err)
		case <-late:
			return 0, fmt.Errorf("no reply within %s", within)
		}
	}
}

// endsWithin waits until the controller has ended the session.
func (p *peer) endsWithin(d time.Duration) error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(d):
		return fmt.Errorf("still connected after %s", d)
	}
}
