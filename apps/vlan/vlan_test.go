package vlan

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

var networks = []apps.Network{
	{Name: "blue", VLAN: 10, VNI: 5010},
	{Name: "red", VLAN: 11, VNI: 5011},
	{Name: "grey", VLAN: 12},
}

func switchWith(ports ...*apps.Port) *apps.Switch {
	sw := &apps.Switch{Layout: apptest.Layout, Ports: map[openflow.PortNo]*apps.Port{}, Networks: networks}
	for _, p := range ports {
		sw.Ports[p.No] = p
		sw.Order = append(sw.Order, p.No)
	}
	return sw
}

// text is what is desired, as ovs-ofctl would print it.
func text(s *flow.Store) string {
	var lines []string
	s.Each(func(m *openflow.FlowMod) {
		lines = append(lines, oftext.Flow(&openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout,
			HardTimeout: m.HardTimeout,
			Flags:       m.Flags, Match: m.Match, Instructions: m.Instructions,
		}))
	})
	return oftext.SortFlows(lines)
}

const tagBlue = "actions=push_vlan:0x8100,set_field:4106->vlan_vid,goto_table:2"

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name string
		port apps.Port
		want string
	}{
		{"closed", apps.Port{No: 7}, `
cookie=0xe052000000000007, table=1, priority=1,in_port=7 actions=drop
`},
		{"access", apps.Port{No: 7, Mode: intent.Access, VLANs: []uint16{10}, Native: 10}, `
cookie=0xe052000000000007, table=1, priority=30,in_port=7,dl_vlan=0,dl_type=0x8100 actions=drop
cookie=0xe052000000000007, table=1, priority=30,in_port=7,dl_vlan=0,dl_type=0x88a8 actions=drop
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=0 actions=set_field:4106->vlan_vid,goto_table:2
cookie=0xe052000000000007, table=1, priority=20,in_port=7,vlan_tci=0x0000/0x1fff ` + tagBlue + `
cookie=0xe052000000000007, table=1, priority=1,in_port=7 actions=drop
`},
		{"local port", apps.Port{No: openflow.PortLocal, Mode: intent.Access, VLANs: []uint16{10}, Native: 10}, `
cookie=0xe0520000fffffffe, table=1, priority=30,in_port=LOCAL,dl_vlan=0,dl_type=0x8100 actions=drop
cookie=0xe0520000fffffffe, table=1, priority=30,in_port=LOCAL,dl_vlan=0,dl_type=0x88a8 actions=drop
cookie=0xe0520000fffffffe, table=1, priority=20,in_port=LOCAL,dl_vlan=0 actions=set_field:4106->vlan_vid,goto_table:2
cookie=0xe0520000fffffffe, table=1, priority=20,in_port=LOCAL,vlan_tci=0x0000/0x1fff ` + tagBlue + `
cookie=0xe0520000fffffffe, table=1, priority=1,in_port=LOCAL actions=drop
`},
		{"trunk", apps.Port{No: 7, Mode: intent.Trunk, VLANs: []uint16{10, 11}}, `
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=10 actions=goto_table:2
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=11 actions=goto_table:2
cookie=0xe052000000000007, table=1, priority=1,in_port=7 actions=drop
`},
		{"trunk with native", apps.Port{No: 7, Mode: intent.Trunk, VLANs: []uint16{10, 11}, Native: 10}, `
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=0 actions=set_field:4106->vlan_vid,goto_table:2
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=10 actions=goto_table:2
cookie=0xe052000000000007, table=1, priority=20,in_port=7,dl_vlan=11 actions=goto_table:2
cookie=0xe052000000000007, table=1, priority=20,in_port=7,vlan_tci=0x0000/0x1fff ` + tagBlue + `
cookie=0xe052000000000007, table=1, priority=1,in_port=7 actions=drop
`},
		{"tunnel", apps.Port{No: 7, Mode: intent.Tunnel, VLANs: []uint16{10, 12}}, `
cookie=0xe052000000000007, table=1, priority=30,in_port=7,dl_vlan=0,dl_type=0x8100 actions=drop
cookie=0xe052000000000007, table=1, priority=30,in_port=7,dl_vlan=0,dl_type=0x88a8 actions=drop
cookie=0xe052000000000007, table=1, priority=20,tun_id=0x1392,in_port=7,dl_vlan=0 actions=set_field:4106->vlan_vid,goto_table:2
cookie=0xe052000000000007, table=1, priority=20,tun_id=0x1392,in_port=7,vlan_tci=0x0000/0x1fff ` + tagBlue + `
cookie=0xe052000000000007, table=1, priority=1,in_port=7 actions=drop
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
			New(switchWith(&c.port)).Refresh(time.Time{}, out)
			if got := text(out.Store); got != c.want[1:] {
				t.Errorf("got\n%swant%s", got, c.want)
			}
		})
	}
}

// TestRefreshIsADifference: a refresh without a change sends nothing, and a change of one port touches the rules of
// that port.
func TestRefreshIsADifference(t *testing.T) {
	sw := switchWith(
		&apps.Port{No: 1, Mode: intent.Access, VLANs: []uint16{10}, Native: 10},
		&apps.Port{No: 2, Mode: intent.Access, VLANs: []uint16{10}, Native: 10},
		&apps.Port{No: 3, Mode: intent.Trunk, VLANs: []uint16{10, 11}},
	)
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	a := New(sw)
	refresh := func() int {
		a.Refresh(time.Time{}, out)
		n := out.Store.Pending()
		out.Store.Drain(nil, 1<<20, &out.Xid, nil)
		return n
	}
	if n := refresh(); n != 13 {
		t.Errorf("%d messages at first", n)
	}
	if n := refresh(); n != 0 {
		t.Errorf("%d messages for no change", n)
	}
	*sw.Ports[2] = apps.Port{No: 2, Mode: intent.Access, VLANs: []uint16{11}, Native: 11}
	if n := refresh(); n != 2 { // what is untagged, and what is priority-tagged
		t.Errorf("%d messages for another network", n)
	}
	*sw.Ports[2] = apps.Port{No: 2}
	if n := refresh(); n != 4 {
		t.Errorf("%d messages for a closed port", n)
	}
	delete(sw.Ports, 3)
	sw.Order = sw.Order[:2]
	if n := refresh(); n != 3 || out.Store.Len() != 6 {
		t.Errorf("%d messages for a port that is gone, %d rules", n, out.Store.Len())
	}
}

func TestClassify(t *testing.T) {
	access := apps.Port{Mode: intent.Access, VLANs: []uint16{10}, Native: 10}
	trunk := apps.Port{Mode: intent.Trunk, VLANs: []uint16{10, 11}}
	native := apps.Port{Mode: intent.Trunk, VLANs: []uint16{10, 11}, Native: 11}
	for _, c := range []struct {
		name   string
		port   *apps.Port
		tagged bool
		vid    uint16
		want   uint16 // 0: none
	}{
		{"closed", &apps.Port{}, false, 0, 0},
		{"access, untagged", &access, false, 0, 10},
		{"access, priority tag", &access, true, 0, 10},
		{"access, its own VLAN's tag", &access, true, 10, 0},
		{"access, another tag", &access, true, 11, 0},
		{"trunk, untagged", &trunk, false, 0, 0},
		{"trunk, priority tag", &trunk, true, 0, 0},
		{"trunk, carried", &trunk, true, 11, 11},
		{"trunk, not carried", &trunk, true, 12, 0},
		{"native, untagged", &native, false, 0, 11},
		{"native, priority tag", &native, true, 0, 11},
		{"native, its tag", &native, true, 11, 11},
		{"tunnel", &apps.Port{Mode: intent.Tunnel, VLANs: []uint16{10}}, false, 0, 0},
	} {
		if got, ok := Classify(c.port, c.tagged, c.vid); got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d %v, want %d", c.name, got, ok, c.want)
		}
	}
}
