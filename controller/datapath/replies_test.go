package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// isRequest reports whether a message is a multipart request of a type.
func isRequest(msg []byte, typ uint16) bool {
	var m openflow.MultipartRequest
	return m.Decode(msg) == nil && m.Type == typ
}

// withhold has the switch leave requests of a type unanswered, and returns where the xid of the last one is put.
func (p *peer) withhold(typ uint16) *uint32 {
	xid := new(uint32)
	p.silent = func(msg []byte) bool {
		if isRequest(msg, typ) {
			*xid = binary.BigEndian.Uint32(msg[4:])
			return true
		}
		return false
	}
	return xid
}

func TestMultipartInParts(t *testing.T) {
	whole, parts := newPeer(t), newPeer(t)
	parts.partLen = 1
	for _, p := range []*peer{whole, parts} {
		for no := range openflow.PortNo(20) {
			p.ports = append(p.ports, port(no+3))
		}
		p.ready()
		p.recv(manyHosts(30)...)
		p.m.Detach(p.now)
		p.m = newMachine(inNetwork())
		p.log = nil
		p.attach()
		p.pass(5 * time.Second)
	}
	if a, b := whole.m.Status(), parts.m.Status(); a.Ports != 22 || a.Hosts != 30 || a.Ports != b.Ports ||
		a.Hosts != b.Hosts || a.Flows != b.Flows {
		t.Errorf("in one part %+v, in many %+v", a, b)
	}
	if got := parts.sent(); strings.Contains(got, "bundle") {
		t.Errorf("sent:\n%s", got)
	}
}

// Parts of two replies may come mixed.
func TestMultipartMixed(t *testing.T) {
	p := newPeer(t)
	p.ready()
	requests := map[uint16][]byte{}
	p.silent = func(msg []byte) bool {
		var m openflow.MultipartRequest
		if m.Decode(msg) != nil {
			return false
		}
		requests[m.Type] = bytes.Clone(msg)
		return true
	}
	p.pass(31 * time.Second)
	p.silent = nil
	reply := func(typ uint16) []byte { return p.answer(requests[typ])[0] }
	first := openflow.AppendMultipartReply(
		nil, binary.BigEndian.Uint32(requests[openflow.MultipartFlow][4:]), openflow.MultipartFlow, true, nil)
	p.recv(first, reply(openflow.MultipartGroupDesc), reply(openflow.MultipartFlow), reply(openflow.MultipartMeterConfig))
	if p.err != nil || p.m.Phase() != Ready || p.m.Drifts != 0 {
		t.Errorf("%v, phase %s, %d drifts", p.err, p.m.Phase(), p.m.Drifts)
	}
}

func TestMultipartUnsolicited(t *testing.T) {
	p := newPeer(t)
	p.ready()
	before := p.m.Status()
	desc := port(99)
	for _, m := range [][]byte{
		openflow.AppendMultipartReply(nil, 4711, openflow.MultipartPortDesc, false,
			openflow.AppendPortDesc(nil, &desc)),
		openflow.AppendMultipartReply(nil, 4711, openflow.MultipartFlow, true, nil),
		openflow.AppendMultipartReply(nil, 4711, openflow.MultipartExperimenter, false, make([]byte, 64)),
	} {
		p.recv(m)
	}
	if p.err != nil || p.m.Unsolicited != 3 || p.m.Status() != before {
		t.Errorf("%v, %d unsolicited, %+v", p.err, p.m.Unsolicited, p.m.Status())
	}
	// Nor is the reply to a request taken twice.
	p.m.RequestPortStats(p.now)
	xid := p.m.Out.Xid
	p.run()
	p.recv(openflow.AppendMultipartReply(nil, xid, openflow.MultipartPortStats, false, nil))
	if p.err != nil || p.m.Unsolicited != 4 {
		t.Errorf("%v, %d unsolicited", p.err, p.m.Unsolicited)
	}
}

func TestMultipartOfAnotherType(t *testing.T) {
	p := newPeer(t)
	xid := p.withhold(openflow.MultipartPortDesc)
	p.attach()
	p.recv(openflow.AppendMultipartReply(nil, *xid, openflow.MultipartFlow, false, nil))
	if p.err == nil || !strings.Contains(p.err.Error(), "flow in reply to a request for port_desc") {
		t.Errorf("ended with %v", p.err)
	}
}

