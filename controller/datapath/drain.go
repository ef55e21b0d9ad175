package datapath

import "time"

// drain sends what is queued, as far as the window allows: message by message, or in phase Committing as one bundle.
func (m *Machine) drain(now time.Time) {
	if m.adoption.outdated && m.phase != Committing {
		return
	}
	var wrap func(wire, msg []byte) []byte
	switch m.phase {
	case Ready:
		m.sendMeters()
	case Committing:
		if m.bundle.state == bundleCommitting {
			return // what has come since goes out when it is done
		}
		wrap = m.bundle.add
	}
	store := m.Out.Store
	for room := m.barriers.room(); room > 0 && store.Pending() > 0; room = m.barriers.room() {
		before := len(m.Out.Wire)
		m.Out.Wire = store.Drain(m.Out.Wire, before+room, &m.Out.Xid, wrap)
		m.barriers.add(len(m.Out.Wire)-before, &m.Out)
	}
	if m.phase == Ready && store.Pending() == 0 {
		m.Out.Wire = store.DrainMeterDeletions(m.Out.Wire, &m.Out.Xid)
	}
	if m.phase != Committing || store.Pending() > 0 {
		return
	}
	if m.barriers.unbarriered > 0 {
		m.barriers.send(nil, &m.Out)
	}
	if m.barriers.inflight == 0 {
		m.transition(now, bundleAccepted)
	}
}

// refresh has the apps restate what depends on ports, settings and the graph, if any of them has changed.
func (m *Machine) refresh(now time.Time) (done bool) {
	if !m.refreshDue {
		return false
	}
	m.refreshDue = false
	for _, a := range m.apps.Order {
		a.Refresh(now, &m.Out)
	}
	return true
}
