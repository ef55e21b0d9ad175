package oftest

import (
	"bytes"
	"encoding/binary"
	"maps"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// program returns a switch with flows.
func program(t *testing.T, p []Port, msgs ...[]byte) (*Switch, *controller) {
	t.Helper()
	sw := New(Options{DatapathID: 1}, p...)
	c := connect(t, sw)
	c.ok(msgs...)
	return sw, c
}

func TestWalkVLAN(t *testing.T) {
	var none flow.Actions
	sw, _ := program(t, ports(4),
		add(0, 10, 1, match(flow.Match{}.InPort(1).Untagged()), apply(none.PushVLAN().SetVLAN(10)).Goto(1)),
		add(0, 9, 1, match(flow.Match{}.InPort(1).VLAN(0)), apply(none.SetVLAN(10)).Goto(1)),
		add(0, 8, 1, match(flow.Match{}.InPort(2)), flow.Instructions(nil).Goto(1)),
		add(1, 10, 1, match(flow.Match{}.VLAN(10).EthDst(macB)), apply(none.PopVLAN().Output(3))),
		add(1, 9, 1, match(flow.Match{}.VLAN(10).EthDstMasked(packet.MAC{1}, packet.MAC{1})), output(openflow.PortAll)),
	)
	plain, tagged := frame(macB, macA, -1), frame(macB, macA, 10)
	for name, outs := range map[string][]Out{
		"untagged":        sw.Inject(1, plain),
		"priority-tagged": sw.Inject(1, frame(macB, macA, 0)),
		"trunk":           sw.Inject(2, tagged),
	} {
		wantPorts(t, outs, 3)
		if len(outs) == 1 && !bytes.Equal(outs[0].Frame, plain) {
			t.Errorf("%s: %x", name, outs[0].Frame)
		}
	}
	wantPorts(t, sw.Inject(2, frame(macB, macA, 11)))
	wantPorts(t, sw.Inject(1, tagged))
	wantPorts(t, sw.Inject(3, plain))
	outs := sw.Inject(1, frame(packet.Broadcast, macA, -1))
	wantPorts(t, outs, 2, 3, 4)
	if !bytes.Equal(outs[0].Frame, frame(packet.Broadcast, macA, 10)) {
		t.Errorf("flooded %x", outs[0].Frame)
	}
	sw.SetPort(Port{No: 4, Name: "p4", Down: true})
	wantPorts(t, sw.Inject(1, frame(packet.Broadcast, macA, -1)), 2, 3)
	wantPorts(t, sw.Inject(4, frame(packet.Broadcast, macA, -1)))
}

func TestWalkGroupKeepsBucketsApart(t *testing.T) {
	var none flow.Actions
	var buckets []byte
	for _, a := range []flow.Actions{
		none.PopVLAN().Output(2), none.Output(3), none.PopVLAN().Output(1), none.SetTunnelID(5010).Output(4),
	} {
		buckets = openflow.AppendBucket(buckets, 0, openflow.PortAny, openflow.GroupAny, a)
	}
	p := ports(4)
	p[3].Tunnel = true
	sw, _ := program(t, p,
		openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, 0, 10, buckets),
		add(0, 10, 1, match(flow.Match{}.VLAN(10)), apply(none.Group(10))),
		add(0, 10, 1, match(flow.Match{}.TunnelID(5010)), output(1)))
	outs := sw.Inject(1, frame(packet.Broadcast, macA, 10))
	wantPorts(t, outs, 2, 3, 4) // not 1, where it came from
	for i, vid := range []int{-1, 10, 10} {
		if !bytes.Equal(outs[i].Frame, frame(packet.Broadcast, macA, vid)) {
			t.Errorf("bucket %d: %x", i, outs[i].Frame)
		}
	}
	if outs[2].TunnelID != 5010 || outs[1].TunnelID != 0 {
		t.Errorf("tunnel ids %d and %d", outs[1].TunnelID, outs[2].TunnelID)
	}
	wantPorts(t, sw.InjectTunnel(4, 5010, frame(macB, macA, -1)), 1)
	wantPorts(t, sw.InjectTunnel(4, 5011, frame(macB, macA, -1)))
	wantPorts(t, sw.InjectTunnel(2, 5010, frame(macB, macA, -1)))
}

