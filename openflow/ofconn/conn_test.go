package ofconn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// message returns a well-framed message of n bytes whose xid is seq and whose body can be recognized.
func message(seq uint32, n int) []byte {
	b := make([]byte, n)
	b[0], b[1] = 4, 2
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], seq)
	for i := headerLen; i < n; i++ {
		b[i] = byte(seq) + byte(i)
	}
	return b
}

// script is a net.Conn that gives one piece per Read.
type script struct {
	net.Conn
	pieces [][]byte
	end    error
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, s.end
	}
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

// readAll returns copies of all messages and the error that ended them.
func readAll(c *Conn) (msgs [][]byte, err error) {
	for {
		if err := c.Fill(); err != nil {
			return msgs, err
		}
		before := len(msgs)
		for {
			m, ok := c.Next()
			if !ok {
				break
			}
			msgs = append(msgs, bytes.Clone(m))
		}
		if len(msgs) == before {
			return msgs, errors.New("Fill returned nil with no message")
		}
	}
}

func wantMessages(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("message %d differs: %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

func TestFramingAtEverySplit(t *testing.T) {
	want := [][]byte{message(1, 8), message(2, 9), message(3, 40), message(4, 8), message(5, 17)}
	all := bytes.Join(want, nil)
	for i := 0; i <= len(all); i++ {
		for j := i; j <= len(all); j++ {
			var pieces [][]byte
			for _, p := range [][]byte{all[:i], all[i:j], all[j:]} {
				if len(p) > 0 {
					pieces = append(pieces, p)
				}
			}
			c := New(&script{pieces: pieces, end: io.EOF}, Options{})
			got, err := readAll(c)
			if !errors.Is(err, ErrPeerClosed) || !errors.Is(err, io.EOF) {
				t.Fatalf("split %d,%d: %v", i, j, err)
			}
			wantMessages(t, got, want)
		}
	}
}

func TestFramingRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	sizes := []int{8, 9, 100, 1500, 4095, 4096, 4097, 9000, 65534, 65535}
	var want [][]byte
	for i := range 300 {
		want = append(want, message(uint32(i), sizes[rnd.IntN(len(sizes))]))
	}
	all := bytes.Join(want, nil)
	for _, readBuffer := range []int{1, 4096, 64 << 10, 1 << 20} {
		var pieces [][]byte
		for rest := all; len(rest) > 0; {
			n := min(1+rnd.IntN(1<<rnd.IntN(18)), len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		c := New(&script{pieces: pieces, end: io.EOF}, Options{ReadBuffer: readBuffer})
		got, err := readAll(c)
		if !errors.Is(err, ErrPeerClosed) {
			t.Fatal(err)
		}
		wantMessages(t, got, want)
		if n := len(c.in.buf); n > readBuffer+maxMessage {
			t.Errorf("ReadBuffer %d: buffer grew to %d", readBuffer, n)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := message(1, 12)
	broken := errors.New("broken")
	for _, tc := range []struct {
		name   string
		pieces [][]byte
		end    error
		msgs   int
		want   []error
	}{
		{"end", [][]byte{good}, io.EOF, 1, []error{ErrPeerClosed, io.EOF}},
		{"end at once", nil, io.EOF, 0, []error{ErrPeerClosed, io.EOF}},
		{"end in header", [][]byte{good, good[:3]}, io.EOF, 1, []error{ErrTruncated, io.ErrUnexpectedEOF}},
		{"end in body", [][]byte{good[:9]}, io.EOF, 0, []error{ErrTruncated, io.ErrUnexpectedEOF}},
		{"timeout", [][]byte{good, good[:9]}, os.ErrDeadlineExceeded, 1, []error{ErrTimeout, os.ErrDeadlineExceeded}},
		{"other", [][]byte{good}, broken, 1, []error{broken}},
		{"length 7 after a message", [][]byte{append(bytes.Clone(good), 4, 0, 0, 7)}, io.EOF, 1, []error{ErrBadLength}},
		{"length 0, four bytes", [][]byte{{4, 0, 0, 0}}, io.EOF, 0, []error{ErrBadLength}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readAll(New(&script{pieces: tc.pieces, end: tc.end}, Options{}))
			if len(got) != tc.msgs {
				t.Errorf("%d messages, want %d", len(got), tc.msgs)
			}
			for _, want := range tc.want {
				if !errors.Is(err, want) {
					t.Errorf("error %v is not %v", err, want)
				}
			}
		})
	}
	var bad *LengthError
	_, err := readAll(New(&script{pieces: [][]byte{{9, 7, 0, 5}}}, Options{}))
	if !errors.As(err, &bad) || *bad != (LengthError{Version: 9, Type: 7, Length: 5}) {
		t.Errorf("error %v", err)
	}
}

func TestOtherVersionIsDelivered(t *testing.T) {
	m := message(1, 8)
	m[0] = 1
	got, _ := readAll(New(&script{pieces: [][]byte{m}, end: io.EOF}, Options{}))
	wantMessages(t, got, [][]byte{m})
}

func TestTimeoutKeepsPartOfMessage(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := New(a, Options{})
	defer c.Close(nil)
	m := message(1, 100)
	go b.Write(m[:50])
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := c.Fill(); !errors.Is(err, ErrTimeout) {
		t.Fatalf("error %v", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go b.Write(m[50:])
	if err := c.Fill(); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Next(); !ok || !bytes.Equal(got, m) {
		t.Errorf("got %x, %v", got, ok)
	}
}

func TestReadBufferShrinks(t *testing.T) {
	burst := bytes.Repeat(message(1, 1000), 400)
	s := &script{end: io.EOF}
	c := New(s, Options{})
	fill := func(p []byte) {
		t.Helper()
		s.pieces = append(s.pieces, p)
		for len(s.pieces) > 0 {
			if err := c.Fill(); err != nil {
				t.Fatal(err)
			}
			for ok := true; ok; _, ok = c.Next() {
			}
		}
	}
	fill(message(1, 8))
	if len(c.in.buf) != firstBuffer {
		t.Errorf("starts with %d", len(c.in.buf))
	}
	fill(burst)
	if len(c.in.buf) < 64<<10 {
		t.Errorf("only %d after a burst", len(c.in.buf))
	}
	for range smallReads + 1 {
		fill(message(1, 8))
	}
	if len(c.in.buf) != firstBuffer {
		t.Errorf("still %d after small reads", len(c.in.buf))
	}
	fill(burst)
	s.end = os.ErrDeadlineExceeded
	if err := c.Fill(); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	fill(message(1, 8))
	if len(c.in.buf) != firstBuffer {
		t.Errorf("still %d after a timeout", len(c.in.buf))
	}
}

// pair returns two ends of a connection of the given network.
func pair(t testing.TB, network string) (ours, theirs net.Conn) {
	t.Helper()
	if network == "pipe" {
		ours, theirs = net.Pipe()
	} else {
		addr := "127.0.0.1:0"
		if network == "unix" {
			addr = filepath.Join(t.TempDir(), "s")
		}
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if theirs, err = net.Dial(network, ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if ours, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// small makes the socket buffers small, yet large enough not to wait for delayed acknowledgements.
func small(t *testing.T, conns ...net.Conn) {
	t.Helper()
	for _, nc := range conns {
		if b, ok := nc.(interface {
			SetReadBuffer(int) error
			SetWriteBuffer(int) error
		}); ok {
			if err := errors.Join(b.SetReadBuffer(8<<10), b.SetWriteBuffer(8<<10)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// run runs c's writer until the test ends.
func run(t testing.TB, c *Conn) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Run(context.Background()) }()
	t.Cleanup(func() { c.Close(nil) })
	return done
}

var networks = []string{"tcp", "unix", "pipe"}

func TestOrderThroughSlowPeer(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			ours, theirs := pair(t, network)
			small(t, ours) // partial writes, but no waiting for a closed window
			c := New(ours, Options{MaxQueue: 1 << 24})
			run(t, c)
			rnd := rand.New(rand.NewPCG(3, 4))
			const n = 600
			var sizes [n]int
			for i := range sizes {
				sizes[i] = 8 + rnd.IntN(3000)
			}
			var written atomic.Bool
			read := make(chan error, 1)
			go func() {
				peer := New(theirs, Options{})
				for seq := uint32(0); seq < n; {
					if err := peer.Fill(); err != nil {
						read <- err
						return
					}
					for {
						m, ok := peer.Next()
						if !ok {
							break
						}
						if !bytes.Equal(m, message(seq, sizes[seq])) {
							read <- errors.New("out of order or damaged")
							return
						}
						for seq++; seq%100 == 0 && c.Queued() == 0 && !written.Load(); {
							runtime.Gosched() // slower than the writers
						}
					}
				}
				read <- nil
			}()
			var mu sync.Mutex // stands for the session's lock
			var wg sync.WaitGroup
			next := 0
			for range 4 {
				wg.Go(func() {
					for {
						mu.Lock()
						if next == n {
							mu.Unlock()
							return
						}
						m := message(uint32(next), sizes[next])
						next++
						err := c.Write(m)
						for i := range m {
							m[i] = 0xee // Write must not keep it
						}
						mu.Unlock()
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			written.Store(true)
			if err := <-read; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSlowPeerTimeout(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			ours, theirs := pair(t, network)
			small(t, ours, theirs)
			c := New(ours, Options{WriteTimeout: 50 * time.Millisecond, MaxQueue: 1 << 24})
			done := run(t, c)
			if err := c.Write(bytes.Repeat(message(1, 1000), 8000)); err != nil {
				t.Fatal(err)
			}
			var slow *SlowPeerError
			if err := <-done; !errors.Is(err, ErrSlowPeer) || !errors.As(err, &slow) {
				t.Fatalf("error %v", err)
			}
			if slow.Queued < 1<<20 || slow.For < 50*time.Millisecond {
				t.Errorf("%+v", slow)
			}
			if err := c.Write(message(1, 8)); !errors.Is(err, ErrSlowPeer) {
				t.Errorf("Write: %v", err)
			}
			if err := c.Fill(); !errors.Is(err, ErrSlowPeer) {
				t.Errorf("Fill: %v", err)
			}
		})
	}
}

func TestSlowPeerQueueFull(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			ours, theirs := pair(t, network)
			small(t, ours, theirs)
			c := New(ours, Options{MaxQueue: 100_000})
			done := run(t, c)
			m := message(1, 1000)
			var err error
			for n := 0; err == nil; n++ {
				if q := c.Queued(); q > 100_000 {
					t.Fatalf("%d bytes queued", q)
				}
				if n > 100_000 {
					t.Fatal("never full")
				}
				err = c.Write(m)
			}
			if !errors.Is(err, ErrSlowPeer) {
				t.Errorf("Write: %v", err)
			}
			if err := <-done; !errors.Is(err, ErrSlowPeer) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func TestWriteBeforeRun(t *testing.T) {
	ours, theirs := pair(t, "pipe")
	c := New(ours, Options{})
	want := [][]byte{message(1, 8), message(2, 20)}
	for _, m := range want {
		if err := c.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if c.Queued() != 28 {
		t.Errorf("%d queued", c.Queued())
	}
	run(t, c)
	got := make([]byte, 28)
	if _, err := io.ReadFull(theirs, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.Join(want, nil)) {
		t.Errorf("got %x", got)
	}
}

func TestDirectWriteNeedsNoRun(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ours, theirs := pair(t, network)
		c := New(ours, Options{})
		if err := c.Write(message(7, 8)); err != nil {
			t.Fatal(err)
		}
		if c.Queued() != 0 {
			t.Errorf("%s: %d queued", network, c.Queued())
		}
		got := make([]byte, 8)
		if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, message(7, 8)) {
			t.Errorf("%s: got %x, %v", network, got, err)
		}
	}
}

func TestFlushAndDrained(t *testing.T) {
	ours, theirs := pair(t, "pipe")
	drained := make(chan struct{}, 100)
	c := New(ours, Options{Drained: func() { drained <- struct{}{} }})
	run(t, c)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(message(1, 100)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush before anybody reads: %v", err)
	}
	go io.Copy(io.Discard, theirs)
	if err := c.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	<-drained
	if c.Queued() != 0 {
		t.Errorf("%d queued", c.Queued())
	}
}

func TestWriteBufferShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pair(t, "pipe")
		c := New(ours, Options{})
		run(t, c)
		go io.Copy(io.Discard, theirs)
		if err := c.Write(bytes.Repeat(message(1, 1000), 500)); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !c.out.large() {
			t.Fatal("no large buffer after a burst")
		}
		time.Sleep(idleQueue)
		synctest.Wait()
		if c.out.large() {
			t.Errorf("still large after %s", idleQueue)
		}
	})
}

func TestCloseReason(t *testing.T) {
	for _, network := range networks {
		ours, _ := pair(t, network)
		c := New(ours, Options{})
		done := run(t, c)
		filled := make(chan error, 1)
		go func() { filled <- c.Fill() }()
		if c.Err() != nil {
			t.Error("closed from the start")
		}
		reason := errors.New("reason")
		c.Close(reason)
		c.Close(errors.New("second"))
		for what, err := range map[string]error{
			"Run": <-done, "Fill": <-filled, "Err": c.Err(),
			"Write": c.Write(message(1, 8)), "Flush": c.Flush(t.Context()),
		} {
			if !errors.Is(err, reason) {
				t.Errorf("%s: %s: %v", network, what, err)
			}
		}
		<-c.Done()
	}
	ours, _ := pair(t, "pipe")
	c := New(ours, Options{})
	c.Close(nil)
	if !errors.Is(c.Err(), ErrClosed) {
		t.Errorf("Close(nil): %v", c.Err())
	}
}

// TestCloseDuringWrite closes the connection after the peer has taken some bytes of a stream without end.
func TestCloseDuringWrite(t *testing.T) {
	for _, network := range networks {
		for i := range 20 {
			ours, theirs := pair(t, network)
			c := New(ours, Options{})
			done := run(t, c)
			ended := make(chan error, 1)
			go func() {
				for {
					if c.Queued() > 1<<18 && c.Err() == nil {
						runtime.Gosched() // more would be taken for a slow peer
						continue
					}
					if err := c.Write(message(1, 5000)); err != nil {
						ended <- err
						return
					}
				}
			}()
			if _, err := io.CopyN(io.Discard, theirs, int64(1+i*1000)); err != nil {
				t.Fatal(err)
			}
			c.Close(nil)
			for what, err := range map[string]error{"Write": <-ended, "Run": <-done} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("%s: %s: %v", network, what, err)
				}
			}
		}
	}
}

func TestRunEndsWithContext(t *testing.T) {
	ours, _ := pair(t, "tcp")
	c := New(ours, Options{})
	reason := errors.New("shutdown")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	cancel(reason)
	if err := <-done; !errors.Is(err, reason) {
		t.Errorf("Run: %v", err)
	}
	if err := c.Fill(); !errors.Is(err, reason) {
		t.Errorf("Fill: %v", err)
	}
}

// A write to a peer that has gone says the same as a read.
func TestWriteToGonePeer(t *testing.T) {
	ours, theirs := pair(t, "unix")
	c := New(ours, Options{})
	run(t, c)
	theirs.Close()
	for deadline := time.Now().Add(5 * time.Second); c.Err() == nil; {
		_ = c.Write(message(1, 8))
		if time.Now().After(deadline) {
			t.Fatal("Write goes on without a peer")
		}
	}
	if !errors.Is(c.Err(), ErrPeerClosed) || !errors.Is(c.Err(), syscall.EPIPE) {
		t.Errorf("closed with %v", c.Err())
	}
}

func TestPeerReset(t *testing.T) {
	ours, theirs := pair(t, "tcp")
	c := New(ours, Options{})
	run(t, c)
	if err := theirs.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if err := c.Write(message(1, 8)); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Write goes on after a reset")
		}
	}
	if c.Err() == nil {
		t.Error("not closed")
	}
}
