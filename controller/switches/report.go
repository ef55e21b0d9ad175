package switches

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Fabric takes what switches find out about the network. It is called under a switch's lock and never blocks.
type Fabric interface {
	Snapshot() *topology.Snapshot
	Facts(openflow.DatapathID, []apps.Fact)
	Ports(openflow.DatapathID, map[openflow.PortNo]topology.PortInfo)
	SwitchConnected(openflow.DatapathID, bool)
	SwitchRemoved(openflow.DatapathID)
}

// Prober takes replies, and that hosts may have changed. It is called under a switch's lock and never blocks.
type Prober interface {
	Received(sw openflow.DatapathID, port openflow.PortNo, at time.Time, vlan uint16, r *probe.Trapped)
	HostsChanged()
}

// Deps is what switches need of the rest of the controller.
type Deps struct {
	Keys   datapath.Keys
	Intent func(openflow.DatapathID) datapath.Intent // by the running config
	Fabric Fabric
	Prober Prober
	// AddAddress notes that a host uses an IP address. It is called under a switch's lock and never blocks.
	AddAddress func(netip.Addr, openflow.DatapathID, topology.HostKey)
	// Emit reports an event. It is never called under a lock.
	Emit func(event.Event)
}

// reportServed reports whether the fabric can count on the switch. One that obeys another controller counts as
// disconnected: it forwards by tables that are not ours to change. The lock is held.
func (s *Switch) reportServed() {
	serves := s.session != nil && s.machine.Phase() != datapath.Standby
	if serves == s.served {
		return
	}
	s.served = serves
	s.deps.Fabric.SwitchConnected(s.id, serves)
	s.deps.Prober.HostsChanged()
}

// deliver passes on what matters beyond the switch. The lock is held: nobody here waits for another switch.
func (s *Switch) deliver(m *datapath.Machine) {
	facts := m.TakeFacts()
	if len(facts) > 0 {
		alone, hosts := m.Alone(), false
		for i := range facts {
			f := &facts[i]
			switch f.Kind {
			case apps.ProbeReply:
				s.deps.Prober.Received(s.id, f.Port, f.At, f.VLAN, f.Reply.(*probe.Trapped))
			case apps.HostIP:
				s.deps.AddAddress(f.Addr, s.id, topology.NewHostKey(f.VLAN, f.MAC))
			case apps.Told:
				s.events = append(s.events, *f.Event)
			case apps.HostSeen, apps.HostGone:
				hosts = true
				if !alone {
					s.facts = append(s.facts, *f)
				}
			default:
				s.facts = append(s.facts, *f)
			}
		}
		if len(s.facts) > 0 {
			s.deps.Fabric.Facts(s.id, s.facts)
			s.facts = s.facts[:0]
			if cap(s.facts) > 1<<10 {
				s.facts = nil // after a burst
			}
		}
		if hosts {
			s.deps.Prober.HostsChanged()
		}
	}
	var ports map[openflow.PortNo]topology.PortInfo
	if m.PortsChanged(func(no openflow.PortNo, p topology.PortInfo) {
		if ports == nil {
			ports = map[openflow.PortNo]topology.PortInfo{}
		}
		ports[no] = p
	}) {
		s.deps.Fabric.Ports(s.id, ports)
		s.deps.Prober.HostsChanged()
	}
}
