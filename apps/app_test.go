package apps

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

var _ App = Base{} // Base does nothing on every event

func testLayout() *Layout {
	return NewLayout(3,
		TableSpec{0, "first", "one", []flow.Owner{1}}, TableSpec{4, "second", "two", []flow.Owner{2, 3}},
		TableSpec{5, "third", "two", []flow.Owner{3}})
}

// TestOneOwnerPerTable: an app states rules in its own tables only.
func TestOneOwnerPerTable(t *testing.T) {
	own := map[uint8][]flow.Owner{0: {1}, 4: {2, 3}, 5: {3}}
	for table := range uint8(7) {
		for owner := range flow.Owner(5) {
			out := &Output{Layout: testLayout(), Store: flow.NewStore()}
			want := slices.Contains(own[table], owner)
			rule := &flow.Rule{Table: table, Cookie: flow.Cookie(owner, 0)}
			if panicked := panics(func() { out.Put(rule) }); panicked == want {
				t.Errorf("table %d, owner %d: refused %v", table, owner, panicked)
			}
			if out.Store.Len() == 1 != want {
				t.Errorf("table %d, owner %d: %d rules", table, owner, out.Store.Len())
			}
		}
		out := &Output{Layout: testLayout(), Store: flow.NewStore()}
		if !panics(func() { out.Put(&flow.Rule{Table: table}) }) {
			t.Errorf("table %d takes a rule of nobody", table)
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

func TestLayout(t *testing.T) {
	l := testLayout()
	for name, want := range map[string]Table{"first": {0, 4}, "second": {4, 5}, "third": {5, 5}} {
		if got := l.Table(name); got != want || l.Name(want.Number) != name {
			t.Errorf("%s: %+v, named %q", name, got, l.Name(want.Number))
		}
	}
	if l.Name(1) != "" || l.AppOf(3) != "two" || l.AppOf(4) != "" || l.AppOf(255) != "" {
		t.Error("tables or owners that nobody has registered")
	}
	if !panics(func() { l.Table("fourth") }) {
		t.Error("a table that nobody has registered")
	}
	if l.VersionTag() != 2 {
		t.Error("version 3 has the tag", l.VersionTag())
	}
	for tag, want := range map[uint64]uint8{0: 1, 2: 3, 254: 255, 255: 255, 1 << 40: 255} {
		if got := VersionOf(flow.Cookie(1, tag)); got != want {
			t.Errorf("the tag %d is that of version %d, want %d", tag, got, want)
		}
	}
}

func TestLayoutRefuses(t *testing.T) {
	one := []flow.Owner{1}
	for name, tables := range map[string][]TableSpec{
		"no name":         {{0, "", "app", one}},
		"one name twice":  {{0, "a", "app", one}, {1, "a", "app", one}},
		"no app":          {{0, "a", "", one}},
		"no owner":        {{0, "a", "app", nil}},
		"no first table":  {{1, "a", "app", one}},
		"descending":      {{0, "a", "app", one}, {2, "b", "app", one}, {1, "c", "app", one}},
		"owner with two":  {{0, "a", "app", one}, {1, "b", "other", one}},
		"unknown cookies": {{0, "a", "app", []flow.Owner{flow.MaxOwners}}},
	} {
		if !panics(func() { NewLayout(1, tables...) }) {
			t.Error(name)
		}
	}
}

func TestWakeAt(t *testing.T) {
	var out Output
	t0 := time.Unix(100, 0)
	if !out.TakeWake().IsZero() {
		t.Error("woken without having asked")
	}
	out.WakeAt(t0.Add(2))
	out.WakeAt(t0.Add(1))
	out.WakeAt(t0.Add(3))
	if got := out.TakeWake(); !got.Equal(t0.Add(1)) {
		t.Errorf("%s", got.Sub(t0))
	}
	if !out.TakeWake().IsZero() {
		t.Error("woken twice")
	}
}

func TestPacketOut(t *testing.T) {
	out := Output{Xid: 7}
	actions, frame := flow.Actions(nil).Output(3), make([]byte, 60)
	out.PacketOut(openflow.PortController, actions, frame)
	out.PacketOut(5, actions, frame)
	for i, port := range []openflow.PortNo{openflow.PortController, 5} {
		n := int(out.Wire[2])<<8 | int(out.Wire[3])
		var m openflow.PacketOut
		h, err := openflow.DecodeHeader(out.Wire[:n])
		if err != nil || m.Decode(out.Wire[:n]) != nil || m.InPort != port || !bytes.Equal(m.Data, frame) ||
			h.Xid != 8+uint32(i) {
			t.Errorf("%+v %+v", h, m)
		}
		out.Wire = out.Wire[n:]
	}
}

func TestEmit(t *testing.T) {
	var out Output
	now := time.Unix(100, 0)
	e := event.Event{Type: event.HostFrozen, Message: "words", Host: "00:00:00:00:00:01"}
	out.Emit(now, e)
	if len(out.Facts) != 1 || out.Facts[0].Kind != Told || *out.Facts[0].Event != e || !out.Facts[0].At.Equal(now) {
		t.Errorf("%+v", out.Facts)
	}
}

func TestEgress(t *testing.T) {
	blue := Network{Name: "blue", VLAN: 10, VNI: 5010}
	for _, c := range []struct {
		name string
		port Port
		want string
	}{
		{"access", Port{No: 3, Mode: intent.Access, VLANs: []uint16{10}, Native: 10}, "pop_vlan,output:3"},
		{"trunk", Port{No: 3, Mode: intent.Trunk, VLANs: []uint16{10, 11}}, "output:3"},
		{"trunk, other native", Port{No: 3, Mode: intent.Trunk, VLANs: []uint16{10, 11}, Native: 11}, "output:3"},
		{"trunk, native", Port{No: 3, Mode: intent.Trunk, VLANs: []uint16{10, 11}, Native: 10}, "pop_vlan,output:3"},
		{"tunnel", Port{No: 3, Mode: intent.Tunnel, VLANs: []uint16{10}}, "set_field:0x1392->tun_id,pop_vlan,output:3"},
	} {
		if got := oftext.Actions(c.port.Egress(nil, blue)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSwitch(t *testing.T) {
	sw := Switch{
		ID: 7, Networks: []Network{{Name: "blue", VLAN: 10}, {Name: "red", VLAN: 11}, {Name: "grey", VLAN: 4094}},
		Ports: map[openflow.PortNo]*Port{
			1: {No: 1, VLANs: []uint16{10}}, 2: {No: 2, VLANs: []uint16{11, 12, 4094}},
			3: {No: 3},
		},
		Order: []openflow.PortNo{1, 2, 3},
	}
	for vlan := range uint16(4096) {
		n, ok := sw.Network(vlan)
		if want := vlan == 10 || vlan == 11 || vlan == 4094; ok != want || ok && n.VLAN != vlan {
			t.Errorf("Network(%d) = %+v %v", vlan, n, ok)
		}
		one, two := vlan == 10, vlan == 11 || vlan == 12 || vlan == 4094
		if sw.Ports[1].Carries(vlan) != one || sw.Ports[2].Carries(vlan) != two || sw.Ports[3].Carries(vlan) ||
			sw.CarriesVLAN(vlan) != (one || two) {
			t.Errorf("who carries VLAN %d?", vlan)
		}
	}
	if r := sw.Ref(2); r.Switch != 7 || r.Port != 2 {
		t.Errorf("%v", r)
	}
}
