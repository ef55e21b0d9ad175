// Package prober runs probes: single ones that somebody waits for, and the continuous ones of the config. It decides
// what to send when, matches replies with requests, and finds out why requests were lost.
//
// One goroutine keeps time for all continuous probes, with one heap of what is due. Each switch has a sender, whose
// goroutine sends: a switch that does not take its messages delays no other. A few workers look into losses. A single
// probe is run by its caller's goroutine.
package prober

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
)

// DefaultRate is how many requests a second leave at one switch unless told otherwise.
const DefaultRate = 1000

const (
	// workers is how many losses are looked into at a time, and diagnosisQueue how many more may wait: what is above
	// stays unexplained, since when so much is lost at once the reason is no single guest.
	workers        = 16
	diagnosisQueue = 128
	// refreshInterval is how often the known hosts are looked at even if nobody says that they have changed.
	refreshInterval = time.Second
	// linger is for how long the replies of an ended probe are still taken out of the stream.
	linger = 2 * time.Second
	// confirmTime bounds the wait for a switch to confirm a trap.
	confirmTime = 5 * time.Second
	// settleTime is what the caches of a switch's datapath are given to follow a new trap. Open vSwitch answers a
	// barrier when its tables have changed; until its revalidators have been through the cached flows, replies still
	// take the old way: to the host. Seen were up to 9 ms.
	settleTime = 50 * time.Millisecond
)

// Options are what an engine needs besides the fabric.
type Options struct {
	// Rate is how many requests a second may leave at one switch; 0 is unlimited.
	Rate int
	// Emit, if not nil, is told what an operator wants to read. It is called by
	// the goroutine of Run, with no lock held.
	Emit func(event.Event)
}

// Engine runs probes. Its methods may be called by several goroutines at once.
type Engine struct {
	fabric Fabric
	emit   func(event.Event)
	wakeCh chan struct{} // wakes the scheduler
	jobs   chan func(context.Context)
	rtt    rttHistograms

	changed atomic.Bool // the hosts or the specs may have changed since the last look

	mu       sync.Mutex // not held while the fabric is called; taken within Exec
	rate     int
	colors   *probe.Colors
	lastID   uint32
	streams  map[uint32]*stream // echoes by the id in their payload
	arps     map[uint16]*stream // ARP by color
	limiters map[openflow.DatapathID]*rate.Limiter
	senders  map[openflow.DatapathID]*sender
	start    func(*sender) // starts a sender's goroutine; nil while Run does not run
	timers   timerQueue
	nextWake time.Time // when the scheduler will look next; zero: when it is woken
	groups   []*group
	events   []event.Event
	rejected map[probe.Reason]uint64
}

// New returns an engine that does nothing yet.
func New(f Fabric, o Options) *Engine {
	return &Engine{
		fabric: f, emit: o.Emit, rate: o.Rate,
		wakeCh: make(chan struct{}, 1), jobs: make(chan func(context.Context), diagnosisQueue), rtt: newRTTHistograms(),
		colors: probe.NewColors(uint16(rand.Uint32())), lastID: rand.Uint32(),
		streams: map[uint32]*stream{}, arps: map[uint16]*stream{},
		limiters: map[openflow.DatapathID]*rate.Limiter{}, senders: map[openflow.DatapathID]*sender{},
		rejected: map[probe.Reason]uint64{},
	}
}

// SetRate changes how many requests a second may leave at one switch; 0 is unlimited.
func (e *Engine) SetRate(perSecond int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rate = perSecond
	clear(e.limiters)
}

// HostsChanged says that hosts have come, gone, moved or changed, or ports or switches their state. It is cheap and may
// be called with any lock held.
func (e *Engine) HostsChanged() {
	if !e.changed.Swap(true) {
		e.wakeUp()
	}
}

// Run runs the continuous probes and cleans up after single ones until ctx ends. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	e.mu.Lock()
	// A sender's goroutine belongs to Run and ends with ctx.
	e.start = func(l *sender) { wg.Go(func() { l.run(ctx) }) }
	for _, l := range e.senders {
		e.start(l)
	}
	e.changed.Store(true)
	e.mu.Unlock()
	for range workers {
		wg.Go(func() { e.work(ctx) }) // belongs to Run and ends with ctx
	}
	defer func() {
		e.mu.Lock()
		e.start = nil
		e.mu.Unlock()
	}()

	look := time.NewTicker(refreshInterval)
	defer look.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if e.changed.Swap(false) {
			e.refresh()
		}
		if next := e.step(time.Now()); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		e.emitEvents()
		select {
		case <-ctx.Done():
			e.emitEvents()
			return nil
		case <-timer.C:
		case <-e.wakeCh:
		case <-look.C:
			e.changed.Store(true)
		}
	}
}

