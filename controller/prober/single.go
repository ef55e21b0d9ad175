package prober

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// single is a probe on request. Its fields belong to the caller's goroutine, but for inbox.
type single struct {
	e       *Engine
	req     probespec.Request
	src     source
	tgt     target
	r       *route
	s       *stream
	report  func(probespec.Update)
	timeout time.Duration
	res     probespec.Result

	inbox []replyEvent  // guarded by the engine's lock
	wake  chan struct{} // something is in the inbox
	late  chan struct{} // a late reply is

	sent, decided int
	expired       uint32 // requests up to this one are decided
	lateRTT       time.Duration
}

// arpTries is how many ARP requests resolve a destination at most.
const arpTries = 3

// Probe runs one probe to its end. It calls report, if not nil, for each update, in the caller's goroutine; report must
// not block.
//
// The request has its defaults and is valid by its own Check. Errors come before anything is sent: the error types of
// probespec, and *probe.ColorError. Lost probes are no error. When ctx ends early the result holds what was until then,
// and the error is ctx's. Run must be running, since it cleans up after it.
func (e *Engine) Probe(ctx context.Context, req probespec.Request, report func(probespec.Update)) (probespec.Result,
	error,
) {
	p := &single{
		e: e, req: req, timeout: time.Duration(req.Timeout), report: report, wake: make(chan struct{}, 1),
		late: make(chan struct{}, 1),
	}
	p.res = probespec.NewResult(&req)
	if err := p.prepare(); err != nil {
		return p.res, err
	}
	color, err := e.allocColor(uint16(req.Color), req.Source+" -> "+req.Destination)
	if err != nil {
		return p.res, err
	}
	p.res.Color = int(color)
	defer e.releaseColor(color)
	if p.r.ask.IsValid() {
		if found, err := p.find(ctx); err != nil || !found {
			return p.res, err
		}
	}
	return p.res, p.run(ctx, color)
}

// prepare resolves both ends.
func (p *single) prepare() (err error) {
	if p.src, err = resolveSource(p.e.fabric, p.req.Source); err != nil {
		return err
	}
	p.res.SourceEnd = end(p.req.Source, p.src.ep, p.src.addr)
	if why := down(p.src.ep); why != nil {
		return why
	}
	if p.tgt, err = resolveTarget(p.e.fabric, p.src.ep, p.req.Destination); err != nil {
		return err
	}
	if p.r, err = newRoute(p.req.Type, p.src, &p.tgt); err != nil {
		return err
	}
	if !p.req.Type.LinkLayer {
		p.res.Size = p.req.Size
	}
	p.res.SourceEnd = end(p.req.Source, p.src.ep, p.r.from)
	p.res.DestinationEnd = end(p.req.Destination, p.tgt.ep, p.r.to)
	return nil
}

// find resolves the MAC address that the probe needs by ARP. If nobody answers, the probe has ended.
func (p *single) find(ctx context.Context) (bool, error) {
	a, asked := p.e.findMAC(ctx, p.src.ep, p.r.ask, arpWait(p.timeout), min(arpTries, p.req.Count))
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if a.err != nil {
		return false, cannotSend(p.src.ep, a.err)
	}
	if !a.ok {
		p.res.Sent, p.res.Verdict = asked, probespec.Unreachable
		p.res.Loss = silentToARP(&p.tgt, p.src.ep, p.r.ask, asked)
		return false, nil
	}
	p.tgt.mac = a.mac
	r, err := newRoute(p.req.Type, p.src, &p.tgt)
	if err != nil {
		return false, err
	}
	p.r = r
	if !p.tgt.via.IsValid() {
		p.res.DestinationEnd.MAC, p.res.DestinationEnd.Network = a.mac.String(), p.src.ep.Network
	}
	return true, nil
}

// silentToARP says that a destination which is no known host could not be found.
func silentToARP(t *target, src *Endpoint, ask netip.Addr, asked int) *probespec.Loss {
	who := t.ref + " is not a known host"
	if t.via.IsValid() {
		who = fmt.Sprintf("%v, the gateway to %s, is not a known host", t.via, t.ref)
	}
	return &probespec.Loss{
		Stage:    probespec.UnknownDestination,
		Reason:   fmt.Sprintf("%s, and nobody in network %s answers ARP for it", who, src.Network),
		Evidence: []string{fmt.Sprintf("ARP for %v sent %d times from %s: no answer", ask, asked, src.Name)},
	}
}

// cannotSend says that the source's switch did not take a request.
func cannotSend(ep *Endpoint, err error) *probespec.CannotRunError {
	return &probespec.CannotRunError{
		Stage:    probespec.SourceDown,
		Reason:   fmt.Sprintf("switch %s cannot send for %s: %v", ep.SwitchName, ep.Name, err),
		Evidence: []string{fmt.Sprintf("%s is at %v", ep.Name, ep.place())},
	}
}

