package oftest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// FuzzFrame puts any frame through a pipeline that looks at and changes what it can.
func FuzzFrame(f *testing.F) {
	f.Add(frame(macA, macB, 5))
	f.Add(echo(macB, macA, ipB, ipA, 5, 8, 9))
	f.Add(echo(macA, macB, ipA, ipB, -1, 0, 9))
	sw := New(Options{}, ports(2)...)
	c := connect(f, sw)
	var m flow.Match
	var none flow.Actions
	ip := m.EthType(packet.EtherTypeIPv4)
	dscp := flow.Actions{0, 25, 0, 16, 0x80, 0, 8 << 1, 1, 46, 0, 0, 0, 0, 0, 0, 0}
	c.ok(
		add(0, 9, 1, match(ip.IPProto(packet.ProtoICMP).ICMPType(8)),
			apply(append(dscp, none.CTCommit(7, 5).CTRecirculate(7, 2)...))),
		add(0, 8, 1, match(ip.CTState(0, flow.CTTracked)), apply(none.CTRecirculate(7, 2))),
		add(0, 8, 1, match(m.EthType(packet.EtherTypeIPv6)), apply(append(dscp, none.CTRecirculate(7, 2)...))),
		add(0, 7, 1, match(m.EthType(packet.EtherTypeARP).ARPOp(1).ARPSender(ipA)), output(2)),
		add(0, 6, 1, nil, apply(none.PushVLAN().SetVLAN(4).PopVLAN().Output(openflow.PortAll).PushVLAN().Output(2))),
		add(2, 1, 1, match(m.CTMark(5, 0xff)), output(2)),
		add(2, 0, 1, nil, output(openflow.PortInPort)),
	)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		sw.Inject(1, b)
		if !bytes.Equal(b, before) {
			t.Error("the caller's frame was changed")
		}
	})
}

// FuzzSession sends anything after the hello; the switch answers an echo or ends the session.
func FuzzSession(f *testing.F) {
	for _, tc := range likeOVS() {
		f.Add(bytes.Join(tc.msgs, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sw := New(Options{}, ports(2)...)
		c := sw.Open()
		whole := slices.Concat(openflow.AppendHello(nil, 1), b)
		_, err := c.Step(time.Unix(0, 0), whole)
		for err == nil && len(c.in) > 0 { // b ends within a message: padding completes it
			_, err = c.Step(time.Unix(0, 0), make([]byte, 1))
		}
		if err == nil {
			out, err := c.Step(time.Unix(0, 0), openflow.AppendEchoRequest(nil, 0xfeed, []byte("end")))
			if err != nil || !bytes.Equal(out, openflow.AppendEchoReply(nil, 0xfeed, []byte("end"))) {
				t.Errorf("echo answered with %x, %v", out, err)
			}
		}
		sw.Inject(1, frame(macA, macB, 5)) // whatever was installed can be run
		_ = sw.Dump()
	})
}
