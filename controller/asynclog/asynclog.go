// Package asynclog keeps a log that nobody reads from stalling who logs.
package asynclog

import (
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	maxQueued    = 1 << 20 // bytes that wait to be written
	flushTimeout = time.Second
)

// Start has a goroutine of its own write what is logged from now on. Logging never blocks: lines that find the queue
// full are left out and counted. The func that it returns ends this when all is written, or gives up after a second.
func Start(log *logrus.Logger) (stop func()) {
	q := &queue{out: log.Out, wake: make(chan struct{}, 1)}
	log.SetOutput(q)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop, or with the process if the log is blocked
		defer close(done)
		q.run(log, quit)
	}()
	return func() {
		close(quit)
		select {
		case <-done:
			log.SetOutput(q.out)
		case <-time.After(flushTimeout):
		}
	}
}

// queue holds lines until they are written.
type queue struct {
	out  io.Writer
	wake chan struct{} // capacity 1: something is queued

	mu      sync.Mutex
	lines   []byte
	dropped int // lines left out since the last take
}

// Write queues one line.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if len(q.lines)+len(line) > maxQueued {
		q.dropped++
	} else {
		q.lines = append(q.lines, line...)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // run will see it
	}
	return len(line), nil
}

// take returns what is queued and how many lines were left out after it. spare is the buffer to queue in next.
func (q *queue) take(spare []byte) (lines []byte, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, dropped = q.lines, q.dropped
	q.lines, q.dropped = spare[:0], 0
	return lines, dropped
}

// run writes until quit is closed, and then what is still queued.
func (q *queue) run(log *logrus.Logger, quit <-chan struct{}) {
	var lines []byte
	var dropped int
	for ended := false; ; {
		if lines, dropped = q.take(lines); len(lines) > 0 {
			_, _ = q.out.Write(lines) // there is nobody to report an error to
		}
		switch {
		case dropped > 0:
			log.WithField("suppressed", dropped).Warn("the log did not keep up: lines were left out of it")
			continue
		case ended && len(lines) == 0:
			return
		case ended:
			continue
		}
		select {
		case <-quit:
			ended = true
		case <-q.wake:
		}
	}
}
