package ofconn

import (
	"cmp"
	"net"
	"sync"
	"time"
)

// Limits of the wire: OpenFlow 1.3.5 section 7.1.1.
const (
	headerLen  = 8
	maxMessage = 65535
)

// Options bound what a connection may use. A zero field has its default.
type Options struct {
	// WriteTimeout is how long queued bytes may wait without the peer taking any. Default: 5 s.
	WriteTimeout time.Duration
	// MaxQueue is how many bytes may wait for the peer. Default: 1 MiB.
	MaxQueue int
	// ReadBuffer is how many bytes one read may bring. The buffer starts small and grows to ReadBuffer plus one message
	// of the greatest length. Default: 64 KiB.
	ReadBuffer int
	// Drained, if set, is called by Run's goroutine whenever the queue has become empty, without a lock of the Conn: a
	// sender with more than MaxQueue continues from here.
	Drained func()
}

// Conn is one OpenFlow connection. The zero value is not usable; see New.
type Conn struct {
	nc  net.Conn
	o   Options
	in  reader
	out writer

	closed  chan struct{} // closed by the first Close
	closeMu sync.Mutex
	reason  error // of the first Close; guarded by closeMu
}

// New returns a Conn over nc, which it then owns. It starts no goroutine and does no I/O: what Write queues leaves only
// while the caller runs Run.
func New(nc net.Conn, o Options) *Conn {
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 5*time.Second)
	o.MaxQueue = cmp.Or(o.MaxQueue, 1<<20)
	o.ReadBuffer = cmp.Or(o.ReadBuffer, 64<<10)
	c := &Conn{nc: nc, o: o, closed: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	c.out.direct = newDirect(nc)
	return c
}

// Close closes the connection at once and discards what is queued: see Flush. Every call returns the first reason from
// then on; nil stands for ErrClosed. It does not wait for the peer, except that TLS may take seconds to send its close
// alert.
func (c *Conn) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	c.closeMu.Lock()
	first := c.reason == nil
	if first {
		c.reason = reason
		close(c.closed)
	}
	c.closeMu.Unlock()
	if !first {
		return
	}
	nc := c.nc
	if tls, ok := nc.(interface{ NetConn() net.Conn }); ok && c.Queued() > 0 {
		// Closing a TLS connection sends an alert, which waits for a peer that does not read.
		nc = tls.NetConn()
	}
	_ = nc.Close() // the reason is known already
}

// Err returns the reason of the first Close, nil while the connection is open.
func (c *Conn) Err() error {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	return c.reason
}

// Done is closed when the connection is.
func (c *Conn) Done() <-chan struct{} { return c.closed }

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// NetConn is the connection that the Conn was made of, for what only its type knows (a TLS peer's certificate). It must
// not be read, written or closed.
func (c *Conn) NetConn() net.Conn { return c.nc }

// SetReadDeadline bounds the time that Fill blocks; the zero time removes the bound. It may be called while Fill
// blocks.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }
