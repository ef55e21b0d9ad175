package datapath

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Flow control: a barrier follows every barrierEvery bytes, and no more than window bytes are under way, so that a switch is
// never sent more than it can take while the connection's own queue is bounded.
const (
	barrierEvery = 64 << 10
	window       = 512 << 10
)

// suspectAfter lets a burst of signs pass before one audit looks at all of it.
const suspectAfter = 500 * time.Millisecond

// lookAfter is when an audit sees whether rules that were refused before have been taken. If one is refused again, it comes later.
const lookAfter = time.Second

// Bundle control types and flags (ONF extension 230).
const (
	bundleOpenRequest    = 0
	bundleOpenReply      = 1
	bundleCloseReply     = 3
	bundleCommitRequest  = 4
	bundleCommitReply    = 5
	bundleDiscardRequest = 6
	bundleDiscardReply   = 7
	bundleAtomicOrdered  = 1 | 2
)

// beginAudit asks for what is there, to compare it with what should be.
func (m *Machine) beginAudit(now time.Time) {
	if m.dirty { // the desired state must be up to date before it is compared
		m.dirty = false
		for _, a := range m.order {
			a.Refresh(now, &m.Out)
		}
	}
	if m.metersStale {
		m.sendMeters()
	}
	if m.phase != Ready {
		// Nothing that is queued has been sent in this session: the comparison says what has to be.
		m.Out.Store.Discard()
	}
	if m.phase == Ready && !m.noMeters { // a session begins by asking for them anyway
		clear(m.actualMeters)
		m.ask(now, askMeters)
	}
	m.phase, m.adopted = Auditing, true
	m.failed = m.failed || !m.repairAt.IsZero()
	m.repairAt = time.Time{}
	m.drift.Reset()
	m.auditBegan = now
	m.Out.Store.BeginAudit()
	m.ask(now, askFlows)
	m.ask(now, askGroups)
}

// endAudit has seen all dumps: what differs is sent, flows and groups in one bundle, all or nothing.
func (m *Machine) endAudit(now time.Time) {
	d := &m.drift
	m.Out.Store.EndAudit(d)
	reconfigured := m.metersStale // a new config came during the audit: its meters are no drift
	meters := m.sendMeters()
	if reconfigured {
		meters = 0
	}
	if m.compared && (d.Any() || meters > 0) && !m.failed {
		m.Drifts++
		m.Out.Emit(now, event.Event{Type: event.Drift, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s: flows were changed behind our back (%d missing, %d altered, %d stray, %d groups, %d meters; first: %s): repaired",
			m.sw.Name, d.Missing, d.Altered, d.Stray, d.Groups, meters, cmp.Or(d.First, "a meter"))})
	}
	m.audits++
	m.Audits++
	m.AuditTook = now.Sub(m.auditBegan)
	m.compared, m.failed = true, false
	if m.apart && m.Out.Store.Defer(apps.OwnerHosts) == 0 {
		m.apart = false // it has them all
	}
	if m.Out.Store.Pending() == 0 {
		m.done(now)
		return
	}
	m.phase = Committing
	m.bundles++
	m.bundle, m.commitXid = m.bundles, 0
	m.Out.Wire = openflow.AppendBundleControl(m.Out.Wire, m.xid(), m.bundle, bundleOpenRequest, bundleAtomicOrdered)
}

