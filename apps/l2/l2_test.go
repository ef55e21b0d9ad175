package l2

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

const (
	self  = openflow.DatapathID(1)
	other = openflow.DatapathID(2)
	third = openflow.DatapathID(3)
	blue  = uint16(10)
	red   = uint16(11)
)

var t0 = time.Unix(1_700_000_000, 0)

// rig is an app with its switch: ports 1 and 2 are access ports of blue, 3 of red, 4 a trunk of both, 5 closed, 6 down,
// and 9 a link (trunk) to the switch other once link has been called.
type rig struct {
	testing.TB
	sw  *apps.Switch
	app *App
	out *apps.Output
	now time.Time
}

func access(no openflow.PortNo, vlan uint16) *apps.Port {
	return &apps.Port{
		No: no, Name: fmt.Sprintf("vif%d", no), Up: true, Settled: true, Mode: intent.Access,
		VLANs: []uint16{vlan}, Native: vlan,
	}
}

func trunk(no openflow.PortNo) *apps.Port {
	return &apps.Port{
		No: no, Name: fmt.Sprintf("up%d", no), Up: true, Settled: true, Mode: intent.Trunk,
		VLANs: []uint16{blue, red},
	}
}

func newRig(t testing.TB) *rig {
	sw := &apps.Switch{
		ID: self, Name: "s1", Ports: map[openflow.PortNo]*apps.Port{},
		Networks: []apps.Network{{Name: "blue", VLAN: blue, VNI: 5010}, {Name: "red", VLAN: red, VNI: 5011}},
		Settings: apps.Settings{HostTimeout: 300 * time.Second, HostsPerPort: 1024, HostsPerSwitch: 8192, Moves: 5},
		Graph:    topology.NewGraph().Snapshot(),
	}
	closed, down := access(5, blue), access(6, blue)
	closed.Mode, closed.VLANs, closed.Native = intent.Closed, nil, 0
	down.Up = false
	for _, p := range []*apps.Port{access(1, blue), access(2, blue), access(3, red), trunk(4), closed, down, trunk(9)} {
		sw.Ports[p.No] = p
		sw.Order = append(sw.Order, p.No)
	}
	r := &rig{TB: t, sw: sw, app: New(sw), out: &apps.Output{Store: flow.NewStore()}, now: t0}
	r.refresh()
	r.drain()
	return r
}

// link joins port 9 to the switch other, and that to the switch third.
func (r *rig) link() {
	g := topology.NewGraph()
	for _, id := range []openflow.DatapathID{self, other, third} {
		g.SetSwitch(id, true)
	}
	join := func(a, b topology.PortRef) {
		for _, ref := range []topology.PortRef{a, b} {
			g.SetPort(ref, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(blue, red)})
		}
		g.LinkSeen(a, b, topology.Wire, 1, r.now)
		g.LinkSeen(b, a, topology.Wire, 1, r.now)
	}
	join(topology.PortRef{Switch: self, Port: 9}, topology.PortRef{Switch: other, Port: 9})
	join(topology.PortRef{Switch: other, Port: 8}, topology.PortRef{Switch: third, Port: 8})
	r.sw.Graph = g.Snapshot()
	r.sw.Ports[9].Transit = true
	r.refresh()
}

func (r *rig) refresh() { r.app.Refresh(r.now, r.out) }

// drain throws away what is queued and the facts: what comes after shows.
func (r *rig) drain() {
	for r.out.Store.Pending() > 0 {
		r.out.Store.Drain(nil, 1<<20, &r.out.Xid, nil)
	}
	r.out.Facts = nil
}

func mac(n byte) packet.MAC { return packet.MAC{2, 0, 0, 0, 0, n} }

// packetFrom is a copied frame as the machine gives it to the app.
func (r *rig) packetFrom(port openflow.PortNo, vlan uint16, frame []byte) *apps.Packet {
	f, ok := packet.Parse(frame)
	if !ok {
		r.Fatal("bad frame")
	}
	return &apps.Packet{
		In: &openflow.PacketIn{InPort: port, Data: frame}, Frame: f, Port: r.sw.Ports[port], VLAN: vlan,
		Owner: apps.OwnerL2,
	}
}

func frame(src packet.MAC, vlan uint16) []byte {
	return append(packet.AppendEthernetVLAN(nil, packet.Broadcast, src, vlan, 0x1234), make([]byte, 46)...)
}

// see has a frame of a host come in.
func (r *rig) see(port openflow.PortNo, vlan uint16, src packet.MAC) {
	r.app.PacketRcvd(r.now, r.packetFrom(port, vlan, frame(src, vlan)), r.out)
}

// text is the desired state of one table as ovs-ofctl would print it, without the miss and transit rules.
func (r *rig) text(tables ...uint8) string {
	var lines []string
	r.out.Store.Each(func(m *openflow.FlowMod) {
		if slices.Contains(tables, m.TableID) && m.Priority == prioHost && m.Cookie>>48&0xf == uint64(apps.OwnerHosts) {
			lines = append(lines, oftext.Flow(&openflow.FlowStats{
				TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout,
				HardTimeout: m.HardTimeout,
				Flags:       m.Flags, Match: m.Match, Instructions: m.Instructions,
			}))
		}
	})
	return oftext.SortFlows(lines)
}

