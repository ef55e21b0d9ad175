package prober

import "time"

// bucket bounds how many requests a second leave at one switch. The engine's lock guards it.
type bucket struct {
	tokens float64
	last   time.Time
}

// burstTime is for how long a switch that was idle may send faster than its rate.
const burstTime = 50 * time.Millisecond

// take returns how many of n requests may be sent now; if none, how long to wait for one. rate is in requests a second, 0 is
// unlimited.
func (b *bucket) take(now time.Time, rate, n int) (granted int, wait time.Duration) {
	if rate <= 0 || n == 0 {
		return n, 0
	}
	burst := max(1, float64(rate)*burstTime.Seconds())
	if b.last.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*float64(rate))
	}
	b.last = now
	// A wait rounds to whole nanoseconds: what is missing by less than that is not missing.
	granted = min(n, int(b.tokens+1e-6))
	if granted == 0 {
		return 0, time.Duration((1 - b.tokens) / float64(rate) * float64(time.Second))
	}
	b.tokens -= float64(granted)
	return granted, 0
}
