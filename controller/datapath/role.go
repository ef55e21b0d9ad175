package datapath

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
)

// A controller claims to be the master of each of its switches (spec 6.3.6). Of two that do, the later one is obeyed,
// and the switch rejects what the earlier one still writes: two controllers with different ideas of a network never mix
// their flows. The generation id says which of two claims is the newer one, so that one that was held up somewhere does
// not win.

// noGeneration is what a switch reports that has not seen a claim yet.
const noGeneration = math.MaxUint64

// nextGeneration returns the generation of a claim that follows one with the generation seen. Generations are compared
// by their signed difference, so that they may wrap around. The first one is the time, in milliseconds.
func nextGeneration(seen uint64, now time.Time) uint64 {
	if seen == noGeneration {
		return uint64(now.UnixMilli())
	}
	if seen+1 == noGeneration {
		return 0
	}
	return seen + 1
}

type roleState uint8

const (
	roleKnown    roleState = iota // no request is outstanding
	roleQuerying                  // the first request asks for the role and the generation
	roleClaiming                  // the second one asks to be the master
)

// role is the controller's role at the switch.
type role struct {
	current    uint32 // openflow.RoleNoChange until it is known
	state      roleState
	generation uint64    // that the switch has seen
	xid        uint32    // of the request that is not answered
	deadline   time.Time // of its reply; zero if there is none
}

// query asks for the role and the generation, which a claim has to follow.
func (r *role) query(now time.Time, out *apps.Output) {
	r.request(now, roleQuerying, openflow.RoleNoChange, 0, out)
}

// claim asks to be the master.
func (r *role) claim(now time.Time, out *apps.Output) {
	r.request(now, roleClaiming, openflow.RoleMaster, nextGeneration(r.generation, now), out)
}

func (r *role) request(now time.Time, state roleState, role uint32, generation uint64, out *apps.Output) {
	r.state, r.xid, r.deadline = state, nextXid(out), now.Add(replyWithin)
	out.Wire = openflow.AppendRoleRequest(out.Wire, r.xid, role, generation)
}

// answered ends the request with an xid and returns what it was, roleKnown if no such request is outstanding.
func (r *role) answered(xid uint32) roleState {
	if r.state == roleKnown || xid != r.xid {
		return roleKnown
	}
	was := r.state
	r.state, r.deadline = roleKnown, time.Time{}
	return was
}

// roleReply takes the answer to our request; others are counted and ignored.
func (m *Machine) roleReply(now time.Time, xid uint32, reply *openflow.RoleReply) {
	was := m.role.answered(xid)
	if was == roleKnown {
		m.Unsolicited++
		return
	}
	m.role.current, m.role.generation = reply.Role, reply.GenerationID
	if m.intent.Claim && was == roleQuerying && reply.Role != openflow.RoleMaster && m.transition(now, claimDue) {
		return
	}
	m.maybeDescribed(now)
}

// roleRejected goes on without a role at a switch that has none to give, and stands by when another controller was
// faster.
func (m *Machine) roleRejected(now time.Time, e *openflow.Error) {
	was := m.role.answered(e.Xid)
	switch {
	case was == roleKnown:
		m.Unsolicited++
		return
	case e.Type == openflow.ErrorTypeRoleRequestFailed && e.Code == openflow.RoleRequestFailedStale:
		m.Errors++
		m.becomeSlave(now, "another controller has claimed the switch at the same time, and later")
		return
	case was == roleClaiming:
		m.emit(now, event.RoleRefused,
			fmt.Sprintf(" does not let Eosin be its master (%v): another controller could write to it, too", e))
	}
	if m.role.current == openflow.RoleNoChange {
		m.role.current = openflow.RoleEqual // as every controller begins
	}
	m.maybeDescribed(now)
}

// roleStatus takes the switch's word that our role has changed. One that comes back begins with a session of its own:
// what the switch holds by then has to be compared from the start.
func (m *Machine) roleStatus(now time.Time, s *openflow.RoleStatus) error {
	switch {
	case s.Role == openflow.RoleSlave:
		m.becomeSlave(now, "another controller has become the switch's master")
	case m.phase == Standby:
		return fmt.Errorf("the role at the switch is %s again", openflow.RoleName(s.Role))
	default:
		m.role.current = s.Role
	}
	return nil
}

// errStandby is what the switch's status shows while another controller is its master.
var errStandby = errors.New(
	"another controller is the switch's master: Eosin writes nothing to it until it connects anew")

// becomeSlave stops all writing: the switch obeys another controller. The session stays, to hear of ports and to be
// seen.
func (m *Machine) becomeSlave(now time.Time, why string) {
	m.role.current = openflow.RoleSlave
	if m.transition(now, becameSlave) {
		m.lastErr.set(now, errStandby)
		m.emit(now, event.RoleLost, ": "+why+": Eosin writes nothing to it until it connects anew")
	}
}

// stopWriting is done when the session goes to standby.
func (m *Machine) stopWriting(now time.Time) {
	m.adoption.state = adoptionStale
	m.adoption.dropEarlier()
	m.bundle.close()
	m.audit.cancel()
	m.Out.Store.Discard()
	m.barriers.releaseWaiters()
	for _, a := range m.apps.Order {
		a.SwitchDisconnected(now)
	}
}
