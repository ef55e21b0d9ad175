package datapath

import (
	"errors"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
)

// Meter-mods that add or change go before the flows that name the meter, those that delete after everything else, and
// none into a bundle, in which Open vSwitch takes none.

var errNoMeters = errors.New(
	"the switch refuses meters: what it copies to the controller is limited by the controller alone")

// startMeters begins a session. The switch may be another one than before, or have room for meters again.
func (m *Machine) startMeters() {
	m.refreshDue = m.refreshDue || m.Out.Store.RefusedMeters() > 0
	m.Out.Store.ResetMeters()
	m.Out.Store.BeginMeterAudit()
}

// requestMeters has the switch list its meters again.
func (m *Machine) requestMeters(now time.Time) {
	if !m.metersUnlisted {
		m.Out.Store.BeginMeterAudit()
		m.requests.send(now, requestMeters, &m.Out)
	}
}

// metersListed has seen the whole list, or goes on with a switch that cannot tell.
func (m *Machine) metersListed() {
	if !m.metersUnlisted {
		m.Out.Store.EndMeterAudit(&m.audit.drift)
	}
}

// sendMeters sends the meters that are to be added or changed.
func (m *Machine) sendMeters() { m.Out.Wire = m.Out.Store.DrainMeters(m.Out.Wire, &m.Out.Xid) }

// meterRejected goes on without a meter. The apps leave it out of their rules, and the next session tries again.
func (m *Machine) meterRejected(now time.Time, xid uint32) {
	if meter, ok := m.Out.Store.RefuseMeter(xid); ok {
		m.refreshDue = true
		m.emit(now, event.NoMeters, fmt.Sprintf(" refuses meter %#x of %d packets a second: "+
			"what it copies to the controller is limited by the controller alone", meter.ID, meter.Rate))
	}
}