func TestWalkInPort(t *testing.T) {
	sw, _ := program(t, ports(2), add(0, 1, 1, match(flow.Match{}.InPort(1)), output(1)),
		add(0, 1, 1, match(flow.Match{}.InPort(2)), output(openflow.PortInPort)))
	wantPorts(t, sw.Inject(1, frame(macB, macA, -1)))
	wantPorts(t, sw.Inject(2, frame(macB, macA, -1)), 2)
}

// packetIn decodes the only message.
func packetIn(t *testing.T, got [][]byte) openflow.PacketIn {
	t.Helper()
	var p openflow.PacketIn
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	if err := p.Decode(got[0]); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacketIn(t *testing.T) {
	var none flow.Actions
	p := ports(2)
	p[1].Tunnel = true
	sw, c := program(t, p,
		add(0, 5, 0x10, match(flow.Match{}.Untagged()), apply(none.PushVLAN().SetVLAN(10)).Goto(3)),
		add(3, 5, 0xabc, match(flow.Match{}.VLAN(10).EthSrc(macA)), apply(none.Controller(7))),
		add(3, 0, 0xdef, nil, toController()),
	)
	sw.Inject(1, frame(macB, macA, -1))
	in := packetIn(t, c.do())
	if in.Cookie != 0xabc || in.TableID != 3 || in.InPort != 1 || in.Reason != openflow.PacketInAction ||
		!bytes.Equal(in.Data, frame(macB, macA, 10)) {
		t.Errorf("%+v", in)
	}
	sw.InjectTunnel(2, 99, frame(macA, macB, -1))
	in = packetIn(t, c.do())
	if in.Cookie != 0xdef || in.Reason != openflow.PacketInNoMatch || in.InPort != 2 || in.TunnelID != 99 {
		t.Errorf("%+v", in)
	}
	in = packetIn(t, c.do(openflow.AppendPacketOut(nil, 1, 1, none.Output(openflow.PortController),
		frame(macB, macA, -1))))
	if in.Cookie != ^uint64(0) || in.Reason != openflow.PacketInAction {
		t.Errorf("from a packet-out: %+v", in)
	}
}

// TestColoredProbe is the way of a probe: a packet-out that commits a mark and enters table 0, and a reply that is
// known by that mark.
func TestColoredProbe(t *testing.T) {
	const zone, color = 7, 0x6f
	var none flow.Actions
	trap := flow.Match{}.EthType(packet.EtherTypeIPv4).IPProto(packet.ProtoICMP).ICMPType(0)
	marked := flow.Match{}.CTState(flow.CTTracked|flow.CTReply, flow.CTTracked|flow.CTReply).CTMark(color, 0xffffffff)
	sw, c := program(t, ports(2),
		add(0, 10, 1, match(trap.EthDst(macA).IPSrc(ipB).IPDst(ipA).CTState(0, flow.CTTracked)),
			apply(none.CTRecirculate(zone, 2))),
		add(0, 1, 1, nil, flow.Instructions(nil).Goto(3)),
		add(2, 10, 0xc01, match(marked.EthType(packet.EtherTypeIPv4)), toController()),
		add(2, 1, 1, nil, flow.Instructions(nil).Goto(3)),
		add(3, 1, 1, match(flow.Match{}.EthDst(macB)), output(2)),
		add(3, 1, 1, match(flow.Match{}.EthDst(macA)), output(1)),
	)
	var left []Out
	sw.OnOutput(func(o Out) { left = append(left, o) })
	request := echo(macB, macA, ipB, ipA, -1, 8, color)
	c.ok(openflow.AppendPacketOut(nil, 1, 1, none.CTCommit(zone, color).Output(openflow.PortTable), request))
	wantPorts(t, left, 2)
	if !bytes.Equal(left[0].Frame, request) {
		t.Errorf("sent %x", left[0].Frame)
	}
	if n := len(sw.conns); n != 1 {
		t.Errorf("%d connections", n)
	}
	wantPorts(t, sw.Inject(2, echo(macA, macB, ipA, ipB, -1, 0, color)))
	if in := packetIn(t, c.do()); in.Cookie != 0xc01 || in.TableID != 2 || in.InPort != 2 {
		t.Errorf("%+v", in)
	}
	// The guest's own ping, with another identifier, goes on to it.
	wantPorts(t, sw.Inject(2, echo(macA, macB, ipA, ipB, -1, 0, color+1)), 1)
	c.ok()
}

func TestTrackStates(t *testing.T) {
	now := &clock{}
	sw := New(Options{Now: now.now})
	at := func(f []byte, zone uint16, commit bool) uint32 {
		p := &packetState{Packet: oxm.Packet{Frame: f}}
		sw.lock()
		defer sw.mu.Unlock()
		sw.track(p, zone, commit, nil)
		return p.CTState
	}
	request, reply := echo(macB, macA, ipB, ipA, 5, 8, 9), echo(macA, macB, ipA, ipB, 5, 0, 9)
	damaged := bytes.Clone(request)
	damaged[len(damaged)-1] ^= 1
	for i, step := range []struct {
		frame  []byte
		zone   uint16
		commit bool
		want   uint32
	}{
		{reply, 1, false, ctTracked | ctInvalid},
		{request, 1, false, ctTracked | ctNew},
		{reply, 1, false, ctTracked | ctInvalid}, // nothing was committed
		{request, 1, true, ctTracked | ctNew},
		{request, 1, false, ctTracked | ctNew},
		{reply, 2, false, ctTracked | ctInvalid}, // another zone
		{reply, 1, false, ctTracked | ctEstablished | ctReply},
		{request, 1, false, ctTracked | ctEstablished},
		{frame(macA, macB, -1), 1, false, ctTracked | ctInvalid},
		{damaged, 1, false, ctTracked | ctInvalid},
	} {
		if got := at(step.frame, step.zone, step.commit); got != step.want {
			t.Errorf("step %d: state %#x, want %#x", i, got, step.want)
		}
	}
	now.add(ctIdle + 1)
	if got := at(reply, 1, false); got != ctTracked|ctInvalid {
		t.Errorf("after the timeout: %#x", got)
	}
}

func TestMatchFields(t *testing.T) {
	arp := frame(packet.Broadcast, macA, -1)[:14]
	binary.BigEndian.PutUint16(arp[12:], packet.EtherTypeARP)
	arp = append(arp, 0, 1, 8, 0, 6, 4, 0, 1)
	arp = append(arp, macA[:]...)
	arp = append(arp, 10, 0, 3, 1, 0, 0, 0, 0, 0, 0, 10, 0, 3, 2)
	ping := echo(macB, macA, ipB, ipA, 10, 8, 3)
	var m flow.Match
	for i, tc := range []struct {
		frame []byte
		match flow.Match
		want  bool
	}{
		{ping, m.EthType(packet.EtherTypeIPv4).IPProto(1).IPSrc(ipA).IPDst(ipB).ICMPType(8).VLAN(10).InPort(1), true},
		{ping, m.InPort(2), false},
		{ping, m.VLAN(11), false},
		{ping, m.Untagged(), false},
		{ping, m.EthType(packet.EtherTypeIPv4).IPSrc(ipB), false},
		{ping, m.EthType(packet.EtherTypeIPv4).IPProto(1).ICMPType(0), false},
		{ping, m.EthType(packet.EtherTypeIPv4).IPDSCP(0), true},
		{ping, m.EthType(packet.EtherTypeARP), false},
		{ping, m.Reg0(0), true},
		{ping, m.Reg0(1), false},
		{ping, m.CTState(0, flow.CTTracked), true},
		{ping, m.EthSrcMasked(packet.MAC{2}, packet.MAC{0xff}).EthDst(macB), true},
		{ping, m.EthDst(macA), false},
		{arp, m.EthType(packet.EtherTypeARP).ARPOp(1).ARPSender(ipA).Untagged(), true},
		{arp, m.EthType(packet.EtherTypeARP).ARPOp(2), false},
		{arp, m.EthType(packet.EtherTypeARP).ARPSender(ipB), false},
		{arp[:30], m.EthType(packet.EtherTypeARP).ARPOp(1), false}, // too short for ARP
		{ping[:40], m.EthType(packet.EtherTypeIPv4).IPProto(1).ICMPType(8), false},
	} {
		s, no := canonical(tc.match.Bytes())
		if no != nil {
			t.Fatalf("%d: refused %v", i, *no)
		}
		if got := (&packetState{Packet: oxm.Packet{Frame: tc.frame, InPort: 1}}).matches(s); got != tc.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

func TestStorm(t *testing.T) {
	var sws []*Switch
	for i := range 3 {
		sw := New(Options{DatapathID: openflow.DatapathID(i + 1)}, ports(3)...)
		connect(t, sw).ok(add(0, 1, 1, nil, output(openflow.PortFlood)))
		sws = append(sws, sw)
	}
	wire := func(a, ap, b, bp int) {
		t.Helper()
		if err := Wire(sws[a], openflow.PortNo(ap), sws[b], openflow.PortNo(bp)); err != nil {
			t.Fatal(err)
		}
	}
	wire(0, 1, 1, 1)
	wire(1, 2, 2, 1)
	got := map[int]int{}
	for i, sw := range sws {
		sw.OnOutput(func(Out) { got[i]++ })
	}
	sws[0].Inject(3, frame(packet.Broadcast, macA, -1))
	if !maps.Equal(got, map[int]int{0: 1, 1: 1, 2: 2}) || sws[0].Storms() != 0 {
		t.Errorf("a chain delivers %v, %d storms", got, sws[0].Storms())
	}
	wire(2, 2, 0, 2)
	sws[0].Inject(3, frame(packet.Broadcast, macA, -1))
	if n := sws[0].Storms(); n != 1 {
		t.Errorf("a ring of floods: %d storms", n)
	}
	sws[1].DeletePort(1)
	sws[0].Inject(3, frame(packet.Broadcast, macA, -1))
	if n := sws[0].Storms(); n != 1 {
		t.Errorf("cut: %d storms", n)
	}
	if err := Wire(sws[0], 1, sws[1], 1); err == nil {
		t.Error("wired a port that does not exist")
	}
}

// TestResubmitExplosion: each entry enters twice more.
func TestResubmitExplosion(t *testing.T) {
	resubmit := []byte{0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, nxResubmit, 0xff, 0xf8, 0, 0, 0, 0}
	sw, _ := program(t, ports(2), add(0, 1, 1, nil, apply(bytes.Repeat(resubmit, 2))))
	wantPorts(t, sw.Inject(1, frame(macA, macB, -1)))
	if n := sw.Flows()[0].Packets; n < maxDepth || n > maxEntries {
		t.Errorf("%d entries", n)
	}
}

func TestNicira(t *testing.T) {
	load := []byte{0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, nxRegLoad, 0, 0}
	load[10], load[11] = 0x01, 0x03 // from bit 4, 4 bits
	load = binary.BigEndian.AppendUint32(load, 0x00010004)
	load = binary.BigEndian.AppendUint64(load, 5)
	resubmit := []byte{0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, nxResubmit, 0xff, 0xf8, 4, 0, 0, 0}
	sw, c := program(t, ports(2),
		add(0, 1, 1, nil, apply(append(append(flow.Actions(nil).SetReg0(0xf0f), load...), resubmit...))),
		add(4, 1, 1, match(flow.Match{}.Reg0(0xf5f)), output(2)))
	wantPorts(t, sw.Inject(1, frame(macA, macB, -1)), 2)
	load[23] = 16 // does not fit into 4 bits
	c.wantErrors(c.do(add(0, 1, 1, nil, apply(load))),
		[2]uint16{openflow.ErrorTypeBadAction, openflow.BadActionBadSetArgument})
}