// TestDumpFits: the dump of 100,000 flows of hosts, each on a tunnel (which takes the most), is well within what a
// reply may have.
func TestDumpFits(t *testing.T) {
	in := inNetwork()
	in.Port = func(string, openflow.PortNo) intent.Port {
		return intent.Port{Mode: intent.Tunnel, VLANs: []uint16{10}}
	}
	p := newPeer(t)
	p.m = newMachine(in)
	p.ready()
	p.recv(manyHosts(10)...)
	bytes, flows := 0, 0
	for i := range p.flows {
		if owner, _ := flow.OwnerOf(p.flows[i].Cookie); owner == apps.OwnerHosts {
			bytes += len(openflow.AppendFlowStats(nil, &p.flows[i]))
			flows++
		}
	}
	if flows != 20 || bytes*100_000/flows > maxReplyBytes*3/4 {
		t.Errorf("%d flows take %d bytes: 100,000 take %d MiB", flows, bytes, bytes*100_000/max(flows, 1)>>20)
	}
}

func TestMultipartTooLong(t *testing.T) {
	for _, c := range []struct {
		name string
		body int
	}{{"parts", 0}, {"bytes", 65_000 / 64 * 64}} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			xid := p.withhold(openflow.MultipartPortDesc)
			p.attach()
			desc := port(5)
			var body []byte
			for len(body) < c.body {
				body = openflow.AppendPortDesc(body, &desc)
			}
			part := openflow.AppendMultipartReply(nil, *xid, openflow.MultipartPortDesc, true, body)
			n := 0
			for ; p.err == nil && n <= maxReplyParts; n++ {
				p.receive(part)
			}
			if !errors.Is(p.err, errReplyTooLong) {
				t.Errorf("ended after %d parts with %v", n, p.err)
			}
			if len(p.m.ports.list) > maxPorts {
				t.Errorf("%d ports remembered", len(p.m.ports.list))
			}
		})
	}
}

func TestMultipartUnanswered(t *testing.T) {
	p := newPeer(t)
	xid := p.withhold(openflow.MultipartGroupDesc)
	p.attach()
	if p.m.Phase() != Auditing {
		t.Fatalf("phase %s", p.m.Phase())
	}
	// Parts that come do not extend the time.
	p.pass(20 * time.Second)
	p.recv(openflow.AppendMultipartReply(nil, *xid, openflow.MultipartGroupDesc, true, nil))
	p.pass(9 * time.Second)
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.pass(time.Second)
	if p.err == nil || !strings.Contains(p.err.Error(), "multipart") {
		t.Errorf("ended with %v", p.err)
	}
}

// A switch that cannot tell (it has no meters, say) is served without.
func TestMultipartRefused(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(msg []byte) (uint16, uint16) {
		if isRequest(msg, openflow.MultipartMeterConfig) {
			return openflow.ErrorTypeBadRequest, openflow.BadRequestBadMultipart
		}
		return 0, 0
	}
	p.attach()
	p.wantNotice("switch_error", "bad_multipart")
	if p.m.Phase() != Ready {
		t.Errorf("phase %s", p.m.Phase())
	}
}

func TestMultipartMalformed(t *testing.T) {
	for _, typ := range []uint16{
		openflow.MultipartDesc, openflow.MultipartPortDesc, openflow.MultipartMeterConfig, openflow.MultipartFlow,
		openflow.MultipartGroupDesc,
	} {
		t.Run(openflow.MultipartName(typ), func(t *testing.T) {
			p := newPeer(t)
			xid := p.withhold(typ)
			p.attach()
			p.recv(openflow.AppendMultipartReply(nil, *xid, typ, false, make([]byte, 7)))
			if p.err == nil {
				t.Error("accepted")
			}
		})
	}
}

// What is sent beyond the window waits for the switch to answer barriers.
func TestWindow(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.PacketIns, in.Settings.HostsPerPort, in.Settings.HostsPerSwitch = 0, 0, 0
	p.m.Configure(in)
	p.ready()
	var barriers []uint32
	p.silent = func(msg []byte) bool { // flows are only counted
		if openflow.Type(msg[1]) == openflow.TypeBarrierRequest {
			barriers = append(barriers, binary.BigEndian.Uint32(msg[4:]))
		}
		return true
	}
	const hosts = 5000
	p.recv(manyHosts(hosts)...)
	if p.m.Out.Store.Pending() == 0 || p.m.barriers.inflight < window ||
		p.m.barriers.inflight > window+barrierEvery+512 {
		t.Fatalf("%d bytes under way, %d messages pending", p.m.barriers.inflight, p.m.Out.Store.Pending())
	}
	if n := len(barriers); n < window/barrierEvery-1 || n > window/barrierEvery+1 {
		t.Errorf("%d barriers for %d bytes", n, p.m.barriers.inflight)
	}
	for len(barriers) > 0 {
		was, answered := p.m.barriers.inflight, barriers[0]
		barriers = barriers[1:]
		p.recv(openflow.AppendBarrierReply(nil, answered))
		if p.m.barriers.inflight > window+barrierEvery+512 {
			t.Fatalf("%d bytes under way, before %d", p.m.barriers.inflight, was)
		}
	}
	if p.m.Out.Store.Pending() != 0 || p.m.barriers.inflight != 0 || p.m.Unsolicited != 0 {
		t.Errorf("%d messages pending, %d bytes under way, %d unsolicited", p.m.Out.Store.Pending(),
			p.m.barriers.inflight, p.m.Unsolicited)
	}
	if n := strings.Count(p.sent(), "idle_timeout"); n != hosts {
		t.Errorf("%d hosts installed", n)
	}
}

