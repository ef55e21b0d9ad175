package prober

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// pair is one ordered pair of a continuous probe. The engine's lock guards it.
//
// It has one request in flight at most: due -> in a sender's queue -> sent -> answered or timed out -> due again.
type pair struct {
	e              *Engine
	probe          *continuousProbe
	key            probespec.Pair
	src            source
	dst            target
	srcErr, dstErr error // why an end could not be resolved
	gone           bool

	slot  time.Time     // of the round that is planned or runs
	busy  bool          // a round runs
	r     *route        // of the round
	s     *stream       // nil before the first request
	set   installedTrap // its trap; app is nil while it has none
	setAt openflow.DatapathID

	round struct{ sent, received int }

	// What API and metrics show.
	verdict        probespec.Verdict
	ok, decided    bool
	broken         bool // the last verdict was not as expected
	rttLast        time.Duration
	last           time.Time
	loss           *probespec.Loss
	sent, received uint64
	violations     uint64
	lost           map[probespec.Stage]uint64
	recent         uint64 // one bit per request, the newest first: answered
	recentLen      int
	histogram      prometheus.Observer

	// Diagnosis of losses.
	open      int           // lost requests whose stage is not known yet
	lateRTT   time.Duration // of the newest late reply
	lateCount int           // late replies since the last one in time
	lateReply chan struct{} // tells the diagnosis of a late reply
	known     *diagnosis    // what the last diagnosis found
	knownAt   time.Time
}

const (
	// lossWindow is how many requests the loss ratio covers.
	lossWindow = 64
	// diagnosisTTL is how long one diagnosis explains the losses that follow it.
	diagnosisTTL = 10 * time.Second
	// maxJitter bounds the random delay of a round, which separates rounds of equal phase.
	maxJitter = 50 * time.Millisecond
	// keptRequests is how many requests of a pair are remembered, to recognize late and repeated replies.
	keptRequests = 4
)

func (e *Engine) newPair(g *continuousProbe, key probespec.Pair) *pair {
	p := &pair{e: e, probe: g, key: key, verdict: probespec.Unknown, lateReply: make(chan struct{}, 1)}
	p.histogram = e.rtt.WithLabelValues(p.labels()...)
	return p
}

// unreachable reports whether success is that nothing comes through.
func (p *pair) unreachable() bool { return p.probe.spec.Expect == probespec.Unreachable }

// plan schedules the next round.
func (p *pair) plan(now time.Time) {
	interval := p.probe.spec.Interval
	from := now
	if p.slot.After(from) {
		from = p.slot
	}
	phase := int64(phase(&p.probe.spec, p.key))
	n := from.UnixNano() - phase
	n -= n % int64(interval)
	slot := from.Add(time.Duration(n + phase - from.UnixNano()))
	for !slot.After(from) {
		slot = slot.Add(interval)
	}
	p.slot = slot
	jitter := rand.N(min(interval/20, maxJitter) + 1)
	p.e.schedule(task{at: slot.Add(jitter), p: p})
}

// due begins a round.
func (p *pair) due() {
	if p.busy {
		return
	}
	p.busy, p.round.sent, p.round.received = true, 0, 0
	p.enqueue()
}

// enqueue hands the pair to its switch's sender for the next request, or skips the round if nothing can be sent.
func (p *pair) enqueue() {
	switch {
	case p.srcErr != nil:
		p.skip(asCannotRun(p.srcErr, probespec.SourceDown))
		return
	case p.dstErr != nil:
		p.skip(asCannotRun(p.dstErr, probespec.UnknownDestination))
		return
	}
	r, err := newRoute(p.probe.spec.Type, p.src, &p.dst)
	if err != nil {
		p.skip(asCannotRun(err, probespec.UnknownDestination))
		return
	}
	if why := p.checkPreconditions(); why != nil {
		p.skip(why)
		return
	}
	p.r = r
	if r.ask.IsValid() {
		p.findMAC(r)
		return
	}
	p.e.sender(r.src.Switch).add(p)
}

// checkPreconditions says why silence would prove no isolation: a destination that is not there answers nobody.
func (p *pair) checkPreconditions() *probespec.CannotRunError {
	ep := p.dst.ep
	if !p.unreachable() || ep == nil {
		return nil
	}
	switch {
	case !ep.Located:
		return cannotRun(probespec.UnknownDestination,
			"the port of %s is not known: its silence would not prove that it is isolated", ep.Name)
	case !ep.Connected:
		return cannotRun(probespec.DestinationPortDown,
			"%s, where %s is: its silence would not prove that it is isolated", ep.away(), ep.Name)
	case !ep.PortUp:
		return cannotRun(probespec.DestinationPortDown,
			"port %v of %s is down: its silence would not prove that it is isolated", ep.place(), ep.Name)
	}
	return nil
}

// skip ends a round in which nothing could be sent: the verdict is unknown, which is never as expected.
func (p *pair) skip(why *probespec.CannotRunError) {
	now := time.Now()
	p.verdict, p.ok, p.decided, p.last, p.busy = probespec.Unknown, false, true, now, false
	p.loss = &probespec.Loss{Stage: why.Stage, Reason: why.Reason, Evidence: why.Evidence}
	switch why.Stage {
	case probespec.SourceDown:
		p.loss.Where = p.src.ep.place()
	case probespec.DestinationPortDown:
		p.loss.Where = p.dst.ep.place()
	}
	p.plan(now)
}

