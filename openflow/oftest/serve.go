package oftest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// maxQueue is how many bytes may wait for a controller that does not read.
const maxQueue = 64 << 20

// Serve runs a session over a connection and returns why it ended. A switch with several controllers serves several.
func (s *Switch) Serve(nc net.Conn) error {
	conn := ofconn.New(nc, ofconn.Options{MaxQueue: maxQueue})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		conn.Close(errDisconnect)
		return errDisconnect
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	c := s.begin(conn)
	s.flush()
	s.mu.Unlock()

	// Owned by Serve: the writer ends with the connection, and Serve waits for it.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conn.Run(context.Background()) // the reason is Err's
	}()
	err := s.read(c)
	if errors.Is(err, errHello) {
		// The error message has to leave before the connection is closed.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = conn.Flush(ctx) // best effort
		cancel()
	}
	conn.Close(err)
	<-done
	s.mu.Lock()
	delete(s.sessions, c)
	s.mu.Unlock()
	return conn.Err()
}

// read handles what arrives. All that one read brought is answered with one write.
func (s *Switch) read(c *Session) error {
	for {
		if !s.waitUnstalled(c.conn) {
			return c.conn.Err()
		}
		if err := c.conn.Fill(); err != nil {
			return err
		}
		var fatal error
		s.lock()
		for fatal == nil {
			msg, ok := c.conn.Next()
			if !ok {
				break
			}
			fatal = c.handle(msg)
		}
		s.deliver()
		s.mu.Unlock()
		if fatal != nil {
			return fatal
		}
	}
}

// Connect dials a controller and serves it. With retry above 0 it does so again after each end, retry later, until ctx
// ends; otherwise once. It returns why the last connection ended, or ctx's cause.
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
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // Serve returns the reason
	defer stop()
	return s.Serve(nc)
}
