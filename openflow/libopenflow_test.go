package openflow

import (
	"errors"
	"net"
	"testing"

	"github.com/contiv/libOpenflow/common"
	"github.com/contiv/libOpenflow/openflow13"
	"github.com/contiv/libOpenflow/util"
)

// The encoders that are written by hand are compared with libOpenflow where that one is right. It is wrong about the
// out group of a flow-mod, so port and group are the same number here.

func marshal(t *testing.T, m util.Message) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func libFlowMod() *openflow13.FlowMod {
	f := openflow13.NewFlowMod()
	f.Xid = 77
	f.Cookie, f.CookieMask = 0x1122334455667788, 0xff00
	f.TableId, f.Command = 3, openflow13.FC_ADD
	f.IdleTimeout, f.HardTimeout, f.Priority = 300, 600, 1000
	f.Flags = openflow13.FF_SEND_FLOW_REM
	f.Match.AddField(*openflow13.NewInPortField(1))
	f.Match.AddField(*openflow13.NewEthDstField(net.HardwareAddr{2, 0, 0, 0, 0, 1}, nil))
	f.Match.AddField(*openflow13.NewVlanIdField(10, nil))
	apply := openflow13.NewInstrApplyActions()
	if err := apply.AddAction(openflow13.NewActionPopVlan(), false); err != nil {
		panic(err)
	}
	if err := apply.AddAction(openflow13.NewActionGroup(9), false); err != nil {
		panic(err)
	}
	f.AddInstruction(apply)
	f.AddInstruction(openflow13.NewInstrGotoTable(4))
	return f
}

func TestFlowModAsLibOpenflow(t *testing.T) {
	f := FlowMod{
		Cookie: 0x1122334455667788, CookieMask: 0xff00, TableID: 3, IdleTimeout: 300, HardTimeout: 600, Priority: 1000,
		BufferID: BufferNone, OutPort: PortAny, OutGroup: GroupAny, Flags: FlagSendFlowRem,
		Match:        unhex(t, "80000004 00000001 80000606 020000000001 80000c02 100a"),
		Instructions: unhex(t, "0004001800000000 0012000800000000 0016000800000009 0001000804000000"),
	}
	checkEqual(t, "flow mod", AppendFlowMod(nil, 77, FlowAdd, &f), marshal(t, libFlowMod()))
}

func TestBundleAddAsLibOpenflow(t *testing.T) {
	inner := libFlowMod()
	add := openflow13.NewBundleAdd(&openflow13.BundleAdd{BundleID: 5, Flags: openflow13.OFPBCT_ATOMIC, Message: inner})
	add.Header.Xid = inner.Xid
	checkEqual(t, "bundle add", AppendBundleAdd(nil, 77, 5, BundleAtomic, marshal(t, inner)), marshal(t, add))
}

func TestPacketOutAsLibOpenflow(t *testing.T) {
	p := openflow13.NewPacketOut()
	p.Xid = 77
	p.InPort = 7
	out := openflow13.NewActionOutput(openflow13.P_TABLE)
	out.MaxLen = 0
	p.AddAction(out)
	p.Data = util.NewBuffer([]byte("frame"))
	actions := unhex(t, "00000010 fffffff9 0000 000000000000")
	checkEqual(t, "packet out", AppendPacketOut(nil, 77, 7, actions, []byte("frame")), marshal(t, p))
}

func TestFlowStatsRequestAsLibOpenflow(t *testing.T) {
	r := openflow13.NewFlowStatsRequest()
	r.TableId, r.OutPort, r.OutGroup = TableAll, openflow13.P_ANY, openflow13.OFPG_ANY
	r.Cookie, r.CookieMask = 1, 2
	m := openflow13.MultipartRequest{Header: openflow13.NewOfp13Header(), Type: MultipartFlow, Body: r}
	m.Header.Type = openflow13.Type_MultiPartRequest
	m.Header.Xid = 77
	got := AppendFlowStatsRequest(nil, 77, FlowStatsRequest{
		TableID: TableAll, OutPort: PortAny, OutGroup: GroupAny, Cookie: 1, CookieMask: 2,
	})
	checkEqual(t, "flow request", got, marshal(t, &m))
}

// TestHelloAsLibOpenflow differs in the bitmap only: libOpenflow offers 1.0 too.
func TestHelloAsLibOpenflow(t *testing.T) {
	h, err := common.NewHello(Version)
	if err != nil {
		t.Fatal(err)
	}
	h.Xid = 77
	want := marshal(t, h)
	be.PutUint32(want[12:], be.Uint32(want[12:])&^(1<<1))
	checkEqual(t, "hello", AppendHello(nil, 77), want)
}

var errBroken = errors.New("broken")

// brokenMessage is what libOpenflow must not make us send.
type brokenMessage struct {
	bytes []byte
	err   error
	panic bool
}

func (m brokenMessage) Len() uint16 { return uint16(len(m.bytes)) }

func (m brokenMessage) MarshalBinary() ([]byte, error) {
	if m.panic {
		panic("nil body")
	}
	return m.bytes, m.err
}

func (m brokenMessage) UnmarshalBinary([]byte) error { return errBroken }

func TestAppendLibChecks(t *testing.T) {
	whole := AppendBarrierRequest(nil, 1)
	h := new(common.Header)
	if got := appendLib(prefix, 7, h, brokenMessage{bytes: whole}); !appended(prefix, got) || h.Xid != 7 {
		t.Error("a whole message was not appended")
	}
	wrapped := make([]byte, MaxLen+1+HeaderLen)
	copy(wrapped, whole)
	for name, m := range map[string]brokenMessage{
		"longer than its header says":  {bytes: append(whole[:8:8], 0)},
		"shorter than its header says": {bytes: unhex(t, "04140009 00000001")},
		"shorter than a header":        {bytes: whole[:7]},
		"length wrapped":               {bytes: wrapped},
		"error":                        {bytes: whole, err: errBroken},
		"panic":                        {bytes: whole, panic: true},
	} {
		if got := appendLib(prefix, 7, h, m); appended(prefix, got) {
			t.Errorf("%s: appended %x", name, got)
		}
	}
}

// TestEncodedActions has the methods that libOpenflow's interface asks for and never calls when it encodes.
func TestEncodedActions(t *testing.T) {
	a := encodedActions{1, 2}
	if a.Header() != nil || a.UnmarshalBinary(nil) == nil || a.Len() != 2 {
		t.Error("encodedActions promises more than writing")
	}
}
