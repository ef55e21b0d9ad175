package ovsdbwatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/ovsdb"
)

// server is one OVSDB server, for as long as the config names it.
type server struct {
	endpoint config.Endpoint
	implicit bool // nobody asked for it: that it does not exist is no fault
	dial     func(context.Context, config.Endpoint) (net.Conn, error)
	changed  func()
	cancel   context.CancelFunc
	ended    chan struct{}

	// Of Run's goroutine:
	reported reported
	limit    *rate.Limiter // of what is reported

	mu      sync.Mutex // guards all below
	up      bool
	fault   error // why it cannot be read; nil while that is not known
	lost    time.Time
	bridges []ovsdb.Bridge
}

// reported is what was reported last of a server.
type reported uint8

const (
	reportedNothing reported = iota
	reportedUp
	reportedLost
)

// Pauses between attempts to connect.
const (
	redialFirst = 200 * time.Millisecond
	redialMost  = 5 * time.Second
)

// Bounds of what a server may ask of the process.
const (
	bytesPerSecond    = 1 << 20
	bytesBurst        = 4 << 20
	messagesPerSecond = 200
	messagesBurst     = 1000
	readSize          = 16 << 10
	writeTimeout      = 5 * time.Second
	steadyAfter       = 10 * time.Second // a session that lasted so long was a good one
	eventsBurst       = 12
	eventEvery        = 30 * time.Second
)

var errClosed = errors.New("it closed the connection")

func (w *Watcher) newServer(e config.Endpoint, implicit bool) *server {
	return &server{
		endpoint: e, implicit: implicit, dial: w.o.Dial, changed: w.Wake, ended: make(chan struct{}),
		limit: rate.NewLimiter(rate.Every(eventEvery), eventsBurst),
	}
}

// stop ends the reading and waits for its end.
func (s *server) stop() {
	s.cancel()
	<-s.ended
}

// state reports whether the server is being read, and if not, why; without a reason that is not known yet, or nobody
// asked.
func (s *server) state() (up bool, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up, s.fault
}

// known returns what the server told, unless that is too long ago.
func (s *server) known(now time.Time) []ovsdb.Bridge {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up && now.Sub(s.lost) >= keepLost {
		return nil
	}
	return s.bridges
}

// run keeps a session with the server until ctx ends.
func (s *server) run(ctx context.Context) {
	pause := redialFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := s.session(ctx)
		s.down(err)
		if time.Since(began) > steadyAfter {
			pause = redialFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)): // controllers that lost one server do not come back all at once
		}
		pause = min(2*pause, redialMost)
	}
}

// down notes the end of a session, or of an attempt.
func (s *server) down(err error) {
	s.mu.Lock()
	if s.up {
		s.up, s.lost = false, time.Now()
	}
	s.fault = err
	if s.implicit && s.lost.IsZero() && errors.Is(err, fs.ErrNotExist) {
		s.fault = nil
	}
	s.mu.Unlock()
	s.changed()
}

// update notes what the server has told.
func (s *server) update(bridges []ovsdb.Bridge) {
	s.mu.Lock()
	s.up, s.fault, s.bridges = true, nil, bridges
	s.mu.Unlock()
	s.changed()
}

// session is one conversation. It returns why it ended.
func (s *server) session(ctx context.Context) error {
	nc, err := s.dial(ctx, s.endpoint)
	if err != nil {
		return err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	m, err := ovsdb.NewSession(time.Now())
	if err != nil {
		return err
	}
	bytes := rate.NewLimiter(bytesPerSecond, bytesBurst)
	messages := rate.NewLimiter(messagesPerSecond, messagesBurst)
	buf := make([]byte, readSize)
	for {
		if out := m.TakeOut(); len(out) > 0 {
			_ = nc.SetWriteDeadline(time.Now().Add(writeTimeout)) // what is wrong with the connection, the write tells
			if _, err := nc.Write(out); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		_ = nc.SetReadDeadline(m.Wake())
		n, err := nc.Read(buf)
		if n > 0 {
			seen := m.Messages()
			changed, err := m.Receive(time.Now(), buf[:n])
			if err != nil {
				return err
			}
			if changed && m.Ready() {
				s.update(m.Bridges())
			}
			if err := wait(ctx, bytes, n, messages, int(m.Messages()-seen)); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return errClosed
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if err := m.Tick(time.Now()); err != nil {
			return err
		}
	}
}

// wait slows a server down that sends more than it may: what it sends then waits in its own buffers.
func wait(ctx context.Context, bytes *rate.Limiter, n int, messages *rate.Limiter, count int) error {
	if err := bytes.WaitN(ctx, n); err != nil {
		return err
	}
	return messages.WaitN(ctx, min(count, messagesBurst))
}