// run installs the trap, sends, and waits for the replies.
func (p *single) run(ctx context.Context, color uint16) error {
	e := p.e
	p.s = &stream{want: p.r.want(color), timeout: p.timeout, onReply: p.onReply}
	end, err := e.open(ctx, p.s, linger)
	defer end()
	if err == nil {
		before := time.Now()
		err = e.confirm(ctx, p.r.src.Switch) // nothing was sent before: this is the round trip to the switch alone
		p.res.Control = probespec.Seconds(time.Since(before))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return cannotSend(p.src.ep, err)
	}
	p.emit(probespec.Update{
		Event: probespec.UpdateStarted, Color: p.res.Color, Size: p.res.Size, SourceEnd: p.res.SourceEnd,
		DestinationEnd: p.res.DestinationEnd,
	})
	broken, err := p.loop(ctx)
	// Requests in flight are not counted.
	p.res.Sent = p.decided
	p.res.Summarize()
	if err != nil {
		return err
	}
	if p.sent == 0 {
		return cannotSend(p.src.ep, broken)
	}
	switch {
	case broken != nil:
		p.res.Loss = &probespec.Loss{
			Where: p.src.ep.place(), Stage: probespec.SourceDown,
			Reason: fmt.Sprintf("switch %s stopped taking requests after %d of %d: %v", p.src.ep.SwitchName, p.sent,
				p.req.Count, broken),
		}
		if p.res.Verdict == probespec.Reachable {
			p.res.Verdict = probespec.Partial
		}
	case p.res.Received < p.res.Sent:
		p.res.Loss = p.diagnose(ctx)
	}
	return ctx.Err()
}

// onReply takes a reply. The engine's lock is held.
func (p *single) onReply(h replyEvent) {
	p.inbox = append(p.inbox, h)
	wake(p.wake)
	if h.kind == replyLate {
		wake(p.late)
	}
}

// loop sends on schedule until each request is decided. broken is why it stopped sending early.
func (p *single) loop(ctx context.Context) (broken, err error) {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p.read()
		now := time.Now()
		if p.sent < p.req.Count && broken == nil && !now.Before(next) {
			next, broken = p.send(now, next)
		}
		wait, more := p.expire(time.Now())
		if sending := p.sent < p.req.Count && broken == nil; sending {
			if until := time.Until(next); !more || until < wait {
				wait, more = until, true
			}
		}
		if !more {
			return broken, nil
		}
		timer.Reset(max(wait, 0))
		select {
		case <-ctx.Done():
			p.read()
			return broken, ctx.Err()
		case <-timer.C:
		case <-p.wake:
		}
	}
}

// send sends one request if the rate allows, and returns when to send the next.
func (p *single) send(now, due time.Time) (next time.Time, err error) {
	e, sw := p.e, p.src.ep.Switch
	e.mu.Lock()
	granted, wait := e.reserve(sw, 1)
	e.mu.Unlock()
	if granted == 0 {
		return now.Add(wait), nil
	}
	if err = e.send(sw, nil, request{r: p.r, s: p.s, size: p.req.Size}); err != nil {
		return next, err
	}
	p.sent++
	if next = due.Add(time.Duration(p.req.Interval)); next.Before(now) {
		next = now // after a delay, no burst to catch up
	}
	return next, nil
}

// read processes the inbox.
func (p *single) read() {
	p.e.mu.Lock()
	events := p.inbox
	p.inbox = nil
	p.e.mu.Unlock()
	for _, h := range events {
		switch h.kind {
		case replyInTime:
			p.decided++
			reply := probespec.Reply{Seq: int(h.seq), RTT: probespec.Seconds(h.rtt)}
			p.res.Replies = append(p.res.Replies, reply)
			p.emit(probespec.Update{Event: probespec.UpdateReply, Seq: reply.Seq, RTT: reply.RTT})
		case replyLate:
			p.res.Late++
			p.lateRTT = h.rtt
			p.emit(probespec.Update{Event: probespec.UpdateLate, Seq: int(h.seq), RTT: probespec.Seconds(h.rtt)})
		case replyDuplicate:
			p.res.Duplicates++
		}
	}
}

func (p *single) emit(u probespec.Update) {
	if p.report != nil {
		p.report(u)
	}
}

// expire times requests out and returns the wait until the next timeout; more is false when every request is decided.
func (p *single) expire(now time.Time) (wait time.Duration, more bool) {
	var lost []uint32
	p.e.mu.Lock()
	for int(p.expired) < len(p.s.requests) {
		f := &p.s.requests[p.expired]
		if answered := f.answered && !f.late; !answered {
			if left := f.start.Add(p.timeout).Sub(now); left > 0 {
				wait, more = left, true
				break
			}
			p.s.expire(p.expired + 1)
			lost = append(lost, p.expired+1)
		}
		p.expired++
	}
	more = more || len(p.inbox) > 0
	p.e.mu.Unlock()
	for _, seq := range lost {
		p.decided++
		p.emit(probespec.Update{Event: probespec.UpdateLost, Seq: int(seq)})
	}
	return wait, more
}

// diagnose finds why requests were lost.
func (p *single) diagnose(ctx context.Context) *probespec.Loss {
	c := &lossCase{
		src: p.src.ep, dst: p.tgt.ep, ref: p.req.Destination, r: p.r, size: p.req.Size, timeout: p.timeout,
		sent: p.res.Sent, received: p.res.Received, late: p.res.Late, lateRTT: p.lateRTT,
	}
	if now, err := resolveSource(p.e.fabric, p.req.Source); err == nil {
		c.src = now.ep
	}
	if now, err := resolveTarget(p.e.fabric, c.src, p.req.Destination); err == nil && now.ep != nil {
		c.dst = now.ep
	}
	loss, ask := c.preliminary()
	if !ask {
		return loss
	}
	select { // earlier late replies are counted already
	case <-p.late:
	default:
	}
	d := p.e.diagnose(ctx, c, p.late)
	p.read()
	c.late, c.lateRTT = p.res.Late, p.lateRTT
	return c.conclude(d)
}
