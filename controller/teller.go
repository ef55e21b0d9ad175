package controller

import (
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// What others bring about may not fill the log, however often they do it: who may connect can make up ever new switches, and a
// guest can send what is worth a line. So each kind of notice has a budget of its own, large enough for a thousand switches that
// connect at once, and the next line that is told says how many were not.
const (
	noticesAtOnce     = 2000
	noticesPerSecond  = 100
	refusalsAtOnce    = 100 // of connections: strangers may bring those about
	refusalsPerSecond = 50
)

// teller decides which notices are told.
type teller struct {
	mu    sync.Mutex
	kinds map[string]*allowance // the kinds stand in the program: there are few
}

type allowance struct {
	limiter *rate.Limiter
	untold  int // since the last that was told
}

func newTeller() *teller { return &teller{kinds: map[string]*allowance{}} }

// tell returns the text to tell, and false if there have been too many of its kind.
func (t *teller) tell(kind, text string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[kind]
	if k == nil {
		k = &allowance{limiter: limiterOf(kind)}
		t.kinds[kind] = k
	}
	if !k.limiter.Allow() {
		k.untold++
		return "", false
	}
	if k.untold > 0 {
		text += fmt.Sprintf(" (%d more of %s since the last that was logged)", k.untold, kind)
		k.untold = 0
	}
	return text, true
}

func limiterOf(kind string) *rate.Limiter {
	if kind == "switch_refused" {
		return rate.NewLimiter(refusalsPerSecond, refusalsAtOnce)
	}
	return rate.NewLimiter(noticesPerSecond, noticesAtOnce)
}
