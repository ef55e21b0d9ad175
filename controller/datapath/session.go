package datapath

import (
	"errors"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// session is what belongs to one connection and is forgotten with it. Each part is pure and has a file of its own.
type session struct {
	phase          Phase // changed by transition only
	since          time.Time
	desc           openflow.SwitchDesc
	ports          portList
	live           liveness
	role           role
	requests       multipart
	barriers       barriers
	bundle         bundle
	audit          audit
	metersUnlisted bool // the switch cannot list its meters
	budgets        budgets
}

// nextXid returns the xid of the next message.
func nextXid(out *apps.Output) uint32 {
	out.Xid++
	return out.Xid
}

// asyncConfig has a switch send everything to its master, and port changes to a slave, too.
var asyncConfig = openflow.AsyncConfig{
	PacketInMaster: 7, PortStatusMaster: 7, PortStatusSlave: 7, FlowRemovedMaster: 15,
}

// Attach begins a session after the handshake. An earlier session must have been ended with Detach.
func (m *Machine) Attach(now time.Time) {
	m.Sessions++
	m.session = session{
		since: now, live: liveness{heardAt: now}, audit: audit{backoff: retryFirst},
		budgets: newBudgets(m.sw.Settings),
	}
	if errors.Is(m.lastErr.err, errStandby) {
		m.lastErr.clear()
	}
	m.startMeters()
	m.transition(now, attached)
}

// Detach ends the session. What is desired stays; the next session begins with an audit.
func (m *Machine) Detach(now time.Time) {
	m.barriers.release() // NotifyInstalled may have been called without a session
	m.transition(now, detached)
}

// requestDescription begins phase Describing.
func (m *Machine) requestDescription(now time.Time) {
	out := &m.Out
	out.Wire, out.Unconfirmed = out.Wire[:0], 0
	out.Wire = openflow.AppendSetConfig(out.Wire, nextXid(out), 0, 0xffff)
	// The management socket of a bridge sends nothing unasked by default.
	out.Wire = openflow.AppendSetAsync(out.Wire, nextXid(out), asyncConfig)
	m.role.query(now, out)
	for _, kind := range []requestKind{requestDesc, requestPorts, requestMeters} {
		m.requests.send(now, kind, out)
	}
	dump, reset := m.adoption.attach()
	if reset { // the switch now has what the other controller left
		m.l2.Reset(now, out)
	}
	if dump {
		m.requests.send(now, requestRestore, out)
	}
}

// startApps ends phase Describing: from here on the switch is written to.
func (m *Machine) startApps(now time.Time) {
	m.sw.NeedsMegaflowWorkaround = needsMegaflowWorkaround(&m.desc, m.ports.localHasSpeed)
	m.refreshDue = true
	for _, a := range m.apps.Order {
		a.SwitchConnected(now, &m.Out)
	}
}

// endSession drops what is under way. The rest stays for Status.
func (m *Machine) endSession(now time.Time) {
	m.requests, m.ports.list = multipart{}, nil
	m.Out.Wire = m.Out.Wire[:0]
	m.Out.Store.Discard()
	m.adoption.dropEarlier()
	for _, a := range m.apps.Order {
		a.SwitchDisconnected(now)
	}
}

// Tick is called when the time asked for with Out.WakeAt has come, or earlier. An error ends the session.
func (m *Machine) Tick(now time.Time) error {
	m.Out.TakeWake()
	facts := len(m.Out.Facts)
	for _, a := range m.apps.Order {
		a.Tick(now, &m.Out)
	}
	m.releaseRetained(now)
	if m.phase == Offline {
		return nil
	}
	m.echoAfterHellos(now, m.Out.Facts[facts:])
	for _, d := range m.deadlines() {
		if !d.at.IsZero() && !now.Before(d.at) {
			return fmt.Errorf("no %s within %s", d.reply, replyWithin)
		}
	}
	echoDue, err := m.live.check(now, !m.Alone())
	if err != nil {
		return err
	}
	if echoDue {
		m.live.sendEcho(now, &m.Out)
	}
	m.settle(now)
	switch {
	case m.phase == Adopting && !now.Before(m.adoption.until):
		m.transition(now, adoptionOver)
	case m.phase == Ready && m.audit.due(now):
		m.transition(now, auditDue)
	}
	return nil
}

// deadline is when a reply must have come, zero if none is outstanding.
type deadline struct {
	at    time.Time
	reply string
}

func (m *Machine) deadlines() [4]deadline {
	return [...]deadline{
		{m.requests.deadline(), "complete reply to a multipart request"},
		{m.role.deadline, "reply to a role request"},
		{m.barriers.deadline(), "reply to a barrier"},
		{m.bundle.deadline, "reply to the commit of a bundle"},
	}
}

// schedule asks to be woken for the next thing that is due.
func (m *Machine) schedule(now time.Time) {
	m.wakeAt(m.adoption.retainUntil)
	if m.phase == Offline {
		return
	}
	m.barriers.watch(now)
	for _, d := range m.deadlines() {
		m.wakeAt(d.at)
	}
	m.wakeAt(m.live.deadline(!m.Alone()))
	switch m.phase {
	case Adopting:
		m.wakeAt(m.adoption.until)
	case Ready:
		m.wakeAt(m.audit.nextAt)
	}
}

func (m *Machine) wakeAt(t time.Time) {
	if !t.IsZero() {
		m.Out.WakeAt(t)
	}
}

// Barrier sends a barrier and closes done when the switch has answered it, and so processed all that was sent before
// it, or when the session has ended.
func (m *Machine) Barrier(done chan<- struct{}) { m.barriers.send(done, &m.Out) }

// NotifyInstalled closes done when the switch has confirmed all that is desired now, which may take an audit and its
// bundle, or when the session has ended.
func (m *Machine) NotifyInstalled(done chan<- struct{}) {
	m.barriers.waiters = append(m.barriers.waiters, done)
}
