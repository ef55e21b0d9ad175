package controller

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of connections that have not said who they are. A switch says so within a millisecond.
const (
	maxUnidentified = 256
	silentFor       = 200 * time.Millisecond // how long one may say nothing at all while others wait for its place
	vagueFor        = time.Second            // and how long it may take to come to the point
)

var errCrowded = errors.New("silent while others waited to be let in")

// waitingRoom holds the connections that have not said who they are. While it is full nobody is accepted, so that newcomers
// wait in the kernel's queue: many switches that connect at once all come in, one after another. Who is silent in a full room
// makes place, so that a good switch comes in however many strangers sit there.
type waitingRoom struct {
	mu    sync.Mutex
	seats []*seat       // the oldest first
	left  chan struct{} // capacity 1: somebody has left
}

type seat struct {
	nc    net.Conn
	since time.Time
	spoke atomic.Bool // it has said hello, that of TLS or of OpenFlow
	ended atomic.Bool // it had to make place
}

// due is when the seat's holder has to make place in a full room.
func (s *seat) due() time.Time {
	if s.spoke.Load() {
		return s.since.Add(vagueFor)
	}
	return s.since.Add(silentFor)
}

// speaks notes that the seat's holder has said hello.
func (s *seat) speaks() { s.spoke.Store(true) }

func newWaitingRoom() *waitingRoom { return &waitingRoom{left: make(chan struct{}, 1)} }

// await waits until there is place for one more, or ctx ends.
func (r *waitingRoom) await(ctx context.Context) {
	for {
		wait, full := r.makePlace(time.Now())
		if !full {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-r.left:
		case <-t.C:
		}
		t.Stop()
	}
}

// makePlace ends one connection of a full room that has been silent for too long; if none has, it tells when one will have been.
func (r *waitingRoom) makePlace(now time.Time) (wait time.Duration, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seats) < maxUnidentified {
		return 0, false
	}
	wait = vagueFor
	for _, s := range r.seats {
		if s.ended.Load() {
			return vagueFor, true // it is on its way out, and tells when it has left
		}
		if d := s.due().Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		s.ended.Store(true)
		_ = s.nc.Close() // its reader ends and leaves
		return vagueFor, true
	}
	return wait, true
}

// enter takes a seat.
func (r *waitingRoom) enter(nc net.Conn) *seat {
	s := &seat{nc: nc, since: time.Now()}
	r.mu.Lock()
	r.seats = append(r.seats, s)
	r.mu.Unlock()
	return s
}

// leave gives the seat back.
func (r *waitingRoom) leave(s *seat) {
	r.mu.Lock()
	if i := slices.Index(r.seats, s); i >= 0 {
		r.seats = slices.Delete(r.seats, i, i+1)
	}
	r.mu.Unlock()
	select {
	case r.left <- struct{}{}:
	default:
	}
}
