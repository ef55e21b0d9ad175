package datapath

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// A generation is newer than the one before, also when it wraps around, and never the value that stands for none.
func TestNextGeneration(t *testing.T) {
	if g := nextGeneration(noGeneration, epoch); g != uint64(epoch.UnixMilli()) {
		t.Errorf("the first generation is %d", g)
	}
	for _, seen := range []uint64{0, 1, 1 << 63, noGeneration - 2, noGeneration - 1, uint64(epoch.UnixMilli())} {
		if g := nextGeneration(seen, epoch); g == noGeneration || int64(g-seen) <= 0 {
			t.Errorf("after %d comes %d", seen, g)
		}
	}
}

// A request is answered once, and by its own xid.
func TestRoleRequests(t *testing.T) {
	t.Parallel()
	var r role
	var out apps.Output
	if r.answered(0) != roleKnown {
		t.Error("answered before any request")
	}
	r.query(epoch, &out)
	if r.answered(2) != roleKnown || r.answered(1) != roleQuerying || r.answered(1) != roleKnown ||
		!r.deadline.IsZero() {
		t.Errorf("the query: %+v", r)
	}
	out.Wire, r.generation = nil, 41
	r.claim(epoch, &out)
	var claim openflow.RoleRequest
	if err := claim.Decode(out.Wire); err != nil || claim.Role != openflow.RoleMaster || claim.GenerationID != 42 {
		t.Errorf("claimed with %+v, %v", claim, err)
	}
	if !r.deadline.Equal(epoch.Add(replyWithin)) || r.answered(1) != roleKnown || r.answered(2) != roleClaiming {
		t.Errorf("the claim: %+v", r)
	}
}

// claimer is a peer whose machine asks to be the master.
func claimer(t *testing.T) *peer {
	p := newPeer(t)
	in := inNetwork()
	in.Claim = true
	p.m.Configure(in)
	return p
}

func (p *peer) wantRole(role uint32, phase Phase) {
	p.t.Helper()
	if s := p.m.Status(); s.Role != role || s.Phase != phase {
		p.t.Errorf("role %s, phase %s, want %s, %s", openflow.RoleName(s.Role), s.Phase, openflow.RoleName(role), phase)
	}
}

// writes are the messages among those sent since the last look that a slave must not send.
func (p *peer) writes() (list []string) {
	for line := range strings.Lines(p.sent()) {
		for _, w := range []string{"add ", "delete ", "modify ", "bundle", "packet_out", "meter_mod"} {
			if strings.HasPrefix(line, w) {
				list = append(list, line)
			}
		}
	}
	return list
}

func slaveStatus() []byte {
	return openflow.AppendRoleStatus(nil, 0,
		openflow.RoleStatus{Role: openflow.RoleSlave, Reason: openflow.RoleMasterRequest, GenerationID: 99})
}

// The claim follows the generation that the switch has seen, and nothing is written before it is granted.
func TestClaim(t *testing.T) {
	p := claimer(t)
	p.claim(openflow.RoleMaster, 41)
	granted := false
	p.silent = func(msg []byte) bool {
		if openflow.Type(msg[1]) == openflow.TypeFlowMod && !granted {
			t.Errorf("written before the claim is granted: %s", p.describe(msg))
		}
		return false
	}
	p.refuse = func(msg []byte) (uint16, uint16) {
		var r openflow.RoleRequest
		if r.Decode(msg) == nil && r.Role == openflow.RoleMaster {
			granted = true
			if r.GenerationID != 42 {
				t.Errorf("claimed with generation %d", r.GenerationID)
			}
		}
		return 0, 0
	}
	p.ready()
	if !granted {
		t.Error("no claim")
	}
	p.wantRole(openflow.RoleMaster, Ready)
}

