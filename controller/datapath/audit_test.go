package datapath

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow/flow"
)

// What differs is drift only if it was there before, and nothing was rejected since.
func TestDriftIsWhatOthersChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(a *audit)
		drift  flow.Drift
		meters int
		want   bool
	}{
		{"first audit of a session", func(*audit) {}, flow.Drift{Missing: 1}, 1, false},
		{"nothing differs", func(a *audit) { a.end(0) }, flow.Drift{}, 0, false},
		{"a flow differs", func(a *audit) { a.end(0) }, flow.Drift{Altered: 1}, 0, true},
		{"a meter differs", func(a *audit) { a.end(0) }, flow.Drift{}, 1, true},
		{"a bundle was rejected", func(a *audit) { a.end(0); a.rejected() }, flow.Drift{Missing: 1}, 0, false},
		{"a change was rejected", func(a *audit) { a.end(0); a.repair(epoch) }, flow.Drift{Missing: 1}, 0, false},
		{"that was repaired", func(a *audit) { a.end(0); a.rejected(); a.end(0) }, flow.Drift{Missing: 1}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := audit{backoff: retryFirst}
			c.before(&a)
			a.begin(epoch)
			if a.drift.Any() {
				t.Error("the drift of the audit before is left")
			}
			a.drift = c.drift
			if got := a.end(c.meters); got != c.want {
				t.Errorf("drift: %v", got)
			}
		})
	}
}

func TestAuditSchedule(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, c := range []struct {
		name string
		plan func(a *audit)
		want time.Time // of the next audit; zero: never
	}{
		{"interval", func(a *audit) { a.ready(epoch, 30*time.Second) }, after(30 * time.Second)},
		{"no interval", func(a *audit) { a.ready(epoch, 0) }, time.Time{}},
		{"sign of drift", func(a *audit) { a.ready(epoch, 30*time.Second); a.soon(epoch) }, after(soonAfter)},
		{"sign of drift without interval", func(a *audit) { a.ready(epoch, 0); a.soon(epoch) }, after(soonAfter)},
		{"many signs", func(a *audit) { a.soon(epoch); a.soon(after(time.Millisecond)) }, after(soonAfter)},
		{
			"a sign just before the interval ends",
			func(a *audit) { a.ready(epoch, time.Second); a.soon(after(900 * time.Millisecond)) },
			after(time.Second),
		},
		{"rejected", func(a *audit) { a.ready(epoch, 30*time.Second); a.repair(epoch) }, after(retryFirst)},
		{
			"rejected again before the repair",
			func(a *audit) { a.repair(epoch); a.repair(after(time.Millisecond)) },
			after(retryFirst),
		},
		{
			"more strays than one audit removes",
			func(a *audit) { a.drift.Stray = maxStrays; a.ready(epoch, 30*time.Second) },
			after(soonAfter),
		},
		{
			"hosts by themselves",
			func(a *audit) { a.hostsSeparate = true; a.ready(epoch, 30*time.Second) },
			after(recheckAfter),
		},
		{"standby", func(a *audit) { a.repair(epoch); a.cancel() }, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := audit{backoff: retryFirst}
			c.plan(&a)
			if !a.nextAt.Equal(c.want) {
				t.Errorf("after %s, want %s", a.nextAt.Sub(epoch), c.want.Sub(epoch))
			}
			if c.want.IsZero() {
				c.want = after(time.Hour)
				a.soon(c.want.Add(-soonAfter)) // nothing was due before
			}
			if a.due(c.want.Add(-1)) || !a.due(c.want) {
				t.Error("due at another time")
			}
		})
	}
}

// Each repair that fails has the next one come later, up to a bound; when the switch has taken all, the pause is short
// again.
func TestAuditBackoff(t *testing.T) {
	t.Parallel()
	a, now := audit{backoff: retryFirst}, epoch
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		a.repair(now)
		if got := a.repairAt.Sub(now); got != want*time.Second {
			t.Errorf("repaired after %s, want %ds", got, want)
		}
		now = a.repairAt
		a.begin(now)
	}
	a.hostsSeparate = true
	if a.ready(now, 0); a.backoff != retryMost {
		t.Errorf("pause %s while rules of hosts are still rejected", a.backoff)
	}
	a.hostsSeparate = false
	if a.ready(now, 0); a.backoff != retryFirst {
		t.Errorf("pause %s after all was taken", a.backoff)
	}
}
