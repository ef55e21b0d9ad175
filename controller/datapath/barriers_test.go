package datapath

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
)

// isClosed reports whether a channel is closed.
func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// What is sent fills the window, and replies make room: for all that was sent before the barrier.
func TestBarriersWindow(t *testing.T) {
	t.Parallel()
	var b barriers
	var out apps.Output
	for b.room() > 0 {
		b.add(b.room(), &out)
	}
	if b.inflight != window || b.unbarriered != 0 || len(b.sent) != window/barrierEvery {
		t.Fatalf("%d bytes in flight, %d without a barrier, %d barriers", b.inflight, b.unbarriered, len(b.sent))
	}
	if b.reply(4711, &out) || b.reply(0, &out) {
		t.Error("a reply to nothing is taken")
	}
	if !b.reply(3, &out) || b.inflight != window-3*barrierEvery || b.room() != barrierEvery {
		t.Errorf("after the third reply %d bytes in flight, room for %d", b.inflight, b.room())
	}
	if b.reply(2, &out) {
		t.Error("the second is answered twice")
	}
	b.add(100, &out)
	if b.room() != barrierEvery-100 || b.inflight != window-3*barrierEvery {
		t.Errorf("room for %d", b.room())
	}
}

// Bytes of packet-outs are confirmed by the barrier after them.
func TestBarriersConfirmFrames(t *testing.T) {
	t.Parallel()
	var b barriers
	out := apps.Output{Unconfirmed: 1000}
	b.send(nil, &out)
	out.Unconfirmed += 500
	b.send(nil, &out)
	if b.frames != 1500 {
		t.Errorf("%d bytes before barriers", b.frames)
	}
	b.reply(1, &out)
	if out.Unconfirmed != 500 || b.frames != 500 {
		t.Errorf("%d bytes unconfirmed, %d before barriers", out.Unconfirmed, b.frames)
	}
	b.reply(2, &out)
	if out.Unconfirmed != 0 || b.frames != 0 {
		t.Errorf("%d bytes unconfirmed, %d before barriers", out.Unconfirmed, b.frames)
	}
}

func TestBarriersNotify(t *testing.T) {
	t.Parallel()
	var b barriers
	var out apps.Output
	first, second, waiter := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.send(first, &out)
	b.send(second, &out)
	b.waiters = append(b.waiters, waiter)
	b.reply(1, &out)
	if !isClosed(first) || isClosed(second) || isClosed(waiter) {
		t.Error("the first reply answers the first")
	}
	b.sendWaiters(&out)
	b.reply(3, &out)
	if !isClosed(second) || !isClosed(waiter) {
		t.Error("the last reply answers all")
	}
	third, fourth := make(chan struct{}), make(chan struct{})
	b.send(third, &out)
	b.waiters = append(b.waiters, fourth)
	b.release()
	if !isClosed(third) || !isClosed(fourth) {
		t.Error("the end of the session leaves somebody waiting")
	}
	b.release() // nothing is closed twice
}

// A barrier has its time from when it is the oldest.
func TestBarriersDeadline(t *testing.T) {
	t.Parallel()
	var b barriers
	var out apps.Output
	b.watch(epoch)
	if !b.deadline().IsZero() {
		t.Error("a deadline without a barrier")
	}
	b.send(nil, &out)
	b.watch(epoch)
	b.send(nil, &out)
	b.watch(epoch.Add(time.Second))
	if got := b.deadline(); !got.Equal(epoch.Add(replyWithin)) {
		t.Errorf("deadline %s", got.Sub(epoch))
	}
	b.reply(1, &out)
	b.watch(epoch.Add(10 * time.Second))
	if got := b.deadline(); !got.Equal(epoch.Add(10*time.Second + replyWithin)) {
		t.Errorf("deadline of the second %s", got.Sub(epoch))
	}
}
