package southbound

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// listener is a bound endpoint.
type listener struct {
	net.Listener
	endpoint config.Endpoint
}

// Listen binds all endpoints of a config, or none. It is called once, before Run. files is nil without TLS.
func (s *Server) Listen(cfg config.OpenFlow, files TLS) (err error) {
	s.tls, s.connect = files, cfg.Connect
	s.listeners, err = listen(cfg.Listen)
	return err
}

// Run accepts connections, and keeps those to bridges that listen, until ctx ends and all of them have ended.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		s.o.Log.Infof("OpenFlow: listening on %s", l.endpoint)
		g.Go(func() error { return s.accept(ctx, l) }) // ends with ctx
	}
	for _, e := range s.connect {
		g.Go(func() error { return s.dial(ctx, e) }) // ends with ctx
	}
	err := g.Wait()
	s.conns.Wait()
	return err
}

func listen(endpoints []config.Endpoint) (ls []listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range ls {
				_ = l.Close()
			}
		}
	}()
	for _, e := range endpoints {
		if e.Kind == config.Unix {
			err = removeStale(e.Address)
		}
		var l net.Listener
		if err == nil {
			l, err = net.Listen(e.Network(), e.Address)
		}
		if err != nil {
			return ls, fmt.Errorf("openflow.listen %s: %w", e, err)
		}
		ls = append(ls, listener{l, e})
	}
	return ls, nil
}

// removeStale removes a socket that a killed process left behind; one that somebody listens on stays.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	if nc, err := net.Dial("unix", path); err == nil {
		_ = nc.Close()
		return fmt.Errorf("another process listens on %s", path)
	}
	return os.Remove(path)
}

// accept takes connections until ctx ends. Errors of single connections (out of file descriptors, say) are waited out.
func (s *Server) accept(ctx context.Context, l listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	pause := time.Duration(0)
	for {
		s.pending.await(ctx)
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("openflow.listen %s: %w", l.endpoint, err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.o.Log.Errorf("OpenFlow: accept on %s: %v; trying again in %s", l.endpoint, err, pause)
			sleep(ctx, pause)
			continue
		}
		pause = 0
		peer := "unix:" + l.endpoint.Address
		if l.endpoint.Kind != config.Unix {
			peer = string(l.endpoint.Kind) + ":" + nc.RemoteAddr().String()
		}
		p := s.pending.add(nc)
		if l.endpoint.Kind == config.SSL {
			// The handshake is for the connection's own goroutine.
			nc = s.tls.Accept(nc, func() { p.helloSeen.Store(true) })
		}
		// A connection's goroutine ends with the connection, which ends with ctx; Run waits for it.
		s.conns.Go(func() { _ = s.serve(ctx, p, nc, peer) }) // an error has been reported
	}
}

// Pauses between attempts to reach a bridge that listens.
const (
	redialFirst = 200 * time.Millisecond
	redialMost  = 5 * time.Second
)

// otherWay is what may be wrong with a bridge that hangs up at once.
var otherWay = map[config.EndpointKind]string{
	config.TCP: "; if it listens with TLS (pssl:), write ssl: here",
	config.SSL: "; if it listens without TLS (ptcp:), write tcp: here",
}

// dial keeps a connection to a bridge that listens.
func (s *Server) dial(ctx context.Context, e config.Endpoint) error {
	pause, complained := redialFirst, false
	for ctx.Err() == nil {
		var d net.Dialer
		attempt, cancel := context.WithTimeout(ctx, redialMost)
		nc, err := d.DialContext(attempt, e.Network(), e.Address)
		cancel()
		if err == nil {
			if e.Kind == config.SSL {
				nc = s.tls.Connect(nc)
			}
			began := time.Now()
			err := s.Serve(ctx, nc, e.String())
			if errors.Is(err, ofconn.ErrPeerClosed) && !complained {
				// Connections that come and go are not reported; one that the config asks for is.
				complained = true
				s.o.Log.Warnf("openflow.connect %s: the bridge hung up before it said who it is%s; "+
					"trying again every %s", e, otherWay[e.Kind], redialMost)
			}
			if time.Since(began) > redialMost {
				pause, complained = redialFirst, false
			}
		} else if !complained {
			complained = true
			s.o.Log.Warnf("openflow.connect %s: %v; trying again every %s", e, err, redialMost)
		}
		sleep(ctx, pause)
		pause = min(2*pause, redialMost)
	}
	return nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
