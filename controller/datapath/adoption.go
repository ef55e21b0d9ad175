package datapath

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/event"
)

// Times of an adoption.
const (
	adoptTime  = 1500 * time.Millisecond // for links to be found again
	retainTime = 30 * time.Second        // for those that are not: Open vSwitch waits up to 8 s before it reconnects
)

type adoptionState uint8

const (
	adoptionPending adoptionState = iota // the controller has just started: the switch's flows are read first
	adoptionDone                         // what the switch had has been taken over
	adoptionStale                        // another controller has been the master since: what is known is old
)

// adoption takes over the flows that an earlier run of the controller, or another controller, has left at the switch.
type adoption struct {
	state       adoptionState
	flows       int       // of an earlier run, in this session's first dump
	until       time.Time // the end of phase Adopting
	retainUntil time.Time // until when links of before are kept that were not found again, zero for no more
}

// attach begins a session. dump is set if the flows have to be read first, reset if what the apps know must be
// forgotten.
func (a *adoption) attach() (dump, reset bool) {
	reset = a.state == adoptionStale
	if reset {
		a.state = adoptionPending
	}
	a.flows = 0
	return a.state == adoptionPending, reset
}

// begin starts the time in which links are to be found again.
func (a *adoption) begin(now time.Time) { a.until = now.Add(adoptTime) }

// retain starts the time for which links are kept that are not found again.
func (a *adoption) retain(now time.Time) { a.retainUntil = now.Add(retainTime) }

// retainOver reports once that this time has passed.
func (a *adoption) retainOver(now time.Time) bool {
	if a.retainUntil.IsZero() || now.Before(a.retainUntil) {
		return false
	}
	a.retainUntil = time.Time{}
	return true
}

// restored has read the whole dump: the apps' knowledge is rebuilt, and all that they have stated is there.
func (m *Machine) restored(now time.Time) {
	if m.adoption.flows == 0 {
		return
	}
	m.l2.Restored(&m.Out)
	m.Out.Store.Discard()
	m.adoption.retain(now)
	m.portsDirty = true
}

// beginAdoption lets the flows that are there forward by themselves, until the links that explain some of them are
// found again.
func (m *Machine) beginAdoption(now time.Time) {
	m.adoption.begin(now)
	m.emit(now, event.SwitchAdopted, fmt.Sprintf(" has %d flows of ours from before: they stay", m.adoption.flows))
}

// releaseRetained gives up the links that have not been found again.
func (m *Machine) releaseRetained(now time.Time) {
	if !m.adoption.retainOver(now) {
		return
	}
	for _, p := range m.sw.Ports {
		if p.Retained {
			p.Retained, m.refreshDue, m.portsDirty = false, true, true
			m.findTransit(p)
		}
	}
}