// findMAC resolves the MAC address of a destination that is not a known host by ARP, then enqueues the pair.
func (p *pair) findMAC(r *route) {
	timeout := p.probe.spec.Timeout
	ok := p.e.submit(func(ctx context.Context) {
		a, asked := p.e.findMAC(ctx, r.src, r.ask, arpWait(timeout), 1)
		p.e.mu.Lock()
		defer p.e.mu.Unlock()
		switch {
		case p.gone || ctx.Err() != nil:
		case a.err != nil:
			p.skip(cannotRun(probespec.SourceDown, "switch %s: %v", r.src.SwitchName, a.err))
		case !a.ok:
			p.round.sent++
			p.count(false)
			p.lose(probespec.UnknownDestination, 1)
			p.finish(time.Now(), silentToARP(&p.dst, r.src, r.ask, asked))
		default:
			p.dst.mac = a.mac
			p.enqueue()
		}
	})
	if !ok {
		p.busy = false
		p.plan(time.Now())
	}
}

// count records the outcome of a request.
func (p *pair) count(received bool) {
	p.sent++
	p.recent <<= 1
	if received {
		p.received++
		p.recent |= 1
	}
	p.recentLen = min(p.recentLen+1, lossWindow)
}

func (p *pair) lose(stage probespec.Stage, n int) {
	if n == 0 {
		return
	}
	if p.lost == nil {
		p.lost = map[probespec.Stage]uint64{}
	}
	p.lost[stage] += uint64(n)
}

func (p *pair) lossRatio() float64 {
	if p.recentLen == 0 {
		return 0
	}
	answered := bits.OnesCount64(p.recent << (lossWindow - p.recentLen))
	return 1 - float64(answered)/float64(p.recentLen)
}

// onReply takes a reply.
func (p *pair) onReply(h replyEvent) {
	switch h.kind {
	case replyDuplicate:
		p.probe.duplicates++
		return
	case replyLate:
		p.probe.late++
		p.lateCount++
		p.lateRTT = h.rtt
		p.known = nil
		wake(p.lateReply)
		return
	}
	p.round.sent++
	p.round.received++
	p.count(true)
	p.rttLast = h.rtt
	p.histogram.Observe(h.rtt.Seconds())
	p.next(time.Now())
}

// expire times a request out if it has not been answered.
func (p *pair) expire(seq uint32, now time.Time) {
	if p.s == nil || !p.s.expire(seq) {
		return
	}
	p.round.sent++
	p.count(false)
	p.next(now)
}

// next continues the round after a request was decided.
func (p *pair) next(now time.Time) {
	if p.round.sent < p.probe.spec.Count {
		p.enqueue()
		return
	}
	lost := p.round.sent - p.round.received
	if lost == 0 {
		p.known, p.lateCount = nil, 0
		p.finish(now, nil)
		return
	}
	c := p.lossCase()
	c.sent, c.received, c.late = p.round.sent, p.round.received, 0 // late replies cannot have arrived yet
	loss, ask := c.preliminary()
	switch {
	case !ask:
		p.lose(loss.Stage, lost)
	case p.known != nil && now.Sub(p.knownAt) < diagnosisTTL:
		loss = c.conclude(*p.known)
		p.lose(loss.Stage, lost)
	default:
		p.diagnose(lost)
	}
	p.finish(now, loss)
}

// lossCase returns what is known of the requests that were lost.
func (p *pair) lossCase() *lossCase {
	return &lossCase{
		src: p.src.ep, dst: p.dst.ep, ref: p.key.Destination, r: p.r, size: p.probe.spec.Size,
		timeout: p.probe.spec.Timeout, sent: p.round.sent, received: p.round.received, late: p.lateCount,
		lateRTT: p.lateRTT,
	}
}

// diagnose finds the stage at which requests were lost, and counts them under it when it is known. The verdict does not
// wait for it.
func (p *pair) diagnose(lost int) {
	p.open += lost
	if p.open > lost {
		return // a diagnosis is running
	}
	p.lateCount = 0
	select {
	case <-p.lateReply:
	default:
	}
	c := p.lossCase()
	ok := p.e.submit(func(ctx context.Context) {
		d := p.e.diagnose(ctx, c, p.lateReply)
		p.e.mu.Lock()
		defer p.e.mu.Unlock()
		if p.gone {
			return
		}
		c.late, c.lateRTT = p.lateCount, p.lateRTT
		loss := c.conclude(d)
		p.lose(loss.Stage, p.open)
		p.open = 0
		if loss.Stage != probespec.AnsweredLate {
			p.known, p.knownAt = &d, time.Now()
		}
		if p.verdict == probespec.Unreachable {
			p.loss = loss
		}
	})
	if !ok {
		p.lose(probespec.NoReply, p.open)
		p.open = 0
	}
}

// finish ends a round with a verdict.
func (p *pair) finish(now time.Time, loss *probespec.Loss) {
	p.verdict = probespec.VerdictOf(p.round.sent, p.round.received)
	p.ok, p.decided, p.last, p.busy, p.loss = p.verdict == p.probe.spec.Expect, true, now, false, loss
	if p.dst.ep == nil && p.round.received == 0 {
		p.dst.mac = packet.MAC{} // it may have another one now
	}
	p.notifyTransition()
	p.plan(now)
}