func TestBarriers(t *testing.T) {
	p := newPeer(t)
	p.ready()
	var xids []uint32
	p.silent = func(msg []byte) bool {
		if openflow.Type(msg[1]) == openflow.TypeBarrierRequest {
			xids = append(xids, binary.BigEndian.Uint32(msg[4:]))
		}
		return openflow.Type(msg[1]) == openflow.TypeBarrierRequest
	}
	var done [4]chan struct{}
	for i := range done {
		done[i] = make(chan struct{})
		p.m.Barrier(done[i])
	}
	p.run()
	closed := func() (s string) {
		for _, d := range done {
			select {
			case <-d:
				s += "+"
			default:
				s += "-"
			}
		}
		return s
	}
	p.recv(openflow.AppendBarrierReply(nil, 4711))
	if got := closed(); got != "----" || p.m.Unsolicited != 1 {
		t.Errorf("%s, %d unsolicited", got, p.m.Unsolicited)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[0]))
	if got := closed(); got != "+---" {
		t.Errorf("after the first %s", got)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[2])) // answers all before it
	if got := closed(); got != "+++-" {
		t.Errorf("after the third %s", got)
	}
	p.recv(openflow.AppendBarrierReply(nil, xids[1]))
	if p.m.Unsolicited != 2 {
		t.Errorf("%d unsolicited", p.m.Unsolicited)
	}
	p.m.Detach(p.now)
	if got := closed(); got != "++++" {
		t.Errorf("after the end %s", got)
	}
}

func TestBarrierUnanswered(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeBarrierRequest }
	p.m.Barrier(nil)
	p.run()
	p.pass(20 * time.Second)
	p.m.Barrier(nil) // a later one does not extend the time
	p.run()
	p.pass(9 * time.Second)
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.pass(2 * time.Second)
	if p.err == nil || !strings.Contains(p.err.Error(), "barrier") {
		t.Errorf("ended with %v", p.err)
	}
}

// Messages that nobody asked for change nothing, and those that no switch may send end the session.
func TestUnexpected(t *testing.T) {
	for _, c := range []struct {
		name string
		msg  []byte
		want string // "" goes on
	}{
		{"echo reply", openflow.AppendEchoReply(nil, 1, []byte("x")), ""},
		{"hello", openflow.AppendHello(nil, 1), ""},
		{"features again", features(2, 0), ""},
		{"barrier reply", openflow.AppendBarrierReply(nil, 4711), ""},
		{"bundle reply", openflow.AppendBundleControl(nil, 4711, 1, openflow.BundleCommitReply, 0), ""},
		{"experimenter", []byte{4, 4, 0, 16, 0, 0, 0, 1, 0, 0, 0x23, 0x20, 0, 0, 0, 1}, ""},
		{"error for nothing of ours", openflow.AppendError(nil, 4711, openflow.ErrorTypeBadRequest,
			openflow.BadRequestBadType, nil), ""},
		{
			"flow removed",
			openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{Cookie: learnCookie, TableID: 5}),
			"",
		},
		{"foreign flow removed", openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{Cookie: 7}), ""},
		{"version 1", version(1, openflow.AppendEchoRequest(nil, 1, nil)), "wire version 1"},
		{"version 6", version(6, packetIn(learnCookie, 1, macA)), "wire version 6"},
		{"features request", openflow.AppendFeaturesRequest(nil, 1), "unexpected"},
		{"packet-out", openflow.AppendPacketOut(nil, 1, 1, nil, nil), "unexpected"},
		{"type 29", []byte{4, 29, 0, 8, 0, 0, 0, 1}, "unexpected"},
		{"type 200", []byte{4, 200, 0, 8, 0, 0, 0, 1}, "unexpected"},
		{"packet-in cut", []byte{4, 10, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0}, "packet_in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.ready()
			flows := p.dump()
			p.recv(c.msg)
			p.wantSent()
			if p.dump() != flows || p.m.Phase() != Ready {
				t.Errorf("phase %s, flows:\n%s", p.m.Phase(), p.dump())
			}
			switch {
			case c.want == "" && p.err != nil:
				t.Errorf("ended with %v", p.err)
			case c.want != "" && (p.err == nil || !strings.Contains(p.err.Error(), c.want)):
				t.Errorf("ended with %v, want %q", p.err, c.want)
			}
		})
	}
}
