//go:build !race

package ofconn

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// TestNoAllocations sends batches through a loopback pair both ways.
func TestNoAllocations(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ours, theirs := pair(t, network)
		c, peer := New(ours, Options{}), New(theirs, Options{})
		run(t, c)
		batch := bytes.Repeat(message(1, 100), 20)
		round := func() {
			if err := c.Write(batch); err != nil {
				t.Fatal(err)
			}
			for n := 0; n < 20; {
				if err := peer.Fill(); err != nil {
					t.Fatal(err)
				}
				for _, ok := peer.Next(); ok; _, ok = peer.Next() {
					n++
				}
			}
		}
		for range 100 {
			round()
		}
		if n := testing.AllocsPerRun(1000, round); n > 0 {
			t.Errorf("%s: %v allocations a round", network, n)
		}
	}
}

// sink is a net.Conn that is neither TCP nor Unix and takes all.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error)      { return len(b), nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }
func (sink) Close() error                     { return nil }

// TestNoAllocationsQueued sends everything through the queue.
func TestNoAllocationsQueued(t *testing.T) {
	drained := make(chan struct{}, 1)
	c := New(sink{}, Options{Drained: func() { drained <- struct{}{} }})
	run(t, c)
	batch := bytes.Repeat(message(1, 100), 20)
	round := func() {
		if err := c.Write(batch); err != nil {
			t.Fatal(err)
		}
		<-drained
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n > 0 {
		t.Errorf("%v allocations a round", n)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		b.Run(network, func(b *testing.B) {
			ours, theirs := pair(b, network)
			c, peer := New(ours, Options{}), New(theirs, Options{})
			run(b, c)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for peer.Fill() == nil {
					for m, ok := peer.Next(); ok; m, ok = peer.Next() {
						if peer.Write(m) != nil {
							return
						}
					}
				}
			}()
			m := message(1, 100)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(m); err != nil {
					b.Fatal(err)
				}
				if err := c.Fill(); err != nil {
					b.Fatal(err)
				}
				c.Next()
			}
			c.Close(nil)
			<-done
		})
	}
}

func BenchmarkReadBatches(b *testing.B) {
	ours, theirs := pair(b, "tcp")
	peer := New(theirs, Options{})
	batch := bytes.Repeat(message(1, 100), 500)
	go func() {
		for {
			if _, err := ours.Write(batch); err != nil {
				return
			}
		}
	}()
	b.ReportAllocs()
	b.SetBytes(100)
	for n := 0; n < b.N; {
		if err := peer.Fill(); err != nil {
			b.Fatal(err)
		}
		for _, ok := peer.Next(); ok; _, ok = peer.Next() {
			n++
		}
	}
}
