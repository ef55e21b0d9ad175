package datapath

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// session is what belongs to one connection and is forgotten with it.
type session struct {
	phase Phase
	since time.Time // of the connection
	last  time.Time // when the switch last said anything
	asked time.Time // when an echo was sent that is not answered yet

	verifyXid uint32    // of the echo that followed discovery frames and is not answered yet; 0: none
	verifyAt  time.Time // when it was sent

	features openflow.FeaturesReply
	desc     openflow.SwitchDesc
	role     uint32
	roleXid  uint32 // of the request that asks for it

	waiting []request // multipart requests that are not answered in full
	barrier []barrier // in the order sent

	unconfirmed []chan<- struct{} // see Confirm

	oldest      uint32    // xid of the barrier that has waited longest
	oldestSince time.Time // since when it has been that

	unbarriered int // bytes sent since the last barrier
	inflight    int // bytes sent before a barrier that is not answered

	bundle      uint32 // id of the open bundle, 0 none
	bundles     uint32
	commitXid   uint32
	commitBy    time.Time // when the commit must have been answered
	failed      bool      // the last bundle was refused, or a rule: what differs is no drift
	compared    bool      // an audit has ended in this session: what differs from now on is drift
	repairAt    time.Time // when an audit mends what was refused; zero when nothing was
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
	budget       [NumClasses]bucket

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
	xid   uint32
	bytes int
	done  chan<- struct{} // told, if not nil
}

func (m *Machine) xid() uint32 {
	m.Out.Xid++
	return m.Out.Xid
}

// everything is what a switch is to send unasked, in whatever role.
var everything = openflow.AsyncConfig{
	PacketInMaster: 7, PacketInSlave: 7, PortStatusMaster: 7, PortStatusSlave: 7, FlowRemovedMaster: 15, FlowRemovedSlave: 15,
}

// Attach begins a session: the handshake is done.
func (m *Machine) Attach(now time.Time, f openflow.FeaturesReply) {
	m.Sessions++
	m.session = session{
		phase: Describing, since: now, last: now, features: f, actualMeters: map[uint32]flow.Meter{}, retry: retryFirst,
	}
	m.limit(m.sw.Settings)
	m.Out.Wire = m.Out.Wire[:0]
	m.Out.Wire = openflow.AppendSetConfig(m.Out.Wire, m.xid(), 0, 0xffff)
	// A bridge's own management socket sends nothing unasked unless it is told to.
	m.Out.Wire = openflow.AppendSetAsync(m.Out.Wire, m.xid(), everything)
	m.roleXid = m.xid()
	m.Out.Wire = openflow.AppendRoleRequest(m.Out.Wire, m.roleXid, openflow.RoleNoChange, 0)
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
		}
	case askMeters, askFlows, askGroups:
		if m.phase == Auditing && !m.asking(askMeters, askFlows, askGroups) {
			m.endAudit(now)
			return
		}
	default:
	}
	if m.phase == Describing && !m.asking(askDesc, askPorts, askMeters, askRestore) {
		m.described(now)
	}
}

// described begins to bring the desired state about. After a restart of the controller that takes a moment: the flows that
// are there forward by themselves, and the links that explain some of them have to be found again first.
func (m *Machine) described(now time.Time) {
	m.sendMeters()
	m.phase = Adopting
	m.dirty = true
	for _, a := range m.order {
		a.SwitchConnected(now, &m.Out)
	}
	if m.restored > 0 {
		m.adoptUntil = now.Add(adoptTime)
		m.Out.WakeAt(m.adoptUntil)
		m.Out.Notice(now, "switch_adopted", fmt.Sprintf("switch %s has %d flows of ours from before: they stay", m.sw.Name, m.restored))
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
	if m.phase == Offline {
		return nil
	}
	m.verify(now, m.Out.Facts[facts:])
	for _, r := range m.waiting {
		if !now.Before(r.until) {
			return fmt.Errorf("no complete reply to a multipart request within %s", replyWithin)
		}
	}
	if m.oldest != 0 && !now.Before(m.oldestSince.Add(replyWithin)) {
		return fmt.Errorf("no reply to a barrier within %s", replyWithin)
	}
	if m.phase == Committing && m.commitXid != 0 && !now.Before(m.commitBy) {
		return fmt.Errorf("no reply to the commit of a bundle within %s", replyWithin)
	}
	switch quiet := now.Sub(m.last); {
	case quiet >= deadAfter:
		return fmt.Errorf("nothing heard for %s", deadAfter)
	case quiet >= echoAfter && m.asked.Before(m.last):
		m.asked = now
		m.Out.Wire = openflow.AppendEchoRequest(m.Out.Wire, m.xid(), nil)
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
	if m.oldest != 0 {
		m.Out.WakeAt(m.oldestSince.Add(replyWithin))
	}
	if m.phase == Committing && m.commitXid != 0 {
		m.Out.WakeAt(m.commitBy)
	}
	if m.asked.Before(m.last) {
		m.Out.WakeAt(m.last.Add(echoAfter))
	} else {
		m.Out.WakeAt(m.last.Add(deadAfter))
	}
	if m.phase == Ready && !m.auditAt.IsZero() {
		m.Out.WakeAt(m.auditAt)
	}
	if m.phase == Adopting {
		m.Out.WakeAt(m.adoptUntil)
	}
	for _, r := range m.waiting {
		m.Out.WakeAt(r.until)
	}
}

// Ask sends a barrier now and closes done when the switch has answered it, or the session has ended: it has then processed all
// that was sent before.
func (m *Machine) Ask(done chan<- struct{}) { m.appendBarrier(done) }

// Confirm closes done when the switch has confirmed all that is desired at present, or the session has ended. That may take an
// audit and its bundle.
func (m *Machine) Confirm(done chan<- struct{}) { m.unconfirmed = append(m.unconfirmed, done) }

// confirm sends the barriers of Confirm when nothing is queued any more.
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
	m.barrier = append(m.barrier, barrier{xid: xid, bytes: m.unbarriered, done: done})
	m.inflight += m.unbarriered
	m.unbarriered = 0
}

// verify asks the switch for an answer after discovery frames were sent on links: without one, that they do not arrive says nothing
// of the links. One question at a time is enough.
func (m *Machine) verify(now time.Time, facts []apps.Fact) {
	sent := slices.ContainsFunc(facts, func(f apps.Fact) bool { return f.Kind == apps.HelloSent })
	if !sent || m.verifyXid != 0 {
		return
	}
	m.verifyXid, m.verifyAt = m.xid(), now
	m.Out.Wire = openflow.AppendEchoRequest(m.Out.Wire, m.verifyXid, nil)
}

// echoReply takes the answer.
func (m *Machine) echoReply(now time.Time, xid uint32) {
	if xid != m.verifyXid || xid == 0 {
		return // to the question whether it still lives: m.last says so
	}
	m.Out.Facts = append(m.Out.Facts, apps.Fact{Kind: apps.Answered, At: m.verifyAt, Latency: now.Sub(m.verifyAt)})
	m.verifyXid = 0
}
