package datapath

import (
	"errors"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/controller/ratelimit"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// session is what belongs to one connection and is forgotten with it.
type session struct {
	phase Phase
	since time.Time // of the connection
	last  time.Time // when the switch last said anything
	asked time.Time // when the last echo was sent
	// echoXid is that of the last echo while it is not answered, 0 none.
	echoXid uint32

	features openflow.FeaturesReply
	desc     openflow.SwitchDesc
	tap      bool // the bridge's own port has a speed
	role     uint32
	roleXid  uint32    // of the role request under way, 0 none
	roleBy   time.Time // when it must have been answered
	claimed  bool      // the role of master has been asked for

	waiting []request // multipart requests that are not answered in full
	barrier []barrier // in the order sent

	unconfirmed []chan<- struct{} // see NotifyInstalled

	oldest      uint32    // xid of the barrier that has waited longest
	oldestSince time.Time // since when it has been that

	unbarriered int // bytes sent since the last barrier
	inflight    int // bytes sent before a barrier that is not answered
	covered     int // bytes of frames sent before a barrier that is not answered

	bundle      uint32 // id of the open bundle, 0 none
	bundles     uint32
	commitXid   uint32
	commitBy    time.Time // when the commit must have been answered
	failed      bool      // the last bundle was refused, or a rule: what differs is no drift
	compared    bool      // an audit has ended in this session: what differs from now on is drift
	repairAt    time.Time // when an audit mends what was refused; zero when nothing was
	apart       bool      // rules of single hosts were refused: they go by themselves, so that nothing else is refused with them
	alike       int       // further rules refused like the one that err tells of
	drift       flow.Drift
	auditBegan  time.Time
	auditAt     time.Time // when the next audit is due
	retry       time.Duration
	adoptUntil  time.Time
	restored    int
	ports       []openflow.PortDesc // collected from the parts of the reply
	metersStale bool
	noMeters    bool // it cannot say which meters it has

	actualMeters map[uint32]flow.Meter
	budget       [NumClasses]ratelimit.Bucket

	pin    openflow.PacketIn // scratch: decoding allocates nothing
	packet apps.Packet
}

// request is a multipart request under way.
type request struct {
	xid   uint32
	kind  requestKind
	bytes int
	parts int
	until time.Time
}

type requestKind uint8

const (
	askDesc requestKind = iota
	askPorts
	askMeters
	askRestore // the first dump of flows
	askFlows   // the dump of an audit
	askGroups
	askPortStats
)

// multipart is the type of the request and its reply.
func (k requestKind) multipart() uint16 {
	return [...]uint16{
		askDesc: openflow.MultipartDesc, askPorts: openflow.MultipartPortDesc, askMeters: openflow.MultipartMeterConfig,
		askRestore: openflow.MultipartFlow, askFlows: openflow.MultipartFlow, askGroups: openflow.MultipartGroupDesc,
		askPortStats: openflow.MultipartPortStats,
	}[k]
}

type barrier struct {
	xid    uint32
	bytes  int
	frames int             // bytes of frames before it
	done   chan<- struct{} // told, if not nil
}

func (m *Machine) xid() uint32 {
	m.Out.Xid++
	return m.Out.Xid
}

// everything is what a switch is to send unasked: all to a controller that answers for it, and to one that stands by what its
// ports do.
var everything = openflow.AsyncConfig{PacketInMaster: 7, PortStatusMaster: 7, PortStatusSlave: 7, FlowRemovedMaster: 15}

// Attach begins a session: the handshake is done.
func (m *Machine) Attach(now time.Time, f openflow.FeaturesReply) {
	m.Sessions++
	m.session = session{
		phase: Describing, since: now, last: now, features: f, actualMeters: map[uint32]flow.Meter{}, retry: retryFirst,
	}
	if errors.Is(m.err, errStandby) {
		m.err = nil
	}
	if m.sw.NoMeters { // it may be another one by now, or have room for them again
		m.sw.NoMeters, m.dirty = false, true
	}
	m.limit(m.sw.Settings)
	m.Out.Wire, m.Out.Unconfirmed = m.Out.Wire[:0], 0
	m.Out.Wire = openflow.AppendSetConfig(m.Out.Wire, m.xid(), 0, 0xffff)
	// A bridge's own management socket sends nothing unasked unless it is told to.
	m.Out.Wire = openflow.AppendSetAsync(m.Out.Wire, m.xid(), everything)
	m.askRole(now, openflow.RoleNoChange, 0)
	if m.yielded { // what the other controller has made of the switch is the truth now
		m.yielded, m.adopted = false, false
		m.l2.Reset(now, &m.Out)
	}
	m.ask(now, askDesc)
	m.ask(now, askPorts)
	m.ask(now, askMeters)
	if !m.adopted {
		m.ask(now, askRestore)
	}
}

// Detach ends the session. What is desired stays; the next session begins with an audit.
func (m *Machine) Detach(now time.Time) {
	for _, b := range m.barrier {
		if b.done != nil {
			close(b.done)
		}
	}
	for _, done := range m.unconfirmed {
		close(done)
	}
	m.unconfirmed = nil
	if m.phase == Offline {
		return
	}
	m.phase = Offline
	m.session.waiting, m.session.barrier = nil, nil
	m.Out.Wire = m.Out.Wire[:0]
	m.Out.Store.Discard()
	for _, a := range m.order {
		a.SwitchDisconnected(now)
	}
}

// ask sends a multipart request and remembers that its reply is expected.
func (m *Machine) ask(now time.Time, kind requestKind) {
	xid := m.xid()
	b := m.Out.Wire
	switch kind {
	case askDesc:
		b = openflow.AppendDescRequest(b, xid)
	case askPorts:
		m.ports = m.ports[:0]
		b = openflow.AppendPortDescRequest(b, xid)
	case askMeters:
		b = openflow.AppendMeterConfigRequest(b, xid, openflow.MeterAll)
	case askRestore, askFlows:
		cookie, mask := flow.CookieMask()
		b = openflow.AppendFlowStatsRequest(b, xid, openflow.FlowStatsRequest{
			TableID: openflow.TableAll, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny, Cookie: cookie, CookieMask: mask,
		})
	case askGroups:
		b = openflow.AppendGroupDescRequest(b, xid)
	case askPortStats:
		b = openflow.AppendPortStatsRequest(b, xid, openflow.PortAny)
	}
	m.Out.Wire = b
	m.waiting = append(m.waiting, request{xid: xid, kind: kind, until: now.Add(replyWithin)})
}

// asking reports whether a reply of one of the kinds is outstanding.
func (m *Machine) asking(kinds ...requestKind) bool {
	for _, r := range m.waiting {
		for _, k := range kinds {
			if r.kind == k {
				return true
			}
		}
	}
	return false
}

// answered goes on when a request has been answered in full.
func (m *Machine) answered(now time.Time, kind requestKind) {
	switch kind {
	case askPorts:
		m.setPorts(now)
	case askRestore:
		if m.restored > 0 {
			m.l2.Restored(&m.Out)
			m.Out.Store.Discard() // it is there
			m.held, m.posted = now.Add(holdTime), true
		}
	case askMeters, askFlows, askGroups:
		if m.phase == Auditing && !m.asking(askMeters, askFlows, askGroups) {
			m.endAudit(now)
			return
		}
	default:
	}
	m.describe(now)
}

// describe goes on when all is known that has to be known before anything is written.
func (m *Machine) describe(now time.Time) {
	if m.phase != Describing || m.roleXid != 0 || m.asking(askDesc, askPorts, askMeters, askRestore) {
		return
	}
	if m.role == openflow.RoleSlave {
		m.yield(now, "another controller is the switch's master")
		return
	}
	m.described(now)
}

// described begins to bring the desired state about. After a restart of the controller that takes a moment: the flows that
// are there forward by themselves, and the links that explain some of them have to be found again first.
func (m *Machine) described(now time.Time) {
	m.sw.NeedsMegaflowWorkaround = m.needsMegaflowWorkaround()
	m.sendMeters()
	m.phase = Adopting
	m.dirty = true
	for _, a := range m.order {
		a.SwitchConnected(now, &m.Out)
	}
	if m.restored > 0 {
		m.adoptUntil = now.Add(adoptTime)
		m.Out.WakeAt(m.adoptUntil)
		m.Out.Emit(now, event.Event{Type: event.SwitchAdopted, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s has %d flows of ours from before: they stay", m.sw.Name, m.restored)})
		return
	}
	m.beginAudit(now)
}

// Tick is called when the time asked for with Out.WakeAt has come, or earlier. An error ends the session.
func (m *Machine) Tick(now time.Time) error {
	m.Out.TakeWake()
	facts := len(m.Out.Facts)
	for _, a := range m.order {
		a.Tick(now, &m.Out)
	}
	m.release(now)
	if m.phase == Offline {
		return nil
	}
	m.verify(now, m.Out.Facts[facts:])
	for _, r := range m.waiting {
		if !now.Before(r.until) {
			return fmt.Errorf("no complete reply to a multipart request within %s", replyWithin)
		}
	}
	if m.roleXid != 0 && !now.Before(m.roleBy) {
		return fmt.Errorf("no reply to a role request within %s", replyWithin)
	}
	if m.oldest != 0 && !now.Before(m.oldestSince.Add(replyWithin)) {
		return fmt.Errorf("no reply to a barrier within %s", replyWithin)
	}
	if m.phase == Committing && m.commitXid != 0 && !now.Before(m.commitBy) {
		return fmt.Errorf("no reply to the commit of a bundle within %s", replyWithin)
	}
	switch {
	case !now.Before(m.echoAt()):
		m.askEcho(now)
	case !now.Before(m.deadAt()):
		if quiet := now.Sub(m.last); quiet < deadAfter {
			return fmt.Errorf("it is heard, and has answered nothing for %s", deadUnasked)
		}
		return fmt.Errorf("nothing heard for %s", deadAfter)
	}
	m.settle(now)
	if m.phase == Adopting && !now.Before(m.adoptUntil) {
		m.beginAudit(now)
	}
	if m.phase == Ready && !m.auditAt.IsZero() && !now.Before(m.auditAt) {
		m.beginAudit(now)
	}
	return nil
}

// schedule asks to be woken for the next thing that is due.
func (m *Machine) schedule(now time.Time) {
	if m.phase == Offline {
		return
	}
	switch {
	case len(m.barrier) == 0:
		m.oldest = 0
	case m.barrier[0].xid != m.oldest:
		m.oldest, m.oldestSince = m.barrier[0].xid, now
	}
	if m.roleXid != 0 {
		m.Out.WakeAt(m.roleBy)
	}
	if m.oldest != 0 {
		m.Out.WakeAt(m.oldestSince.Add(replyWithin))
	}
	if m.phase == Committing && m.commitXid != 0 {
		m.Out.WakeAt(m.commitBy)
	}
	m.Out.WakeAt(earlier(m.echoAt(), m.deadAt()))
	if m.phase == Ready && !m.auditAt.IsZero() {
		m.Out.WakeAt(m.auditAt)
	}
	if m.phase == Adopting {
		m.Out.WakeAt(m.adoptUntil)
	}
	if !m.held.IsZero() {
		m.Out.WakeAt(m.held)
	}
	for _, r := range m.waiting {
		m.Out.WakeAt(r.until)
	}
}

// Barrier sends a barrier now and closes done when the switch has answered it, or the session has ended: it has then processed all
// that was sent before.
func (m *Machine) Barrier(done chan<- struct{}) { m.appendBarrier(done) }

// NotifyInstalled closes done when the switch has confirmed all that is desired at present, or the session has ended. That may take an
// audit and its bundle.
func (m *Machine) NotifyInstalled(done chan<- struct{}) { m.unconfirmed = append(m.unconfirmed, done) }

// confirm sends the barriers of NotifyInstalled when nothing is queued any more.
func (m *Machine) confirm() {
	if len(m.unconfirmed) == 0 || m.phase != Ready || m.Out.Store.Pending() > 0 {
		return
	}
	for _, done := range m.unconfirmed {
		m.appendBarrier(done)
	}
	m.unconfirmed = m.unconfirmed[:0]
}

func (m *Machine) appendBarrier(done chan<- struct{}) {
	xid := m.xid()
	m.Out.Wire = openflow.AppendBarrierRequest(m.Out.Wire, xid)
	frames := m.Out.Unconfirmed - m.covered
	m.barrier = append(m.barrier, barrier{xid: xid, bytes: m.unbarriered, frames: frames, done: done})
	m.inflight += m.unbarriered
	m.covered += frames
	m.unbarriered = 0
}
