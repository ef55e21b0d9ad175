package fabric

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// nobody are no switches.
type nobody struct{}

func (nobody) DeliverGraph(*topology.Snapshot)                     {}
func (nobody) DeliverHosts(openflow.DatapathID, []topology.Update) {}
func (nobody) DeliverFreeze(openflow.DatapathID, topology.HostKey) {}
func (nobody) PortName(r topology.PortRef) (sw, port string) {
	return r.Switch.String(), r.Port.String()
}

// What a switch finds out is applied in the order in which it did: a hello that came in before its port went down makes
// no link of the port when it comes up again.
func TestPortListsDoNotOvertakeFacts(t *testing.T) {
	f := New(Options{Switches: nobody{}, Emit: func(event.Event) {}, GraphChanged: func() {}})
	apply := func() { f.apply(time.Now(), nil) }
	ports := func(up bool) map[openflow.PortNo]topology.PortInfo {
		return map[openflow.PortNo]topology.PortInfo{1: {Up: up, VLANs: topology.NewVLANs(1)}}
	}
	here, there := topology.PortRef{Switch: 1, Port: 1}, topology.PortRef{Switch: 2, Port: 1}
	f.SwitchConnected(1, true)
	f.SwitchConnected(2, true)
	f.Ports(2, ports(true))
	apply()

	f.Ports(1, ports(true))
	f.Facts(1, []apps.Fact{{Kind: apps.HelloSeen, Port: 1, Peer: there, Seq: 1, At: time.Now()}})
	f.Ports(1, ports(false))
	apply()
	f.Ports(1, ports(true))
	apply()
	if f.graph.Snapshot().Transit(here) {
		t.Error("the port is a link, and nobody has heard anything since it came up")
	}

	// Lists without anything in between are one.
	for range 1000 {
		f.Ports(1, ports(false))
		f.Ports(1, ports(true))
	}
	if n := len(f.queue); n != 1 {
		t.Errorf("%d lists wait", n)
	}
}
