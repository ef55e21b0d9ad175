package openflow

import (
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/ofctl.txt anew")

// TestOfctlReads has ovs-ofctl print what we encode, in both directions, and compares with testdata/ofctl.txt, which is
// in the words of version 3.1.
func TestOfctlReads(t *testing.T) {
	ofctl, err := exec.LookPath("ovs-ofctl")
	if err != nil {
		t.Skip("needs ovs-ofctl: ", err)
	}
	match := unhex(t, "80000004 00000001 80000606 020000000001 80000c02 100a")
	actions := unhex(t, "0012000800000000 0000001000000005ffff000000000000")
	instructions := append(unhex(t, "00040020 00000000"),
		append(append([]byte{}, actions...), unhex(t, "0001000804000000")...)...)
	buckets := AppendBucket(nil, 0, 1, GroupAny, actions)
	buckets = AppendBucket(buckets, 0, 5, GroupAny, nil)
	fm := FlowMod{
		Cookie: 0xc0, CookieMask: 0xff, TableID: 3, IdleTimeout: 300, HardTimeout: 600, Priority: 1000,
		BufferID: BufferNone, OutPort: 6, OutGroup: 9, Flags: FlagSendFlowRem, Match: match, Instructions: instructions,
	}
	del := fm
	del.Instructions = nil
	desc := PortDesc{
		No: 5, HWAddr: [6]byte{2, 0, 0, 0, 0, 5}, Name: "vif5", Config: PortConfigNoRecv, State: PortStateLive,
		Curr: 1 << 5, Advertised: 1 << 6, Supported: 1 << 7, Peer: 1 << 4, CurrSpeed: 1_000_000, MaxSpeed: 10_000_000,
	}
	arp := unhex(t, "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000301 000000000000 0a000302")
	addr4, addr6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")

	var b []byte
	b = AppendHello(b, 1)
	b = AppendError(b, 2, ErrorTypeFlowModFailed, FlowModFailedTableFull, AppendBarrierRequest(nil, 2))
	b = AppendExperimenterError(b, 3, ExperimenterONF, BundleErrorMsgBadXid, AppendBarrierRequest(nil, 3))
	b = AppendExperimenterError(b, 4, ExperimenterNicira, 15, AppendBarrierRequest(nil, 4))
	b = AppendEchoRequest(b, 5, []byte("ping"))
	b = AppendEchoReply(b, 6, []byte("ping"))
	b = AppendFeaturesRequest(b, 7)
	b = AppendFeaturesReply(b, 8,
		&FeaturesReply{DatapathID: 0xa1, NBuffers: 1, NTables: 254, AuxiliaryID: 2, Capabilities: CapFlowStats})
	b = AppendGetConfigReply(b, 10, SwitchConfig{Flags: FragDrop, MissSendLen: 128})
	b = AppendSetConfig(b, 11, FragReasm, MissSendLenNoBuffer)
	b = AppendBarrierRequest(b, 12)
	b = AppendBarrierReply(b, 13)
	b = AppendRoleRequest(b, 14, RoleMaster, 7)
	b = AppendRoleReply(b, 15, RoleSlave, 8)
	b = AppendSetAsync(b, 16, AsyncConfig{1, 2, 4, 1, 2, 4})
	b = AppendPacketOut(b, 17, 5, actions, arp)
	b = AppendPacketIn(b, 18, &PacketIn{
		BufferID: BufferNone, TotalLen: uint16(len(arp)), Reason: PacketInNoMatch, TableID: 4, Cookie: 0x1234,
		InPort:   5,
		TunnelID: 5010, TunSrc: addr4, TunDst: addr4.Next(), Data: arp,
	})
	b = AppendPacketIn(b, 19,
		&PacketIn{
			BufferID: 9, TotalLen: 1500, Reason: PacketInAction, InPort: 5, TunSrc: addr6, TunDst: addr6.Next(),
			Data: arp,
		})
	b = AppendFlowMod(b, 20, FlowAdd, &fm)
	b = AppendFlowMod(b, 21, FlowModifyStrict, &fm)
	b = AppendFlowMod(b, 22, FlowDelete, &del)
	b = AppendFlowRemoved(b, 23, &FlowRemoved{
		Cookie: 0xc0, Priority: 1000, Reason: FlowRemovedHardTimeout, TableID: 3, DurationSec: 600,
		DurationNsec: 5_000_000,
		IdleTimeout:  300, HardTimeout: 600, Packets: 11, Bytes: 1100, Match: match,
	})
	b = AppendPortStatus(b, 24, &PortStatus{Reason: PortModify, Desc: desc})
	b = AppendGroupMod(b, 25, GroupAdd, GroupTypeFF, 12, buckets)
	b = AppendGroupMod(b, 26, GroupDelete, GroupTypeAll, GroupAll, nil)
	b = AppendMeterMod(b, 27, MeterModify, MeterPktps|MeterBurst, 7, 100, 10)
	b = AppendMeterMod(b, 28, MeterDelete, 0, MeterController, 0, 0)
	b = AppendBundleControl(b, 29, 5, BundleCommitRequest, BundleAtomic|BundleOrdered)
	b = AppendBundleAdd(b, 30, 5, BundleAtomic, AppendFlowMod(nil, 1, FlowAdd, &fm))
	b = AppendFlowStatsRequest(b, 31,
		FlowStatsRequest{TableID: 4, OutPort: 6, OutGroup: 9, Cookie: 1, CookieMask: 3, Match: match})
	b = AppendGroupDescRequest(b, 32)
	b = AppendMeterConfigRequest(b, 33, 7)
	b = AppendPortDescRequest(b, 34)
	b = AppendPortStatsRequest(b, 35, 5)
	b = AppendDescRequest(b, 37)
	reply := func(xid uint32, typ uint16, body []byte) { b = AppendMultipartReply(b, xid, typ, false, body) }
	reply(38, MultipartDesc, AppendSwitchDesc(nil, &SwitchDesc{"maker", "hardware", "software", "serial", "datapath"}))
	reply(39, MultipartFlow, AppendFlowStats(nil, &FlowStats{
		TableID: 3, DurationSec: 1, DurationNsec: 2_000_000, Priority: 1000, IdleTimeout: 300, HardTimeout: 600,
		Flags:  FlagSendFlowRem,
		Cookie: 0xc0, Packets: 11, Bytes: 1100, Match: match, Instructions: instructions,
	}))
	reply(40, MultipartGroupDesc, AppendGroupDesc(nil, &GroupDesc{Type: GroupTypeFF, ID: 12, Buckets: buckets}))
	reply(41, MultipartMeterConfig, AppendMeterConfig(nil, &MeterConfig{
		Flags: MeterKbps | MeterBurst, ID: 7, Bands: unhex(t, "00010010 000003e8 000000c8 00000000"),
	}))
	reply(42, MultipartPortDesc, AppendPortDesc(nil, &desc))
	reply(43, MultipartPortStats,
		AppendPortStats(nil, &PortStats{5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14_000_000}))

	file := filepath.Join(t.TempDir(), "messages")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), ofctl, "-O", "OpenFlow13", "ofp-parse", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const golden = "testdata/ofctl.txt"
	if *update {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if version, err := exec.CommandContext(t.Context(), ofctl, "--version").Output(); err != nil ||
		!strings.Contains(string(version), " 3.1.") {
		// as it marks what it cannot decode; its words change between versions
		if strings.Contains(string(out), "***") {
			t.Errorf("%s", out)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, string(out), string(want))
}
