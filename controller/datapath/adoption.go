package datapath

import (
	"bytes"
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Times of an adoption.
const (
	adoptTime  = 1500 * time.Millisecond // for links to be found again
	retainTime = 30 * time.Second        // for those that are not: Open vSwitch waits up to 8 s before it reconnects
)

// maxEarlier bounds the flows that wait for the version of their pipeline, in bytes of the dump. A switch that has not
// shown its first table by then does not dump it first, and is taken to have the first version.
const maxEarlier = 256 << 10

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

	// The version of the pipeline in which the flows were stated, 0 until a rule of the first table has said it, and
	// the flows that came before that one: Open vSwitch dumps the first table first.
	version      uint8
	earlier      []openflow.FlowStats
	earlierBytes int
	// outdated is set while the switch has a pipeline of another version, until a bundle has replaced all of it. No
	// rule is sent but in that bundle: rules of both numberings would lead frames astray.
	outdated bool
}

// attach begins a session. dump is set if the flows have to be read first, reset if what the apps know must be
// forgotten.
func (a *adoption) attach() (dump, reset bool) {
	reset = a.state == adoptionStale
	if reset {
		a.state = adoptionPending
	}
	a.flows = 0
	if a.state == adoptionPending { // else the version of flows that no bundle has replaced yet stays known
		a.version, a.outdated = 0, false
	}
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
	if m.adoption.version == 0 {
		m.restoreVersion(now, firstVersion)
	}
	m.l2.Restored(&m.Out)
	m.Out.Store.Discard()
	m.adoption.retain(now)
	m.portsDirty = true
}

// restoreFlow rebuilds the apps' knowledge from a flow of an earlier run, once the version of its pipeline is known.
func (m *Machine) restoreFlow(now time.Time, f *openflow.FlowStats) {
	owner, ours := flow.OwnerOf(f.Cookie)
	if !ours {
		return // a switch that does not filter by cookie
	}
	a := &m.adoption
	a.flows++
	if f.TableID == 0 && owner == apps.OwnerDiscovery {
		version := apps.VersionOf(f.Cookie)
		if a.version == 0 {
			m.restoreVersion(now, version)
		}
		a.outdated = a.outdated || version != m.sw.Layout.Version // also where rules of two versions are mixed
	}
	if a.version == 0 && a.keep(f) {
		return
	}
	if a.version == 0 {
		m.restoreVersion(now, firstVersion)
	}
	m.restoreTranslated(now, f)
}

// firstVersion is that of pipelines whose rules do not say one.
const firstVersion = 1

// keep holds a flow back until the version is known, as far as there is room.
func (a *adoption) keep(f *openflow.FlowStats) bool {
	const fixed = 56 // bytes of an entry without match and instructions (OpenFlow 1.3.5 section 7.3.5.2)
	size := fixed + len(f.Match) + len(f.Instructions)
	if a.earlierBytes+size > maxEarlier {
		return false
	}
	kept := *f
	kept.Match, kept.Instructions = bytes.Clone(f.Match), bytes.Clone(f.Instructions)
	a.earlier, a.earlierBytes = append(a.earlier, kept), a.earlierBytes+size
	return true
}

// dropEarlier forgets the flows that wait.
func (a *adoption) dropEarlier() { a.earlier, a.earlierBytes = nil, 0 }

// restoreVersion takes up the flows that had to wait for the version.
func (m *Machine) restoreVersion(now time.Time, version uint8) {
	a := &m.adoption
	a.version = version
	a.outdated = version != m.sw.Layout.Version
	for i := range a.earlier {
		m.restoreTranslated(now, &a.earlier[i])
	}
	a.dropEarlier()
}

// restoreTranslated hands a flow to its app, under today's number of its table. What the app does not take up the audit
// replaces.
func (m *Machine) restoreTranslated(now time.Time, f *openflow.FlowStats) {
	owner, _ := flow.OwnerOf(f.Cookie)
	table, known := m.sw.Layout.Translate(m.adoption.version, f.TableID)
	match, err := flow.Canonical(f.Match)
	limit := m.sw.Settings.HostsPerSwitch
	switch {
	case !known || err != nil || m.apps.ByOwner[owner] == nil:
	case limit > 0 && owner == apps.OwnerHosts && table == m.sw.Layout.Table("learn").Number && m.l2.Len() >= limit:
	default:
		f.TableID = table
		m.apps.ByOwner[owner].MultipartReply(now, f, &match, &m.Out)
	}
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
