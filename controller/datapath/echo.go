package datapath

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// A switch that has been silent for a while is asked whether it lives. One with links is also asked after each round of discovery
// frames: while it answers nothing, that none arrive says nothing of its links, since they may be neither sent nor reported.

// never is later than anything.
var never = time.Unix(1<<40, 0)

func (m *Machine) askEcho(now time.Time) {
	m.asked, m.echoXid = now, m.xid()
	m.Out.Wire = openflow.AppendEchoRequest(m.Out.Wire, m.echoXid, nil)
}

// verify asks when a step has sent discovery frames on links. One question at a time is enough.
func (m *Machine) verify(now time.Time, facts []apps.Fact) {
	sent := slices.ContainsFunc(facts, func(f apps.Fact) bool { return f.Kind == apps.HelloSent })
	if sent && m.echoXid == 0 {
		m.askEcho(now)
	}
}

// echoReply takes the answer: all that was sent before the question has been received, and what was reported until then has come.
func (m *Machine) echoReply(now time.Time, xid uint32) {
	if xid != m.echoXid || xid == 0 {
		return
	}
	m.echoXid = 0
	if !m.Alone() {
		m.Out.Facts = append(m.Out.Facts, apps.Fact{Kind: apps.Answered, At: m.asked, Latency: now.Sub(m.asked)})
	}
}

// echoOpen reports whether an answer is waited for. A switch without links need not answer, if only it says anything.
func (m *Machine) echoOpen() bool {
	if m.Alone() {
		return !m.asked.Before(m.last)
	}
	return m.echoXid != 0
}

// echoAt is when the switch has been silent for so long that it is to be asked.
func (m *Machine) echoAt() time.Time {
	if m.echoOpen() {
		return never
	}
	return m.last.Add(echoAfter)
}

// deadAt is when the switch is given up: never before it has been asked, since the controller itself may have stood still. One with
// links that is heard and answers nothing is at the other end of a connection that has been cut and is whole in one direction only:
// TCP may take longer to find that out than to connect anew.
func (m *Machine) deadAt() time.Time {
	switch {
	case !m.echoOpen():
		return never
	case !m.Alone() && m.last.Sub(m.asked) > time.Second:
		return m.asked.Add(deadUnasked)
	default:
		return later(m.last.Add(deadAfter), m.asked.Add(deadUnasked))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
