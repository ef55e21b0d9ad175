// Package ratelimit is a token bucket for callers that hold a lock of their own and know the time.
package ratelimit

import "time"

// Bucket is a token bucket. The zero value is unlimited. It is not safe for concurrent use.
//
// It counts nanoseconds of growth instead of tokens: nothing is rounded, and what has been saved stays worth the same when the
// rate changes.
type Bucket struct {
	perToken int64 // nanoseconds a token takes to grow; 0 is unlimited
	capacity int64 // nanoseconds of growth that the bucket holds, one token at least
	level    int64
	last     int64 // when level was true, in Unix nanoseconds; 0 before the first use
}

// New returns a full bucket that grows by rate tokens a second and holds what grows in burst, one token at least. A rate of zero
// or less is unlimited.
func New(rate int, burst time.Duration) Bucket {
	var b Bucket
	b.SetRate(rate, burst)
	return b
}

// SetRate changes the rate and the burst. What the bucket holds stays, as far as it fits; one that was unlimited is full.
func (b *Bucket) SetRate(rate int, burst time.Duration) {
	if rate <= 0 {
		*b = Bucket{}
		return
	}
	unlimited := b.perToken == 0
	b.perToken = max(int64(time.Second)/int64(rate), 1)
	b.capacity = max(int64(burst), b.perToken)
	if unlimited || b.level > b.capacity {
		b.level = b.capacity
	}
}

// Allow takes a token, if there is one.
func (b *Bucket) Allow(now time.Time) bool {
	if b.perToken == 0 {
		return true
	}
	b.grow(now.UnixNano())
	if b.level < b.perToken {
		return false
	}
	b.level -= b.perToken
	return true
}

// Take takes up to n tokens and returns how many. If it is none, wait is how long the next one takes to grow.
func (b *Bucket) Take(now time.Time, n int) (granted int, wait time.Duration) {
	if b.perToken == 0 || n <= 0 {
		return n, 0
	}
	b.grow(now.UnixNano())
	granted = int(min(int64(n), b.level/b.perToken))
	if granted == 0 {
		return 0, time.Duration(b.perToken - b.level)
	}
	b.level -= int64(granted) * b.perToken
	return granted, 0
}

func (b *Bucket) grow(now int64) {
	if d := now - b.last; d > 0 {
		b.level = min(b.level+min(d, b.capacity), b.capacity)
	}
	b.last = now
}
