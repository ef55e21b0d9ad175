package datapath

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
)

// A controller asks to be the master of each of its switches (spec 6.3.6). Of two that do, the later one is obeyed, and the
// switch refuses what the earlier one still writes: two controllers with different ideas of a network never mix their flows.
// The generation id says which of two claims is the newer one, so that one that was held up somewhere does not win.

// noGeneration is what a switch reports that has not seen a claim yet.
const noGeneration = math.MaxUint64

// nextGeneration returns the generation of a claim that follows one with the generation seen. Generations are compared by
// their signed difference, so that they may wrap around. The first one is the time, in milliseconds.
func nextGeneration(seen uint64, now time.Time) uint64 {
	if seen == noGeneration {
		return uint64(now.UnixMilli())
	}
	if seen+1 == noGeneration {
		return 0
	}
	return seen + 1
}

func (m *Machine) askRole(now time.Time, role uint32, generation uint64) {
	m.roleXid, m.roleBy = m.xid(), now.Add(replyWithin)
	m.Out.Wire = openflow.AppendRoleRequest(m.Out.Wire, m.roleXid, role, generation)
}

// roleReply takes the answer to our request; others are counted and ignored. The first answer says which generation the switch
// has seen, which a claim has to follow.
func (m *Machine) roleReply(now time.Time, xid uint32, r *openflow.RoleReply) {
	if xid != m.roleXid || xid == 0 {
		m.Unsolicited++
		return
	}
	m.role, m.roleXid = r.Role, 0
	if m.intent.Claim && !m.claimed && r.Role != openflow.RoleMaster {
		m.claimed = true
		m.askRole(now, openflow.RoleMaster, nextGeneration(r.GenerationID, now))
		return
	}
	m.describe(now)
}

// refusedRole goes on without a role at a switch that has none to give, and stands by when another controller was faster.
func (m *Machine) refusedRole(now time.Time, e *openflow.Error) {
	if e.Xid != m.roleXid || m.roleXid == 0 {
		m.Unsolicited++
		return
	}
	m.roleXid = 0
	if e.Type == openflow.ErrorTypeRoleRequestFailed && e.Code == openflow.RoleRequestFailedStale {
		m.Errors++
		m.yield(now, "another controller has claimed the switch at the same time, and later")
		return
	}
	if m.claimed {
		m.Out.Emit(now, event.Event{Type: event.RoleRefused, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s does not let Eosin be its master (%v): another controller could write to it, too", m.sw.Name, e)})
	}
	if m.role == openflow.RoleNoChange {
		m.role = openflow.RoleEqual // as every controller begins
	}
	m.describe(now)
}

// roleStatus hears that the switch has changed our role. One that comes back begins with a session of its own: what the switch
// holds by then has to be looked at from the start.
func (m *Machine) roleStatus(now time.Time, s *openflow.RoleStatus) error {
	if s.Role == openflow.RoleSlave {
		m.yield(now, "another controller has become the switch's master")
		return nil
	}
	if m.phase == Standby {
		return fmt.Errorf("the role at the switch is %s again", openflow.RoleName(s.Role))
	}
	m.role = s.Role
	return nil
}

// errStandby is what the switch's status shows while another controller is its master.
var errStandby = errors.New("another controller is the switch's master: Eosin writes nothing to it until it connects anew")

// yield stops all writing: the switch obeys somebody else. The session stays, to hear of its ports and to be seen.
func (m *Machine) yield(now time.Time, why string) {
	m.role = openflow.RoleSlave
	if m.phase == Standby || m.phase == Offline {
		return
	}
	m.phase, m.yielded = Standby, true
	m.bundle, m.commitXid = 0, 0
	m.repairAt, m.auditAt = time.Time{}, time.Time{}
	m.Out.Store.Discard()
	for _, done := range m.unconfirmed {
		close(done)
	}
	m.unconfirmed = nil
	for _, a := range m.order {
		a.SwitchDisconnected(now)
	}
	m.err, m.errAt = errStandby, now
	m.Out.Emit(now, event.Event{Type: event.RoleLost, Switch: m.sw.Name, Message: fmt.Sprintf("switch %s: %s: Eosin writes nothing to it until it connects anew", m.sw.Name, why)})
}