func (r *rig) hosts() string { return r.text(apps.TableLearn, apps.TableForward) }

func (r *rig) wantHosts(want string) {
	r.Helper()
	var w strings.Builder
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			w.WriteString(line + "\n")
		}
	}
	if got := r.hosts(); got != w.String() {
		r.Errorf("rules of hosts:\n%swant:\n%s", got, w.String())
	}
}

// facts returns the facts since the last drain, one line each.
func (r *rig) facts() string {
	var s []string
	for _, f := range r.out.Facts {
		switch f.Kind {
		case apps.HostSeen:
			s = append(s, fmt.Sprintf("seen %d/%s at %d", f.VLAN, f.MAC, f.Port))
		case apps.HostGone:
			s = append(s, fmt.Sprintf("gone %d/%s at %d", f.VLAN, f.MAC, f.Port))
		case apps.HostIP:
			s = append(s, fmt.Sprintf("ip %d/%s %s", f.VLAN, f.MAC, f.Addr))
		case apps.Told:
			s = append(s, f.Event.Type.String()+": "+f.Event.Message)
		default:
			s = append(s, fmt.Sprint("kind ", f.Kind))
		}
	}
	slices.Sort(s)
	return strings.Join(s, "\n")
}

func (r *rig) wantFacts(want ...string) {
	r.Helper()
	slices.Sort(want)
	if got := r.facts(); got != strings.Join(want, "\n") {
		r.Errorf("facts:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	r.out.Facts = nil
}

const (
	learned1 = `
		cookie=0xe05502000000000a, table=5, idle_timeout=300, send_flow_rem priority=10,in_port=1,dl_vlan=10,dl_src=02:00:00:00:00:0a actions=goto_table:6
		cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=pop_vlan,output:1`
	learned2 = `
		cookie=0xe05502000000000a, table=5, idle_timeout=300, send_flow_rem priority=10,in_port=2,dl_vlan=10,dl_src=02:00:00:00:00:0a actions=goto_table:6
		cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=pop_vlan,output:2`
)

func TestFixedRules(t *testing.T) {
	r := newRig(t)
	r.link()
	var lines []string
	r.out.Store.Each(func(m *openflow.FlowMod) {
		lines = append(lines, oftext.Flow(&openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, Match: m.Match, Instructions: m.Instructions,
		}))
	})
	want := `cookie=0xe054000000000000, table=4, priority=30,reg0=0x1 actions=goto_table:5
cookie=0xe054000000000000, table=4, priority=20,in_port=9 actions=goto_table:5
cookie=0xe054000000000002, table=4, priority=10,arp actions=controller(meter_id=918786),goto_table:5
cookie=0xe054000000000000, table=4, priority=0 actions=goto_table:5
cookie=0xe054000000000000, table=5, priority=30,dl_src=02:e0:51:00:00:00/ff:ff:ff:00:00:00 actions=goto_table:6
cookie=0xe054000000000000, table=5, priority=30,reg0=0x1 actions=goto_table:6
cookie=0xe054000000000000, table=5, priority=20,in_port=9 actions=goto_table:6
cookie=0xe054000000000001, table=5, priority=0 actions=controller(meter_id=918785),goto_table:6
cookie=0xe054000000000000, table=6, priority=30,reg0=0x2 actions=drop
cookie=0xe054000000000000, table=6, priority=0 actions=goto_table:7
`
	if got := oftext.SortFlows(lines); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLearnNewHost(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")

	// The destination before the source: a learned source can always be answered.
	b := r.out.Store.Drain(nil, 1, &r.out.Xid, nil)
	var m openflow.FlowMod
	if err := m.Decode(b); err != nil || m.TableID != apps.TableForward {
		t.Errorf("the first message is for table %d (%v)", m.TableID, err)
	}
	h, ok := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
	if !ok || h.Port != 1 || !h.Since.Equal(t0) || !h.Last.Equal(t0) || r.app.Len() != 1 {
		t.Errorf("%+v", h)
	}
}

func TestKnownHostCostsNothing(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	r.now = r.now.Add(time.Minute)
	r.see(1, blue, mac(10))
	r.wantFacts()
	if r.out.Store.Pending() != 0 {
		t.Error("something is to be sent")
	}
	if h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10))); !h.Last.Equal(r.now) || !h.Since.Equal(t0) {
		t.Errorf("%+v", h)
	}
}

// TestSameAddressInTwoNetworks: a host is an address in a network.
func TestSameAddressInTwoNetworks(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.see(3, red, mac(10))
	if r.app.Len() != 2 || r.out.Store.TableLen(apps.TableLearn) != 5 {
		t.Errorf("%d hosts, %d rules", r.app.Len(), r.out.Store.TableLen(apps.TableLearn))
	}
}

