package controller

import (
	"net"
	"sync"
	"testing"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/asynclog"
	"github.com/eosin-sdn/eosin/openflow"
)

// blockedWriter is a standard error that nobody reads.
type blockedWriter struct {
	blocked, release chan struct{}
	once             sync.Once
}

func (w *blockedWriter) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.blocked) })
	<-w.release
	return len(b), nil
}

// A log that blocks stalls no switch: neither the one whose event is being written nor those whose events wait.
func TestBlockedLogStallsNoSwitch(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shell) {
		log := &blockedWriter{blocked: make(chan struct{}), release: make(chan struct{})}
		s.c.log.SetOutput(log)
		defer asynclog.Start(s.c.log)()
		s.c.events.Emit(event.Event{Type: event.ConfigRefused, Message: "x"})
		<-log.blocked
		for id := range 3 {
			sw := testSwitch(1 + openflow.DatapathID(id))
			a, b := net.Pipe()
			go func() { _ = s.c.server.Serve(t.Context(), a, "pipe") }() // ends with the connection
			s.serve(sw, b)
			s.awaitReady(sw.DatapathID())
			for host := range 3 {
				s.learns(sw, 10*id+host)
			}
			defer sw.Close()
		}
		if n := len(s.c.backend.Events(0)); n < 4 {
			t.Errorf("the event stream has %d events", n)
		}
		close(log.release)
	})
}
