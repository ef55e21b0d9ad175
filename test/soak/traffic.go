package main

import (
	"context"
	"sync"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

// Guests ping each other all the time, in rounds that follow each other without a gap.
const (
	pingEvery  = 100 * time.Millisecond
	roundPings = 20
	pingWait   = 2 * time.Second // for answers after the last of a round
)

// A talk is one guest that pings another.
type talk struct {
	pair
	ns     *lab.Namespace
	ip     string
	across bool // the other is in another network: no answer may come
}

// run pings until the context ends and hands the results to the ledger. What nothing explains is looked into at once.
func (t talk) run(ctx context.Context, led *ledger, look func(pair)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for next := time.Now(); ; {
		begin := time.Now()
		running := t.ns.StartPing(t.ip, lab.Count(roundPings), lab.Interval(pingEvery), lab.Timeout(pingWait))
		over := make(chan struct{})
		// Ends with its round.
		wg.Go(func() {
			select {
			case <-ctx.Done():
			case <-over:
			}
			var r lab.PingResult
			if ctx.Err() != nil {
				r = running.Stop()
			} else {
				r = running.Wait()
			}
			switch {
			case r.Err != nil:
				led.violate("%s: ping cannot run: %v", t.pair, r.Err)
			case t.across:
				led.crossed(t.pair, r.Sent, r.Received)
			default:
				if !led.pinged(t.pair, begin, time.Now(), r.Sent, r.Duplicates, r.Lost) {
					look(t.pair)
				}
			}
		})
		next = next.Add(roundPings * pingEvery)
		more := sleep(ctx, time.Until(next))
		close(over)
		if !more {
			return
		}
	}
}