func TestMove(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	r.see(2, blue, mac(10))
	r.wantHosts(learned2)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 2")
	if r.app.Moves[blue] != 1 || r.app.Len() != 1 {
		t.Errorf("%d moves, %d hosts", r.app.Moves[blue], r.app.Len())
	}
}

// TestFreeze moves a host more often than the limit: it stays, one line says so, its frames at the wrong port are no
// longer copied, and after a minute it may move again.
func TestFreeze(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	for i := range 5 {
		r.now = r.now.Add(time.Second)
		r.see(openflow.PortNo(2-i%2), blue, mac(10))
	}
	r.drain()
	r.see(1, blue, mac(10)) // the sixth move, from port 2
	suppressedRules := learned2 + `
		cookie=0xe05502000000000a, table=5, hard_timeout=60, priority=10,in_port=1,dl_vlan=10,dl_src=02:00:00:00:00:0a actions=goto_table:6`
	sorted := strings.Split(strings.TrimSpace(suppressedRules), "\n")
	r.wantHosts(strings.Join([]string{sorted[2], sorted[0], sorted[1]}, "\n"))
	r.wantFacts("host_frozen: host 02:00:00:00:00:0a (VLAN 10) moves between ports vif2 and vif1 of switch s1 more " +
		"than 5 times in 10s: it stays at vif2 for 1m0s")
	r.drain()

	for range 10 { // frames in flight
		r.see(1, blue, mac(10))
	}
	r.wantFacts()
	if r.out.Store.Pending() != 0 || r.app.Drops[DropFrozen] != 11 || r.app.Moves[blue] != 5 {
		t.Errorf("%d pending, %d drops, %d moves", r.out.Store.Pending(), r.app.Drops[DropFrozen], r.app.Moves[blue])
	}
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(topology.FreezeTime)) {
		t.Errorf("wake at %s", wake)
	}
	r.now = r.now.Add(topology.FreezeTime - time.Millisecond)
	r.app.Tick(r.now, r.out)
	r.see(1, blue, mac(10))
	r.wantFacts()
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(time.Millisecond)) {
		t.Errorf("wake at %s", wake)
	}

	r.now = r.now.Add(time.Millisecond)
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned2)
	if wake := r.out.TakeWake(); !wake.IsZero() {
		t.Errorf("wake at %s", wake)
	}
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")
}

// TestSlowMoves: the limit is for moves within ten seconds.
func TestSlowMoves(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		r.see(openflow.PortNo(1+i%2), blue, mac(10))
		r.now = r.now.Add(3 * time.Second)
	}
	if r.app.Drops[DropFrozen] != 0 || r.app.Moves[blue] != 29 {
		t.Errorf("%d moves, %d refused", r.app.Moves[blue], r.app.Drops[DropFrozen])
	}
	r.sw.Settings.Moves = 0
	for i := range 100 {
		r.see(openflow.PortNo(1+i%2), blue, mac(10))
	}
	if r.app.Drops[DropFrozen] != 0 {
		t.Error("0 is no limit")
	}
}

// TestFreezeUnknown freezes a host that moves between switches: it is not learned here meanwhile.
func TestFreezeUnknown(t *testing.T) {
	r := newRig(t)
	r.app.Freeze(r.now, topology.NewHostKey(blue, mac(10)), r.out)
	r.see(1, blue, mac(10))
	if r.app.Len() != 0 || r.app.Drops[DropFrozen] != 1 || r.out.Store.TableLen(apps.TableLearn) != 4 {
		t.Errorf("%d hosts, %d rules", r.app.Len(), r.out.Store.TableLen(apps.TableLearn))
	}
	r.now = r.now.Add(topology.FreezeTime)
	r.app.Tick(r.now, r.out)
	r.wantHosts("")
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
}

func TestLimits(t *testing.T) {
	r := newRig(t)
	r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 3, 5
	for n := range byte(5) {
		r.see(1, blue, mac(n))
	}
	for n := range byte(5) {
		r.see(2, blue, mac(100+n))
	}
	if r.app.Len() != 5 || r.app.Drops[DropPortLimit] != 2 || r.app.Drops[DropSwitchLimit] != 3 {
		t.Errorf("%d hosts, %d and %d refused", r.app.Len(), r.app.Drops[DropPortLimit], r.app.Drops[DropSwitchLimit])
	}
	// A host that goes makes room.
	r.sw.Ports[1].Up = false
	r.refresh()
	r.see(2, blue, mac(104))
	if r.app.Len() != 3 {
		t.Errorf("%d hosts", r.app.Len())
	}
	r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 0, 0
	for n := range byte(250) {
		r.see(4, red, mac(n))
	}
	if r.app.Len() != 253 {
		t.Error("0 is no limit")
	}
}

