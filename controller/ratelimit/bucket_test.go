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
		if n, wait := b.Take(start, 7); n != 7 || wait != 0 {
			t.Errorf("took %d, wait %s", n, wait)
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

func TestTake(t *testing.T) {
	t.Parallel()
	b := New(1000, 50*time.Millisecond)
	if n, _ := b.Take(start, 20); n != 20 {
		t.Errorf("took %d of 20", n)
	}
	if n, _ := b.Take(start, 40); n != 30 {
		t.Errorf("took %d of the rest, want 30", n)
	}
	n, wait := b.Take(start, 5)
	if n != 0 || wait != time.Millisecond {
		t.Errorf("took %d of an empty bucket, wait %s", n, wait)
	}
	if n, wait := b.Take(start.Add(wait), 5); n != 1 || wait != 0 {
		t.Errorf("after the wait took %d, wait %s", n, wait)
	}
}

// A bucket that is slower than one token a burst still holds one.
func TestSlow(t *testing.T) {
	t.Parallel()
	b := New(1, 50*time.Millisecond)
	if n, _ := b.Take(start, 5); n != 1 {
		t.Errorf("took %d", n)
	}
	if n, wait := b.Take(start.Add(400*time.Millisecond), 1); n != 0 || wait != 600*time.Millisecond {
		t.Errorf("took %d, wait %s", n, wait)
	}
}

func TestSetRate(t *testing.T) {
	t.Parallel()
	b := New(100, time.Second)
	allowed(&b, start, 50) // half of it
	b.SetRate(1000, time.Second)
	if got := allowed(&b, start, 2000); got != 500 {
		t.Errorf("%d allowed after the rate has changed, want half of the new burst", got)
	}
	b.SetRate(0, 0)
	if got := allowed(&b, start, 100); got != 100 {
		t.Errorf("%d allowed without a limit", got)
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
