// Package ratelimit is a token bucket for callers that hold a lock of their own and know the time.
package ratelimit

import "time"

// Bucket is a token bucket. The zero value is unlimited. It is not safe for concurrent use.
//
// It counts nanoseconds of growth instead of tokens, so that nothing is rounded.
type Bucket struct {
	perToken int64 // nanoseconds a token takes to grow; 0 is unlimited
	capacity int64 // nanoseconds of growth that the bucket holds, one token at least
	level    int64
	last     int64 // when level was last updated, in Unix nanoseconds
}

// New returns a full bucket that grows by rate tokens a second and holds what grows in burst, one token at least. A
// rate of zero or less is unlimited.
func New(rate int, burst time.Duration) Bucket {
	if rate <= 0 {
		return Bucket{}
	}
	perToken := max(int64(time.Second)/int64(rate), 1)
	capacity := max(int64(burst), perToken)
	return Bucket{perToken: perToken, capacity: capacity, level: capacity}
}

// Allow takes a token, if there is one.
func (b *Bucket) Allow(now time.Time) bool {
	if b.perToken == 0 {
		return true
	}
	at := now.UnixNano()
	if grown := at - b.last; grown > 0 {
		b.level = min(b.level+min(grown, b.capacity), b.capacity)
	}
	b.last = at
	if b.level < b.perToken {
		return false
	}
	b.level -= b.perToken
	return true
}