func TestNotAdmissible(t *testing.T) {
	r := newRig(t)
	r.link()
	r.drain()
	for _, c := range []struct {
		name string
		port openflow.PortNo
		vlan uint16
		src  packet.MAC
		want Drop
	}{
		{"multicast", 1, blue, packet.MAC{1, 0, 0x5e}, DropBadSource},
		{"broadcast", 1, blue, packet.Broadcast, DropBadSource},
		{"zero", 1, blue, packet.MAC{}, DropBadSource},
		{"unknown port", 77, blue, mac(1), DropUnknownPort},
		{"port down", 6, blue, mac(1), DropUnknownPort},
		{"link", 9, blue, mac(1), DropTransit},
		{"closed port", 5, blue, mac(1), DropVLAN},
		{"other network", 1, red, mac(1), DropVLAN},
		{"network not on the trunk", 4, 12, mac(1), DropVLAN},
	} {
		before := r.app.Drops[c.want]
		r.see(c.port, c.vlan, c.src)
		if r.app.Len() != 0 || r.app.Drops[c.want] != before+1 || r.out.Store.Pending() != 0 || r.facts() != "" {
			t.Errorf("%s: %d hosts, drops %v", c.name, r.app.Len(), r.app.Drops)
		}
	}
	counts := map[string]uint64{}
	r.app.EachDrop(func(reason string, n uint64) { counts[reason] = n })
	if len(counts) != int(numDrops) || counts["bad_source"] != 3 || counts["vlan"] != 3 || counts["frozen"] != 0 {
		t.Errorf("drops by reason: %v", counts)
	}
}

// TestMoveOntoLink: a host cannot be moved to a link by frames that come in there.
func TestMoveOntoLink(t *testing.T) {
	r := newRig(t)
	r.link()
	r.see(1, blue, mac(10))
	r.see(9, blue, mac(10))
	r.see(6, blue, mac(10))
	r.wantHosts(learned1)
}

func TestPortChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*rig)
		want   string
		facts  []string
	}{
		{"nothing", func(*rig) {}, learned1, nil},
		{"down", func(r *rig) { r.sw.Ports[1].Up = false }, "", []string{"gone 10/02:00:00:00:00:0a at 1"}},
		{"gone", func(r *rig) {
			delete(r.sw.Ports, 1)
			r.sw.Order = slices.DeleteFunc(r.sw.Order, func(no openflow.PortNo) bool { return no == 1 })
		}, "", []string{"gone 10/02:00:00:00:00:0a at 1"}},
		{"link", func(r *rig) { r.sw.Ports[1].Transit = true }, "", []string{"gone 10/02:00:00:00:00:0a at 1"}},
		{
			"other network", func(r *rig) { *r.sw.Ports[1] = *access(1, red) }, "",
			[]string{"gone 10/02:00:00:00:00:0a at 1"},
		},
		{
			"closed", func(r *rig) { *r.sw.Ports[1] = apps.Port{No: 1, Up: true} }, "",
			[]string{"gone 10/02:00:00:00:00:0a at 1"},
		},
		{
			"trunk", func(r *rig) { *r.sw.Ports[1] = *trunk(1) },
			strings.Replace(learned1, "pop_vlan,output:1", "output:1", 1), nil,
		},
		{"trunk with native", func(r *rig) { *r.sw.Ports[1] = *trunk(1); r.sw.Ports[1].Native = blue }, learned1, nil},
		{
			"tunnel", func(r *rig) { r.sw.Ports[1].Mode = intent.Tunnel },
			strings.Replace(learned1, "pop_vlan", "set_field:0x1392->tun_id,pop_vlan", 1), nil,
		},
		{
			"timeout", func(r *rig) { r.sw.Settings.HostTimeout = 1500 * time.Millisecond },
			strings.Replace(learned1, "300", "2", 1), nil,
		},
		{
			"no timeout", func(r *rig) { r.sw.Settings.HostTimeout = 0 },
			strings.Replace(learned1, "idle_timeout=300, ", "", 1), nil,
		},
		{
			"endless timeout", func(r *rig) { r.sw.Settings.HostTimeout = 100 * time.Hour },
			strings.Replace(learned1, "300", "65535", 1), nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.see(1, blue, mac(10))
			r.refresh()
			r.drain()
			c.change(r)
			r.refresh()
			r.wantHosts(c.want)
			r.wantFacts(c.facts...)
			if c.want == learned1 && r.out.Store.Pending() > 0 {
				t.Errorf("%d messages for no change", r.out.Store.Pending())
			}
			if c.want == "" && r.app.Len() != 0 {
				t.Error("the host is still known")
			}
		})
	}
}

// TestTunnelNumberChanges: the rules of hosts behind tunnels follow their network's VNI.
func TestTunnelNumberChanges(t *testing.T) {
	r := newRig(t)
	r.sw.Ports[9].Mode = intent.Tunnel
	r.link()
	r.app.HostAt(r.now, topology.NewHostKey(blue, mac(10)), other, 1, r.out)
	forward := `cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=set_field:0x1392->tun_id,pop_vlan,output:9`
	r.wantHosts(forward)
	r.sw.Networks = []apps.Network{{Name: "blue", VLAN: blue, VNI: 77}, r.sw.Networks[1]}
	r.refresh()
	r.wantHosts(strings.Replace(forward, "0x1392", "0x4d", 1))
}

