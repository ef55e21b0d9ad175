package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

func TestMultipartRequests(t *testing.T) {
	t.Parallel()
	var mp multipart
	var out apps.Output
	if !mp.deadline().IsZero() || mp.outstanding(requestDesc) {
		t.Error("something is outstanding at first")
	}
	mp.send(epoch, requestDesc, &out)                     // xid 1
	mp.send(epoch.Add(time.Second), requestFlows, &out)   // xid 2
	mp.send(epoch.Add(2*time.Second), requestPorts, &out) // xid 3

	flows := func(more bool) *openflow.Multipart {
		return &openflow.Multipart{Type: openflow.MultipartFlow, More: more}
	}
	if kind, known, err := mp.receive(2, flows(true), 100); kind != requestFlows || !known || err != nil {
		t.Errorf("first part: %d %v %v", kind, known, err)
	}
	if !mp.outstanding(requestGroups, requestFlows) {
		t.Error("answered with more to come")
	}
	if _, known, err := mp.receive(2, flows(false), 100); !known || err != nil || mp.outstanding(requestFlows) {
		t.Errorf("last part: %v %v", known, err)
	}
	if _, known, err := mp.receive(2, flows(false), 100); known || err != nil {
		t.Errorf("the same again: %v %v", known, err)
	}
	if _, known, err := mp.receive(3, flows(false), 100); !known || err == nil ||
		!strings.Contains(err.Error(), "flow in reply to a request for port_desc") {
		t.Errorf("another type: %v %v", known, err)
	}
	if got := mp.deadline(); !got.Equal(epoch.Add(replyWithin)) {
		t.Errorf("deadline %s", got.Sub(epoch))
	}
	if kind, known := mp.end(1); kind != requestDesc || !known {
		t.Errorf("rejected: %d %v", kind, known)
	}
	if _, known := mp.end(1); known {
		t.Error("rejected twice")
	}
	if got := mp.deadline(); !got.Equal(epoch.Add(2*time.Second + replyWithin)) {
		t.Errorf("deadline %s", got.Sub(epoch))
	}
}

func TestMultipartBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ size, parts int }{
		"bytes": {1 << 20, maxReplyBytes >> 20}, "parts": {1, maxReplyParts},
	} {
		var mp multipart
		var out apps.Output
		mp.send(epoch, requestPorts, &out)
		part := &openflow.Multipart{Type: openflow.MultipartPortDesc, More: true}
		for i := range c.parts {
			if _, _, err := mp.receive(1, part, c.size); err != nil {
				t.Fatalf("%s: part %d: %v", name, i+1, err)
			}
		}
		if _, _, err := mp.receive(1, part, c.size); !errors.Is(err, errReplyTooLong) {
			t.Errorf("%s: one more: %v", name, err)
		}
	}
}

// Each kind is sent as the type that its reply must have.
func TestMultipartTypes(t *testing.T) {
	t.Parallel()
	for kind := requestDesc; kind <= requestPortStats; kind++ {
		var mp multipart
		var out apps.Output
		mp.send(epoch, kind, &out)
		var m openflow.MultipartRequest
		if err := m.Decode(out.Wire); err != nil || m.Type != kind.multipartType() {
			t.Errorf("kind %d: type %d, want %d; %v", kind, m.Type, kind.multipartType(), err)
		}
	}
}

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
		p.m = newTestMachine(inNetwork())
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
	p.recv(first, reply(openflow.MultipartGroupDesc), reply(openflow.MultipartFlow),
		reply(openflow.MultipartMeterConfig))
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
	p.m = newTestMachine(in)
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
