package datapath

import (
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

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
