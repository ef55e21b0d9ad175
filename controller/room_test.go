package controller

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaitingRoom fills the room: newcomers wait, who says nothing makes place soon, who has said hello stays longer, and who
// leaves makes place at once.
func TestWaitingRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWaitingRoom()
		seats := make([]*seat, maxUnidentified)
		for i := range seats {
			a, b := net.Pipe()
			defer func() { _, _ = a.Close(), b.Close() }()
			seats[i] = r.enter(a)
			seats[i].spoke.Store(i != 7)
		}
		waited := func(meanwhile func()) time.Duration {
			begin := time.Now()
			done := make(chan struct{})
			go func() { r.await(t.Context()); close(done) }()
			synctest.Wait()
			if meanwhile != nil {
				meanwhile()
			}
			<-done
			return time.Since(begin)
		}
		leave := func(s *seat) { // as its reader does when the connection is closed
			go func() {
				for !s.ended.Load() {
					time.Sleep(time.Millisecond)
				}
				r.leave(s)
			}()
		}
		leave(seats[7])
		if d := waited(nil); d < silentFor || d > silentFor+10*time.Millisecond {
			t.Errorf("the silent one made place after %s, want %s", d, silentFor)
		}
		extra := r.enter(seats[7].nc)
		if d := waited(func() { r.leave(extra) }); d != 0 {
			t.Errorf("let in %s after somebody left, want at once", d)
		}
		extra = r.enter(seats[7].nc)
		extra.spoke.Store(true)
		leave(seats[0])
		if d := waited(nil); d > vagueFor || seats[0].since.Add(vagueFor).After(time.Now()) {
			t.Errorf("the first of those that spoke made place after %s", d)
		}
		for _, s := range seats[1:7] {
			if s.ended.Load() {
				t.Error("more had to leave than was needed")
			}
		}
	})
}
