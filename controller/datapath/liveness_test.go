package datapath

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// check is what liveness says after so long since epoch, when the switch was heard last.
func TestLiveness(t *testing.T) {
	t.Parallel()
	const never = -1
	for _, c := range []struct {
		name   string
		linked bool
		sent   time.Duration // of an echo request
		heard  time.Duration // since then, without an answer
		at     time.Duration // of the check
		want   string        // "echo", an error, or "" for nothing
	}{
		{"just heard", false, never, 0, echoAfter - 1, ""},
		{"silent", false, never, 0, echoAfter, "echo"},
		{"silent, with links", true, never, 0, echoAfter, "echo"},
		{"asked", false, echoAfter, 0, deadAfter - 1, ""},
		{"dead", false, echoAfter, 0, deadAfter, "nothing heard for 10s"},
		{"dead, with links", true, echoAfter, 0, deadAfter, "nothing heard for 10s"},
		{"asked late, as the controller stood still", false, time.Minute, 0, time.Minute + echoWithin - 1, ""},
		{"asked late, and dead", false, time.Minute, 0, time.Minute + echoWithin, "nothing heard"},
		{"anything heard will do", false, echoAfter, 6 * time.Second, 9 * time.Second, ""},
		{"and begins a silence", false, echoAfter, 6 * time.Second, 11 * time.Second, "echo"},
		{"heard on a link, but not answered", true, echoAfter, 7 * time.Second, echoAfter + echoWithin - 1, ""},
		{
			"for too long", true, echoAfter, 7 * time.Second, echoAfter + echoWithin,
			"heard, and has answered nothing for 5s",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, out := liveness{heardAt: epoch}, apps.Output{}
			if c.sent != never {
				l.sendEcho(epoch.Add(c.sent), &out)
			}
			if c.heard > 0 {
				l.heardAt = epoch.Add(c.heard)
			}
			now := epoch.Add(c.at)
			echo, err := l.check(now, c.linked)
			got := ""
			switch {
			case err != nil:
				got = err.Error()
			case echo:
				got = "echo"
			}
			if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if due := !now.Before(l.deadline(c.linked)); due != (got != "") {
				t.Errorf("the deadline is %s, at %s", l.deadline(c.linked).Sub(epoch), c.at)
			}
		})
	}
}

func TestEchoXids(t *testing.T) {
	t.Parallel()
	l, out := liveness{}, apps.Output{Xid: 41}
	if l.reply(0) {
		t.Error("a reply before any request")
	}
	l.sendEcho(epoch, &out)
	if out.Xid != 42 || l.reply(41) || !l.reply(42) || l.reply(42) {
		t.Errorf("xid %d is not answered once", out.Xid)
	}
}

func TestEcho(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(openflow.AppendEchoReply(nil, 0, nil)) // the silence begins
	p.pass(echoAfter - time.Millisecond)
	p.wantSent()
	p.pass(time.Millisecond)
	p.wantSent("echo_request")

	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	p.pass(deadAfter - time.Millisecond)
	p.wantSent("echo_request")
	if p.err != nil {
		t.Fatalf("ended after %s: %v", deadAfter-time.Millisecond, p.err)
	}
	p.pass(2 * time.Millisecond)
	if p.err == nil || !strings.Contains(p.err.Error(), "nothing heard for 10s") {
		t.Errorf("ended with %v", p.err)
	}
}

// A controller that stood still has not asked: what the switch has sent meanwhile may wait to be read.
func TestEchoAfterStandstill(t *testing.T) {
	for _, answers := range []bool{true, false} {
		p := newPeer(t)
		p.ready()
		p.recv(openflow.AppendEchoReply(nil, 0, nil))
		p.silent = func(msg []byte) bool { return !answers && openflow.Type(msg[1]) == openflow.TypeEchoRequest }
		p.now = p.now.Add(20 * time.Second)
		if err := p.m.Tick(p.now); err != nil {
			t.Fatalf("ended without having been asked: %v", err)
		}
		p.run()
		p.wantSent("echo_request")
		p.pass(echoWithin - time.Millisecond)
		if p.err != nil {
			t.Fatalf("ended within %s: %v", echoWithin, p.err)
		}
		p.pass(2 * time.Millisecond)
		if (p.err == nil) != answers {
			t.Errorf("answers %v: ended with %v", answers, p.err)
		}
	}
}

// linked gives the machine a link at port 1.
func (p *peer) linked() {
	g := topology.NewGraph()
	here, there := topology.PortRef{Switch: dpid, Port: 1}, topology.PortRef{Switch: dpid + 1, Port: 1}
	for _, ref := range []topology.PortRef{here, there} {
		g.SetSwitch(ref.Switch, true)
		g.SetPort(ref, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10)})
	}
	g.Snapshot() // versions tell graphs apart: this one is not the first
	g.LinkSeen(here, there, topology.Wire, 1, p.now)
	g.LinkSeen(there, here, topology.Wire, 1, p.now)
	p.m.DeliverGraph(g.Snapshot())
	p.run()
}

