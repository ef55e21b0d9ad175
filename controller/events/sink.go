// Package events carries events to the log, the event stream of the API and the metrics.
package events

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/lockorder"
)

// maxQueued bounds the lines that wait for a log that does not take them.
const maxQueued = 4096

// Sink takes events from everywhere. Emit never blocks: the log is written by Run alone.
type Sink struct {
	log    *logrus.Logger
	stream *api.EventLog
	wake   chan struct{} // capacity 1: something is queued

	mu      lockorder.Mutex[lockorder.Leaf]
	types   map[*event.Type]*account
	queue   []line
	dropped int // lines left out since the last that was queued
}

// line is an event on its way to the log.
type line struct {
	event.Event
	at      time.Time
	dropped int // lines left out before it
}

// NewSink returns a sink. It starts nothing.
func NewSink(log *logrus.Logger, stream *api.EventLog) *Sink {
	s := &Sink{log: log, stream: stream, wake: make(chan struct{}, 1), types: map[*event.Type]*account{}}
	for _, t := range event.Types() {
		s.types[t] = &account{limiter: limiterFor(t)}
	}
	return s
}

// Emit reports an event, unless there have been too many of its type. It never blocks.
func (s *Sink) Emit(e event.Event) {
	now := time.Now()
	s.mu.Lock()
	ok := s.types[e.Type].admit(now, &e)
	if ok {
		s.enqueue(now, e)
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	s.stream.Publish(api.Event{
		Time: now, Type: e.Type.String(), Level: string(e.Type.Level()), Message: e.Message,
		Switch: e.Switch, Port: e.Port, Host: e.Host, Network: e.Network, Link: e.Link, Probe: e.Probe,
	})
	select {
	case s.wake <- struct{}{}:
	default: // Run will see it
	}
}

// enqueue queues an event for the log. The lock is held.
func (s *Sink) enqueue(now time.Time, e event.Event) {
	if len(s.queue) >= maxQueued {
		s.dropped++
		return
	}
	s.queue = append(s.queue, line{Event: e, at: now, dropped: s.dropped})
	s.dropped = 0
}

// Start runs the sink. The func that it returns ends it when all is written.
func (s *Sink) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// Run writes the log until ctx ends, and then what is still queued.
func (s *Sink) Run(ctx context.Context) {
	var lines []line
	for {
		ended := ctx.Err() != nil
		s.mu.Lock()
		lines, s.queue = s.queue, lines[:0]
		s.mu.Unlock()
		for i := range lines {
			s.write(&lines[i])
		}
		clear(lines)
		if ended {
			return
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		}
	}
}

func (s *Sink) write(l *line) {
	if l.dropped > 0 {
		s.log.WithField("suppressed", l.dropped).Warn("the log did not keep up: events were left out of it")
	}
	fields := logrus.Fields{"event": l.Type.String()}
	for _, subject := range l.Type.Subjects() {
		if v := l.Subject(subject); v != "" {
			fields[string(subject)] = v
		}
	}
	level, err := logrus.ParseLevel(string(l.Type.Level()))
	if err != nil {
		level = logrus.ErrorLevel
	}
	s.log.WithTime(l.at).WithFields(fields).Log(level, l.Message)
}