// drain sends what is queued, as far as the window allows.
func (m *Machine) drain(now time.Time) {
	if m.phase == Ready && m.metersStale {
		m.sendMeters()
	}
	var wrap func(b, msg []byte) []byte
	if m.phase == Committing {
		if m.commitXid != 0 {
			return // the bundle is closed; what has come since goes out when it is done
		}
		wrap = func(b, msg []byte) []byte {
			return openflow.AppendBundleAdd(b, binary.BigEndian.Uint32(msg[4:]), m.bundle, bundleAtomicOrdered, msg)
		}
	}
	for m.inflight < window && m.Out.Store.Pending() > 0 {
		before := len(m.Out.Wire)
		m.Out.Wire = m.Out.Store.Drain(m.Out.Wire, before+barrierEvery-m.unbarriered, &m.Out.Xid, wrap)
		m.unbarriered += len(m.Out.Wire) - before
		if m.unbarriered >= barrierEvery {
			m.appendBarrier(nil)
		}
	}
	if m.phase == Committing && m.Out.Store.Pending() == 0 {
		// Open vSwitch commits what it has taken of a bundle even if it has refused a part: only when it has answered for all
		// of it is it told to.
		if m.unbarriered > 0 {
			m.appendBarrier(nil)
		}
		if m.inflight > 0 {
			return
		}
		m.commitXid, m.commitBy = m.xid(), now.Add(replyWithin)
		m.Out.Wire = openflow.AppendBundleControl(m.Out.Wire, m.commitXid, m.bundle, bundleCommitRequest, bundleAtomicOrdered)
	}
}

// committed is the end of a bundle.
func (m *Machine) committed(now time.Time, b *openflow.BundleControl) {
	if b.Type != bundleCommitReply || m.phase != Committing || b.ID != m.bundle {
		return // replies to open and discard say nothing
	}
	m.bundle = 0
	m.err = nil
	m.done(now)
}

// done ends an audit whose difference the switch has taken. What was refused before goes after it, message by message, and is looked
// at soon.
func (m *Machine) done(now time.Time) {
	if !m.apart {
		m.retry = retryFirst
		m.ready(now)
		return
	}
	m.ready(now)
	m.Out.Store.Resume()
	m.auditAt = now.Add(lookAfter)
}

// suspect looks at the flows soon: there is a sign that somebody has changed them.
func (m *Machine) suspect(now time.Time) {
	if soon := now.Add(suspectAfter); m.phase == Ready && (m.auditAt.IsZero() || soon.Before(m.auditAt)) {
		m.auditAt = soon
	}
}

func (m *Machine) ready(now time.Time) {
	m.phase = Ready
	m.auditAt = time.Time{}
	if m.intent.AuditEvery > 0 {
		m.auditAt = now.Add(m.intent.AuditEvery)
	}
	if !m.apart && m.err != nil && now.Sub(m.errAt) > m.retry {
		m.err = nil
	}
	if m.drift.Stray >= maxStrays {
		m.drift.Reset()
		m.suspect(now)
	}
}

