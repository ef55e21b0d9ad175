package events

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/apps/event"
)

// Each type of event has a budget of its own, since a peer can bring events about at will. It is large enough for a
// thousand switches that connect at once. Refused connections have less: anybody can make them.
const (
	burst            = 2000
	perSecond        = 100
	refusalBurst     = 100
	refusalPerSecond = 50
)

// account is the budget of one type of event, and what it has come to.
type account struct {
	limiter             *rate.Limiter
	emitted, suppressed uint64
	unreported          int // suppressed since the last that was admitted
}

func limiterFor(t *event.Type) *rate.Limiter {
	if t == event.SwitchRefused {
		return rate.NewLimiter(refusalPerSecond, refusalBurst)
	}
	return rate.NewLimiter(perSecond, burst)
}

// admit reports whether an event is within the budget. The message of one that is says how many before it were not.
func (a *account) admit(now time.Time, e *event.Event) bool {
	a.emitted++
	if !a.limiter.AllowN(now, 1) {
		a.suppressed++
		a.unreported++
		return false
	}
	if a.unreported > 0 {
		e.Message += fmt.Sprintf(" (%d more of %s since the last that was logged)", a.unreported, e.Type)
		a.unreported = 0
	}
	return true
}
