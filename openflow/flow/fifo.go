package flow

import "slices"

// fifo is a queue of record numbers in one slice that is moved down when its front is mostly used up.
type fifo struct {
	items []int32
	head  int
}

func (q *fifo) len() int     { return len(q.items) - q.head }
func (q *fifo) push(i int32) { q.items = append(q.items, i) }

func (q *fifo) pop() int32 {
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

func (q *fifo) sort(cmp func(a, b int32) int) { slices.SortStableFunc(q.items[q.head:], cmp) }
