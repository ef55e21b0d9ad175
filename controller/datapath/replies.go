package datapath

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// multipartReply takes one part of a reply that was requested; others are counted and ignored.
func (m *Machine) multipartReply(now time.Time, xid uint32, msg []byte) error {
	var part openflow.Multipart
	if err := part.Decode(msg); err != nil {
		return err
	}
	kind, known, err := m.requests.receive(xid, &part, len(msg))
	if err != nil {
		return err
	}
	if !known {
		m.Unsolicited++
		return nil
	}
	if err := m.readPart(now, kind, part.Body); err != nil {
		return err
	}
	if !part.More {
		m.replied(now, kind)
	}
	return nil
}

func (m *Machine) readPart(now time.Time, kind requestKind, body []byte) error {
	switch kind {
	case requestDesc:
		return m.desc.Decode(body)
	case requestPorts:
		return eachEntry(body, openflow.DecodePortDesc, func(p *openflow.PortDesc) { m.listPort(*p) })
	case requestMeters:
		return eachEntry(body, openflow.DecodeMeterConfig, func(c *openflow.MeterConfig) {
			m.Out.Store.DumpedMeter(c, &m.audit.drift)
		})
	case requestRestore:
		return eachEntry(body, openflow.DecodeFlowStats, func(f *openflow.FlowStats) { m.restoreFlow(now, f) })
	case requestFlows:
		return eachEntry(body, openflow.DecodeFlowStats, func(f *openflow.FlowStats) { m.auditFlow(now, f) })
	case requestGroups:
		return eachEntry(body, openflow.DecodeGroupDesc, func(g *openflow.GroupDesc) {
			m.Out.Store.DumpedGroup(g, &m.audit.drift)
		})
	case requestPortStats:
		return eachEntry(body, openflow.DecodePortStats, m.portStats)
	}
	return nil
}

// eachEntry decodes all entries of a part and calls f for each. f must not keep the entry.
func eachEntry[T any](body []byte, decode func([]byte) (T, []byte, error), f func(*T)) error {
	for len(body) > 0 {
		entry, rest, err := decode(body)
		if err != nil {
			return err
		}
		f(&entry)
		body = rest
	}
	return nil
}

// auditFlow compares a flow with what is desired.
func (m *Machine) auditFlow(now time.Time, f *openflow.FlowStats) {
	owner, ours := flow.OwnerOf(f.Cookie)
	if !ours {
		return // a switch that does not filter by cookie
	}
	match, err := flow.Canonical(f.Match)
	most := maxStrays
	if m.adoption.outdated {
		most = maxOutdated
	}
	if m.audit.drift.Stray < most || err == nil && m.Out.Store.Has(f.TableID, f.Priority, &match) {
		m.Out.Store.Dumped(f, &m.audit.drift)
	}
	if err == nil && owner == apps.OwnerHosts {
		m.l2.UpdateStats(now, f, &match)
	}
}

// replied goes on when a request has been answered in full, or rejected.
func (m *Machine) replied(now time.Time, kind requestKind) {
	switch kind {
	case requestPorts:
		m.setPorts(now)
	case requestRestore:
		m.restored(now)
	case requestMeters:
		m.metersListed()
	default:
	}
	switch m.phase {
	case Describing:
		m.maybeDescribed(now)
	case Auditing:
		if kind != requestPortStats && !m.requests.outstanding(requestMeters, requestFlows, requestGroups) {
			m.endAudit(now)
		}
	}
}

// maybeDescribed ends phase Describing when all is known that has to be known before anything is written.
func (m *Machine) maybeDescribed(now time.Time) {
	switch {
	case m.phase != Describing || m.role.state != roleKnown:
	case m.requests.outstanding(requestDesc, requestPorts, requestMeters, requestRestore):
	case m.role.current == openflow.RoleSlave:
		m.becomeSlave(now, "another controller is the switch's master")
	case m.adoption.flows > 0:
		m.transition(now, describedFlows)
	default:
		m.transition(now, described)
	}
}
