package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

func newApp(noConntrack bool) (*App, *apps.Output) {
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	a := New(&apps.Switch{Layout: apptest.Layout, NoConntrack: noConntrack}, &testKey)
	a.Refresh(time.Time{}, out)
	return a, out
}

var trapAB = Trap{VLAN: 10, Type: ICMP, EthDst: macA, Src: ipB, Dst: ipA}

func has(out *apps.Output, r *flow.Rule) bool { return out.Store.Has(r.Table, r.Priority, &r.Match) }

func TestNothingGoesToTheTrackerUnlessProbed(t *testing.T) {
	_, out := newApp(false)
	if n, m := out.Store.TableLen(apptest.Trap), out.Store.TableLen(apptest.Trapped); n != 1 || m != 2 {
		t.Errorf("%d and %d rules, want the 3 fixed ones", n, m)
	}
}

func TestTrapsAreCounted(t *testing.T) {
	a, out := newApp(false)
	for range 2 {
		a.AddTrap(trapAB, out)
	}
	a.RemoveTrap(trapAB, out)
	if !has(out, trapAB.rule(testWays(false))) {
		t.Fatal("removed once of two, and gone")
	}
	a.Refresh(time.Time{}, out)
	if !has(out, trapAB.rule(testWays(false))) || a.TrapCount() != 1 {
		t.Fatal("a refresh lost the trap")
	}
	a.RemoveTrap(trapAB, out)
	a.RemoveTrap(trapAB, out)
	if has(out, trapAB.rule(testWays(false))) || out.Store.TableLen(apptest.Trap) != 1 {
		t.Fatal("removed twice, and there")
	}
}

func TestARPTrapsOfOneColorAreOne(t *testing.T) {
	a, out := newApp(false)
	a.AddTrap(NewTrap(ARP, 10, macA, ipA, ipB, 0x8000), out)
	a.AddTrap(NewTrap(ARP, 10, macB, netip.Addr{}, ipB, 0x8000), out)
	if n := out.Store.TableLen(apptest.Trap); n != 2 {
		t.Errorf("%d rules, want the miss and one trap", n)
	}
}

func TestRefreshFollowsTheLossOfConntrack(t *testing.T) {
	a, out := newApp(false)
	a.AddTrap(trapAB, out)
	a.sw.NoConntrack = true
	a.Refresh(time.Time{}, out)
	if has(out, trapAB.rule(testWays(false))) || !has(out, trapAB.rule(testWays(true))) {
		t.Error("the trap was not restated for DSCP")
	}
	a.RemoveTrap(trapAB, out)
	if has(out, trapAB.rule(testWays(true))) {
		t.Error("the trap stayed")
	}
	out.Store.Each(func(m *openflow.FlowMod) {
		if text := oftext.Match(m.Match) + oftext.Instructions(m.Instructions); strings.Contains(text, "ct_") ||
			strings.Contains(text, "ct(") {
			t.Errorf("a switch without a connection tracker would refuse %s", text)
		}
	})
}

// packetOut splits the packet-out messages in b.
func packetOuts(t *testing.T, b []byte) (list []struct {
	in      openflow.PortNo
	actions flow.Actions
	frame   []byte
},
) {
	t.Helper()
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint16(b[2:]))
		al := int(binary.BigEndian.Uint16(b[16:]))
		list = append(list, struct {
			in      openflow.PortNo
			actions flow.Actions
			frame   []byte
		}{openflow.PortNo(binary.BigEndian.Uint32(b[12:])), flow.Actions(b[24 : 24+al]), b[24+al : n]})
		b = b[n:]
	}
	return list
}

func TestInject(t *testing.T) {
	table := func(a flow.Actions) flow.Actions { return a.Output(openflow.PortTable) }
	color := flow.Actions(nil).SetReg0(apps.Injected).CTCommit(0xe00a, 0xe0518001)
	for name, c := range map[string]struct {
		typ         Type
		src, dst    netip.Addr
		noConntrack bool
		dscp        uint8
		want        flow.Actions
	}{
		"icmp":     {ICMP, ipA, ipB, false, 0, table(color)},
		"icmp6":    {ICMP6, ip6A, ip6B, false, 0, table(color)},
		"arp":      {ARP, ipA, ipB, false, 0, table(flow.Actions(nil).SetReg0(apps.Injected))},
		"fallback": {ICMP, ipA, ipB, true, FallbackDSCP, table(flow.Actions(nil).SetReg0(apps.Injected))},
	} {
		a, out := newApp(c.noConntrack)
		f := echo(c.src, c.dst)
		f.Type, f.VLAN = c.typ, 10
		a.Inject(out, 5, f)
		f.DSCP = c.dscp
		got := packetOuts(t, out.Wire)
		if len(got) != 1 || got[0].in != 5 || !bytes.Equal(got[0].actions, c.want) ||
			!bytes.Equal(got[0].frame, f.Append(nil, &testKey)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPacketRcvd checks that only our own replies stay out of the stream, whatever the trap.
func TestPacketRcvd(t *testing.T) {
	ours := bounce(t, echo(ipA, ipB).Append(nil, &testKey), 10)
	users := append([]byte(nil), ours...)
	users[18+20+8] = 'X'
	forged := bounce(t, echo(ipA, ipB).Append(nil, &Key{9}), 10)
	arp := packet.AppendEthernetVLAN(nil, ColoredMAC(1, 2), macB, 10, packet.EtherTypeARP)
	for name, c := range map[string]struct {
		frame  []byte
		tag    uint64
		goesOn bool
		reason Reason
	}{
		"ours":          {ours, tagTracked, false, Genuine},
		"a user's":      {users, tagFallback, true, NotOurs},
		"forged":        {forged, tagTracked, true, Forged},
		"malformed ARP": {arp, tagLinkLayer, false, Malformed},
	} {
		a, out := newApp(false)
		out.Wire = nil
		now := time.Unix(5, 0)
		in := &openflow.PacketIn{InPort: 3, Data: c.frame, Cookie: flow.Cookie(apps.OwnerProbe, c.tag)}
		a.PacketRcvd(now, &apps.Packet{In: in, VLAN: 10}, out)
		outs := packetOuts(t, out.Wire)
		if goesOn := len(outs) == 1; goesOn != c.goesOn {
			t.Errorf("%s: %d packet-outs", name, len(outs))
		} else if goesOn {
			want := flow.Actions(nil).ResubmitTable(apptest.Snoop)
			if outs[0].in != 3 || !bytes.Equal(outs[0].actions, want) || !bytes.Equal(outs[0].frame, c.frame) {
				t.Errorf("%s: %v", name, outs[0])
			}
		}
		if len(out.Facts) != 1 || out.Facts[0].Kind != apps.ProbeReply || out.Facts[0].Port != 3 ||
			out.Facts[0].VLAN != 10 ||
			!out.Facts[0].At.Equal(now) {
			t.Errorf("%s: facts %+v", name, out.Facts)
		} else if got := out.Facts[0].Reply.(*Trapped); got.Reason != c.reason || got.Reason == Genuine &&
			(got.ID != 7 || got.Src != ipB) {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func testWays(noConntrack bool) capabilities {
	return capabilities{apptest.Layout.Table("trap"), apptest.Layout.Table("trapped"), noConntrack, apps.MeterProbe}
}
