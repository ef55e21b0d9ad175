package datapath

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/ratelimit"
)

// emit tells the operator of an event. The text goes on after "switch NAME".
func (m *Machine) emit(now time.Time, t *event.Type, text string) { m.emitPort(now, t, "", text) }

// emitPort is emit for what concerns a port.
func (m *Machine) emitPort(now time.Time, t *event.Type, port, text string) {
	m.Out.Emit(now, event.Event{Type: t, Switch: m.sw.Name, Port: port, Message: "switch " + m.sw.Name + text})
}

// emitLimited is emit for what a switch can cause at will. port is the port's name, "" if it is not about one.
func (m *Machine) emitLimited(now time.Time, t *event.Type, port, text string) {
	if suffix, ok := m.eventLimit.allow(now); ok {
		m.emitPort(now, t, port, text+suffix)
	}
}

// eventLimiter limits events: a thousand at once, then twenty a second. The next one that passes says how many were
// suppressed.
type eventLimiter struct {
	bucket     ratelimit.Bucket
	suppressed int
}

func newEventLimiter() eventLimiter {
	return eventLimiter{bucket: ratelimit.New(20, 50*time.Second)}
}

// allow reports whether an event may be emitted, and what is to be added to its text.
func (l *eventLimiter) allow(now time.Time) (suffix string, ok bool) {
	if !l.bucket.Allow(now) {
		l.suppressed++
		return "", false
	}
	if l.suppressed > 0 {
		suffix = fmt.Sprintf(" (%d reports before this one were left out)", l.suppressed)
		l.suppressed = 0
	}
	return suffix, true
}

// lastError is what went wrong last, for the switch's status.
type lastError struct {
	err        error
	at         time.Time
	suppressed int // further errors like it
}

func (l *lastError) set(now time.Time, err error) { *l = lastError{err: err, at: now} }

func (l *lastError) clear() { l.err = nil }

// expire forgets an error that is older than age: what it was about has been repaired.
func (l *lastError) expire(now time.Time, age time.Duration) {
	if now.Sub(l.at) > age {
		l.clear()
	}
}

// status is the error as it is shown, nil for none.
func (l *lastError) status() error {
	if l.err != nil && l.suppressed > 0 {
		return fmt.Errorf("%w, and %d more rules like it", l.err, l.suppressed)
	}
	return l.err
}
