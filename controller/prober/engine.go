// Package prober runs single probes on request and the continuous probes of the config. It schedules requests, matches
// replies with them, and diagnoses losses.
//
// One scheduler goroutine serves all continuous probes from one timer heap. Each switch has a sender with a goroutine
// of its own, so that a blocked switch delays no other. A pool of workers diagnoses losses. A single probe runs in its
// caller's goroutine.
package prober

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
)

const (
	// workers diagnose losses, and diagnosisQueue more may wait. Losses beyond that are not diagnosed: when so many
	// pairs fail at once, the cause is not a single guest.
	workers        = 16
	diagnosisQueue = 128
	// refreshInterval is how often pairs are recomputed from the known hosts without a call of HostsChanged.
	refreshInterval = time.Second
	// linger is how long the traps of a finished probe stay, so that late replies do not reach the guest.
	linger = 2 * time.Second
	// confirmTime bounds the wait for a switch to confirm a trap.
	confirmTime = 5 * time.Second
	// settleTime lets the datapath cache follow a new trap. Open vSwitch answers a barrier when its tables have
	// changed; replies match cached megaflows until the revalidators have updated them (up to 9 ms measured).
	settleTime = 50 * time.Millisecond
)

// Options are what an engine needs besides the fabric.
type Options struct {
	// Rate is how many requests a second may leave at one switch; 0 is unlimited.
	Rate int
	// Emit, if not nil, takes events. It is called by the goroutine of Run, with no lock held.
	Emit func(event.Event)
}

// Engine runs probes. Its methods may be called by several goroutines at once.
type Engine struct {
	fabric Fabric
	emit   func(event.Event)
	wakeCh chan struct{} // wakes the scheduler
	jobs   chan func(context.Context)
	rtt    *prometheus.HistogramVec

	changed atomic.Bool // hosts or specs may have changed since the last refresh

	mu       lockorder.Mutex[lockorder.Prober] // not held while the fabric is called; taken within Exec
	rate     int
	colors   *probe.Colors
	lastID   uint32
	streams  map[uint32]*stream // echoes by the id in their payload
	arps     map[uint16]*stream // ARP by color
	limiters map[openflow.DatapathID]*rate.Limiter
	senders  map[openflow.DatapathID]*sender
	start    func(*sender) // starts a sender's goroutine; nil while Run does not run
	timers   timerQueue
	nextWake time.Time // when the scheduler runs next; zero: when it is woken
	probes   []*continuousProbe
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

// HostsChanged requests a refresh after a change of hosts, ports or switches. It is cheap and may be called with any
// lock held.
func (e *Engine) HostsChanged() {
	if !e.changed.Swap(true) {
		wake(e.wakeCh)
	}
}

// wake makes the reader of a channel of one element run.
func wake(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run runs the continuous probes, and removes the traps of single ones, until ctx ends. It is called once.
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

// work runs diagnoses until ctx ends.
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

// submit queues a job for the workers, or reports false if the queue is full.
func (e *Engine) submit(job func(context.Context)) bool {
	select {
	case e.jobs <- job:
		return true
	default:
		return false
	}
}

// allocColor reserves a color for holder.
func (e *Engine) allocColor(requested uint16, holder string) (uint16, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.colors.Take(time.Now(), requested, holder)
}

func (e *Engine) releaseColor(color uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.colors.Release(time.Now(), color)
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

// installedTrap is a trap and the app that has it: after a switch was replaced, its new app does not.
type installedTrap struct {
	app  *probe.App
	trap probe.Trap
}

// open registers a stream and waits until the trap for its replies is effective. end undoes both, also after an error;
// the trap is removed later, after that time.
func (e *Engine) open(ctx context.Context, s *stream, later time.Duration) (end func(), err error) {
	sw, set := s.want.Switch, installedTrap{trap: s.want.Trap}
	e.mu.Lock()
	e.register(s)
	e.mu.Unlock()
	err = e.fabric.Exec(sw, func(_ time.Time, app *probe.App, out *apps.Output) {
		app.AddTrap(set.trap, out)
		set.app = app
	})
	if err == nil {
		err = e.confirm(ctx, sw)
	}
	if err == nil && !s.want.Type.LinkLayer { // nothing is cached for a colored MAC address, which nobody has used
		err = sleep(ctx, settleTime)
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.unregister(s)
		if set.app != nil {
			remove := func(time.Time) { e.sender(sw).remove(set) }
			e.schedule(task{at: time.Now().Add(later), do: remove})
		}
	}, err
}

// confirm waits for a barrier reply.
func (e *Engine) confirm(ctx context.Context, sw openflow.DatapathID) error {
	bounded, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	err := e.fabric.Barrier(bounded, sw)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("it did not confirm the trap within %v", confirmTime)
	}
	return err
}

// request is one request to be sent.
type request struct {
	r       *route
	s       *stream
	size    int
	deliver bool // straight out of the port to the host there, past the pipeline
	// sent is called just before it is sent, with the engine's lock held.
	sent func(seq uint32, at time.Time)
}

// errOtherApp means that the switch has a new app, without the traps.
var errOtherApp = errors.New("the switch has been replaced")

// send sends requests through one switch. If need is not nil and the switch has another app by now, nothing is sent
// and the error is errOtherApp.
func (e *Engine) send(sw openflow.DatapathID, need *probe.App, requests ...request) error {
	var replaced error
	err := e.fabric.Exec(sw, func(_ time.Time, app *probe.App, out *apps.Output) {
		if need != nil && need != app {
			replaced = errOtherApp
			return
		}
		for i := range requests {
			e.sendOne(app, out, &requests[i])
		}
	})
	return cmp.Or(err, replaced)
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
	} else {
		app.Inject(out, x.r.src.Port, f)
	}
}
