package api

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// Event is something that happened to the network.
type Event struct {
	ID      uint64    `json:"id" doc:"Grows with every event, also across restarts"`
	Time    time.Time `json:"time"`
	Type    string    `json:"type" doc:"Kind of event, for programs" example:"switch_connected"`
	Level   string    `json:"level" enum:"info,warning,error" example:"info"`
	Message string    `json:"message" doc:"For people" example:"switch host1 connected from tcp:192.0.2.7:48210"`
	Switch  string    `json:"switch,omitempty" example:"host1"`
	Port    string    `json:"port,omitempty"`
	Host    string    `json:"host,omitempty"`
	Network string    `json:"network,omitempty"`
	Link    string    `json:"link,omitempty"`
	Probe   string    `json:"probe,omitempty"`
}

// EventLog remembers the newest events and hands them to subscribers. It is safe for use by several goroutines, and
// Publish never waits for a reader.
type EventLog struct {
	mu          sync.Mutex
	limit       int
	kept        []Event // oldest first
	next        uint64
	subscribers map[*Subscription]struct{}
}

// NewEventLog returns a log that remembers limit events. Ids start at the time in microseconds, so that they also grow
// across restarts and stay exact in JavaScript.
func NewEventLog(limit int, now time.Time) *EventLog {
	return &EventLog{limit: max(limit, 1), next: uint64(now.UnixMicro()), subscribers: map[*Subscription]struct{}{}}
}

// Publish gives the event an id, and the time and level info where it has none, and passes it on. A subscriber whose
// buffer is full is dropped.
func (l *EventLog) Publish(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.next
	l.next++
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Level == "" {
		e.Level = "info"
	}
	if len(l.kept) >= l.limit {
		l.kept = append(l.kept[:0], l.kept[1:]...)
	}
	l.kept = append(l.kept, e)
	for s := range l.subscribers {
		select {
		case s.events <- e:
		default:
			l.drop(s)
		}
	}
}

// Events returns the remembered events with an id above after, oldest first.
func (l *EventLog) Events(after uint64) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(after)
}

// since returns a copy of the remembered events above an id. The lock is held.
func (l *EventLog) since(after uint64) []Event {
	i := sort.Search(len(l.kept), func(i int) bool { return l.kept[i].ID > after })
	return slices.Clone(l.kept[i:])
}

// Subscription delivers events to one reader.
type Subscription struct {
	// Backlog are the events that were remembered when the subscription began, oldest first.
	Backlog []Event
	log     *EventLog
	events  chan Event
}

// Subscribe begins to deliver events. The backlog holds the remembered ones with an id above after; with replay false
// it is empty. Up to buffer events wait for the reader; when one more comes, the subscription ends.
func (l *EventLog) Subscribe(after uint64, replay bool, buffer int) *Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &Subscription{log: l, events: make(chan Event, max(buffer, 1))}
	if replay {
		s.Backlog = l.since(after)
	}
	l.subscribers[s] = struct{}{}
	return s
}

// Events delivers what comes after the backlog. It is closed when the reader was too slow or called Close.
func (s *Subscription) Events() <-chan Event { return s.events }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.drop(s)
}

// drop ends a subscription. The lock is held.
func (l *EventLog) drop(s *Subscription) {
	if _, ok := l.subscribers[s]; ok {
		delete(l.subscribers, s)
		close(s.events)
	}
}
