package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// listener is a bound endpoint.
type listener struct {
	net.Listener
	endpoint config.Endpoint
}

// listen binds all endpoints, or none.
func listen(cfg *config.Config) (ls []listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range ls {
				_ = l.Close()
			}
		}
	}()
	for _, e := range cfg.OpenFlow.Listen {
		var l net.Listener
		switch e.Kind {
		case config.TCP, config.SSL:
			l, err = net.Listen("tcp", e.Address)
		case config.Unix:
			if err = removeStale(e.Address); err == nil {
				l, err = net.Listen("unix", e.Address)
			}
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
func (c *Controller) accept(ctx context.Context, l listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	pause := time.Duration(0)
	for {
		c.room.await(ctx)
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("openflow.listen %s: %w", l.endpoint, err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			c.log.Errorf("OpenFlow: accept on %s: %v; trying again in %s", l.endpoint, err, pause)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		peer := "unix:" + l.endpoint.Address
		if l.endpoint.Kind != config.Unix {
			peer = string(l.endpoint.Kind) + ":" + nc.RemoteAddr().String()
		}
		c.sessions.Add(1)
		waiting := c.room.enter(nc)
		if l.endpoint.Kind == config.SSL {
			nc = c.tls.Load().Accept(nc, waiting.speaks) // the handshake is for the connection's own goroutine
		}
		// A connection's goroutine ends with the connection, which ends with ctx; Run waits for it.
		go func() {
			defer c.sessions.Done()
			_ = c.serveFrom(ctx, waiting, nc, peer) // it has been told
		}()
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
func (c *Controller) dial(ctx context.Context, e config.Endpoint) error {
	pause, complained := redialFirst, false
	for ctx.Err() == nil {
		var d net.Dialer
		network := "tcp"
		if e.Kind == config.Unix {
			network = "unix"
		}
		attempt, cancel := context.WithTimeout(ctx, redialMost)
		nc, err := d.DialContext(attempt, network, e.Address)
		cancel()
		if err == nil {
			if e.Kind == config.SSL {
				nc = c.tls.Load().Connect(nc)
			}
			began := time.Now()
			err := c.serve(ctx, nc, e.String())
			if errors.Is(err, ofconn.ErrPeerClosed) && !complained {
				// Strangers that come and go are not told of; who was asked for is.
				complained = true
				c.log.Warnf("openflow.connect %s: the bridge hung up before it said who it is%s; trying again every %s", e, otherWay[e.Kind], redialMost)
			}
			if time.Since(began) > redialMost {
				pause, complained = redialFirst, false
			}
		} else if !complained {
			complained = true
			c.log.Warnf("openflow.connect %s: %v; trying again every %s", e, err, redialMost)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, redialMost)
	}
	return nil
}
