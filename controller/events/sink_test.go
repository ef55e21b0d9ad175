package events

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/api"
)

func newTestSink(w io.Writer) *Sink {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(&logrus.JSONFormatter{DisableTimestamp: true})
	return NewSink(log, api.NewEventLog(2*burst, time.Now()))
}

// runFor runs the sink while f runs, and until all is written.
func runFor(t *testing.T, s *Sink, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	f()
	cancel()
	<-done
}

// An event comes whole to the log, the event stream and the metrics.
func TestEventIsCarriedWhole(t *testing.T) {
	var out bytes.Buffer
	s := newTestSink(&out)
	runFor(t, s, func() {
		s.Emit(event.Event{Type: event.PortDown, Switch: "host1", Port: "p1", Message: "words"})
		s.Emit(event.Event{Type: event.HostFrozen, Host: "00:00:00:00:00:01", Network: "blue", Message: "x"})
		s.Emit(event.Event{Type: event.LinkUp, Link: "a:1--b:2", Message: "y"})
		s.Emit(event.Event{Type: event.ProbeFailing, Probe: "mesh", Message: "z"})
	})
	want := `{"event":"port_down","level":"warning","msg":"words","port":"p1","switch":"host1"}
{"event":"host_frozen","host":"00:00:00:00:00:01","level":"warning","msg":"x","network":"blue"}
{"event":"link_up","level":"info","link":"a:1--b:2","msg":"y"}
{"event":"probe_failing","level":"warning","msg":"z","probe":"mesh"}
`
	if out.String() != want {
		t.Errorf("logged:\n%swant:\n%s", out.String(), want)
	}
	got := s.stream.Events(0)
	if len(got) != 4 {
		t.Fatalf("%d events in the stream", len(got))
	}
	for i, want := range []api.Event{
		{Type: "port_down", Level: "warning", Message: "words", Switch: "host1", Port: "p1"},
		{Type: "host_frozen", Level: "warning", Message: "x", Host: "00:00:00:00:00:01", Network: "blue"},
		{Type: "link_up", Level: "info", Message: "y", Link: "a:1--b:2"},
		{Type: "probe_failing", Level: "warning", Message: "z", Probe: "mesh"},
	} {
		if got[i].Time.IsZero() {
			t.Errorf("event %d has no time", i)
		}
		want.ID, want.Time = got[i].ID, got[i].Time
		if got[i] != want {
			t.Errorf("streamed %+v, want %+v", got[i], want)
		}
	}
	if n := testutil.CollectAndCount(s, "eosin_events_total"); n != len(event.Types()) {
		t.Errorf("%d series, %d types", n, len(event.Types()))
	}
	if n := s.types[event.PortDown].emitted; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// A flood of one type is cut off and counted, and does not silence another type.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSink(io.Discard)
		for _, c := range []struct {
			of   *event.Type
			most int
		}{{event.SwitchConnected, burst}, {event.SwitchRefused, refusalBurst}} {
			for range c.most + 17 {
				s.Emit(event.Event{Type: c.of, Message: "x"})
			}
			if a := s.types[c.of]; a.suppressed != 17 || a.emitted != uint64(c.most)+17 {
				t.Errorf("%s: %d of %d are suppressed", c.of, a.suppressed, a.emitted)
			}
			time.Sleep(time.Second)
			last := func() string {
				s.Emit(event.Event{Type: c.of, Message: "x"})
				all := s.stream.Events(0)
				return all[len(all)-1].Message
			}
			if got := last(); !strings.Contains(got, "17 more of "+c.of.String()) {
				t.Errorf("%s: the next says %q", c.of, got)
			}
			if got := last(); got != "x" {
				t.Errorf("%s: the one after it says %q", c.of, got)
			}
		}
		s.Emit(event.Event{Type: event.Drift, Message: "y"})
		if s.types[event.Drift].suppressed != 0 {
			t.Error("another type is suppressed, too")
		}
	})
}

// blockedWriter is a standard error that nobody reads.
type blockedWriter struct {
	release chan struct{}
	mu      sync.Mutex
	bytes.Buffer
}

func (w *blockedWriter) Write(b []byte) (int, error) {
	<-w.release
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.Write(b)
}

// A log that does not take lines neither blocks who emits nor silences the event stream; what it missed is counted.
func TestBlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blockedWriter{release: make(chan struct{})}
		s := newTestSink(out)
		emit := func(of *event.Type) { s.Emit(event.Event{Type: of, Message: "x"}) }
		runFor(t, s, func() {
			emit(event.Drift)
			synctest.Wait() // it is being written
			for range maxQueued / burst {
				for _, of := range []*event.Type{event.LinkUp, event.LinkDown, event.PortUp} {
					for range burst / 2 {
						emit(of)
					}
				}
			}
			synctest.Wait()
			if got, want := s.dropped, maxQueued/burst*3*burst/2-maxQueued; got != want {
				t.Errorf("%d are left out of the log, want %d", got, want)
			}
			if got := len(s.stream.Events(0)); got != 2*burst {
				t.Errorf("the stream keeps %d", got)
			}
			close(out.release)
			synctest.Wait()
			emit(event.RoleLost)
		})
		if text := out.String(); !strings.Contains(text, `"suppressed":1904`) || !strings.Contains(text, "role_lost") {
			t.Errorf("the log ends with %s", text[max(0, len(text)-300):])
		}
	})
}
