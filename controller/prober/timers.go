package prober

import (
	"container/heap"
	"time"
)

// task is something to be done at a time: a round of p is due (seq 0), request seq of p's has its timeout, or do.
type task struct {
	at  time.Time
	p   *pair
	seq uint32
	do  func(now time.Time)
}

// timerQueue holds tasks, the earliest first (container/heap).
type timerQueue []task

func (a timerQueue) Len() int           { return len(a) }
func (a timerQueue) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a timerQueue) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *timerQueue) Push(x any)        { *a = append(*a, x.(task)) }
func (a *timerQueue) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = task{}
	*a = (*a)[:last]
	return x
}

// schedule adds a task, and wakes the scheduler if it is the earliest. The engine's lock is held.
func (e *Engine) schedule(ev task) {
	heap.Push(&e.timers, ev)
	if e.nextWake.IsZero() || ev.at.Before(e.nextWake) {
		wake(e.wakeCh)
	}
}

// step runs the tasks that are due and returns the time of the next, or zero.
func (e *Engine) step(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.timers) > 0 && !e.timers[0].at.After(now) {
		ev := heap.Pop(&e.timers).(task)
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
	e.nextWake = time.Time{}
	if len(e.timers) > 0 {
		e.nextWake = e.timers[0].at
	}
	return e.nextWake
}