// refused handles an error message. Whatever of ours it was about, the state of the switch is not what was sent: it is looked
// at again, after a while that grows with each failure. A bundle that had any error is discarded whole, since OVS would
// commit the rest of it. If it was for a rule of a single host, such rules are left out of the bundles that follow, and sent by
// themselves after them: a table with room for too few hosts is no reason to go without ports and floods, and hosts without rules
// are flooded to.
func (m *Machine) refused(now time.Time, e *openflow.Error) {
	t, known := e.RequestType()
	if known && t == openflow.TypeMultipartRequest {
		m.refusedRequest(now, e)
		return
	}
	if known && t == openflow.TypeRoleRequest {
		m.refusedRole(now, e)
		return
	}
	if e.Type == openflow.ErrorTypeBadRequest && e.Code == openflow.BadRequestIsSlave {
		m.Errors++
		m.yield(now, "another controller has become the switch's master")
		return
	}
	if m.failed && known && t == openflow.TypeExperimenter {
		m.Errors++ // it follows from the first, which is the one that says why
		return
	}
	if m.sw.NoMeters && known && t == openflow.TypeMeterMod {
		m.Errors++ // one of those that were sent with the first
		return
	}
	if m.refusedAlike(e) {
		m.Errors++
		m.alike++
		return
	}
	what := offender(e)
	m.fail(now, fmt.Errorf("%w%s", e, what))
	if known && (t == openflow.TypePacketOut || t == openflow.TypeSetConfig) {
		return
	}
	if what.owner == apps.OwnerProbe && notUnderstood(e) && m.intent.Trap == intent.TrapAuto && !m.sw.NoConntrack {
		m.sw.NoConntrack, m.dirty = true, true
		m.Out.Emit(now, event.Event{Type: event.NoConntrack, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s refuses conntrack actions: probe replies are trapped by DSCP", m.sw.Name)})
	}
	if known && t == openflow.TypeMeterMod {
		m.sw.NoMeters, m.dirty = true, true
		m.Out.Emit(now, event.Event{Type: event.NoMeters, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s: %v", m.sw.Name, errNoMeters)})
	}
	m.failed = m.failed || m.phase == Auditing // what the audit will miss is no drift
	if m.phase == Committing {
		m.apart = m.apart || what.owner == apps.OwnerHosts
		m.Out.Wire = openflow.AppendBundleControl(m.Out.Wire, m.xid(), m.bundle, bundleDiscardRequest, bundleAtomicOrdered)
		m.Out.Store.Discard()
		m.bundle, m.failed = 0, true
		m.phase = Ready
	}
	if m.phase == Ready && m.repairAt.IsZero() { // one repair for all errors of a bundle
		m.repairAt = now.Add(m.retry)
		m.auditAt = m.repairAt
		m.retry = min(2*m.retry, retryMost)
	}
}

// refusedAlike reports whether a rule of a host was refused for the same reason as the one that the status tells of, and that is tried
// again in any case.
func (m *Machine) refusedAlike(e *openflow.Error) bool {
	if m.phase != Ready || m.repairAt.IsZero() || offender(e).owner != apps.OwnerHosts {
		return false
	}
	var told *openflow.Error
	return errors.As(m.err, &told) && told.Type == e.Type && told.Code == e.Code && told.Experimenter == e.Experimenter
}

// unable puts into words what it means when a switch refuses what every rule depends on; "" for other errors.
func unable(err error) string {
	var e *openflow.Error
	if !errors.As(err, &e) {
		return ""
	}
	t, known := e.RequestType()
	switch {
	case known && t == openflow.TypeMeterMod:
		return "the switch refuses meters: "
	case known && t == openflow.TypeExperimenter && e.Type == openflow.ErrorTypeBadRequest:
		return "the switch refuses bundles, and flows are changed all or none: "
	}
	return ""
}

// notUnderstood reports whether an error says that the switch does not know what a rule asks of it. Other reasons, as a full table,
// may pass.
func notUnderstood(e *openflow.Error) bool {
	return e.Type == openflow.ErrorTypeBadAction || e.Type == openflow.ErrorTypeBadInstruction || e.Type == openflow.ErrorTypeBadMatch
}

// offence names the rule that an error is about, as far as the switch says.
type offence struct {
	owner flow.Owner
	text  string
}

// String returns what is to be added to the error's own text.
func (o offence) String() string { return o.text }

// offender reads the beginning of the refused message: a flow-mod, by itself or in a bundle.
func offender(e *openflow.Error) offence {
	const inBundle, enough = 24, 32
	b := e.Data
	if len(b) >= inBundle && openflow.Type(b[1]) == openflow.TypeExperimenter {
		b = b[inBundle:]
	}
	if len(b) < enough || openflow.Type(b[1]) != openflow.TypeFlowMod {
		return offence{}
	}
	cookie := binary.BigEndian.Uint64(b[8:])
	owner, _ := flow.OwnerOf(cookie)
	return offence{owner, fmt.Sprintf(" (rule in table %s, priority %d, cookie %#x)", apps.TableName(b[24]), binary.BigEndian.Uint16(b[30:]), cookie)}
}

// refusedRequest goes on without what the switch cannot tell (an old switch has no meters, say).
func (m *Machine) refusedRequest(now time.Time, e *openflow.Error) {
	for i, r := range m.waiting {
		if r.xid != e.Xid {
			continue
		}
		m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
		m.fail(now, e)
		m.noMeters = m.noMeters || r.kind == askMeters
		m.answered(now, r.kind)
		return
	}
	m.Unsolicited++
}
