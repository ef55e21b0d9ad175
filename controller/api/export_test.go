package api

// NewErrorLog is for tests.
var NewErrorLog = newErrorLog

// Subscribers returns how many subscriptions there are.
func (l *EventLog) Subscribers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.subscribers)
}
