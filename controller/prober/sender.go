package prober

import (
	"context"
	"errors"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow"
)

const (
	// batchSize bounds the requests of one step of a switch: they are written together, and each one's RTT is measured
	// from when it was built.
	batchSize = 16
	// trapBatch bounds the traps that are added in one step.
	trapBatch = 256
	// removalRetry is the pause before traps are removed again whose switch was disconnected.
	removalRetry = time.Second
)

// sender sends the requests of continuous probes at one switch. The engine's lock guards its queues.
type sender struct {
	e               *Engine
	sw              openflow.DatapathID
	wake            chan struct{}
	queue           []*pair
	removals        []installedTrap
	pendingRemovals []installedTrap // those whose switch was disconnected
}

// sender returns the sender of a switch. The engine's lock is held.
func (e *Engine) sender(sw openflow.DatapathID) *sender {
	l := e.senders[sw]
	if l == nil {
		l = &sender{e: e, sw: sw, wake: make(chan struct{}, 1)}
		e.senders[sw] = l
		if e.start != nil {
			e.start(l)
		}
	}
	return l
}

// add queues a pair for its next request. The engine's lock is held.
func (l *sender) add(p *pair) {
	l.queue = append(l.queue, p)
	wake(l.wake)
}

// remove removes traps soon. The engine's lock is held.
func (l *sender) remove(set ...installedTrap) {
	l.removals = append(l.removals, set...)
	wake(l.wake)
}

// run works until ctx ends.
func (l *sender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for ctx.Err() == nil {
			l.e.mu.Lock()
			pairs, removals := l.queue, l.removals
			l.queue, l.removals = nil, nil
			l.e.mu.Unlock()
			if len(pairs) == 0 && len(removals) == 0 {
				break
			}
			l.removeTraps(removals)
			l.probe(ctx, pairs)
		}
	}
}

// removeTraps removes traps now, or later if the switch is disconnected.
func (l *sender) removeTraps(set []installedTrap) {
	if len(set) == 0 {
		return
	}
	err := l.e.fabric.Exec(l.sw, func(_ time.Time, app *probe.App, out *apps.Output) {
		for _, a := range set {
			if a.app == app {
				app.RemoveTrap(a.trap, out)
			}
		}
	})
	if err == nil {
		return
	}
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	if len(l.pendingRemovals) == 0 {
		l.e.schedule(task{at: time.Now().Add(removalRetry), do: func(time.Time) {
			set := l.pendingRemovals
			l.pendingRemovals = nil
			l.remove(set...)
		}})
	}
	l.pendingRemovals = append(l.pendingRemovals, set...)
}

// probe sends one request for each pair:
//
//  1. Missing and outdated traps are replaced in one step, confirmed by one barrier, and given time to reach the
//     datapath cache.
//  2. Requests are sent in batches as the switch's rate allows.
//
// If the switch was replaced meanwhile, and its new app does not have the traps, it starts over.
func (l *sender) probe(ctx context.Context, pairs []*pair) {
	for len(pairs) > 0 && ctx.Err() == nil {
		err := l.installTraps(ctx, pairs)
		for err == nil && len(pairs) > 0 {
			var n int
			n, err = l.sendBatch(ctx, pairs)
			pairs = pairs[n:]
		}
		if err != nil && !errors.Is(err, errOtherApp) {
			l.fail(ctx, pairs, err)
			return
		}
	}
}

// installTraps adds the traps that pairs need.
func (l *sender) installTraps(ctx context.Context, pairs []*pair) error {
	confirm := false
	for len(pairs) > 0 {
		chunk := pairs[:min(len(pairs), trapBatch)]
		pairs = pairs[len(chunk):]
		err := l.e.fabric.Exec(l.sw, func(_ time.Time, app *probe.App, out *apps.Output) {
			l.e.mu.Lock()
			defer l.e.mu.Unlock()
			for _, p := range chunk {
				if !p.gone && l.trapPair(p, app, out) {
					confirm = true
				}
			}
		})
		if err != nil {
			return err
		}
	}
	if !confirm {
		return nil
	}
	if err := l.e.confirm(ctx, l.sw); err != nil {
		return err
	}
	return sleep(ctx, settleTime)
}

// trapPair updates the pair's stream and trap for its route, and reports whether a trap was added.
func (l *sender) trapPair(p *pair, app *probe.App, out *apps.Output) bool {
	if p.s == nil {
		color, err := l.e.colorFor(p)
		if err != nil {
			return false // see sendBatch
		}
		p.s = &stream{want: p.r.want(color), timeout: p.probe.spec.Timeout, keep: keptRequests, onReply: p.onReply}
		l.e.register(p.s)
	}
	p.s.want = p.r.want(p.s.want.Color)
	need := installedTrap{app, p.s.want.Trap}
	if p.set == need && p.setAt == l.sw {
		return false
	}
	app.AddTrap(need.trap, out)
	switch {
	case p.set.app == nil:
	case p.setAt != l.sw:
		l.e.sender(p.setAt).remove(p.set)
	case p.set.app == app:
		app.RemoveTrap(p.set.trap, out)
	}
	p.set, p.setAt = need, l.sw
	return true
}

// sendBatch sends requests of the first pairs, as many as the rate allows, and returns how many pairs are done.
func (l *sender) sendBatch(ctx context.Context, pairs []*pair) (n int, err error) {
	l.e.mu.Lock()
	granted, wait := l.e.reserve(l.sw, min(len(pairs), batchSize))
	if granted == 0 {
		l.e.mu.Unlock()
		return 0, sleep(ctx, wait)
	}
	var need *probe.App
	requests := make([]request, 0, granted)
	for _, p := range pairs[:granted] {
		switch {
		case p.gone:
		case p.s == nil:
			p.skip(&probespec.CannotRunError{Stage: probespec.NoReply, Reason: (&probe.ColorError{}).Error()})
		case need != nil && need != p.set.app:
			l.e.mu.Unlock()
			return 0, errOtherApp
		default:
			need = p.set.app
			requests = append(requests, request{r: p.r, s: p.s, size: p.probe.spec.Size, sent: p.onSent})
		}
	}
	l.e.mu.Unlock()
	if len(requests) == 0 {
		return granted, nil
	}
	if err := l.e.send(l.sw, need, requests...); err != nil {
		return 0, err
	}
	return granted, nil
}

// onSent starts the timeout of a request.
func (p *pair) onSent(seq uint32, at time.Time) {
	p.e.schedule(task{at: at.Add(p.probe.spec.Timeout), p: p, seq: seq})
}

// fail skips the rounds of pairs whose requests the switch did not take.
func (l *sender) fail(ctx context.Context, pairs []*pair, err error) {
	if ctx.Err() != nil {
		return
	}
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	for _, p := range pairs {
		if !p.gone {
			p.skip(cannotSend(p.r.src, err))
		}
	}
}
