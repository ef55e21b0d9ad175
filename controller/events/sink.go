// Package events carries events to the log, the event stream of the API and the metrics.
package events

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/lockorder"
)

// Sink takes events from everywhere. It blocks no longer than the log does: see asynclog.
type Sink struct {
	log    *logrus.Logger
	stream *api.EventLog

	mu    lockorder.Mutex[lockorder.Leaf] // guards types
	types map[*event.Type]*account
}

// NewSink returns a sink.
func NewSink(log *logrus.Logger, stream *api.EventLog) *Sink {
	s := &Sink{log: log, stream: stream, types: map[*event.Type]*account{}}
	for _, t := range event.Types() {
		s.types[t] = &account{limiter: limiterFor(t)}
	}
	return s
}

// Emit reports an event, unless there have been too many of its type.
func (s *Sink) Emit(e event.Event) {
	now := time.Now()
	s.mu.Lock()
	ok := s.types[e.Type].admit(now, &e)
	s.mu.Unlock()
	if !ok {
		return
	}
	s.stream.Publish(api.Event{
		Time: now, Type: e.Type.String(), Level: string(e.Type.Level()), Message: e.Message,
		Switch: e.Switch, Port: e.Port, Host: e.Host, Network: e.Network, Link: e.Link, Probe: e.Probe,
	})
	fields := logrus.Fields{"event": e.Type.String()}
	for _, subject := range e.Type.Subjects() {
		if v := e.Subject(subject); v != "" {
			fields[string(subject)] = v
		}
	}
	level, err := logrus.ParseLevel(string(e.Type.Level()))
	if err != nil {
		level = logrus.ErrorLevel
	}
	s.log.WithTime(now).WithFields(fields).Log(level, e.Message)
}