// TestLinkTaggingChanges: the rules of hosts behind a link follow the link's tagging, which the graph knows nothing of.
func TestLinkTaggingChanges(t *testing.T) {
	r := newRig(t)
	r.link()
	r.app.HostAt(r.now, topology.NewHostKey(blue, mac(10)), other, 1, r.out)
	forward := `cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=output:9`
	r.wantHosts(forward)
	r.sw.Ports[9].Native = blue
	r.refresh()
	r.wantHosts(strings.Replace(forward, "output:9", "pop_vlan,output:9", 1))
}

func TestHostElsewhere(t *testing.T) {
	r := newRig(t)
	r.link()
	k := topology.NewHostKey(blue, mac(10))
	forward := `cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=output:9`

	r.app.HostAt(r.now, k, other, 1, r.out)
	r.wantHosts(forward)
	r.app.HostAt(r.now, k, third, 1, r.out) // two links away, by the same port
	r.wantHosts(forward)
	r.app.HostAt(r.now, k, 0, 0, r.out)
	r.wantHosts("")

	r.see(1, blue, mac(10)) // a guest arrives here
	r.drain()
	r.app.HostAt(r.now, k, 0, 0, r.out) // forgotten elsewhere: that is nothing to this switch
	r.wantHosts(learned1)
	r.app.HostAt(r.now, k, other, 1, r.out) // and leaves again
	r.wantHosts(forward)
	r.wantFacts() // the fabric knows
	if r.app.Len() != 0 {
		t.Error("still here")
	}
	r.see(2, blue, mac(10)) // and comes back to another port
	r.wantHosts(learned2)

	r.app.HostAt(r.now, k, other, 1, r.out)
	r.app.HostAt(r.now, k, self, 1, r.out) // its earlier sighting here holds again
	r.wantHosts(learned1)
	for _, port := range []openflow.PortNo{6, 9, 3, 77} {
		r.app.HostAt(r.now, topology.NewHostKey(blue, mac(11)), self, port, r.out)
	}
	if r.app.Len() != 1 {
		t.Error("learned where no host can be")
	}
	r.app.HostAt(r.now, topology.NewHostKey(12, mac(12)), other, 1, r.out) // a network that is not here
	r.wantHosts(learned1)
}

// TestNoPath: without a path to a host's switch its frames are flooded like unknown ones.
func TestNoPath(t *testing.T) {
	r := newRig(t)
	r.app.HostAt(r.now, topology.NewHostKey(blue, mac(10)), other, 1, r.out)
	r.wantHosts("")
	r.link()
	r.wantHosts(`cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=output:9`)
	r.sw.Graph = topology.NewGraph().Snapshot()
	r.sw.Ports[9].Transit = false
	r.refresh()
	r.wantHosts("")
}

func TestIsolatedAndAnnounce(t *testing.T) {
	r := newRig(t)
	r.link()
	r.see(1, blue, mac(10))
	for n := range byte(5) {
		r.app.HostAt(r.now, topology.NewHostKey(red, mac(20+n)), other, 1, r.out)
	}
	r.drain()
	r.app.DropRemote(r.out)
	r.wantHosts(learned1)
	r.wantFacts()
	r.refresh()
	r.wantHosts(learned1)
	r.app.Announce(r.out)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")
}

func removed(r *rig, table uint8, reason openflow.FlowRemovedReason, m flow.Match) {
	r.app.FlowRemoved(r.now, &openflow.FlowRemoved{TableID: table, Priority: prioHost, Reason: reason}, &m, r.out)
}

func TestTimeout(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	k := topology.NewHostKey(blue, mac(10))
	// Not what ends a host: the forward rule, another port's rule, a deletion, matches of another form.
	removed(r, apps.TableForward, openflow.FlowRemovedIdleTimeout, forwardMatch(k))
	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 2))
	removed(r, apps.TableLearn, openflow.FlowRemovedDelete, learnMatch(k, 1))
	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, flow.Match{})
	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, flow.Match{}.InPort(1).EthSrc(mac(10)))
	r.wantHosts(learned1)
	r.wantFacts()

	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 1))
	r.wantHosts("")
	r.wantFacts("gone 10/02:00:00:00:00:0a at 1")
	if r.out.Store.Pending() != 1 { // the forward rule; the learn rule is gone by itself
		t.Errorf("%d messages", r.out.Store.Pending())
	}
	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 1))
	r.wantFacts()
}

