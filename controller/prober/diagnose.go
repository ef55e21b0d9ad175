package prober

import (
	"context"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// lossCase is what is known of requests that were lost.
type lossCase struct {
	src, dst       *Endpoint // as they are now; dst is nil for an address only
	ref            string    // the destination as asked for
	r              *route    // how they were sent
	size           int       // of the payload, bytes
	timeout        time.Duration
	sent, received int
	late           int           // of those not received
	lateRTT        time.Duration // of the last late one
}

// largeEcho is the payload above which an echo may not fit where ARP does: what a path of 1,400 bytes still takes.
const largeEcho = 1372

// preliminary says why they were lost as far as that can be told without asking; ask is true if asking may tell more.
func (c *lossCase) preliminary() (loss *probespec.Loss, ask bool) {
	if why := down(c.src); why != nil {
		return &probespec.Loss{
			Where: c.src.place(), Stage: probespec.SourceDown, Reason: why.Reason, Evidence: why.Evidence,
		}, false
	}
	if c.late >= c.sent-c.received {
		return &probespec.Loss{
			Stage: probespec.AnsweredLate,
			Reason: fmt.Sprintf("answered after the timeout of %v: after %v", c.timeout,
				c.lateRTT.Round(10*time.Microsecond)),
			Evidence: []string{fmt.Sprintf("%d of %d answers came late", c.late, c.sent)},
		}, false
	}
	loss = c.noReply()
	note := func(format string, args ...any) { loss.Evidence = append(loss.Evidence, fmt.Sprintf(format, args...)) }
	portDown := c.dst != nil && c.dst.Located && c.dst.Connected && !c.dst.PortUp
	if portDown && !c.r.cross {
		loss.Where, loss.Stage = c.dst.place(), probespec.DestinationPortDown
		loss.Reason = fmt.Sprintf("port %v of %s is down", c.dst.place(), c.dst.Name)
		note("%v is down", c.dst.place())
	}
	if c.late > 0 {
		note("%d answers came late", c.late)
	}
	switch {
	case c.r.cross:
		note("%s is in network %s, %s in %s", c.r.src.Name, c.r.src.Network, c.r.dst.Name, c.r.dst.Network)
		return loss, false
	case portDown, c.received > 0:
		return loss, false
	case c.r.via.IsValid():
		note("sent by way of the gateway %v, which is at %v: what is behind it is not ours to see", c.r.via, c.r.link.Dst)
		return loss, false
	case c.dst == nil:
	case !c.dst.Located:
		note("the port of %s is not known", c.dst.Name)
	case !c.dst.Connected:
		note("%s, where %s is", c.dst.away(), c.dst.Name)
	default:
		note("port %v of %s is up", c.dst.place(), c.dst.Name)
	}
	if c.r.derived {
		note("IPv6 addresses were derived from MAC addresses: the hosts may have others")
	}
	return loss, !c.r.typ.IPv6 && (c.dst.up() || !c.r.typ.LinkLayer)
}

func (c *lossCase) noReply() *probespec.Loss {
	reason := fmt.Sprintf("no reply within %v", c.timeout)
	if c.received > 0 {
		reason = fmt.Sprintf("%d of %d got no reply within %v", c.sent-c.received, c.sent, c.timeout)
	}
	return &probespec.Loss{Stage: probespec.NoReply, Reason: reason}
}

// diagnosis is what ARP queries about a loss found: one the way the probe went, one straight out of the destination's
// port. nil is one that was not sent.
type diagnosis struct{ path, port *arpResult }

// diagnose queries the destination of a lost probe by ARP. It takes the whole time even when the replies are there: a
// late reply to the probe itself, which stop signals, says more.
func (e *Engine) diagnose(ctx context.Context, c *lossCase, stop <-chan struct{}) (d diagnosis) {
	var qs []arpQuery
	if !c.r.typ.LinkLayer {
		qs = append(qs, arpQuery{at: c.src, to: c.r.link.Dst, addr: c.r.to, about: c.dst})
	}
	if c.dst.up() {
		qs = append(qs, arpQuery{at: c.dst, deliver: true, to: c.dst.MAC, addr: c.r.to, about: c.dst})
	}
	if len(qs) == 0 {
		return d
	}
	results := e.queryARP(ctx, arpWait(c.timeout), stop, false, qs...)
	for i := range qs {
		if qs[i].deliver {
			d.port = &results[i]
		} else {
			d.path = &results[i]
		}
	}
	return d
}

// conclude says why they were lost, given what ARP queries found:
//
//  1. It answers ARP the way the probe went: it has the probe, too, and keeps silent.
//  2. It answers only at its own port: the way there or back is broken.
//  3. It answers nowhere: its port is known and up, so the guest itself is not there. Without a known port nobody is.
func (c *lossCase) conclude(d diagnosis) *probespec.Loss {
	loss, ask := c.preliminary()
	if !ask {
		return loss
	}
	path := d.path != nil && d.path.err == nil
	port := d.port != nil && d.port.err == nil && c.dst.place() != nil // it may have gone since it was asked
	note := func(format string, args ...any) { loss.Evidence = append(loss.Evidence, fmt.Sprintf(format, args...)) }
	if path {
		note("ARP for %v sent from %s: %s", c.r.to, c.src.Name, d.path.words())
	}
	if port {
		note("ARP for %v sent out of %v: %s", c.r.to, c.dst.place(), d.port.words())
	}
	loss.Where = c.dst.place()
	say := func(stage probespec.Stage, format string, args ...any) {
		loss.Stage, loss.Reason = stage, c.ref+" "+fmt.Sprintf(format, args...)
	}
	protocol := c.r.typ.Protocol
	switch {
	case path && d.path.ok && c.size > largeEcho:
		say(probespec.GuestSilent, "answers ARP but not %s of %d bytes: "+
			"it is filtered in the guest, or too large for the path (try a smaller one)", protocol, c.size)
	case path && d.path.ok:
		say(probespec.GuestSilent, "answers ARP but not %s: it is filtered in the guest", protocol)
	case port && d.port.ok:
		loss.Where = c.src.place()
		say(probespec.LostBetween, "answers ARP at its own port %v, but not from %s at %v: "+
			"lost in between, on the way there or back", c.dst.place(), c.src.Name, c.src.place())
	case port && c.r.typ.LinkLayer:
		say(probespec.GuestSilent, "does not answer %s, not even at its own port: "+
			"the guest is dead, gone or disconnected", protocol)
	case port:
		say(probespec.GuestSilent, "answers neither %s nor ARP: the guest is dead, gone or disconnected", protocol)
	case path && (c.dst == nil || !c.dst.Located):
		say(probespec.UnknownDestination, "is at no known port and does not answer ARP")
	}
	return loss
}

// words says what came of an arpQuery that could be asked.
func (a *arpResult) words() string {
	if a.ok {
		return fmt.Sprintf("answered by %v after %v", a.mac, a.rtt.Round(10*time.Microsecond))
	}
	return "no answer"
}
