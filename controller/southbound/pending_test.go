package southbound

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// evictable is a connection whose reader ends when it is closed.
type evictable struct {
	net.Conn
	closed func()
}

func (c *evictable) Close() error {
	go c.closed() // as the reader does
	return nil
}

// TestPendingConns fills it: newcomers wait, a silent connection is evicted soon, one that has said hello stays longer,
// and when one is removed the next comes in at once.
func TestPendingConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPendingConns()
		conns := make([]*pendingConn, maxPending)
		for i := range conns {
			nc := &evictable{}
			conns[i] = p.add(nc)
			nc.closed = func() { p.remove(conns[i]) }
			conns[i].helloSeen.Store(i != 7)
		}
		waited := func(meanwhile func()) time.Duration {
			begin := time.Now()
			done := make(chan struct{})
			go func() { p.await(t.Context()); close(done) }()
			synctest.Wait()
			if meanwhile != nil {
				meanwhile()
			}
			<-done
			return time.Since(begin)
		}
		if d := waited(nil); d != silentLimit || !conns[7].evicted.Load() {
			t.Errorf("the silent one is evicted after %s, want %s", d, silentLimit)
		}
		extra := p.add(conns[7].nc)
		if d := waited(func() { p.remove(extra) }); d != 0 {
			t.Errorf("let in %s after another was removed, want at once", d)
		}
		extra = p.add(conns[7].nc)
		extra.helloSeen.Store(true)
		if d := waited(nil); d != handshakeLimit-silentLimit || !conns[0].evicted.Load() {
			t.Errorf("the first of those that said hello is evicted after %s", d)
		}
		for _, c := range conns[1:7] {
			if c.evicted.Load() {
				t.Error("more are evicted than needed")
			}
		}
	})
}
