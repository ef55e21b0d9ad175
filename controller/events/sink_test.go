package events

import (
	"bytes"
	"io"
	"strings"
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

// An event comes whole to the log, the event stream and the metrics.
func TestEventIsCarriedWhole(t *testing.T) {
	var out bytes.Buffer
	s := newTestSink(&out)
	s.Emit(event.Event{Type: event.PortDown, Switch: "host1", Port: "p1", Message: "words"})
	s.Emit(event.Event{Type: event.HostFrozen, Host: "00:00:00:00:00:01", Network: "blue", Message: "x"})
	s.Emit(event.Event{Type: event.LinkUp, Link: "a:1--b:2", Message: "y"})
	s.Emit(event.Event{Type: event.ProbeFailing, Probe: "mesh", Message: "z"})
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
