package prober

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// arpQuery is an ARP request that resolves an address or diagnoses a loss.
type arpQuery struct {
	// at is where the request enters the network or, with deliver, the host that gets it straight out of its port.
	at      *Endpoint
	deliver bool
	to      packet.MAC
	addr    netip.Addr
	about   *Endpoint // the host that should reply, if known
}

// arpResult is the outcome of an arpQuery. err says why it could not be sent.
type arpResult struct {
	ok  bool
	mac packet.MAC
	rtt time.Duration
	err error
}

// route returns how the arpQuery is sent.
func (q *arpQuery) route() *route {
	return &route{
		typ: probe.ARP, src: q.at, dst: q.about, to: q.addr,
		link: probe.Link{Dst: q.to, Tagged: q.at.Tagged, VLAN: q.at.VLAN},
	}
}

// want returns what the reply must be like.
func (q *arpQuery) want(color uint16) probe.Expectation {
	x := q.route().want(color)
	if q.deliver {
		x.Port, x.NotPort = q.at.Port, 0
	}
	return x
}

// queryARP sends the queries and waits for the replies until wait is over or ctx or stop is done and, with early, no
// longer than until all have come.
func (e *Engine) queryARP(
	ctx context.Context, wait time.Duration, stop <-chan struct{}, early bool, qs ...arpQuery,
) []arpResult {
	results, pending := make([]arpResult, len(qs)), len(qs) // guarded by the engine's lock
	changed := make(chan struct{}, 1)
	settle := func(i int, r arpResult) {
		results[i] = r
		pending--
		wake(changed)
	}
	for i := range qs {
		end, err := e.startARP(ctx, &qs[i], wait, func(h replyEvent) {
			if h.kind == replyInTime {
				settle(i, arpResult{ok: true, mac: h.from, rtt: h.rtt})
			}
		})
		defer end()
		if err != nil {
			e.mu.Lock()
			settle(i, arpResult{err: err})
			e.mu.Unlock()
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case <-changed:
			e.mu.Lock()
			waiting = !early || pending > 0
			e.mu.Unlock()
			continue
		case <-timer.C:
		case <-ctx.Done():
		case <-stop:
		}
		waiting = false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(results)
}

// startARP sends one query. end removes what it needed, also after an error.
func (e *Engine) startARP(
	ctx context.Context, q *arpQuery, wait time.Duration, onReply func(replyEvent),
) (end func(), err error) {
	color, err := e.allocColor(0, "looking for "+q.addr.String())
	if err != nil {
		return func() {}, err
	}
	s := &stream{want: q.want(color), timeout: wait, onReply: onReply}
	closeStream, err := e.open(ctx, s, 0)
	if err == nil {
		err = e.waitTurn(ctx, q.at.Switch)
	}
	if err == nil {
		err = e.send(q.at.Switch, nil, request{r: q.route(), s: s, deliver: q.deliver})
	}
	return func() {
		closeStream()
		e.releaseColor(color)
	}, err
}

// findMAC resolves addr in the network of at, with up to times requests.
func (e *Engine) findMAC(
	ctx context.Context, at *Endpoint, addr netip.Addr, wait time.Duration, times int,
) (a arpResult, asked int) {
	for asked < times && ctx.Err() == nil && !a.ok {
		a = e.queryARP(ctx, wait, nil, true, arpQuery{at: at, to: packet.Broadcast, addr: addr})[0]
		if a.err != nil {
			break
		}
		asked++
	}
	return a, asked
}

// arpWait returns the timeout of ARP queries for a probe with this timeout.
func arpWait(timeout time.Duration) time.Duration {
	return min(max(timeout, 200*time.Millisecond), time.Second)
}
