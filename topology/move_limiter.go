package topology

import (
	"slices"
	"time"
)

// A host that moves too often within MoveWindow stays where it is for FreezeTime: two hosts with one address, or a loop
// behind edge ports, must not keep the controller busy.
const (
	MoveWindow = 10 * time.Second
	FreezeTime = 60 * time.Second
)

// MoveLimiter counts the recent moves of one host. The zero value has counted none.
type MoveLimiter struct {
	times []int64 // nanoseconds, ascending, within MoveWindow of the last
}

// Allow counts a move, at a time in nanoseconds, unless it exceeds the limit within MoveWindow; then counting starts
// over.
func (l *MoveLimiter) Allow(limit int, now int64) bool {
	l.times = slices.DeleteFunc(l.times, func(t int64) bool { return now-t > int64(MoveWindow) })
	if len(l.times) < limit {
		l.times = append(l.times, now)
		return true
	}
	l.times = l.times[:0]
	return false
}
