package datapath

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
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

// What is sent beyond the window waits for the switch to answer barriers.
func TestWindow(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.PacketIns, in.Settings.HostsPerPort, in.Settings.HostsPerSwitch = 0, 0, 0
	p.m.Configure(in)
	p.ready()
	var barriers []uint32
	p.silent = func(msg []byte) bool { // flows are only counted
		if openflow.Type(msg[1]) == openflow.TypeBarrierRequest {
			barriers = append(barriers, binary.BigEndian.Uint32(msg[4:]))
		}
		return true
	}
	const hosts = 5000
	p.recv(manyHosts(hosts)...)
	if p.m.Out.Store.Pending() == 0 || p.m.barriers.inflight < window ||
		p.m.barriers.inflight > window+barrierEvery+512 {
		t.Fatalf("%d bytes under way, %d messages pending", p.m.barriers.inflight, p.m.Out.Store.Pending())
	}
	if n := len(barriers); n < window/barrierEvery-1 || n > window/barrierEvery+1 {
		t.Errorf("%d barriers for %d bytes", n, p.m.barriers.inflight)
	}
	for len(barriers) > 0 {
		was, answered := p.m.barriers.inflight, barriers[0]
		barriers = barriers[1:]
		p.recv(openflow.AppendBarrierReply(nil, answered))
		if p.m.barriers.inflight > window+barrierEvery+512 {
			t.Fatalf("%d bytes under way, before %d", p.m.barriers.inflight, was)
		}
	}
	if p.m.Out.Store.Pending() != 0 || p.m.barriers.inflight != 0 || p.m.Unsolicited != 0 {
		t.Errorf("%d messages pending, %d bytes under way, %d unsolicited", p.m.Out.Store.Pending(),
			p.m.barriers.inflight, p.m.Unsolicited)
	}
	if n := strings.Count(p.sent(), "idle_timeout"); n != hosts {
		t.Errorf("%d hosts installed", n)
	}
}

func TestBarriers(t *testing.T) {
	p := newPeer(t)
	p.ready()
	var xids []uint32
	p.silent = func(msg []byte) bool {
		if openflow.Type(msg[1]) == openflow.TypeBarrierRequest {
			xids = append(xids, binary.BigEndian.Uint32(msg[4:]))
		}
		return openflow.Type(msg[1]) == openflow.TypeBarrierRequest
	}
	var done [4]chan struct{}
	for i := range done {
		done[i] = make(chan struct{})
		p.m.Barrier(done[i])
	}
	p.run()
	closed := func() (s string) {
		for _, d := range done {
			select {
			case <-d:
				s += "+"
			default:
				s += "-"
			}
		}
		return s
	}
	p.recv(openflow.AppendBarrierReply(nil, 4711))
	if got := closed(); got != "----" || p.m.Unsolicited != 1 {
		t.Errorf("%s, %d unsolicited", got, p.m.Unsolicited)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[0]))
	if got := closed(); got != "+---" {
		t.Errorf("after the first %s", got)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[2])) // answers all before it
	if got := closed(); got != "+++-" {
		t.Errorf("after the third %s", got)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[1]))
	if p.m.Unsolicited != 2 {
		t.Errorf("%d unsolicited", p.m.Unsolicited)
	}
	p.m.Detach(p.now)
	if got := closed(); got != "++++" {
		t.Errorf("after the end %s", got)
	}
}

func TestBarrierUnanswered(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeBarrierRequest }
	p.m.Barrier(nil)
	p.run()
	p.pass(20 * time.Second)
	p.m.Barrier(nil) // a later one does not extend the time
	p.run()
	p.pass(9 * time.Second)
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.pass(2 * time.Second)
	if p.err == nil || !strings.Contains(p.err.Error(), "barrier") {
		t.Errorf("ended with %v", p.err)
	}
}
