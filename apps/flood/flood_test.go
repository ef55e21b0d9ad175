package flood

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/topology"
)

var blue = apps.Network{Name: "blue", VLAN: 10, VNI: 5010}

func access(no openflow.PortNo) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Access, VLANs: []uint16{10}, Native: 10}
}

func trunk(no openflow.PortNo, native uint16) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Trunk, VLANs: []uint16{10, 11}, Native: native}
}

func tunnel(no openflow.PortNo) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Tunnel, VLANs: []uint16{10, 11}}
}

func switchWith(ports ...*apps.Port) *apps.Switch {
	sw := &apps.Switch{
		Layout: apptest.Layout,
		ID:     1, Ports: map[openflow.PortNo]*apps.Port{}, Networks: []apps.Network{blue},
		Graph: topology.NewGraph().Snapshot(),
	}
	for _, p := range ports {
		sw.Ports[p.No] = p
		sw.Order = append(sw.Order, p.No)
	}
	return sw
}

// sent is what was queued since the last call: groups and flows as ovs-ofctl would print them, deletions with a minus.
func sent(t *testing.T, out *apps.Output) string {
	t.Helper()
	var lines []string
	for b := out.Store.Drain(nil, 1<<24, &out.Xid, nil); len(b) > 0; {
		n := int(b[2])<<8 | int(b[3])
		var f openflow.FlowMod
		var g openflow.GroupMod
		switch {
		case g.Decode(b[:n]) == nil:
			line := oftext.Group(&openflow.GroupDesc{Type: g.Type, ID: g.ID, Buckets: g.Buckets})
			if g.Command == openflow.GroupDelete {
				line = fmt.Sprintf("-group_id=%d", g.ID)
			}
			lines = append(lines, line)
		case f.Decode(b[:n]) == nil:
			m := oftext.Match(f.Match)
			if f.Command == openflow.FlowDeleteStrict {
				lines = append(lines, fmt.Sprintf("-priority=%d,%s", f.Priority, m))
				break
			}
			lines = append(lines, fmt.Sprintf("priority=%d,%s actions=%s", f.Priority, m,
				oftext.Instructions(f.Instructions)))
		default:
			t.Fatalf("unexpected %x", b[:n])
		}
		b = b[n:]
	}
	return strings.Join(lines, "\n")
}

func want(t *testing.T, got string, lines ...string) {
	t.Helper()
	if w := strings.Join(lines, "\n"); got != w {
		t.Errorf("got\n%s\nwant\n%s", got, w)
	}
}

// Group ids of VLAN 10.
const (
	all10    = "3763339424"
	noMesh10 = "3763339425"
)

func refresh(sw *apps.Switch, out *apps.Output) { New(sw).Refresh(time.Time{}, out) }

func TestGroups(t *testing.T) {
	down, unsettled := access(20), access(21)
	down.Up, unsettled.Settled = false, false
	red := access(22)
	red.VLANs, red.Native = []uint16{11}, 11
	for _, c := range []struct {
		name  string
		ports []*apps.Port
		want  []string
	}{
		{"no ports", nil, nil},
		{"ports of other networks", []*apps.Port{red, {No: 23, Up: true, Settled: true}}, nil},
		{"access", []*apps.Port{access(1), access(2), red}, []string{
			"group_id=" + all10 + ",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=pop_vlan,output:2",
			"priority=10,dl_vlan=10 actions=group:" + all10,
		}},
		{"trunks", []*apps.Port{access(1), trunk(2, 0), trunk(3, 10), trunk(4, 11)}, []string{
			"group_id=" + all10 + ",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:2," +
				"bucket=actions=pop_vlan,output:3,bucket=actions=output:4",
			"priority=10,dl_vlan=10 actions=group:" + all10,
		}},
		{"down and unsettled", []*apps.Port{access(1), down, unsettled}, []string{
			"group_id=" + all10 + ",type=all,bucket=actions=pop_vlan,output:1",
			"priority=10,dl_vlan=10 actions=group:" + all10,
		}},
		{"none is up", []*apps.Port{down}, []string{
			"group_id=" + all10 + ",type=all",
			"priority=10,dl_vlan=10 actions=group:" + all10,
		}},
		{"tunnels", []*apps.Port{access(1), tunnel(5), tunnel(6)}, []string{
			"group_id=" + noMesh10 + ",type=all,bucket=actions=pop_vlan,output:1",
			"group_id=" + all10 + ",type=all,bucket=actions=pop_vlan,output:1," +
				"bucket=actions=set_field:0x1392->tun_id,pop_vlan,output:5," +
				"bucket=actions=set_field:0x1392->tun_id,pop_vlan,output:6",
			"priority=20,in_port=5,dl_vlan=10 actions=group:" + noMesh10,
			"priority=20,in_port=6,dl_vlan=10 actions=group:" + noMesh10,
			"priority=10,dl_vlan=10 actions=group:" + all10,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
			sw := switchWith(c.ports...)
			refresh(sw, out)
			want(t, sent(t, out), c.want...)
			refresh(sw, out)
			want(t, sent(t, out))
		})
	}
}

// TestNetworkWithoutNumber: a network without a VNI does not go through tunnels.
func TestNetworkWithoutNumber(t *testing.T) {
	sw := switchWith(access(1), tunnel(5))
	sw.Networks = []apps.Network{{Name: "blue", VLAN: 10}}
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	refresh(sw, out)
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1",
		"priority=10,dl_vlan=10 actions=group:"+all10)
}

