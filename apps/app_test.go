package apps

import (
	"bytes"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

var _ App = Base{} // Base does nothing on every event

// TestOneOwnerPerTable: an app states rules in its own tables only.
func TestOneOwnerPerTable(t *testing.T) {
	for table := range NumTables {
		for owner := flow.Owner(0); owner <= OwnerFlood; owner++ {
			own := false
			for _, o := range Pipeline[table].Owners {
				own = own || o == owner
			}
			out := &Output{Store: flow.NewStore()}
			func() {
				defer func() {
					if refused := recover() != nil; refused == own {
						t.Errorf("table %s, owner %d: refused %v", TableName(table), owner, refused)
					}
				}()
				out.Put(&flow.Rule{Table: table, Cookie: flow.Cookie(owner, 0)})
			}()
			if out.Store.Len() == 1 != own {
				t.Errorf("table %s, owner %d: %d rules", TableName(table), owner, out.Store.Len())
			}
		}
		out := &Output{Store: flow.NewStore()}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("table %s takes a rule of nobody", TableName(table))
				}
			}()
			out.Put(&flow.Rule{Table: table})
		}()
	}
}

func TestPipelineIsNamed(t *testing.T) {
	seen := map[string]bool{}
	for table := range NumTables {
		name := TableName(table)
		if name == "" || seen[name] || Pipeline[table].App == "" {
			t.Errorf("table %d is %q", table, name)
		}
		seen[name] = true
	}
	if TableName(NumTables) != "" || TableName(255) != "" {
		t.Error("tables beyond the pipeline have names")
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
		if err != nil || m.Decode(out.Wire[:n]) != nil || m.InPort != port || !bytes.Equal(m.Data, frame) || h.Xid != 8+uint32(i) {
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
		Ports: map[openflow.PortNo]*Port{1: {No: 1, VLANs: []uint16{10}}, 2: {No: 2, VLANs: []uint16{11, 12, 4094}}, 3: {No: 3}},
		Order: []openflow.PortNo{1, 2, 3},
	}
	for vlan := range uint16(4096) {
		n, ok := sw.Network(vlan)
		if want := vlan == 10 || vlan == 11 || vlan == 4094; ok != want || ok && n.VLAN != vlan {
			t.Errorf("Network(%d) = %+v %v", vlan, n, ok)
		}
		one, two := vlan == 10, vlan == 11 || vlan == 12 || vlan == 4094
		if sw.Ports[1].Carries(vlan) != one || sw.Ports[2].Carries(vlan) != two || sw.Ports[3].Carries(vlan) || sw.CarriesVLAN(vlan) != (one || two) {
			t.Errorf("who carries VLAN %d?", vlan)
		}
	}
	if r := sw.Ref(2); r.Switch != 7 || r.Port != 2 {
		t.Errorf("%v", r)
	}
}
