package prober

import (
	"container/heap"
	"time"
)

// event is something to be done at a time: a round of p is due (seq 0), request seq of p's has its timeout, or do.
type event struct {
	at  time.Time
	p   *pair
	seq uint32
	do  func(now time.Time)
}

// agenda holds events, the earliest first (container/heap).
type agenda []event

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = event{}
	*a = (*a)[:last]
	return x
}

// schedule adds an event and wakes the scheduler if that is earlier than all others. The engine's lock is held.
func (e *Engine) schedule(ev event) {
	heap.Push(&e.agenda, ev)
	if e.wake.IsZero() || ev.at.Before(e.wake) {
		e.nudge()
	}
}

// nudge makes the scheduler look again.
func (e *Engine) nudge() {
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

// step does what is due and returns when to come again, or the zero time.
func (e *Engine) step(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.agenda) > 0 && !e.agenda[0].at.After(now) {
		ev := heap.Pop(&e.agenda).(event)
		switch {
		case ev.do != nil:
			ev.do(now)
		case ev.p.gone:
		case ev.seq == 0:
			ev.p.due()
		default:
			ev.p.expire(ev.seq, now)
		}
	}
	e.wake = time.Time{}
	if len(e.agenda) > 0 {
		e.wake = e.agenda[0].at
	}
	return e.wake
}
