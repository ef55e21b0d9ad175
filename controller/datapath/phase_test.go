package datapath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
)

// kind names a message as the table of transitions does.
func kind(msg []byte) string {
	var request openflow.MultipartRequest
	var control openflow.BundleControl
	var add openflow.BundleAdd
	switch {
	case request.Decode(msg) == nil:
		return "multipart " + openflow.MultipartName(request.Type)
	case add.Decode(msg) == nil:
		return "bundle add"
	case control.Decode(msg) == nil:
		return "bundle " + map[uint16]string{
			openflow.BundleOpenRequest: "open", openflow.BundleCommitRequest: "commit",
			openflow.BundleDiscardRequest: "discard",
		}[control.Type]
	}
	return openflow.Type(msg[1]).String()
}

// hold has the switch leave messages of a kind unanswered.
func (p *peer) hold(k string) {
	p.silent = func(msg []byte) bool {
		if kind(msg) != k {
			return false
		}
		p.held = append(p.held, bytes.Clone(msg))
		return true
	}
}

// release has the switch answer what was held.
func (p *peer) release() {
	p.silent = nil
	for _, msg := range p.held {
		for _, reply := range p.answer(msg) {
			p.receive(reply)
		}
	}
	p.held = nil
}

// arrow takes one step and returns the kinds of messages that it sent, repeated ones once, discovery frames left out.
func (p *peer) arrow(step func(p *peer)) (kinds []string) {
	p.t.Helper()
	p.m.Flush(p.now)
	p.m.TakeWire()
	step(p)
	p.m.Flush(p.now)
	for wire := p.m.TakeWire(); len(wire) > 0; {
		n := int(binary.BigEndian.Uint16(wire[2:]))
		if k := kind(wire[:n]); k != "packet_out" {
			kinds = append(kinds, k)
		}
		wire = wire[n:]
	}
	return slices.Compact(kinds)
}

// Ways to come to a phase and stay there.

func offline(*peer) {}

func describing(p *peer) {
	p.hold("multipart port_desc")
	p.attach()
}

func standby(p *peer) {
	p.ready()
	p.recv(slaveStatus())
}

// adopting is a switch with flows of an earlier run.
func adopting(p *peer) {
	earlierRun(p)
	p.attach()
}

func earlierRun(p *peer) {
	p.ready()
	p.m = newTestMachine(inNetwork())
}

// auditing is an audit of a ready session, which finds what change has done.
func auditing(change func(p *peer)) func(*peer) {
	return func(p *peer) {
		p.ready()
		change(p)
		p.hold("multipart group_desc")
		p.pass(31 * time.Second)
	}
}

func unchanged(*peer) {}

// deleted is drift.
func deleted(p *peer) { p.flows = p.flows[1:] }

// committing has the difference on its way and one message of the bundle unanswered.
func committing(held string) func(*peer) {
	return func(p *peer) {
		p.ready()
		deleted(p)
		p.hold(held)
		p.pass(31 * time.Second)
	}
}

func ready(p *peer) { p.ready() }

// hostsRejected is a switch that has rejected the rules of its one host, which are sent by themselves from now on.
func hostsRejected(p *peer) {
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	p.m.Detach(p.now)
	p.flows = nil
	p.refuse = refuseHosts
	p.attach()
}

// refuseHosts refuses the learn rules of hosts, by themselves or in a bundle.
func refuseHosts(msg []byte) (typ, code uint16) {
	var add openflow.BundleAdd
	if add.Decode(msg) == nil {
		msg = add.Message
	}
	var m openflow.FlowMod
	if m.Decode(msg) == nil && m.TableID == pipeline.Number("learn") && m.Priority == 10 {
		return openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull
	}
	return 0, 0
}

// tick moves time on to when something is due. The switch is heard meanwhile, so that no echo request is.
func tick(after time.Duration) func(*peer) {
	return func(p *peer) {
		p.now = p.now.Add(after)
		p.receive(openflow.AppendEchoReply(nil, 0, nil))
		if err := p.m.Tick(p.now); err != nil {
			p.t.Fatal(err)
		}
	}
}

func attach(p *peer)  { p.m.Attach(p.now) }
func detach(p *peer)  { p.m.Detach(p.now) }
func answer(p *peer)  { p.release() }
func enslave(p *peer) { p.receive(slaveStatus()) }

