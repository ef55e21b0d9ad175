package datapath

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// Flow control: a barrier follows every barrierEvery bytes, and no more than window bytes are in flight, so that a
// switch is never sent more than it can take while the connection's own queue is bounded.
const (
	barrierEvery = 64 << 10
	window       = 512 << 10
)

// barriers keeps the barriers that are not answered, and through them how much the switch has still to process.
type barriers struct {
	sent        []barrier // oldest first
	unbarriered int       // bytes of changes sent since the last barrier
	inflight    int       // bytes of changes before a barrier that is not answered
	frames      int       // bytes of packet-outs before a barrier that is not answered

	waiters []chan<- struct{} // of NotifyInstalled

	oldest      uint32    // xid of the barrier that has waited longest, 0 none
	oldestSince time.Time // since when it has been that
}

type barrier struct {
	xid    uint32
	bytes  int             // of changes since the barrier before
	frames int             // bytes of packet-outs since the barrier before
	done   chan<- struct{} // closed with the reply, if not nil
}

// send sends a barrier. done, if not nil, is closed when it is answered or the session ends.
func (b *barriers) send(done chan<- struct{}, out *apps.Output) {
	xid := nextXid(out)
	out.Wire = openflow.AppendBarrierRequest(out.Wire, xid)
	frames := out.Unconfirmed - b.frames
	b.sent = append(b.sent, barrier{xid: xid, bytes: b.unbarriered, frames: frames, done: done})
	b.inflight += b.unbarriered
	b.frames += frames
	b.unbarriered = 0
}

// add counts bytes of changes that were sent, and has a barrier follow where one is due.
func (b *barriers) add(bytes int, out *apps.Output) {
	b.unbarriered += bytes
	if b.unbarriered >= barrierEvery {
		b.send(nil, out)
	}
}

// room is how many bytes may be sent before the next barrier, 0 while the window is full.
func (b *barriers) room() int {
	if b.inflight >= window {
		return 0
	}
	return barrierEvery - b.unbarriered
}

// reply takes a barrier reply, which answers the barriers before it, too. It returns false if no such barrier was sent.
func (b *barriers) reply(xid uint32, out *apps.Output) bool {
	for i := range b.sent {
		if b.sent[i].xid != xid {
			continue
		}
		for _, answered := range b.sent[:i+1] {
			b.inflight -= answered.bytes
			b.frames -= answered.frames
			out.Unconfirmed -= answered.frames
			if answered.done != nil {
				close(answered.done)
			}
		}
		b.sent = append(b.sent[:0], b.sent[i+1:]...)
		return true
	}
	return false
}

// sendWaiters sends the barriers of NotifyInstalled: nothing is queued any more.
func (b *barriers) sendWaiters(out *apps.Output) {
	for _, done := range b.waiters {
		b.send(done, out)
	}
	b.waiters = b.waiters[:0]
}

// releaseWaiters ends NotifyInstalled for all: nothing will be installed.
func (b *barriers) releaseWaiters() {
	for _, done := range b.waiters {
		close(done)
	}
	b.waiters = nil
}

// release ends everybody's waiting: the session is over.
func (b *barriers) release() {
	for _, unanswered := range b.sent {
		if unanswered.done != nil {
			close(unanswered.done)
		}
	}
	b.sent = nil
	b.releaseWaiters()
}

// watch notes at the end of a step which barrier is the oldest: each has its own time from when it became that.
func (b *barriers) watch(now time.Time) {
	switch {
	case len(b.sent) == 0:
		b.oldest = 0
	case b.sent[0].xid != b.oldest:
		b.oldest, b.oldestSince = b.sent[0].xid, now
	}
}

// deadline is when the oldest barrier must be answered, zero if there is none.
func (b *barriers) deadline() time.Time {
	if b.oldest == 0 {
		return time.Time{}
	}
	return b.oldestSince.Add(replyWithin)
}
