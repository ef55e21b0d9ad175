package l2

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/intent"
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
		Layout: apptest.Layout,
		ID:     self, Name: "s1", Ports: map[openflow.PortNo]*apps.Port{},
		Networks: []apps.Network{{Name: "blue", VLAN: blue, VNI: 5010}, {Name: "red", VLAN: red, VNI: 5011}},
		Settings: intent.Settings{HostTimeout: 300 * time.Second, HostsPerPort: 1024, HostsPerSwitch: 8192, Moves: 5},
		Graph:    topology.NewGraph().Snapshot(),
	}
	closed, down := access(5, blue), access(6, blue)
	closed.Mode, closed.VLANs, closed.Native = intent.Closed, nil, 0
	down.Up = false
	for _, p := range []*apps.Port{access(1, blue), access(2, blue), access(3, red), trunk(4), closed, down, trunk(9)} {
		sw.Ports[p.No] = p
		sw.Order = append(sw.Order, p.No)
	}
	r := &rig{TB: t, sw: sw, app: New(sw), out: &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}, now: t0}
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

func (r *rig) hosts() string { return r.text(apptest.Learn, apptest.Forward) }

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