// TestBlocked has two switches with two wires between them: one is in the tree, the other takes no floods and gives
// none.
func TestBlocked(t *testing.T) {
	g := topology.NewGraph()
	g.SetSwitch(1, true)
	g.SetSwitch(2, true)
	for _, port := range []openflow.PortNo{8, 9} {
		a, b := topology.PortRef{Switch: 1, Port: port}, topology.PortRef{Switch: 2, Port: port}
		for _, ref := range []topology.PortRef{a, b} {
			g.SetPort(ref, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10, 11)})
		}
		g.LinkSeen(a, b, topology.Wire, 1, time.Unix(1, 0))
		g.LinkSeen(b, a, topology.Wire, 1, time.Unix(1, 0))
	}
	sw := switchWith(access(1), trunk(8, 0), trunk(9, 0))
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	refresh(sw, out)
	sent(t, out)
	sw.Graph = g.Snapshot()
	refresh(sw, out)
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:8",
		"priority=30,in_port=9,dl_vlan=10 actions=drop")

	// The wire in the tree is cut: the other takes its place.
	g.SetPort(topology.PortRef{Switch: 1, Port: 8}, topology.PortInfo{VLANs: topology.NewVLANs(10, 11)})
	sw.Graph = g.Snapshot()
	sw.Ports[8].Up = false
	refresh(sw, out)
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:9",
		"-priority=30,in_port=9,dl_vlan=10")
}

// TestBlockedBefore: after a restart of the controller a port that was blocked stays so until all links of before have
// been found again, here and elsewhere.
func TestBlockedBefore(t *testing.T) {
	g := topology.NewGraph()
	g.SetSwitch(1, true)
	g.SetSwitch(2, true)
	far := topology.PortRef{Switch: 2, Port: 1}
	g.SetPort(far, topology.PortInfo{Up: true, Retained: true, VLANs: topology.NewVLANs(10)})
	sw := switchWith(access(1), trunk(8, 0), trunk(9, 0))
	sw.Ports[8].Retained = true
	app := New(sw)
	before := flow.Match{}.InPort(9).VLAN(10)
	app.MultipartReply(time.Time{},
		&openflow.FlowStats{TableID: apptest.Flood, Priority: prioBlocked, Match: before.Bytes()}, &before, nil)
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	restate := func() {
		sw.Graph = g.Snapshot()
		app.Refresh(time.Time{}, out)
	}
	restate()
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:8",
		"priority=30,in_port=9,dl_vlan=10 actions=drop", "priority=10,dl_vlan=10 actions=group:"+all10)

	sw.Ports[8].Retained = false
	restate()
	want(t, sent(t, out))

	g.SetPort(far, topology.PortInfo{Up: true, VLANs: topology.NewVLANs(10)})
	restate()
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:8,bucket=actions=output:9",
		"-priority=30,in_port=9,dl_vlan=10")
}

// TestChanges: a change of a port changes its networks' groups, and what is no longer needed goes after what used it.
func TestChanges(t *testing.T) {
	sw := switchWith(access(1), tunnel(5))
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	refresh(sw, out)
	sent(t, out)
	*sw.Ports[5] = *trunk(5, 0)
	refresh(sw, out)
	want(t, sent(t, out),
		"group_id="+all10+",type=all,bucket=actions=pop_vlan,output:1,bucket=actions=output:5",
		"-priority=20,in_port=5,dl_vlan=10", "-group_id="+noMesh10)
	sw.Networks = nil
	refresh(sw, out)
	want(t, sent(t, out), "-priority=10,dl_vlan=10", "-group_id="+all10)
}

// TestManyPorts: groups too long for one message are made in parts, and a frame goes through all of them.
func TestManyPorts(t *testing.T) {
	var ports []*apps.Port
	for no := openflow.PortNo(1); no <= 4000; no++ {
		p := access(no)
		if no > 2500 {
			p = tunnel(no) // the longest buckets
		}
		ports = append(ports, p)
	}
	sw := switchWith(ports...)
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	refresh(sw, out)
	wrapped := 0
	var seen []uint32
	buckets := 0
	b := out.Store.Drain(nil, 1<<30, &out.Xid, func(b, msg []byte) []byte {
		wrapped++
		with := openflow.AppendBundleAdd(nil, 0, 1, 0, msg)
		if len(with) == 0 {
			t.Fatal("a message does not fit into a bundle")
		}
		var g openflow.GroupMod
		if g.Decode(msg) == nil {
			seen = append(seen, g.ID)
			for rest := g.Buckets; len(rest) > 0; buckets++ {
				var err error
				if _, rest, err = openflow.DecodeBucket(rest); err != nil {
					t.Fatal(err)
				}
			}
		}
		return append(b, msg...)
	})
	if len(seen) != 4+3 || buckets != 4000+2500 || wrapped != 7+1501 || len(b) == 0 {
		t.Errorf("%d groups, %d buckets, %d messages", len(seen), buckets, wrapped)
	}
	out.Store.Each(func(m *openflow.FlowMod) {
		if n := strings.Count(oftext.Instructions(m.Instructions), "group:"); m.Priority == prioNetwork && n != 4 {
			t.Errorf("the rule names %d groups", n)
		}
	})
}

// TestGroupIDs: no two groups have one number, and each is one of this controller's.
func TestGroupIDs(t *testing.T) {
	var seen [1 << 20]bool
	for vlan := range uint16(4096) {
		for class := range uint32(2) {
			for part := range uint32(128) {
				id := groupID(vlan, class, part)
				if flow.GroupID(id) != id || seen[id&(1<<20-1)] {
					t.Fatalf("%x (VLAN %d, class %d, part %d) is another's", id, vlan, class, part)
				}
				seen[id&(1<<20-1)] = true
			}
		}
	}
}
