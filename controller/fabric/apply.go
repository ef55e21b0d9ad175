package fabric

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// apply applies what is queued. It returns the queue's old array, to be handed in the next time.
func (f *Fabric) apply(now time.Time, spare []report) []report {
	f.mu.Lock()
	reports := f.queue
	f.queue = spare[:0]
	clear(f.latest)
	f.hosts.SetMoveLimit(f.moves)
	f.mu.Unlock()
	for i := range reports {
		f.applyReport(now, &reports[i])
	}
	clear(reports)
	return reports
}

func (f *Fabric) applyReport(now time.Time, p *report) {
	switch p.kind {
	case connectionChanged:
		f.graph.SetSwitch(p.sw, p.connected)
	case switchRemoved:
		f.graph.RemoveSwitch(p.sw)
		delete(f.ports, p.sw)
	case portsChanged:
		for no := range f.ports[p.sw] {
			if _, still := p.ports[no]; !still {
				f.graph.RemovePort(topology.PortRef{Switch: p.sw, Port: no})
			}
		}
		for no, info := range p.ports {
			f.graph.SetPort(topology.PortRef{Switch: p.sw, Port: no}, info)
		}
		f.ports[p.sw] = p.ports
	case factFound:
		f.applyFact(now, p.sw, &p.fact)
	}
}

func (f *Fabric) applyFact(now time.Time, sw openflow.DatapathID, fact *apps.Fact) {
	here := topology.PortRef{Switch: sw, Port: fact.Port}
	switch fact.Kind {
	case apps.HelloSent:
		f.graph.Sent(here, fact.Seq, fact.At)
	case apps.Answered:
		f.graph.Answered(sw, fact.At, fact.Latency)
	case apps.HelloSeen:
		kind := topology.Wire
		if fact.Tunnel {
			kind = topology.Tunnel
		}
		f.graph.LinkSeen(fact.Peer, here, kind, fact.Seq, fact.At)
		f.graph.Measured(fact.Peer, here, fact.Latency.Seconds())
	case apps.HostGone:
		f.updates = f.hosts.Forget(sw, fact.Port, fact.VLAN, fact.MAC, f.updates)
	case apps.HostSeen:
		f.observe(now, sw, fact)
	default:
	}
}

// observe applies that a host was seen.
func (f *Fabric) observe(now time.Time, sw openflow.DatapathID, fact *apps.Fact) {
	seen := topology.Sighting{Switch: sw, Port: fact.Port, VLAN: fact.VLAN, MAC: fact.MAC, At: fact.At}
	var verdict topology.Verdict
	f.updates, verdict = f.hosts.Observe(seen, f.updates)
	if verdict == topology.Placed || verdict == topology.Moved {
		// For the switch itself as well: an older place may have been delivered to it since it reported this.
		f.updates = append(f.updates, topology.Update{
			Switch: sw, VLAN: fact.VLAN, MAC: fact.MAC, At: sw, Port: fact.Port,
		})
	}
	switch verdict {
	case topology.Moved:
		f.mu.Lock()
		f.moved[fact.VLAN]++
		f.mu.Unlock()
	case topology.NewlyFrozen:
		f.frozen = append(f.frozen, frozenHost{sw, topology.NewHostKey(fact.VLAN, fact.MAC)})
		if z, ok := f.hosts.Freeze(fact.VLAN, fact.MAC, now); ok {
			f.emitFrozen(fact, z)
		}
	default:
	}
}

// emitFrozen reports a host that moves between switches too often.
func (f *Fabric) emitFrozen(fact *apps.Fact, z topology.Freeze) {
	kept, port := f.o.Switches.PortName(z.Kept)
	f.o.Emit(event.Event{
		Type: event.HostFrozen, Switch: kept, Host: fact.MAC.String(), Network: f.o.NetworkName(fact.VLAN),
		Message: fmt.Sprintf("host %s (VLAN %d) moves too often between %s:%s and %s: it stays at %s:%s for a while",
			fact.MAC, fact.VLAN, kept, port, f.portName(z.Refused), kept, port),
	})
}

func (f *Fabric) portName(ref topology.PortRef) string {
	sw, port := f.o.Switches.PortName(ref)
	return sw + ":" + port
}
