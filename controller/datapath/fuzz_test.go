package datapath

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// FuzzMachine gives a machine whatever a switch may send, in a session that has just begun and in one that is ready. It
// must neither panic nor send what is no message, and the next session must come to its end.
func FuzzMachine(f *testing.F) {
	// The valid answers to the first session, in order.
	first := newPeer(&testing.T{})
	var answers []byte
	first.m.Attach(first.now)
	for range 10 {
		first.m.Flush(first.now)
		for wire := bytes.Clone(first.m.TakeWire()); len(wire) > 0; {
			n := int(binary.BigEndian.Uint16(wire[2:]))
			for _, a := range first.answer(wire[:n:n]) {
				answers = append(answers, a...)
				first.receive(a)
			}
			wire = wire[n:]
		}
	}
	f.Add(false, answers)
	m := flow.Match{}.InPort(1).VLAN(10).EthSrc(macA)
	stats := openflow.AppendFlowStats(nil, &openflow.FlowStats{
		TableID: pipeline.Number("learn"), Priority: 10, IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
		Cookie: flow.Cookie(apps.OwnerHosts, 1), Match: m.Bytes(),
		Instructions: flow.Instructions(nil).Goto(pipeline.Number("forward")),
	})
	one := port(1)
	list := openflow.AppendMultipartReply(nil, 5, openflow.MultipartPortDesc, false, openflow.AppendPortDesc(nil, &one))
	f.Add(false, append(list, openflow.AppendMultipartReply(nil, 7, openflow.MultipartFlow, false, stats)...))
	f.Add(true, bytes.Join([][]byte{
		packetIn(learnCookie, 1, macA), packetIn(learnCookie, 2, macA),
		portStatus(openflow.PortDelete, port(1)), portStatus(openflow.PortAdd, port(3)),
		openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{
			Cookie: flow.Cookie(apps.OwnerHosts, 1), TableID: pipeline.Number("learn"), Priority: 10, Match: m.Bytes(),
		}),
		openflow.AppendError(nil, 9, openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull,
			openflow.AppendFlowMod(nil, 9, openflow.FlowAdd, &openflow.FlowMod{Cookie: learnCookie})[:48]),
		openflow.AppendEchoRequest(nil, 1, []byte("x")), openflow.AppendBarrierReply(nil, 9),
		openflow.AppendRoleReply(nil, 3, openflow.RoleSlave, 0), slaveStatus(),
	}, nil))

	f.Fuzz(func(t *testing.T, ready bool, in []byte) {
		p := newPeer(t)
		if ready {
			p.ready()
		} else {
			p.m.Attach(p.now)
		}
		check := func() {
			p.m.Flush(p.now)
			p.m.TakeFacts()
			for wire := p.m.TakeWire(); len(wire) > 0; {
				n := int(binary.BigEndian.Uint16(wire[2:]))
				p.describe(wire[:n])
				wire = wire[n:]
			}
		}
		for len(in) >= openflow.HeaderLen && p.err == nil {
			n := min(max(int(binary.BigEndian.Uint16(in[2:])), openflow.HeaderLen), len(in))
			p.receive(in[:n:n])
			in = in[n:]
			check()
			p.now = p.now.Add(100 * time.Millisecond)
			if err := p.m.Tick(p.now); err != nil {
				break
			}
			check()
		}
		// Whatever it was, a good switch is served after it.
		p.m.Detach(p.now)
		p.err = nil
		p.now = p.now.Add(time.Minute)
		p.attach()
		p.pass(5 * time.Second)
		if p.m.Phase() != Ready || p.err != nil {
			t.Errorf("phase %s after it, %v", p.m.Phase(), p.err)
		}
	})
}
