package southbound

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of connections that have not finished their handshake. A switch does so within a millisecond.
const (
	maxPending     = 256
	silentLimit    = 200 * time.Millisecond // how long one may send nothing at all while others wait for its place
	handshakeLimit = time.Second            // how long its handshake may take while others wait
)

var errEvicted = errors.New("silent while others waited to be let in")

// pendingConns holds the connections that have not finished their handshake. While it is full nobody is accepted:
// newcomers wait in the kernel's backlog. The connection that is over its limit is closed then, so that a good switch
// comes in however many others say nothing.
type pendingConns struct {
	mu      sync.Mutex
	conns   []*pendingConn // the oldest first
	removed chan struct{}  // capacity 1: one was removed
}

type pendingConn struct {
	nc        net.Conn
	since     time.Time
	helloSeen atomic.Bool // that of TLS or of OpenFlow
	evicted   atomic.Bool
}

// due is when the connection may be evicted.
func (c *pendingConn) due() time.Time {
	if c.helloSeen.Load() {
		return c.since.Add(handshakeLimit)
	}
	return c.since.Add(silentLimit)
}

func newPendingConns() *pendingConns { return &pendingConns{removed: make(chan struct{}, 1)} }

// await waits until there is room for one more, or ctx ends.
func (p *pendingConns) await(ctx context.Context) {
	for {
		wait, full := p.evict(time.Now())
		if !full {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-p.removed:
		case <-time.After(wait):
		}
	}
}

// evict closes one connection that is over its limit, if there is no room; if none is, wait says when one will be.
func (p *pendingConns) evict(now time.Time) (wait time.Duration, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) < maxPending {
		return 0, false
	}
	wait = handshakeLimit
	for _, c := range p.conns {
		if c.evicted.Load() {
			return handshakeLimit, true // it is on its way out, and await will hear of it
		}
		if d := c.due().Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		c.evicted.Store(true)
		_ = c.nc.Close() // its reader ends and removes it
		return handshakeLimit, true
	}
	return wait, true
}

// add adds a connection.
func (p *pendingConns) add(nc net.Conn) *pendingConn {
	c := &pendingConn{nc: nc, since: time.Now()}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	return c
}

// remove removes a connection whose handshake has ended.
func (p *pendingConns) remove(c *pendingConn) {
	p.mu.Lock()
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(p.conns, i, i+1)
	}
	p.mu.Unlock()
	select {
	case p.removed <- struct{}{}:
	default:
	}
}