func TestCounted(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	k := topology.NewHostKey(blue, mac(10))
	count := func(table uint8, packets uint64, m flow.Match) time.Time {
		r.now = r.now.Add(30 * time.Second)
		r.app.UpdateStats(r.now, &openflow.FlowStats{TableID: table, Packets: packets}, &m)
		h, _ := r.app.Lookup(k)
		return h.Last
	}
	if last := count(apps.TableLearn, 7, learnMatch(k, 1)); !last.Equal(r.now) {
		t.Errorf("it sent something and was last seen %s", last)
	}
	seen := r.now
	if last := count(apps.TableLearn, 7, learnMatch(k, 1)); !last.Equal(seen) {
		t.Errorf("it sent nothing and was last seen %s", last)
	}
	count(apps.TableForward, 8, forwardMatch(k))
	count(apps.TableLearn, 8, flow.Match{})
	if last := count(apps.TableLearn, 8, learnMatch(topology.NewHostKey(red, mac(10)), 1)); !last.Equal(seen) ||
		r.app.Len() != 1 {
		t.Errorf("others' counters: last seen %s", last)
	}
}

// arp is an ARP request as the snoop table copies it.
func arp(src, sender packet.MAC, ip netip.Addr) []byte {
	b := packet.AppendEthernetVLAN(nil, packet.Broadcast, src, blue, packet.EtherTypeARP)
	return packet.AppendARPRequest(b, sender, ip, netip.MustParseAddr("10.0.3.254"))
}

func TestSnoop(t *testing.T) {
	r := newRig(t)
	send := func(src, sender packet.MAC, ip string) {
		r.app.PacketRcvd(r.now, r.packetFrom(1, blue, arp(src, sender, netip.MustParseAddr(ip))), r.out)
	}
	ips := func() []netip.Addr {
		h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
		return h.IPs
	}
	send(mac(10), mac(10), "10.0.3.1") // learns the host, too
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1", "ip 10/02:00:00:00:00:0a 10.0.3.1")
	send(mac(10), mac(10), "10.0.3.1")
	send(mac(10), mac(10), "0.0.0.0")   // a probe for an address (RFC 5227)
	send(mac(10), mac(10), "224.0.0.1") // no host has it
	send(mac(10), mac(11), "10.0.3.7")  // proxied for another
	r.wantFacts()
	short := arp(mac(10), mac(10), netip.MustParseAddr("10.0.3.8"))
	r.app.PacketRcvd(r.now, r.packetFrom(1, blue, short[:len(short)-1]), r.out)
	r.wantFacts()
	if got := ips(); len(got) != 1 {
		t.Errorf("%v", got)
	}
	for n := range 20 {
		send(mac(10), mac(10), fmt.Sprintf("10.0.4.%d", n+1))
	}
	if got := ips(); len(got) != maxAddresses || got[maxAddresses-1] != netip.MustParseAddr("10.0.4.20") ||
		got[0] != netip.MustParseAddr("10.0.4.13") {
		t.Errorf("%v", got)
	}
	r.sw.Ports[1].Up = false
	r.refresh()
	r.sw.Ports[1].Up = true
	r.refresh()
	r.see(1, blue, mac(10))
	if got := ips(); got != nil {
		t.Errorf("a host that came back has %v", got)
	}
}

// dump gives an app what a switch has, as after a restart of the controller.
func dump(from, to *rig, edit func(*openflow.FlowStats)) {
	from.out.Store.Each(func(m *openflow.FlowMod) {
		f := openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout,
			HardTimeout: m.HardTimeout,
			Flags:       m.Flags, Match: m.Match, Instructions: m.Instructions, DurationSec: 100, Packets: 5,
		}
		edit(&f)
		match, err := flow.Canonical(f.Match)
		if err != nil {
			from.Fatal(err)
		}
		to.app.MultipartReply(to.now, &f, &match, to.out)
	})
	to.app.Restored(to.out)
}

func restarted(t *testing.T, old *rig) *rig {
	r := newRig(t)
	r.out.Store = flow.NewStore()
	r.app = New(r.sw)
	r.now = old.now
	return r
}

// TestRestart rebuilds the hosts from the flows and states the same rules.
func TestRestart(t *testing.T) {
	old := newRig(t)
	old.link()
	old.see(1, blue, mac(10))
	old.see(4, red, mac(11))
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	want := old.hosts()

	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	if got := r.hosts(); got != want {
		t.Errorf("before the first refresh:\n%swant\n%s", got, want)
	}
	r.refresh() // the links are not known yet: rules of hosts elsewhere are held
	if got := r.hosts(); got != want {
		t.Errorf("after the first refresh:\n%swant\n%s", got, want)
	}
	h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
	if r.app.Len() != 2 || h.Port != 1 || !h.Since.Equal(r.now.Add(-100*time.Second)) || !h.Last.Equal(r.now) {
		t.Errorf("%d hosts; %+v", r.app.Len(), h)
	}
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1", "seen 11/02:00:00:00:00:0b at 4")
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(retainFor)) {
		t.Errorf("wake at %s", wake)
	}

	// What is explained in time stays; what is not goes.
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(12)), other, 1, r.out)
	r.link()
	r.now = r.now.Add(retainFor)
	r.app.Tick(r.now, r.out)
	if got := r.hosts(); got != want {
		t.Errorf("after the hold:\n%swant\n%s", got, want)
	}
}

