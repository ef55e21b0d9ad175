package flow

import (
	"encoding/binary"
	"slices"
)

// queue holds record numbers in one slice that is moved down when its front is mostly used up.
type queue struct {
	items []int32
	head  int
}

func (q *queue) len() int     { return len(q.items) - q.head }
func (q *queue) push(i int32) { q.items = append(q.items, i) }

func (q *queue) pop() int32 {
	i := q.items[q.head]
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > 1024 && q.head > len(q.items)/2:
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	return i
}

func (q *queue) sort(cmp func(a, b int32) int) { slices.SortStableFunc(q.items[q.head:], cmp) }

// Defer takes an owner's queued additions out of the queue until Resume puts them back, in the same order, and returns
// how many there are. It is for rules that no others need, so that others are not rejected together with them.
func (s *Store) Defer(o Owner) int {
	var kept queue
	for s.queue.len() > 0 {
		i := s.queue.pop()
		rec := s.recs.at(i)
		cookie := binary.BigEndian.Uint64(s.slab.get(rec.wire)[offCookie:])
		if owner, _ := OwnerOf(cookie); owner == o && !rec.deleted {
			s.deferred.push(i)
		} else {
			kept.push(i)
		}
	}
	s.queue = kept
	return s.deferred.len()
}

// Resume queues what was deferred, after all that is queued already.
func (s *Store) Resume() {
	for s.deferred.len() > 0 {
		s.queue.push(s.deferred.pop())
	}
}