// A switch with links that is heard and answers nothing is at the end of a connection that is whole in one direction
// only.
func TestEchoOneWay(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.linked()
	p.pass(2 * time.Second)
	if got := p.sent(); strings.Count(got, "echo_request") < 3 || p.err != nil {
		t.Fatalf("sent %q, ended with %v", got, p.err)
	}
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	for p.sent() == "" {
		p.pass(50 * time.Millisecond)
	}
	asked := p.now
	for range 9 {
		p.pass(500 * time.Millisecond)
		p.recv(openflow.AppendEchoRequest(nil, 1, nil), openflow.AppendEchoReply(nil, 4711, nil))
	}
	if p.err != nil {
		t.Fatalf("after %s ended with %v", p.now.Sub(asked), p.err)
	}
	p.pass(600 * time.Millisecond)
	if p.err == nil || !strings.Contains(p.err.Error(), "heard, and has answered nothing") {
		t.Errorf("after %s: %v", p.now.Sub(asked), p.err)
	}
}

// A switch that had no links need not have answered before it has some.
func TestEchoUnansweredBeforeLinks(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeEchoRequest }
	p.pass(6 * time.Second)
	for range 10 {
		p.recv(openflow.AppendEchoRequest(nil, 1, nil))
		p.pass(4 * time.Second)
	}
	p.silent = nil
	p.linked()
	p.pass(10 * time.Second)
	if p.err != nil {
		t.Errorf("ended with %v", p.err)
	}
}

func TestEchoAnswered(t *testing.T) {
	p := newPeer(t)
	p.attach()
	p.log = nil
	p.receive(openflow.AppendEchoRequest(nil, 0xabcd, []byte("payload")))
	p.m.Flush(p.now)
	if got, want := string(p.m.TakeWire()), string(openflow.AppendEchoReply(nil, 0xabcd,
		[]byte("payload"))); got != want {
		t.Errorf("answered %x, want %x", got, want)
	}
}

// After discovery frames on a link the switch is asked for an answer, one question at a time, and the answer is told:
// it is as true as when the question was sent.
func TestAnswered(t *testing.T) {
	p := newPeer(t)
	p.ready()
	g := topology.NewGraph()
	here, there := p.m.sw.Ref(1), topology.PortRef{Switch: p.m.sw.ID + 1, Port: 1}
	for _, end := range []topology.PortRef{here, there} {
		g.SetSwitch(end.Switch, true)
		g.SetPort(end, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(1)})
	}
	g.Snapshot() // versions tell graphs apart: this one is not the first
	g.LinkSeen(there, here, topology.Wire, 1, p.now)
	p.m.DeliverGraph(g.Snapshot())
	p.facts = nil

	told := func() (hellos int, answered []time.Time) {
		for _, f := range p.facts {
			switch f.Kind {
			case apps.HelloSent:
				hellos++
			case apps.Answered:
				answered = append(answered, f.At)
			}
		}
		p.facts = nil
		return hellos, answered
	}
	from := p.now
	p.pass(2 * time.Second)
	hellos, answered := told()
	if hellos < 4 || len(answered) != hellos || answered[0].Before(from) {
		t.Errorf("%d hellos on the link, answers %v", hellos, answered)
	}

	var question []byte
	p.silent = func(msg []byte) bool {
		if openflow.Type(msg[1]) == openflow.TypeEchoRequest {
			question = bytes.Clone(msg)
			return true
		}
		return false
	}
	asked := p.now
	p.log = nil
	p.pass(2 * time.Second)
	if got := strings.Count(p.sent(), "echo_request"); got != 1 {
		t.Errorf("%d questions to a switch that does not answer, want 1", got)
	}
	if hellos, answered := told(); hellos < 4 || len(answered) > 0 {
		t.Errorf("%d hellos on the link; nothing was answered, and this was told: %v", hellos, answered)
	}
	p.silent = nil
	p.recv(openflow.AppendEchoReply(nil, binary.BigEndian.Uint32(question[4:]), nil))
	if late := p.facts[len(p.facts)-1]; late.Latency < time.Second ||
		!late.At.Add(late.Latency).Equal(p.now.Add(-time.Microsecond)) && !late.At.Add(late.Latency).Equal(p.now) {
		t.Errorf("at %v: %+v", p.now, late)
	}
	if _, answered := told(); len(answered) != 1 || answered[0].Before(asked) ||
		!answered[0].Before(asked.Add(time.Second)) {
		t.Errorf("answered late: %v, asked at %v", answered, asked)
	}
}