func TestHeldRulesEnd(t *testing.T) {
	old := newRig(t)
	old.link()
	old.see(1, blue, mac(10))
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(13)), other, 1, old.out)
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(13)), 0, 0, r.out) // gone before it was known
	r.now = r.now.Add(retainFor - 1)
	r.app.Tick(r.now, r.out)
	if n := strings.Count(r.hosts(), "\n"); n != 3 {
		t.Errorf("%d rules, want 2 and a held one:\n%s", n, r.hosts())
	}
	r.now = r.now.Add(1)
	r.out.TakeWake()
	r.app.Tick(r.now, r.out)
	if n := strings.Count(r.hosts(), "\n"); n != 3 || !r.sw.Ports[9].Retained || !r.sw.Ports[9].Transit {
		t.Errorf("%d rules while the link of port 9 is still looked for (%+v):\n%s", n, r.sw.Ports[9], r.hosts())
	}
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(time.Second)) {
		t.Errorf("wake at %s", wake)
	}
	r.sw.Ports[9].Retained, r.sw.Ports[9].Transit = false, false // as the machine does in the end
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned1)
}

// TestRetainedRuleWaitsForPath: a host that is known again before the path to it keeps its rule until then.
func TestRetainedRuleWaitsForPath(t *testing.T) {
	old := newRig(t)
	old.link()
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	want := old.hosts()
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.drain()
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(12)), other, 1, r.out)
	if got := r.hosts(); got != want || r.out.Store.Pending() > 0 {
		t.Errorf("known, with %d changes:\n%swant\n%s", r.out.Store.Pending(), got, want)
	}
	r.refresh()
	r.link()
	r.now = r.now.Add(retainFor)
	r.sw.Ports[9].Retained = false
	r.app.Tick(r.now, r.out)
	if got := r.hosts(); got != want {
		t.Errorf("after the hold:\n%swant\n%s", got, want)
	}
}

// TestHostReturnsHere: a held rule becomes a host's when the host shows up.
func TestHostReturnsHere(t *testing.T) {
	old := newRig(t)
	old.link()
	old.app.HostAt(old.now, topology.NewHostKey(blue, mac(10)), other, 1, old.out)
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.see(1, blue, mac(10))
	r.now = r.now.Add(retainFor)
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned1)
}

// TestRestartWithChanges: what changed while the controller was away is seen at the first refresh.
func TestRestartWithChanges(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"port down":     func(r *rig) { r.sw.Ports[1].Up = false },
		"port is link":  func(r *rig) { r.sw.Ports[1].Transit = true },
		"port removed":  func(r *rig) { delete(r.sw.Ports, 1); r.sw.Order = r.sw.Order[1:] },
		"other network": func(r *rig) { *r.sw.Ports[1] = *access(1, red) },
	} {
		t.Run(name, func(t *testing.T) {
			old := newRig(t)
			old.see(1, blue, mac(10))
			r := restarted(t, old)
			change(r)
			dump(old, r, func(*openflow.FlowStats) {})
			r.refresh()
			r.now = r.now.Add(retainFor)
			r.app.Tick(r.now, r.out)
			r.wantHosts("")
			if r.app.Len() != 0 {
				t.Error("the host is known")
			}
		})
	}
}

// TestRestartWhileFrozen: the suppression rule of a frozen host is not mistaken for the host's own.
func TestRestartWhileFrozen(t *testing.T) {
	old := newRig(t)
	old.sw.Settings.Moves = 1
	old.see(1, blue, mac(10))
	old.see(2, blue, mac(10))
	old.see(1, blue, mac(10))
	if old.app.Drops[DropFrozen] != 1 {
		t.Fatal("not frozen")
	}
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.refresh()
	r.wantHosts(learned2)
}

// TestRestoreForeign: what is in the tables with a cookie of ours but is no host's rule is not taken for one.
func TestRestoreForeign(t *testing.T) {
	old := newRig(t)
	old.see(1, blue, mac(10))
	for name, edit := range map[string]func(*openflow.FlowStats){
		"priority":   func(f *openflow.FlowStats) { f.Priority = 11 },
		"owner":      func(f *openflow.FlowStats) { f.Cookie = flow.Cookie(apps.OwnerL2, 7) },
		"no VLAN":    func(f *openflow.FlowStats) { m := (flow.Match{}).EthSrc(mac(1)); f.Match = m.Bytes() },
		"no address": func(f *openflow.FlowStats) { m := (flow.Match{}).VLAN(blue); f.Match = m.Bytes() },
		"table":      func(f *openflow.FlowStats) { f.TableID = apps.TableSnoop },
	} {
		r := restarted(t, old)
		dump(old, r, edit)
		if r.app.Len() != 0 || r.hosts() != "" {
			t.Errorf("%s: %d hosts\n%s", name, r.app.Len(), r.hosts())
		}
	}
}

