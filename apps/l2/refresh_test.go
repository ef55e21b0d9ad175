package l2

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// TestPortRemovedBeforeRefresh: a host goes with its port, also if nothing has changed between its first frame and the
// port's end.
func TestPortRemovedBeforeRefresh(t *testing.T) {
	const port, vlan = openflow.PortNo(5), 10
	now := time.Unix(1000, 0)
	sw := &apps.Switch{
		Layout: apptest.Layout,
		ID:     1, Order: []openflow.PortNo{port}, Networks: []apps.Network{{Name: "blue", VLAN: vlan}},
		Graph: topology.NewGraph().Snapshot(),
		Ports: map[openflow.PortNo]*apps.Port{port: {
			No: port, Up: true, Mode: intent.Access, VLANs: []uint16{vlan},
			Native: vlan,
		}},
	}
	a, out := New(sw), &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	a.Refresh(now, out)
	fixed := out.Store.Len()
	k := topology.NewHostKey(vlan, packet.MAC{2, 0, 0, 0, 0, 5})
	if reason, ok := a.learn(now, k, port, out); !ok {
		t.Fatalf("not learned: %s", dropNames[reason])
	}
	delete(sw.Ports, port)
	sw.Order = nil
	a.Refresh(now, out)
	if _, known := a.Lookup(k); known || out.Store.Len() != fixed {
		t.Errorf("known=%v, %d flows, want %d", known, out.Store.Len(), fixed)
	}
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
	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, learnMatch(topology.NewHostKey(blue, mac(3)), 1))
	at(4)
}