func reject(p *peer) {
	p.receive(openflow.AppendError(nil, 1, openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull, flowMod()))
}

func reconfigure(p *peer) {
	in := inNetwork()
	in.Settings.PacketIns = 400
	p.m.Configure(in)
}

func then(steps ...func(*peer)) func(*peer) {
	return func(p *peer) {
		for _, f := range steps {
			f(p)
		}
	}
}

// walks take a machine with a switch at its other end over every arrow of the table.
var walks = []struct {
	event  sessionEvent
	from   Phase
	setup  func(p *peer)
	step   func(p *peer)
	needed []string // of what the table has in brackets
}{
	{attached, Offline, offline, attach, []string{"multipart flow"}},
	{attached, Offline, then(ready, detach), attach, nil},
	{claimDue, Describing, func(p *peer) {
		in := inNetwork()
		in.Claim = true
		p.m.Configure(in)
		p.hold("role_request")
		p.attach()
	}, answer, nil},
	{described, Describing, describing, answer, []string{"meter_mod"}},
	{described, Describing, then(ready, detach, describing), answer, nil},
	{describedFlows, Describing, then(earlierRun, describing), answer, nil},
	{adoptionOver, Adopting, adopting, tick(adoptTime), nil},
	{adoptionOver, Adopting, adopting, then(reconfigure, tick(adoptTime)), []string{"meter_mod"}},
	{auditDue, Ready, ready, tick(31 * time.Second), []string{"multipart meter_config"}},
	{auditDue, Ready, ready, then(reconfigure, tick(31*time.Second)), []string{"meter_mod", "multipart meter_config"}},
	{auditDue, Ready, func(p *peer) {
		p.refuse = func(msg []byte) (uint16, uint16) {
			if kind(msg) == "multipart meter_config" {
				return openflow.ErrorTypeBadRequest, openflow.BadRequestBadMultipart
			}
			return 0, 0
		}
		p.ready()
	}, tick(31 * time.Second), nil},
	{inSync, Auditing, auditing(unchanged), answer, nil},
	{inSync, Auditing, auditing(func(p *peer) { delete(p.meters, apps.MeterARP) }), answer, []string{"meter_mod"}},
	{inSync, Auditing, then(hostsRejected, func(p *peer) {
		p.pass(1500 * time.Millisecond) // all but the host's rules are there
		p.hold("multipart group_desc")
		p.pass(3 * time.Second)
	}), answer, []string{"flow_mod"}},
	{outOfSync, Auditing, auditing(deleted), answer, nil},
	{outOfSync, Auditing, auditing(then(deleted, func(p *peer) { clear(p.meters) })), answer, []string{"meter_mod"}},
	{bundleAccepted, Committing, committing("barrier_request"), answer, nil},
	{bundleCommitted, Committing, committing("bundle commit"), answer, nil},
	{bundleCommitted, Committing, then(hostsRejected, func(p *peer) {
		p.hold("bundle commit")
		p.pass(1500 * time.Millisecond)
	}), answer, []string{"flow_mod"}},
	{bundleRejected, Committing, committing("barrier_request"), reject, nil},
	{bundleRejected, Committing, committing("bundle commit"), reject, nil},
	{becameSlave, Describing, describing, enslave, nil},
	{becameSlave, Adopting, adopting, enslave, nil},
	{becameSlave, Auditing, auditing(unchanged), enslave, nil},
	{becameSlave, Committing, committing("barrier_request"), enslave, nil},
	{becameSlave, Committing, committing("bundle commit"), enslave, nil},
	{becameSlave, Ready, ready, enslave, nil},
	{detached, Describing, describing, detach, nil},
	{detached, Standby, standby, detach, nil},
	{detached, Adopting, adopting, detach, nil},
	{detached, Auditing, auditing(unchanged), detach, nil},
	{detached, Committing, committing("barrier_request"), detach, nil},
	{detached, Ready, ready, detach, nil},
}

