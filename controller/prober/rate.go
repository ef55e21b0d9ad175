package prober

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/openflow"
)

// burstTime is for how long a switch that was idle may send faster than its rate.
const burstTime = 50 * time.Millisecond

// newLimiter returns what bounds the requests of one switch. perSecond 0 is unlimited.
func newLimiter(perSecond int) *rate.Limiter {
	if perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(float64(perSecond)*burstTime.Seconds())))
}

// reserve takes up to n tokens of a switch; if none is there, it says how long to wait for one. The engine's lock is
// held.
func (e *Engine) reserve(sw openflow.DatapathID, n int) (granted int, wait time.Duration) {
	l := e.limiters[sw]
	if l == nil {
		l = newLimiter(e.rate)
		e.limiters[sw] = l
	}
	now := time.Now()
	if l.Limit() == rate.Inf || n == 0 {
		return n, 0
	}
	r := l.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return 0, wait
	}
	more := max(0, min(n-1, int(l.TokensAt(now))))
	l.AllowN(now, more)
	return 1 + more, 0
}

// waitTurn waits until a request may leave at the switch.
func (e *Engine) waitTurn(ctx context.Context, sw openflow.DatapathID) error {
	for {
		e.mu.Lock()
		granted, wait := e.reserve(sw, 1)
		e.mu.Unlock()
		if granted > 0 {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}
