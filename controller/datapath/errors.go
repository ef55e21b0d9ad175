package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// handleError takes an error message: by what was rejected, or, where that says nothing new, by counting it only.
func (m *Machine) handleError(now time.Time, e *openflow.Error) {
	t, known := e.RequestType()
	switch {
	case known && t == openflow.TypeMultipartRequest:
		m.requestRejected(now, e)
	case known && t == openflow.TypeRoleRequest:
		m.roleRejected(now, e)
	case e.Type == openflow.ErrorTypeBadRequest && e.Code == openflow.BadRequestIsSlave:
		m.Errors++
		m.becomeSlave(now, "another controller has become the switch's master")
	case known && t == openflow.TypeExperimenter && m.audit.baseline == baselineRejected:
		m.Errors++ // a consequence of the error that says why
	case m.repeatsLastError(e):
		m.Errors++
		m.lastErr.suppressed++
	case known && (t == openflow.TypePacketOut || t == openflow.TypeSetConfig):
		m.reportError(now, e) // nothing of the switch's state is missing
	default:
		m.changeRejected(now, e, known && t == openflow.TypeMeterMod)
	}
}

// changeRejected handles an error for a change of the switch's state. An audit follows, later with each failure. A
// bundle is discarded, since Open vSwitch would commit the rest of it. Rules of single hosts, if one was rejected, are
// from now on sent after bundles: ports and floods must not go without rules because a table has no room for all hosts.
func (m *Machine) changeRejected(now time.Time, e *openflow.Error, meter bool) {
	rule := m.rejectedFlow(e)
	if meter && m.Out.Store.RefusedMeters() > 0 {
		m.Errors++ // the status shows the first
	} else {
		m.reportError(now, fmt.Errorf("%w%s", e, rule.text))
	}
	if rule.owner == apps.OwnerProbe && unsupported(e) && m.intent.Trap == intent.TrapAuto && !m.sw.NoConntrack {
		m.sw.NoConntrack, m.refreshDue = true, true
		m.emit(now, event.NoConntrack, " refuses conntrack actions: probe replies are trapped by DSCP")
	}
	if meter {
		m.meterRejected(now, e.Xid)
	}
	switch m.phase {
	case Auditing:
		m.audit.baseline = baselineRejected // what is missing from now on is no drift
	case Committing:
		m.audit.baseline = baselineRejected
		m.audit.hostsSeparate = m.audit.hostsSeparate || rule.owner == apps.OwnerHosts
		m.transition(now, bundleRejected)
	}
	if m.phase == Ready {
		m.audit.repair(now)
	}
}

// requestRejected goes on without what the switch cannot tell: an old switch has no meters, say.
func (m *Machine) requestRejected(now time.Time, e *openflow.Error) {
	kind, known := m.requests.end(e.Xid)
	if !known {
		m.Unsolicited++
		return
	}
	m.reportError(now, e)
	if kind == requestMeters {
		m.metersUnlisted = true
	}
	m.replied(now, kind)
}

// repeatsLastError reports whether a host's rule was rejected for the reason that the status already shows, while a
// repair is planned in any case.
func (m *Machine) repeatsLastError(e *openflow.Error) bool {
	if m.phase != Ready || m.audit.repairAt.IsZero() || m.rejectedFlow(e).owner != apps.OwnerHosts {
		return false
	}
	var last *openflow.Error
	return errors.As(m.lastErr.err, &last) &&
		last.Type == e.Type && last.Code == e.Code && last.Experimenter == e.Experimenter
}

// reportError records what the switch rejected, for its status, the log and the metrics.
func (m *Machine) reportError(now time.Time, err error) {
	if text := consequence(err); text != "" {
		err = fmt.Errorf("%s%w", text, err)
	}
	m.lastErr.set(now, err)
	m.Errors++
	m.emitLimited(now, event.SwitchError, "", ": "+err.Error())
}

// consequence puts into words what it means when a switch rejects what every rule depends on; "" for other errors.
func consequence(err error) string {
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

// unsupported reports whether an error says that the switch does not know what a rule asks of it. Other reasons, as a
// full table, may pass.
func unsupported(e *openflow.Error) bool {
	return e.Type == openflow.ErrorTypeBadAction || e.Type == openflow.ErrorTypeBadInstruction ||
		e.Type == openflow.ErrorTypeBadMatch
}

// rejectedFlow is the rule that an error is about, as far as the switch says.
type rejectedFlow struct {
	owner flow.Owner
	text  string // for the error's text, or ""
}

// rejectedFlow reads the beginning of the rejected message: a flow-mod, by itself or in a bundle.
func (m *Machine) rejectedFlow(e *openflow.Error) rejectedFlow {
	const bundleAddLen, needed = 24, 32
	b := e.Data
	if len(b) >= bundleAddLen && openflow.Type(b[1]) == openflow.TypeExperimenter {
		b = b[bundleAddLen:]
	}
	if len(b) < needed || openflow.Type(b[1]) != openflow.TypeFlowMod {
		return rejectedFlow{}
	}
	cookie := binary.BigEndian.Uint64(b[8:])
	owner, _ := flow.OwnerOf(cookie)
	return rejectedFlow{owner, fmt.Sprintf(" (rule in table %s, priority %d, cookie %#x)",
		m.sw.Layout.Name(b[24]), binary.BigEndian.Uint16(b[30:]), cookie)}
}