// emitEvents delivers the events that were raised under the lock.
func (e *Engine) emitEvents() {
	e.mu.Lock()
	events := e.events
	e.events = nil
	e.mu.Unlock()
	if e.emit == nil {
		return
	}
	for _, n := range events {
		e.emit(n)
	}
}

// notify queues an event. The engine's lock is held.
func (e *Engine) notify(ev event.Event) {
	e.events = append(e.events, ev)
	e.wakeUp()
}

// work looks into losses.
func (e *Engine) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-e.jobs:
			job(ctx)
		}
	}
}

// submit gives a job to the workers; false if too many wait.
func (e *Engine) submit(job func(context.Context)) bool {
	select {
	case e.jobs <- job:
		return true
	default:
		return false
	}
}

// allocColor takes a color for holder.
func (e *Engine) allocColor(requested uint16, holder string) (uint16, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.colors.Take(time.Now(), requested, holder)
}

// sleep waits for d or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// installedTrap is a trap at the app that was told to set it: another app of the same switch knows nothing of it.
type installedTrap struct {
	app  *probe.App
	trap probe.Trap
}

// installTraps sets traps and waits until the switch has them and its caches have followed. What it returns must be
// removed, even with an error.
func (e *Engine) installTraps(ctx context.Context, sw openflow.DatapathID, traps ...probe.Trap) (set []installedTrap,
	err error,
) {
	cached := false
	err = e.fabric.Exec(sw, func(_ time.Time, app *probe.App, out *apps.Output) {
		for _, t := range traps {
			app.AddTrap(t, out)
			set = append(set, installedTrap{app, t})
			cached = cached || !t.Type.LinkLayer // nothing is cached for a colored MAC address, which nobody has used
		}
	})
	if err == nil {
		err = e.confirm(ctx, sw)
	}
	if err == nil && cached {
		err = sleep(ctx, settleTime)
	}
	return set, err
}

// confirm waits until the switch has done what was sent.
func (e *Engine) confirm(ctx context.Context, sw openflow.DatapathID) error {
	bounded, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	err := e.fabric.Barrier(bounded, sw)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("it did not confirm the trap within %v", confirmTime)
	}
	return err
}

// removeTrapsAfter takes traps back after a while.
func (e *Engine) removeTrapsAfter(after time.Duration, sw openflow.DatapathID, set []installedTrap) {
	if len(set) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.schedule(task{at: time.Now().Add(after), do: func(time.Time) { e.sender(sw).remove(set...) }})
}

// request is one request to be sent.
type request struct {
	r       *route
	s       *stream
	size    int
	deliver bool // straight out of the source's port, as if it came to the host there
	// sent is called when it is about to leave, with the engine's lock held.
	sent func(seq uint32, at time.Time)
}

// send sends requests of one switch. need, if not nil, is the app that must still be there; otherwise nothing is sent
// and ok is false.
func (e *Engine) send(sw openflow.DatapathID, need *probe.App, requests []request) (ok bool, err error) {
	err = e.fabric.Exec(sw, func(_ time.Time, app *probe.App, out *apps.Output) {
		if ok = need == nil || need == app; !ok {
			return
		}
		for i := range requests {
			e.sendOne(app, out, &requests[i])
		}
	})
	return ok && err == nil, err
}

func (e *Engine) sendOne(app *probe.App, out *apps.Output, x *request) {
	start := time.Now()
	e.mu.Lock()
	seq := x.s.record(start)
	if x.sent != nil {
		x.sent(seq, start)
	}
	id, color := x.s.id, x.s.want.Color
	e.mu.Unlock()
	f := &probe.Frame{
		Type: x.r.typ, Link: x.r.link, Src: x.r.from, Dst: x.r.to, Color: color, ID: id, Seq: seq, Start: start,
		Size: x.size,
	}
	if x.deliver {
		app.Deliver(out, x.r.src.Port, f)
		return
	}
	app.Inject(out, x.r.src.Port, f)
}
