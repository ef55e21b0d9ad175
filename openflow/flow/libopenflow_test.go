package flow

import (
	"bytes"
	"net"
	"testing"

	lib "github.com/contiv/libOpenflow/openflow13"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

func hw(m packet.MAC) net.HardwareAddr { return m[:] }

func libOutput(p openflow.PortNo) lib.Action {
	a := lib.NewActionOutput(uint32(p))
	a.MaxLen = 0
	return a
}

// TestRulesAsLibOpenflow has both encoders build the same rules, where libOpenflow is right. It keeps fields in the
// order in which they are added.
func TestRulesAsLibOpenflow(t *testing.T) {
	all48, groupBit := hw(packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}), hw(packet.MAC{1})
	markMask := uint32(0xff00)
	reg0 := func(v uint32) *lib.MatchField { return lib.NewRegMatchField(0, v, nil) }
	states := lib.NewCTStates()
	states.SetRpl()
	states.SetTrk()
	untracked := lib.NewCTStates()
	untracked.UnsetTrk()
	pktMark, err := lib.FindFieldHeaderByName("NXM_NX_PKT_MARK", false)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name    string
		rule    Rule
		fields  []*lib.MatchField
		actions []lib.Action
		next    uint8
	}{
		{
			name: "learn", next: 6,
			rule: Rule{
				IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
				Match: Match{}.InPort(3).VLAN(10).EthSrc(mac1),
			},
			fields: []*lib.MatchField{
				lib.NewInPortField(3), lib.NewEthSrcField(hw(mac1), nil),
				lib.NewVlanIdField(10, nil),
			},
		},
		{
			name: "forward into a tunnel",
			rule: Rule{
				Match:        Match{}.VLAN(10).EthDst(mac2),
				Instructions: Instructions(nil).Apply(Actions(nil).SetTunnelID(5010).PopVLAN().Output(3)),
			},
			fields: []*lib.MatchField{lib.NewEthDstField(hw(mac2), nil), lib.NewVlanIdField(10, nil)},
			actions: []lib.Action{
				lib.NewActionSetField(*lib.NewTunnelIdField(5010)), lib.NewActionPopVlan(),
				libOutput(3),
			},
		},
		{
			name: "priority tag", next: 2,
			rule: Rule{
				Match:        Match{}.InPort(1).VLAN(0),
				Instructions: Instructions(nil).Apply(Actions(nil).SetVLAN(10)),
			},
			fields:  []*lib.MatchField{lib.NewInPortField(1), lib.NewVlanIdField(0x1000, nil)},
			actions: []lib.Action{lib.NewActionSetField(*lib.NewVlanIdField(10, nil))},
		},
		{
			name: "reserved and bad addresses",
			rule: Rule{Match: Match{}.EthDstMasked(packet.MAC{1, 0x80, 0xc2},
				packet.MAC(all48)).EthSrcMasked(packet.MAC{1}, packet.MAC{1})},
			fields: []*lib.MatchField{
				lib.NewEthDstField(hw(packet.MAC{1, 0x80, 0xc2}), &all48),
				lib.NewEthSrcField(hw(packet.MAC{1}), &groupBit),
			},
		},
		{
			name: "tunnel", next: 2,
			rule: Rule{
				Match:        Match{}.InPort(3).TunnelID(5010),
				Instructions: Instructions(nil).Apply(Actions(nil).PushVLAN().SetVLAN(10)),
			},
			fields:  []*lib.MatchField{lib.NewInPortField(3), lib.NewTunnelIdField(5010)},
			actions: []lib.Action{lib.NewActionPushVlan(0x8100), lib.NewActionSetField(*lib.NewVlanIdField(10, nil))},
		},
		{
			name: "consulting a mark", next: 7,
			rule: Rule{Match: Match{}.VLAN(10), Instructions: Instructions(nil).Apply(Actions(nil).DependOnMark(11))},
			fields: []*lib.MatchField{
				lib.NewVlanIdField(10, nil),
			},
			actions: []lib.Action{lib.NewNXActionRegMove(1, 11, 0, pktMark, lib.NewRegMatchField(1, 0, nil))},
		},
		{
			name: "flood",
			rule: Rule{
				Match:        Match{}.VLAN(10),
				Instructions: Instructions(nil).Apply(Actions(nil).Group(GroupID(160))),
			},
			fields: []*lib.MatchField{
				lib.NewVlanIdField(10, nil),
			},
			actions: []lib.Action{lib.NewActionGroup(GroupID(160))},
		},
		{
			name: "ARP", next: 5,
			rule: Rule{Match: Match{}.EthType(packet.EtherTypeARP).ARPOp(2).ARPSender(addr1)},
			fields: []*lib.MatchField{
				lib.NewEthTypeField(packet.EtherTypeARP), lib.NewArpOperField(2), lib.NewArpSpaField(addr1.AsSlice()),
			},
		},
		{
			name: "IPv4 and ct", next: 3,
			rule: Rule{
				Match: Match{}.CTState(0,
					CTTracked).EthType(packet.EtherTypeIPv4).IPDSCP(46).IPProto(6).IPSrc(addr1).IPDst(addr2),
				Instructions: Instructions(nil).Apply(Actions(nil).CTRecirculate(9, 3)),
			},
			fields: []*lib.MatchField{
				lib.NewCTStateMatchField(untracked), lib.NewEthTypeField(packet.EtherTypeIPv4), lib.NewIpDscpField(46),
				lib.NewIpProtoField(6), lib.NewIpv4SrcField(addr1.AsSlice(), nil),
				lib.NewIpv4DstField(addr2.AsSlice(), nil),
			},
			actions: []lib.Action{lib.NewNXActionConnTrack().ZoneImm(9).Table(3)},
		},
		{
			name: "IPv6", next: 4,
			rule: Rule{Match: Match{}.CTState(CTReply|CTTracked, CTReply|CTTracked).CTMark(0x1200,
				0xff00).EthType(packet.EtherTypeIPv6).IPProto(58).IPDst(addr6)},
			fields: []*lib.MatchField{
				lib.NewCTStateMatchField(states), lib.NewCTMarkMatchField(0x1200, &markMask),
				lib.NewEthTypeField(packet.EtherTypeIPv6),
				lib.NewIpProtoField(58), lib.NewIpv6DstField(addr6.AsSlice(), nil),
			},
		},
		{
			name: "injected",
			rule: Rule{
				Match:        Match{}.Reg0(1),
				Instructions: Instructions(nil).Apply(Actions(nil).SetReg0(7).CTCommit(9, 0xe05).ResubmitTable(6)),
			},
			fields: []*lib.MatchField{reg0(1)},
			actions: []lib.Action{
				lib.NewActionSetField(*reg0(7)),
				lib.NewNXActionConnTrack().Commit().ZoneImm(9).
					AddAction(lib.NewActionSetField(*lib.NewCTMarkMatchField(0xe05, nil))),
				lib.NewNXActionResubmitTableAction(0xfff8, 6),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.rule
			r.Table, r.Priority, r.Cookie = 1, 20, Cookie(2, 77)
			if c.next > 0 {
				r.Instructions = r.Instructions.Goto(c.next)
			}
			f := lib.NewFlowMod()
			f.Xid, f.Cookie, f.TableId, f.Command, f.Priority = 0, r.Cookie, r.Table, lib.FC_ADD, r.Priority
			f.IdleTimeout, f.HardTimeout, f.Flags = r.IdleTimeout, r.HardTimeout, r.Flags
			for _, field := range c.fields {
				f.Match.AddField(*field)
			}
			if len(c.actions) > 0 {
				apply := lib.NewInstrApplyActions()
				for _, a := range c.actions {
					if err := apply.AddAction(a, false); err != nil {
						t.Fatal(err)
					}
				}
				f.AddInstruction(apply)
			}
			if c.next > 0 {
				f.AddInstruction(lib.NewInstrGotoTable(c.next))
			}
			want, err := f.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if got := r.wire(); !bytes.Equal(got, want) {
				t.Errorf("\n got %x\nwant %x", got, want)
			}
		})
	}
}
