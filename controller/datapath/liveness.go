package datapath

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// Times of echo requests.
const (
	echoAfter  = 5 * time.Second  // of silence an echo request is sent
	deadAfter  = 10 * time.Second // of silence the switch is dead
	echoWithin = 5 * time.Second  // an echo is answered; the silence before it may be the controller's own
)

// liveness finds out whether the switch still answers. linked says that the switch has links to others: such a one is
// also asked after each round of discovery frames, since only while it answers does their absence say that a link is
// gone.
type liveness struct {
	heardAt time.Time // when the switch last sent anything
	sentAt  time.Time // of the last echo request
	xid     uint32    // of the echo request that is not answered, 0 none
}

func (l *liveness) sendEcho(now time.Time, out *apps.Output) {
	l.sentAt, l.xid = now, nextXid(out)
	out.Wire = openflow.AppendEchoRequest(out.Wire, l.xid, nil)
}

// reply takes an echo reply and reports whether it answers the request that is outstanding.
func (l *liveness) reply(xid uint32) bool {
	if xid == 0 || xid != l.xid {
		return false
	}
	l.xid = 0
	return true
}

// outstanding reports whether an answer is awaited. A switch without links may send anything instead.
func (l *liveness) outstanding(linked bool) bool {
	if linked {
		return l.xid != 0
	}
	return !l.sentAt.Before(l.heardAt)
}

// deadline is when check has something to do.
func (l *liveness) deadline(linked bool) time.Time {
	switch {
	case !l.outstanding(linked):
		return l.heardAt.Add(echoAfter)
	case linked && l.heardAt.Sub(l.sentAt) > time.Second:
		// Heard, but not answering: a connection that was cut and works in one direction only. TCP notices later.
		return l.sentAt.Add(echoWithin)
	}
	// Never before it was asked: the controller itself may have stood still.
	return later(l.heardAt.Add(deadAfter), l.sentAt.Add(echoWithin))
}

// check reports whether an echo request is due. An error says that the switch is dead.
func (l *liveness) check(now time.Time, linked bool) (echoDue bool, err error) {
	switch {
	case now.Before(l.deadline(linked)):
		return false, nil
	case !l.outstanding(linked):
		return true, nil
	case now.Sub(l.heardAt) < deadAfter:
		return false, fmt.Errorf("it is heard, and has answered nothing for %s", echoWithin)
	}
	return false, fmt.Errorf("nothing heard for %s", deadAfter)
}

// echoReply takes the answer to an echo request. That of a switch with links is a fact: all that was sent before the
// request has been received, and what was reported until then has come.
func (m *Machine) echoReply(now time.Time, xid uint32) {
	if m.live.reply(xid) && !m.Alone() {
		sentAt := m.live.sentAt
		m.Out.Facts = append(m.Out.Facts, apps.Fact{Kind: apps.Answered, At: sentAt, Latency: now.Sub(sentAt)})
	}
}

// echoAfterHellos sends an echo request if a step has sent discovery frames on links. One at a time is enough.
func (m *Machine) echoAfterHellos(now time.Time, facts []apps.Fact) {
	sent := slices.ContainsFunc(facts, func(f apps.Fact) bool { return f.Kind == apps.HelloSent })
	if sent && m.live.xid == 0 {
		m.live.sendEcho(now, &m.Out)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
