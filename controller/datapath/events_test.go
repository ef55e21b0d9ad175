package datapath

import (
	"errors"
	"testing"
	"time"
)

func TestEventLimiter(t *testing.T) {
	t.Parallel()
	l, passed := newEventLimiter(), 0
	for range 1500 {
		if suffix, ok := l.allow(epoch); ok {
			passed++
			if suffix != "" {
				t.Errorf("suffix %q before anything was suppressed", suffix)
			}
		}
	}
	if passed != 1000 {
		t.Errorf("%d events passed at once", passed)
	}
	if suffix, ok := l.allow(epoch.Add(50 * time.Millisecond)); !ok ||
		suffix != " (500 reports before this one were left out)" {
		t.Errorf("the next: %v %q", ok, suffix)
	}
	if suffix, ok := l.allow(epoch.Add(100 * time.Millisecond)); !ok || suffix != "" {
		t.Errorf("the one after it: %v %q", ok, suffix)
	}
}

func TestLastError(t *testing.T) {
	t.Parallel()
	var l lastError
	full := errors.New("table full")
	l.expire(epoch, 0)
	if l.status() != nil {
		t.Error("an error before any")
	}
	l.set(epoch, full)
	l.suppressed = 9
	if err := l.status(); !errors.Is(err, full) || err.Error() != "table full, and 9 more rules like it" {
		t.Errorf("status %v", err)
	}
	l.set(epoch.Add(time.Second), full)
	if err := l.status(); err != full {
		t.Errorf("status of the next error %v", err)
	}
	if l.expire(epoch.Add(2*time.Second), time.Second); l.status() == nil {
		t.Error("expired too early")
	}
	if l.expire(epoch.Add(2*time.Second+1), time.Second); l.status() != nil {
		t.Error("did not expire")
	}
}
