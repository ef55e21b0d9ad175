package l2

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/intent"
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
		ID: 1, Order: []openflow.PortNo{port}, Networks: []apps.Network{{Name: "blue", VLAN: vlan}},
		Graph: topology.NewGraph().Snapshot(),
		Ports: map[openflow.PortNo]*apps.Port{port: {
			No: port, Up: true, Mode: intent.Access, VLANs: []uint16{vlan},
			Native: vlan,
		}},
	}
	a, out := New(sw), &apps.Output{Store: flow.NewStore()}
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
