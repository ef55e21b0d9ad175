package datapath

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Times of audits.
const (
	soonAfter    = 500 * time.Millisecond // a sign of drift: a burst of signs passes first
	retryFirst   = time.Second            // after a rejected change
	retryMost    = 30 * time.Second
	recheckAfter = time.Second // rules that were rejected before have been sent again
)

// maxStrays is how many flows that should not be there one audit removes: the next, which comes soon, sees the rest.
const maxStrays = 50_000

// maxOutdated is the same for a switch with a pipeline of another version, whose flows have to go at once.
const maxOutdated = 100_000

// baseline says what it means that an audit finds a difference.
type baseline uint8

const (
	baselineUnknown  baseline = iota // no audit has ended in this session: it was lost while the switch was away
	baselineVerified                 // all was there: somebody else has changed it, which is drift
	baselineRejected                 // the switch has rejected something since
)

// audit is when flows and groups are compared with what is desired, and what was found.
type audit struct {
	began    time.Time
	nextAt   time.Time // zero: never
	repairAt time.Time // when an audit repairs what was rejected, zero if nothing was
	backoff  time.Duration
	baseline baseline
	drift    flow.Drift
	// hostsSeparate says that rules of single hosts were rejected: they are left out of bundles and sent after them,
	// one by one, so that nothing else is rejected with them.
	hostsSeparate bool
}

// begin starts a comparison.
func (a *audit) begin(now time.Time) {
	if !a.repairAt.IsZero() {
		a.baseline = baselineRejected
	}
	a.began, a.repairAt = now, time.Time{}
	a.drift.Reset()
}

// end ends it and reports whether what differs is drift.
func (a *audit) end() (drifted bool) {
	drifted = a.baseline == baselineVerified && a.drift.Any()
	a.baseline = baselineVerified
	return drifted
}

// ready plans the next audit after one whose difference has been applied; every is the interval, 0 for none.
func (a *audit) ready(now time.Time, every time.Duration) {
	if !a.hostsSeparate {
		a.backoff = retryFirst
	}
	a.nextAt = time.Time{}
	switch {
	case a.hostsSeparate:
		a.nextAt = now.Add(recheckAfter)
	case every > 0:
		a.nextAt = now.Add(every)
	}
	if a.drift.Stray >= maxStrays {
		a.drift.Reset()
		a.soon(now)
	}
}

// soon has an audit come soon: there is a sign that somebody has changed the flows.
func (a *audit) soon(now time.Time) {
	if at := now.Add(soonAfter); a.nextAt.IsZero() || at.Before(a.nextAt) {
		a.nextAt = at
	}
}

// repair plans the audit after a rejected change, later with each. One repairs all that was rejected before it.
func (a *audit) repair(now time.Time) {
	if !a.repairAt.IsZero() {
		return
	}
	a.repairAt = now.Add(a.backoff)
	a.nextAt = a.repairAt
	a.backoff = min(2*a.backoff, retryMost)
}

// cancel plans nothing any more.
func (a *audit) cancel() { a.nextAt, a.repairAt = time.Time{}, time.Time{} }

// due reports whether it is time for an audit.
func (a *audit) due(now time.Time) bool { return !a.nextAt.IsZero() && !now.Before(a.nextAt) }

// beginAudit requests what is there, to compare it with what is desired.
func (m *Machine) beginAudit(now time.Time, from Phase) {
	m.refresh(now) // the desired state must be up to date
	m.sendMeters()
	if from == Ready {
		m.requestMeters(now)
	} else {
		// Nothing that is queued has been sent in this session: the comparison says what has to be.
		m.Out.Store.Discard()
	}
	m.adoption.state = adoptionDone
	m.audit.begin(now)
	m.Out.Store.BeginAudit()
	m.requests.send(now, requestFlows, &m.Out)
	m.requests.send(now, requestGroups, &m.Out)
}

// endAudit has seen all dumps: what differs is sent, flows and groups in one bundle, all or nothing.
func (m *Machine) endAudit(now time.Time) {
	a := &m.audit
	m.Out.Store.EndAudit(&a.drift)
	m.sendMeters()
	if a.end() {
		m.Drifts++
		d := &a.drift
		m.emit(now, event.Drift, fmt.Sprintf(": flows were changed behind our back "+
			"(%d missing, %d altered, %d stray, %d groups, %d meters; first: %s): repaired",
			d.Missing, d.Altered, d.Stray, d.Groups, d.Meters, d.First))
	}
	m.Audits++
	m.AuditTook = now.Sub(a.began)
	if a.hostsSeparate && m.Out.Store.Defer(apps.OwnerHosts) == 0 {
		a.hostsSeparate = false // it has them all
	}
	if m.Out.Store.Pending() == 0 {
		m.transition(now, inSync)
	} else {
		m.transition(now, outOfSync)
	}
}

// becomeReady ends an audit whose difference the switch has applied. Rules that were left out follow, message by
// message.
func (m *Machine) becomeReady(now time.Time) {
	m.adoption.outdated = false
	m.audit.ready(now, m.intent.AuditEvery)
	if m.audit.hostsSeparate {
		m.Out.Store.Resume()
	} else {
		m.lastErr.expire(now, m.audit.backoff)
	}
}

// scheduleAudit has an audit come soon, if one can.
func (m *Machine) scheduleAudit(now time.Time) {
	if m.phase == Ready {
		m.audit.soon(now)
	}
}
