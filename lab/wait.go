package lab

import "time"

// Eventually asks again and again, at least every 20 ms, until the answer is yes, and reports whether it was in time.
func Eventually(timeout time.Duration, yes func() bool) bool {
	return poll(timeout, time.Millisecond, 20*time.Millisecond, yes)
}

// Eventually is the function of that name.
func (l *Lab) Eventually(timeout time.Duration, yes func() bool) bool {
	return Eventually(timeout, yes)
}

// Observe watches for a time that a condition holds, and returns false as soon as it does not. It is for what must not
// happen; to wait for something that must, use Eventually.
func Observe(window time.Duration, holds func() bool) bool {
	return !poll(window, 100*time.Millisecond, 100*time.Millisecond, func() bool { return !holds() })
}

// Steady waits until what look returns has not changed for a while, and returns it. When that does not come about
// before the timeout, ok is false.
func Steady[T any](still, timeout time.Duration, look func() T, equal func(a, b T) bool) (last T, ok bool) {
	last = look()
	since := time.Now()
	ok = Eventually(timeout, func() bool {
		if now := look(); !equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since) >= still
	})
	return last, ok
}

// poll asks at growing intervals until the answer is yes or the time is over.
func poll(timeout, pause, longest time.Duration, yes func() bool) bool {
	for deadline := time.Now().Add(timeout); ; time.Sleep(pause) {
		if yes() {
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
		pause = min(2*pause, longest, max(time.Until(deadline), time.Millisecond))
	}
}
