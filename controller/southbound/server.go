// Package southbound accepts connections of switches, or dials them, and does their handshakes: TLS, and OpenFlow up to
// FEATURES_REPLY, which has the datapath id.
package southbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// Options are what a server needs of the rest of the controller.
type Options struct {
	Log    *logrus.Logger
	Config func() *config.Config // the running one
	// Session runs the session of a connection; the error is why no session came of it. It is called by the
	// connection's reader.
	Session func(context.Context, openflow.FeaturesReply, *ofconn.Conn, string) error
	Emit    func(event.Event)
}

// TLS makes connections of TLS out of plain ones. It does not do the handshake.
type TLS interface {
	Accept(nc net.Conn, helloSeen func()) *tls.Conn
	Connect(net.Conn) *tls.Conn
}

// Server serves connections to switches, in both directions.
type Server struct {
	o         Options
	pending   *pendingConns
	refused   atomic.Uint64
	conns     sync.WaitGroup // those that were accepted
	listeners []listener     // this and the two below are set by Listen
	connect   []config.Endpoint
	tls       TLS // nil without
}

// NewServer returns a server. It starts nothing.
func NewServer(o Options) *Server { return &Server{o: o, pending: newPendingConns()} }

// Refused returns how many connections never became a session.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// handshakeTime is how long a switch may take to say who it is, the handshake of TLS included.
const handshakeTime = 10 * time.Second

var errNoHandshake = fmt.Errorf("no OpenFlow handshake within %s", handshakeTime)

// Serve is the life of one connection, from accept or connect to its end. It is the reader's goroutine. The error is
// why no session came of it.
func (s *Server) Serve(ctx context.Context, nc net.Conn, peer string) error {
	return s.serve(ctx, s.pending.add(nc), nc, peer)
}

func (s *Server) serve(ctx context.Context, p *pendingConn, nc net.Conn, peer string) error {
	deadline := time.Now().Add(handshakeTime)
	if err := tlsHandshake(ctx, nc, deadline); err != nil {
		_ = nc.Close() // the reason is reported
		return s.refuse(p, peer, err)
	}
	conn := ofconn.New(nc, ofconn.Options{})
	// The writer belongs to this connection and ends when it is closed.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = conn.Run(context.WithoutCancel(ctx)) // the end of ctx closes the connection below, and says why
	}()
	defer func() { <-written }()
	defer context.AfterFunc(ctx, func() { conn.Close(switches.ErrStopping) })()

	features, err := s.handshake(ctx, conn, p, deadline)
	if err == nil {
		err = s.checkCertificate(features.DatapathID, certificateName(nc))
	}
	if err == nil {
		s.pending.remove(p)
		err = s.o.Session(ctx, features, conn, peer)
	}
	if err != nil {
		conn.Close(err)
		return s.refuse(p, peer, plainReason(err))
	}
	return nil
}

// refuse reports a connection that has not become a session, and returns why.
func (s *Server) refuse(p *pendingConn, peer string, err error) error {
	s.pending.remove(p)
	if p.evicted.Load() {
		err = errEvicted
	}
	if !errors.Is(err, switches.ErrStopping) && !errors.Is(err, ofconn.ErrPeerClosed) {
		s.refused.Add(1)
		s.o.Emit(event.Event{
			Type: event.SwitchRefused, Message: fmt.Sprintf("connection from %s refused: %v", peer, err),
		})
	}
	return err
}

// handshake finds out which switch is at the other end.
func (s *Server) handshake(ctx context.Context, conn *ofconn.Conn, p *pendingConn, deadline time.Time) (
	f openflow.FeaturesReply, err error,
) {
	h := datapath.NewHandshake()
	if err = conn.SetReadDeadline(deadline); err != nil {
		return f, err
	}
	for done := false; !done; {
		if err = conn.Write(h.Out); err != nil {
			return f, err
		}
		h.Out = h.Out[:0]
		msg, err := next(conn)
		if err != nil {
			return f, err
		}
		if f, done, err = h.Receive(msg); err != nil {
			_ = conn.Write(h.Out)
			flush, cancel := context.WithTimeout(ctx, time.Second)
			_ = conn.Flush(flush) // what was wrong is on its way before the connection ends
			cancel()
			return f, err
		}
		p.helloSeen.Store(true)
	}
	return f, conn.SetReadDeadline(time.Time{})
}

// next reads the next message of a handshake.
func next(conn *ofconn.Conn) ([]byte, error) {
	for {
		if msg, ok := conn.Next(); ok {
			return msg, nil
		}
		err := conn.Fill()
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ofconn.ErrTimeout) {
			err = errNoHandshake
		}
		if err != nil {
			return nil, err
		}
	}
}

// checkCertificate checks that a switch shows the certificate that the config binds its datapath id to, if it does.
func (s *Server) checkCertificate(id openflow.DatapathID, name string) error {
	sw, ok := s.o.Config().Switches.ByDatapathID(id)
	if !ok || sw.Certificate == "" || sw.Certificate == name {
		return nil
	}
	return fmt.Errorf("datapath id %s is bound to the certificate %q, the connection shows %q",
		id, sw.Certificate, name)
}