// TestTransitions walks every arrow: where it leads, and what is sent on the way. None may be left out, and nothing of
// what the table has in brackets.
func TestTransitions(t *testing.T) {
	t.Parallel()
	missing := map[string]bool{}
	for _, row := range transitions {
		for _, from := range row.from {
			missing[fmt.Sprintf("%s on %s", from, row.event)] = true
		}
		for _, s := range row.sends {
			if strings.HasPrefix(s, "[") {
				missing[fmt.Sprintf("%s of %s", s, row.event)] = true
			}
		}
	}
	for i, w := range walks {
		name := fmt.Sprintf("%s on %s", w.from, w.event)
		t.Run(fmt.Sprintf("%d %s", i, name), func(t *testing.T) {
			p := newPeer(t)
			w.setup(p)
			if p.m.Phase() != w.from || p.err != nil {
				t.Fatalf("phase %s, %v", p.m.Phase(), p.err)
			}
			sent := p.arrow(w.step)
			row := transitions[slices.IndexFunc(transitions, func(row transitionRow) bool {
				return row.event == w.event && slices.Contains(row.from, w.from)
			})]
			var want []string
			for _, s := range row.sends {
				name := strings.Trim(s, "[]")
				if name == s || slices.Contains(w.needed, name) {
					want = append(want, name)
				}
			}
			if p.m.Phase() != row.to || !slices.Equal(sent, want) || p.err != nil {
				t.Errorf("led to %s and sent %q, want %s and %q; %v", p.m.Phase(), sent, row.to, want, p.err)
			}
		})
		delete(missing, name)
		for _, s := range w.needed {
			delete(missing, fmt.Sprintf("[%s] of %s", s, w.event))
		}
	}
	for what := range missing {
		t.Errorf("not walked: %s", what)
	}
}

// TestNoTransition: an event that the table does not have for a phase changes nothing.
func TestNoTransition(t *testing.T) {
	t.Parallel()
	for from, come := range map[Phase]func(*peer){
		Offline: offline, Describing: describing, Standby: standby, Adopting: adopting, Auditing: auditing(unchanged),
		Committing: committing("barrier_request"), Ready: ready,
	} {
		p := newPeer(t)
		come(p)
		for ev := range numEvents {
			if _, ok := nextPhase(from, ev); ok {
				continue
			}
			before := p.m.session
			if p.m.transition(p.now, ev) || !reflect.DeepEqual(p.m.session, before) || p.m.phase != from ||
				len(p.m.Out.Wire) > 0 {
				t.Errorf("%s in phase %s: phase %s, %d bytes sent", ev, from, p.m.phase, len(p.m.Out.Wire))
			}
		}
	}
}

// TestTransitionsAreUnambiguous: a phase and an event lead to one phase, and each phase and each event has a name of
// its own.
func TestTransitionsAreUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	once := func(what string) {
		if seen[what] || what == "" {
			t.Errorf("%q twice, or without a name", what)
		}
		seen[what] = true
	}
	for _, row := range transitions {
		for _, from := range row.from {
			once(fmt.Sprintf("%s on %s", from, row.event))
		}
	}
	for p := range numPhases {
		once(p.String())
	}
	for ev := range numEvents {
		once(ev.String())
	}
}

// TestPhaseChangesInOnePlace: nothing but transition assigns the phase.
func TestPhaseChangesInOnePlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	assigned := regexp.MustCompile(`\bphase\s*(=[^=]|:[^=])`)
	var found []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(f, "_test.go") {
			for range assigned.FindAll(b, -1) {
				found = append(found, f)
			}
		}
	}
	if !slices.Equal(found, []string{"phase.go"}) {
		t.Errorf("the phase is assigned in %q", found)
	}
}

const architecture = "../../docs/architecture.md"

// TestTransitionsAreDocumented: docs/architecture.md has the table of transitions as it is in the code.
func TestTransitionsAreDocumented(t *testing.T) {
	t.Parallel()
	const head = "| phase | event | next phase | sent |\n|---|---|---|---|\n"
	var table strings.Builder
	table.WriteString(head)
	for _, row := range transitions {
		var from []string
		for _, p := range row.from {
			from = append(from, p.String())
		}
		sent := strings.Join(row.sends, ", ")
		if sent == "" {
			sent = "-"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", strings.Join(from, ", "), row.event, row.to, sent)
	}
	b, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), head)
	if !found {
		t.Fatalf("%s has no table of transitions", architecture)
	}
	rows, after, _ := strings.Cut(rest, "\n\n")
	if *update {
		if err := os.WriteFile(architecture, []byte(before+table.String()+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := head + rows + "\n"; got != table.String() {
		t.Errorf("%s has the table\n%s\nwant (run with -update):\n%s", architecture, got, &table)
	}
}
