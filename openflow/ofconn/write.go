package ofconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// writeChunk is the size of one write. The deadline is per chunk, which tells a slow path from a peer that does not
	// read.
	writeChunk = 64 << 10
	// keepQueue is the capacity that an idle queue keeps.
	keepQueue = 4 << 10
	// idleQueue is how long a larger queue is kept after a burst.
	idleQueue = time.Second
)

// writer is the outbound half of a Conn.
type writer struct {
	mu      sync.Mutex
	pending []byte    // waits for the writer goroutine
	taken   int       // bytes that the writer goroutine has taken and not written
	since   time.Time // when the queue was last empty
	spare   []byte    // the buffer that pending alternates with
	drained chan struct{}
	direct  *direct // nil: no write can be tried without blocking

	wake chan struct{} // capacity 1: pending is not empty
}

// queued returns the bytes that wait; mu is held.
func (out *writer) queued() int { return len(out.pending) + out.taken }

// Write sends b, which holds whole messages, and never blocks: if the queue is empty it tries one write in the caller's
// goroutine (TCP and Unix sockets), and copies the rest into the queue for Run. b may be reused when it returns. Calls
// must not overlap.
//
// If more than Options.MaxQueue bytes would be queued, the connection is closed with a SlowPeerError. An error of the
// connection itself closes it. On a closed connection Write returns the reason of Close.
func (c *Conn) Write(b []byte) error {
	select {
	case <-c.closed:
		return c.Err()
	default:
	}
	if len(b) == 0 {
		return nil
	}
	if err := c.send(b); err != nil {
		c.Close(err)
		return c.Err()
	}
	return nil
}

// send writes or queues b.
func (c *Conn) send(b []byte) error {
	out := &c.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.queued() == 0 {
		if out.direct != nil {
			n, err := out.direct.write(b)
			if err != nil {
				return writeError(err)
			}
			b = b[n:]
			if len(b) == 0 {
				return nil
			}
		}
		out.since = time.Now()
	}
	if n := out.queued() + len(b); n > c.o.MaxQueue {
		return &SlowPeerError{Queued: n, For: time.Since(out.since)}
	}
	out.pending = append(out.pending, b...)
	select {
	case out.wake <- struct{}{}:
	default: // woken already
	}
	return nil
}

// Queued returns how many bytes wait to be sent.
func (c *Conn) Queued() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.queued()
}

// Run sends what Write could not send at once, until the connection is closed or ctx ends, which closes it. It returns
// the reason. It is the body of the connection's one goroutine, which belongs to the caller.
func (c *Conn) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.Close(context.Cause(ctx)) })
	defer stop()
	idle := time.NewTimer(idleQueue)
	defer idle.Stop()
	for {
		select {
		case <-c.closed:
			return c.Err()
		case <-idle.C:
			c.out.shrink()
		case <-c.out.wake:
			if err := c.drain(); err != nil {
				c.Close(err)
				return c.Err()
			}
			if c.out.large() {
				idle.Reset(idleQueue)
			}
			if c.o.Drained != nil {
				c.o.Drained()
			}
		}
	}
}

// drain writes until nothing waits.
func (c *Conn) drain() error {
	out := &c.out
	for {
		b := out.take()
		if b == nil {
			return nil
		}
		for rest := b; len(rest) > 0; {
			n, err := c.writeChunk(rest[:min(len(rest), writeChunk)])
			rest = rest[n:]
			out.wrote(n)
			if err != nil {
				return err
			}
		}
		out.recycle(b)
	}
}

// writeChunk is one write with a deadline.
func (c *Conn) writeChunk(b []byte) (int, error) {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout)); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	n, err := c.nc.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if n > 0 && c.out.direct != nil {
			return n, nil // slow, but it reads; TLS could not go on from here
		}
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		return n, &SlowPeerError{Queued: c.out.queued() - n, For: time.Since(c.out.since)}
	}
	if err != nil {
		return n, writeError(err)
	}
	return n, nil
}

// writeError maps the error of a write. A peer that has closed its side gives the same error as on a read.
func writeError(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %w", ErrPeerClosed, err)
	}
	return fmt.Errorf("write: %w", err)
}

// take returns all that waits, for the writer goroutine, nil if nothing does.
func (out *writer) take() []byte {
	out.mu.Lock()
	defer out.mu.Unlock()
	b := out.pending
	if len(b) == 0 {
		if out.drained != nil {
			close(out.drained)
			out.drained = nil
		}
		return nil
	}
	out.pending, out.spare = out.spare[:0], nil
	out.taken = len(b)
	return b
}

// wrote notes that n bytes have left.
func (out *writer) wrote(n int) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.taken -= n
}

// recycle keeps a written buffer for take.
func (out *writer) recycle(b []byte) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.spare = b[:0]
}

// large reports whether shrink would free memory.
func (out *writer) large() bool {
	out.mu.Lock()
	defer out.mu.Unlock()
	return cap(out.pending)+cap(out.spare) > 2*keepQueue
}

// shrink frees large buffers that are idle.
func (out *writer) shrink() {
	out.mu.Lock()
	defer out.mu.Unlock()
	if cap(out.spare) > keepQueue {
		out.spare = nil
	}
	if len(out.pending) == 0 && cap(out.pending) > keepQueue {
		out.pending = nil
	}
}

// Flush blocks until nothing waits to be sent, ctx ends or the connection is closed; it returns ctx's cause or the
// reason. It needs Run to be running. It is for the last message before a Close.
func (c *Conn) Flush(ctx context.Context) error {
	out := &c.out
	out.mu.Lock()
	if out.queued() == 0 {
		out.mu.Unlock()
		return c.Err()
	}
	if out.drained == nil {
		out.drained = make(chan struct{})
	}
	drained := out.drained
	out.mu.Unlock()
	select {
	case <-drained:
		return nil
	case <-c.closed:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// direct tries a write that does not block. It goes around net.Conn, whose Write would wait, and hands the file
// descriptor to write(2) itself; Go's sockets are non-blocking, so a full one answers EAGAIN.
type direct struct {
	raw  syscall.RawConn
	call func(fd uintptr) // d.once, bound once: binding allocates

	b   []byte
	n   int
	err error
}

// newDirect returns nil for a connection that is not a plain socket.
func newDirect(nc net.Conn) *direct {
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil // closed already: the first write says so
	}
	d := &direct{raw: raw}
	d.call = d.once
	return d
}

// write returns how many bytes of b the socket took, 0 if it is full.
func (d *direct) write(b []byte) (int, error) {
	d.b, d.n, d.err = b, 0, nil
	// Control and not Write: it takes no lock that a blocked writer holds and is not bound by the writer's deadline.
	err := d.raw.Control(d.call)
	d.b = nil
	if err == nil {
		err = d.err
	}
	return d.n, err
}

// once is one write(2).
func (d *direct) once(fd uintptr) {
	for {
		n, err := syscall.Write(int(fd), d.b)
		switch err {
		case nil:
			d.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			d.err = os.NewSyscallError("write", err)
		}
		return
	}
}
