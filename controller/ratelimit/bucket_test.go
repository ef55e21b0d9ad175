package ratelimit

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// allowed counts how many of n are allowed at a time.
func allowed(b *Bucket, now time.Time, n int) (granted int) {
	for range n {
		if b.Allow(now) {
			granted++
		}
	}
	return granted
}

func TestAllow(t *testing.T) {
	t.Parallel()
	b := New(100, time.Second)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{
		{0, 100}, // the burst
		{0, 0},
		{9 * time.Millisecond, 0}, // not a whole token
		{10 * time.Millisecond, 1},
		{510 * time.Millisecond, 50},
		{time.Hour, 100}, // never more than it holds
	} {
		if got := allowed(&b, start.Add(c.after), 1000); got != c.want {
			t.Errorf("after %s: %d allowed, want %d", c.after, got, c.want)
		}
	}
}

func TestUnlimited(t *testing.T) {
	t.Parallel()
	zero, none, negative := Bucket{}, New(0, time.Second), New(-1, time.Second)
	for _, b := range []*Bucket{&zero, &none, &negative} {
		if got := allowed(b, start, 1000); got != 1000 {
			t.Errorf("%d of 1000 allowed", got)
		}
	}
}

// After a step back of the clock the bucket grows on from there.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	b := New(100, time.Second)
	allowed(&b, start, 100)
	if got := allowed(&b, start.Add(-time.Minute), 10); got != 0 {
		t.Errorf("%d allowed in the past", got)
	}
	if got := allowed(&b, start.Add(-time.Minute+20*time.Millisecond), 10); got != 2 {
		t.Errorf("%d allowed after 20 ms", got)
	}
}

// A bucket that is slower than one token a burst still holds one.
func TestSlow(t *testing.T) {
	t.Parallel()
	b := New(1, 50*time.Millisecond)
	if got := allowed(&b, start, 5); got != 1 {
		t.Errorf("%d allowed", got)
	}
	if got := allowed(&b, start.Add(999*time.Millisecond), 5); got != 0 {
		t.Errorf("%d allowed before a second has passed", got)
	}
	if got := allowed(&b, start.Add(time.Second), 5); got != 1 {
		t.Errorf("%d allowed after a second", got)
	}
}

func BenchmarkBucket(b *testing.B) {
	bucket, now := New(20_000, time.Second), start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		bucket.Allow(now)
	}
}

// BenchmarkRate is the same with golang.org/x/time/rate: see docs/decisions/0013.
func BenchmarkRate(b *testing.B) {
	limiter, now := rate.NewLimiter(20_000, 20_000), start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		limiter.AllowN(now, 1)
	}
}
