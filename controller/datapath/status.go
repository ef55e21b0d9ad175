package datapath

import (
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Status is how a switch is, for reading.
type Status struct {
	ID    openflow.DatapathID
	Name  string
	Phase Phase
	Since time.Time
	Role  uint32
	Desc  openflow.SwitchDesc
	Ports int
	Flows int
	Hosts int
	Err   error
}

// Status returns how the switch is.
func (m *Machine) Status() Status {
	err := m.lastErr.status()
	if err == nil && m.Out.Store.RefusedMeters() > 0 {
		err = errNoMeters
	}
	return Status{
		ID: m.sw.ID, Name: m.sw.Name, Phase: m.phase, Since: m.since, Role: m.role.current, Desc: m.desc,
		Ports: len(m.sw.Ports), Flows: m.Out.Store.Len(), Hosts: m.l2.Len(), Err: err,
	}
}

// Phase returns how far the session has come.
func (m *Machine) Phase() Phase { return m.phase }

// Name returns the switch's name.
func (m *Machine) Name() string { return m.sw.Name }

// Ports calls f for every port, ascending. f must not keep the port.
func (m *Machine) Ports(f func(p *apps.Port, stats *openflow.PortStats)) {
	for _, no := range m.sw.Order {
		if s, ok := m.stats[no]; ok {
			f(m.sw.Ports[no], &s)
		} else {
			f(m.sw.Ports[no], nil)
		}
	}
}

// Port returns a copy of a port.
func (m *Machine) Port(no openflow.PortNo) (apps.Port, bool) {
	p := m.sw.Ports[no]
	if p == nil {
		return apps.Port{}, false
	}
	c := *p
	c.VLANs = slices.Clone(p.VLANs)
	return c, true
}

// Hosts calls f for every host that lives at the switch.
func (m *Machine) Hosts(f func(l2.Host)) { m.l2.Hosts(f) }

// HostCount returns how many hosts live at the switch.
func (m *Machine) HostCount() int { return m.l2.Len() }

// CountHosts adds the hosts that live at the switch to a count by VLAN.
func (m *Machine) CountHosts(n map[uint16]int) { m.l2.Count(n) }

// Host returns a host that lives at the switch.
func (m *Machine) Host(k topology.HostKey) (l2.Host, bool) { return m.l2.Lookup(k) }

// Unplugged returns a host that lived at a port of the switch until the port went down.
func (m *Machine) Unplugged(now time.Time, k topology.HostKey) (l2.Host, bool) {
	return m.l2.Unplugged(now, k)
}

// EachUnplugged calls f for every host that Unplugged returns.
func (m *Machine) EachUnplugged(now time.Time, f func(l2.Host)) { m.l2.EachUnplugged(now, f) }

// TableLen returns how many flows are desired in a table.
func (m *Machine) TableLen(t uint8) int { return m.Out.Store.TableLen(t) }

// Flows calls f with each desired flow-mod, in no order; f must not keep it.
func (m *Machine) Flows(f func(mod *openflow.FlowMod)) { m.Out.Store.Each(f) }

// Drops calls f with every reason for which a packet-in was dropped, and how often.
func (m *Machine) Drops(f func(reason string, n uint64)) {
	m.l2.EachDrop(f)
	m.discovery.EachDrop(f)
	for c, n := range m.PacketInsDropped {
		f("rate_"+class(c).String(), n)
	}
	f("unknown_owner", m.UnknownOwner)
	f("malformed_frame", m.Malformed)
}

// Moves calls f with how often hosts of each VLAN moved between ports of the switch.
func (m *Machine) Moves(f func(vlan uint16, n uint64)) {
	for vlan, n := range m.l2.Moves {
		f(vlan, n)
	}
}

// WasReady reports whether any session of the switch has come so far that its flows were right.
func (m *Machine) WasReady() bool { return m.Audits > 0 }