// Without a claim whatever the switch gives is good, and a reply to nothing changes nothing.
func TestRoleReply(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.wantRole(openflow.RoleEqual, Ready)
	p.recv(openflow.AppendRoleReply(nil, 4711, openflow.RoleSlave, 9),
		openflow.AppendRoleReply(nil, 0, openflow.RoleSlave, 9))
	p.wantRole(openflow.RoleEqual, Ready)
	if p.m.Unsolicited != 2 {
		t.Errorf("%d unsolicited", p.m.Unsolicited)
	}
}

// A switch that knows no roles, or gives none, is served as before; so is one that would not say which generation it
// has seen.
func TestRoleRefused(t *testing.T) {
	for name, refused := range map[string]uint32{
		"no roles at all": openflow.RoleNoChange,
		"no masters":      openflow.RoleMaster,
	} {
		t.Run(name, func(t *testing.T) {
			p := claimer(t)
			p.refuse = func(msg []byte) (uint16, uint16) {
				var r openflow.RoleRequest
				if r.Decode(msg) == nil && r.Role == refused {
					return openflow.ErrorTypeRoleRequestFailed, openflow.RoleRequestFailedUnsup
				}
				return 0, 0
			}
			p.ready()
			p.wantRole(openflow.RoleEqual, Ready)
			if err := p.m.Status().Err; err != nil {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A role request that is never answered ends the session.
func TestRoleUnanswered(t *testing.T) {
	p := claimer(t)
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeRoleRequest }
	p.attach()
	p.wantRole(openflow.RoleNoChange, Describing)
	p.pass(replyWithin + time.Second)
	if p.err == nil || !strings.Contains(p.err.Error(), "role request") {
		t.Errorf("ended with %v", p.err)
	}
}

// Whoever claims the switch later is obeyed: nothing is written from then on, in whatever phase the session is.
func TestBecomeSlave(t *testing.T) {
	isSlave := openflow.AppendError(nil, 77, openflow.ErrorTypeBadRequest, openflow.BadRequestIsSlave, flowMod())
	for _, c := range []struct {
		name   string
		tell   []byte
		silent openflow.Type // what the switch leaves unanswered, so that the session is in the phase
		phase  Phase
	}{
		{"role status when ready", slaveStatus(), 0, Ready},
		{"is-slave error when ready", isSlave, 0, Ready},
		{"role status while auditing", slaveStatus(), openflow.TypeMultipartRequest, Auditing},
		{"role status while committing", slaveStatus(), openflow.TypeExperimenter, Committing},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := claimer(t)
			p.ready()
			if c.phase != Ready {
				p.flows = p.flows[1:] // something to repair
				p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == c.silent }
				p.pass(31 * time.Second)
			}
			if got := p.m.Phase(); got != c.phase {
				t.Fatalf("phase %s", got)
			}
			p.notices = nil
			confirmed := make(chan struct{})
			p.m.NotifyInstalled(confirmed)
			p.recv(c.tell)
			p.silent = nil
			p.wantRole(openflow.RoleSlave, Standby)
			p.wantNotice("role_lost", "writes nothing")
			select {
			case <-confirmed:
			default:
				t.Error("who waits for a confirmation waits on")
			}

			// Nothing that would make a master write does.
			p.sent()
			hellos := p.hellos
			p.recv(manyHosts(3)...)
			p.recv(portStatus(openflow.PortAdd, port(3)))
			p.recv(openflow.AppendError(nil, 78, openflow.ErrorTypeBadRequest, openflow.BadRequestIsSlave, flowMod()))
			in := inPort("p1", 11)
			in.Claim = true
			p.m.Configure(in)
			if c.phase == Auditing {
				p.pass(20 * time.Second) // before the dump that does not come ends the session
			} else {
				p.pass(2 * time.Minute)
			}
			if w := p.writes(); len(w) > 0 || p.hellos != hellos {
				t.Errorf("a slave wrote %q and %d packet-outs", w, p.hellos-hellos)
			}
			if p.err != nil {
				t.Errorf("session ended: %v", p.err)
			}
			if n := len(p.notices); n != 1 {
				t.Errorf("notices %q", p.notices)
			}
			if err := p.m.Status().Err; err != errStandby {
				t.Errorf("status says %v", err)
			}
			if ports := p.m.Status().Ports; ports != 3 {
				t.Errorf("%d ports are seen", ports)
			}
		})
	}
}

// flowMod is the beginning of a flow-mod of ours, as an error quotes it.
func flowMod() []byte {
	m := flow.Match{}.InPort(1)
	return openflow.AppendFlowMod(nil, 77, openflow.FlowAdd, &openflow.FlowMod{
		Cookie: flow.Cookie(apps.OwnerL2, 1), BufferID: openflow.BufferNone,
		OutPort: openflow.PortAny, OutGroup: openflow.GroupAny, Match: m.Bytes(),
	})
}

// A claim that another controller's newer one has overtaken is not repeated: that would be no fence.
func TestStaleClaim(t *testing.T) {
	p := claimer(t)
	claims := 0
	p.refuse = func(msg []byte) (uint16, uint16) {
		var r openflow.RoleRequest
		if r.Decode(msg) == nil && r.Role == openflow.RoleMaster {
			claims++
			return openflow.ErrorTypeRoleRequestFailed, openflow.RoleRequestFailedStale
		}
		return 0, 0
	}
	p.attach()
	p.pass(5 * time.Minute)
	p.wantRole(openflow.RoleSlave, Standby)
	if w := p.writes(); claims != 1 || len(w) > 0 || p.hellos > 0 {
		t.Errorf("%d claims, written %q, %d packet-outs", claims, w, p.hellos)
	}
}

// When the switch connects anew, it is claimed again, and what the other controller has left is taken over: its hosts,
// where they are now, and not those that were known before.
func TestClaimAgain(t *testing.T) {
	p := claimer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA), packetIn(learnCookie, 1, macB))
	p.recv(slaveStatus())
	var kept []openflow.FlowStats
	for _, f := range p.flows { // B's are gone, A's now say port 2
		m, err := flow.Canonical(f.Match)
		if err != nil {
			t.Fatal(err)
		}
		if mac, ok := m.GetEthSrc(); ok && mac == macA {
			m = flow.Match{}.InPort(2).EthSrc(macA).VLAN(10)
			f.Match = m.Bytes()
		} else if ok && mac == macB {
			continue
		}
		if mac, ok := m.GetEthDst(); ok && mac == macB {
			continue
		}
		kept = append(kept, f)
	}
	p.flows = kept
	p.m.Detach(p.now)
	other := p.claim(openflow.RoleNoChange, 0) + 50
	p.claim(openflow.RoleMaster, other)
	p.attach()
	p.pass(15 * time.Second)
	p.wantRole(openflow.RoleMaster, Ready)
	if g := p.claim(openflow.RoleNoChange, 0); g != other+1 {
		t.Errorf("claimed with generation %d", g)
	}
	if s := p.m.Status(); s.Hosts != 1 || s.Err != nil {
		t.Errorf("%d hosts, error %v", s.Hosts, s.Err)
	}
	dump := p.dump()
	if !strings.Contains(dump, "in_port=2") || strings.Contains(dump, macB.String()) ||
		strings.Count(dump, macA.String()) != 2 {
		t.Errorf("flows:\n%s", dump)
	}
}

// A role that comes back without a new session begins one.
func TestRoleBack(t *testing.T) {
	p := claimer(t)
	p.ready()
	p.recv(slaveStatus())
	p.recv(openflow.AppendRoleStatus(nil, 0,
		openflow.RoleStatus{Role: openflow.RoleMaster, Reason: openflow.RoleConfig, GenerationID: 5}))
	if p.err == nil || !strings.Contains(p.err.Error(), "master again") {
		t.Errorf("ended with %v", p.err)
	}
}
