package datapath

import (
	"slices"
	"time"
)

// Phase is how far a session has come.
type Phase uint8

// The phases. From Adopting on, the apps run and the switch is ours to write to.
const (
	Offline    Phase = iota // no session
	Describing              // role, ports and meters are requested; after the controller's start also the flows
	Standby                 // another controller is the switch's master: nothing is written
	Adopting                // flows of an earlier run forward; links are found again, and only hosts are changed
	Auditing                // flows and groups are dumped and compared with what is desired
	Committing              // the difference is on its way in a bundle
	Ready                   // changes are sent as they come
	numPhases
)

// String returns the phase in a word.
func (p Phase) String() string {
	return [...]string{"offline", "describing", "standby", "adopting", "auditing", "committing", "ready", ""}[p]
}

// sessionEvent is what moves a session from one phase to the next.
type sessionEvent uint8

const (
	attached        sessionEvent = iota // the handshake is done
	claimDue                            // the switch reported a role other than master, and the config wants it claimed
	described                           // every request is answered; the switch has no flows of an earlier run
	describedFlows                      // every request is answered; the switch has flows of an earlier run
	adoptionOver                        // links had time to be found again
	auditDue                            // the interval is over, there was a sign of drift, or a change was rejected
	inSync                              // the dumps show what is desired
	outOfSync                           // the dumps differ
	bundleAccepted                      // the barrier after the bundle's last message is answered
	bundleCommitted                     // the commit is answered
	bundleRejected                      // an error for a message of the bundle
	becameSlave                         // another controller has become the switch's master
	detached                            // the connection is closed
	numEvents
)

// String returns the event in words.
func (e sessionEvent) String() string {
	return [...]string{
		"attached", "claim due", "described", "described, flows found", "adoption over", "audit due", "in sync",
		"out of sync", "bundle accepted", "bundle committed", "bundle rejected", "became slave", "detached", "",
	}[e]
}

type transitionRow struct {
	from  []Phase
	event sessionEvent
	to    Phase
	sends []string
}

// transitions are all changes of phase. Before the first, Handshake has exchanged HELLO and FEATURES. sends is what
// goes out at once, in order; what stands in brackets goes out only if needed. docs/architecture.md has the same table.
var transitions = []transitionRow{
	{[]Phase{Offline}, attached, Describing, []string{
		"set_config", "set_async", "role_request", "multipart desc", "multipart port_desc", "multipart meter_config",
		"[multipart flow]",
	}},
	{[]Phase{Describing}, claimDue, Describing, []string{"role_request"}},
	{[]Phase{Describing}, described, Auditing, []string{"[meter_mod]", "multipart flow", "multipart group_desc"}},
	{[]Phase{Describing}, describedFlows, Adopting, nil},
	{[]Phase{Adopting}, adoptionOver, Auditing, []string{"[meter_mod]", "multipart flow", "multipart group_desc"}},
	{[]Phase{Ready}, auditDue, Auditing, []string{
		"[meter_mod]", "[multipart meter_config]", "multipart flow", "multipart group_desc",
	}},
	{[]Phase{Auditing}, inSync, Ready, []string{"[meter_mod]", "[flow_mod]"}},
	{[]Phase{Auditing}, outOfSync, Committing, []string{"[meter_mod]", "bundle open", "bundle add", "barrier_request"}},
	{[]Phase{Committing}, bundleAccepted, Committing, []string{"bundle commit"}},
	{[]Phase{Committing}, bundleCommitted, Ready, []string{"[flow_mod]"}},
	{[]Phase{Committing}, bundleRejected, Ready, []string{"bundle discard"}},
	{[]Phase{Describing, Adopting, Auditing, Committing, Ready}, becameSlave, Standby, nil},
	{[]Phase{Describing, Standby, Adopting, Auditing, Committing, Ready}, detached, Offline, nil},
}

// nextPhase looks up the table.
func nextPhase(from Phase, ev sessionEvent) (to Phase, ok bool) {
	for i := range transitions {
		if t := &transitions[i]; t.event == ev && slices.Contains(t.from, from) {
			return t.to, true
		}
	}
	return from, false
}

// transition is the only place where the phase changes. An event without a row for the current phase changes nothing,
// and false is returned.
func (m *Machine) transition(now time.Time, ev sessionEvent) bool {
	from := m.phase
	to, ok := nextPhase(from, ev)
	if !ok {
		return false
	}
	m.phase = to
	switch ev {
	case attached:
		m.requestDescription(now)
	case claimDue:
		m.role.claim(now, &m.Out)
	case described:
		m.startApps(now)
		m.beginAudit(now, from)
	case describedFlows:
		m.startApps(now)
		m.beginAdoption(now)
	case adoptionOver, auditDue:
		m.beginAudit(now, from)
	case inSync:
		m.becomeReady(now)
	case outOfSync:
		m.bundle.open(&m.Out)
	case bundleAccepted:
		m.bundle.commit(now, &m.Out)
	case bundleCommitted:
		m.bundle.close()
		m.lastErr.clear()
		m.becomeReady(now)
	case bundleRejected:
		m.bundle.discard(&m.Out)
		m.Out.Store.Discard()
	case becameSlave:
		m.stopWriting(now)
	case detached:
		m.endSession(now)
	}
	return true
}