// TestOrderDoesNotMatter lets independent events happen in any order, with refreshes anywhere: the rules are the same.
func TestOrderDoesNotMatter(t *testing.T) {
	events := []func(*rig){
		func(r *rig) { r.see(1, blue, mac(1)) },
		func(r *rig) { r.see(2, blue, mac(2)) },
		func(r *rig) { r.see(3, red, mac(2)) },
		func(r *rig) { r.see(4, red, mac(3)) },
		func(r *rig) { r.see(4, blue, mac(4)) },
		func(r *rig) { r.link() },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(blue, mac(5)), other, 3, r.out) },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(red, mac(6)), third, 3, r.out) },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(red, mac(7)), 0, 0, r.out) },
		func(r *rig) { r.sw.Settings.HostTimeout = time.Minute },
		func(r *rig) { r.sw.Ports[4].Native = red },
		func(r *rig) { r.sw.Ports[9].Native = blue },
		func(r *rig) { r.sw.Networks[0].VNI = 9 },
		func(r *rig) { r.app.PacketRcvd(r.now, r.packetFrom(1, blue, frame(mac(9), blue)), r.out) },
		func(r *rig) { r.app.Tick(r.now, r.out) },
	}
	all := func(r *rig) string {
		var lines []string
		r.out.Store.Each(func(m *openflow.FlowMod) {
			lines = append(lines, oftext.Flow(&openflow.FlowStats{
				TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout, Flags: m.Flags,
				Match:        m.Match,
				Instructions: m.Instructions,
			}))
		})
		return oftext.SortFlows(lines)
	}
	var want string
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		r := newRig(t)
		for _, event := range events {
			event(r)
			if random.IntN(2) == 0 {
				r.refresh()
			}
			if random.IntN(4) == 0 {
				r.drain()
			}
		}
		r.refresh()
		got := all(r)
		if i == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("in another order:\n%swant\n%s", got, want)
		}
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}

// TestRoomOnPort: however a host leaves a port, it makes room for another.
func TestRoomOnPort(t *testing.T) {
	r := newRig(t)
	r.link()
	r.sw.Settings.HostsPerPort = 1
	at := func(n byte) {
		t.Helper()
		r.see(1, blue, mac(n))
		if h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(n))); h.Port != 1 {
			t.Errorf("no room for host %d", n)
		}
	}
	at(1)
	r.see(1, blue, mac(99))
	if r.app.Drops[DropPortLimit] != 1 {
		t.Error("room for two")
	}
	r.see(2, blue, mac(1)) // moves
	at(2)
	r.app.HostAt(r.now, topology.NewHostKey(blue, mac(2)), other, 1, r.out) // is elsewhere
	at(3)
	// is silent
	removed(r, apps.TableLearn, openflow.FlowRemovedIdleTimeout, learnMatch(topology.NewHostKey(blue, mac(3)), 1))
	at(4)
}

// TestMoveToFullPort: nobody takes more hosts to a port by moving them there than it may have. The host is then known
// nowhere, as a new one would be: what is for it is flooded, not sent to where it was.
func TestMoveToFullPort(t *testing.T) {
	r := newRig(t)
	r.sw.Settings.HostsPerPort = 2
	for n := range byte(2) {
		r.see(1, blue, mac(1+n))
		r.see(2, blue, mac(11+n))
	}
	r.drain()
	r.see(2, blue, mac(1))
	if _, known := r.app.Lookup(topology.NewHostKey(blue, mac(1))); known || r.app.Len() != 3 ||
		r.app.Drops[DropPortLimit] != 1 {
		t.Errorf("%d hosts, %d refused", r.app.Len(), r.app.Drops[DropPortLimit])
	}
	if strings.Contains(r.hosts(), mac(1).String()) {
		t.Errorf("rules left:\n%s", r.hosts())
	}
	if len(r.out.Facts) != 1 || r.out.Facts[0].Kind != apps.HostGone || r.out.Facts[0].Port != 1 {
		t.Errorf("facts %+v", r.out.Facts)
	}
	r.see(1, blue, mac(1)) // it was there all the time
	if h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(1))); h.Port != 1 {
		t.Errorf("%+v", h)
	}
}

// TestRestoreAfterNews: a dump is older than what the fabric has said of a host since.
func TestRestoreAfterNews(t *testing.T) {
	r := newRig(t)
	r.link()
	k := topology.NewHostKey(blue, mac(1))
	r.app.HostAt(r.now, k, other, 1, r.out)
	want := r.hosts()
	match := forwardMatch(k)
	old := openflow.FlowStats{
		TableID: apps.TableForward, Priority: prioHost, Cookie: hostCookie(k), Match: match.Bytes(),
		Instructions: flow.Instructions(nil).Apply(flow.Actions(nil).PopVLAN().Output(2)),
	}
	r.app.MultipartReply(r.now, &old, &match, r.out)
	r.app.Restored(r.out)
	r.app.Tick(r.now.Add(retainFor), r.out)
	if got := r.hosts(); got != want {
		t.Errorf("rules:\n%s\nwant:\n%s", got, want)
	}
}
