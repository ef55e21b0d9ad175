package main

import (
	"context"
	"encoding/binary"
	"net"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// serveStub is the batching stub: a controller that answers every packet-in with the two flow-mods that eosin would
// send, but remembers nothing and decides nothing. All that one read brought is answered with one write. It is what the
// language, the kernel and the amount of bytes allow, and no controller can be faster here.
func serveStub(l net.Listener) error {
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go stubSession(nc) // ends with the connection
	}
}

func stubSession(nc net.Conn) {
	conn := ofconn.New(nc, ofconn.Options{MaxQueue: 64 << 20})
	go func() { _ = conn.Run(context.Background()) }() // ends with the connection
	var err error
	defer func() { conn.Close(err) }()
	answer, at := stubAnswer()
	out := openflow.AppendFeaturesRequest(openflow.AppendHello(nil, 1), 2)
	for {
		if len(out) > 0 {
			if err = conn.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		if err = conn.Fill(); err != nil {
			return
		}
		for {
			msg, ok := conn.Next()
			if !ok {
				break
			}
			switch openflow.Type(msg[1]) {
			case openflow.TypePacketIn:
				// The source address stands behind the fixed part, the match, two bytes of padding and the destination.
				src := 24 + (int(binary.BigEndian.Uint16(msg[26:]))+7)/8*8 + 2 + 6
				for _, i := range at {
					copy(answer[i:], msg[src:src+6])
				}
				out = append(out, answer...)
			case openflow.TypeEchoRequest:
				out = openflow.AppendEchoReply(out, binary.BigEndian.Uint32(msg[4:]), msg[openflow.HeaderLen:])
			}
		}
	}
}

// stubAnswer returns the two flow-mods and where the host's address stands in them.
func stubAnswer() (answer []byte, at [2]int) {
	mark := packet.MAC{1, 2, 3, 4, 5, 6}
	for i, r := range []flow.Rule{
		{
			Table: pipeline.Number("forward"), Match: flow.Match{}.VLAN(1).EthDst(mark),
			Instructions: flow.Instructions(nil).Apply(flow.Actions(nil).PopVLAN().Output(hostPort)),
		},
		{
			Table: pipeline.Number("learn"), Match: flow.Match{}.InPort(hostPort).VLAN(1).EthSrc(mark),
			IdleTimeout: 300, Flags: openflow.FlagSendFlowRem, Instructions: flow.Instructions(nil).Goto(pipeline.Number("forward")),
		},
	} {
		n := len(answer)
		m := openflow.NewFlowMod()
		m.TableID, m.Priority, m.IdleTimeout, m.Flags = r.Table, 10, r.IdleTimeout, r.Flags
		m.Match, m.Instructions = r.Match.Bytes(), r.Instructions
		answer = openflow.AppendFlowMod(answer, 0, openflow.FlowAdd, &m)
		for j := n; j < len(answer)-6; j++ {
			if packet.MAC(answer[j:j+6]) == mark {
				at[i] = j
			}
		}
	}
	return answer, at
}
