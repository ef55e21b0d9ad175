package datapath

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/spelling"
	"github.com/eosin-sdn/eosin/topology"
)

// maxPorts bounds what a switch can make the controller remember: ports beyond it are not served.
const maxPorts = 4096

// setPorts takes the whole list of ports of a new session.
func (m *Machine) setPorts(now time.Time) {
	gone := make(map[openflow.PortNo]bool, len(m.sw.Ports))
	for no := range m.sw.Ports {
		gone[no] = true
	}
	for i := range m.ports {
		delete(gone, m.ports[i].No)
		m.setPort(now, &m.ports[i])
	}
	for no := range gone {
		m.removePort(no)
	}
	m.ports = nil
}

func (m *Machine) portStatus(now time.Time, s *openflow.PortStatus) {
	if m.asking(askPorts) && m.phase == Describing {
		// The list that is under way may be older than this.
		m.ports = slices.DeleteFunc(m.ports, func(p openflow.PortDesc) bool { return p.No == s.Desc.No })
		if s.Reason != openflow.PortDelete {
			m.listPort(s.Desc)
		}
		return
	}
	if s.Reason == openflow.PortDelete {
		if p := m.sw.Ports[s.Desc.No]; p != nil {
			m.notice(now, event.Event{
				Type: event.PortRemoved, Switch: m.sw.Name, Port: p.Name, Message: fmt.Sprintf("switch %s: port %s (%d) removed", m.sw.Name, p.Name, p.No),
			})
		}
		m.removePort(s.Desc.No)
		return
	}
	m.setPort(now, &s.Desc)
}

// listPort takes a port of the list that is under way.
func (m *Machine) listPort(d openflow.PortDesc) {
	if len(m.ports) >= maxPorts {
		m.Unsolicited++
		return
	}
	m.ports = append(m.ports, d)
}

// setPort takes what a switch says of a port. A device that was moved into another namespace is one that the switch cannot see
// any more: it reports no address and no link, yet frames pass. Such a port is taken to be up. A number with another name is
// another port.
func (m *Machine) setPort(now time.Time, d *openflow.PortDesc) {
	if d.No > openflow.PortMax && d.No != openflow.PortLocal || d.No == 0 {
		m.Unsolicited++
		return
	}
	if d.No == openflow.PortLocal {
		m.tap = d.Curr != 0
	}
	name := spelling.Printable(d.Name)
	if p := m.sw.Ports[d.No]; p != nil && p.Name != name {
		m.removePort(d.No)
	}
	p := m.sw.Ports[d.No]
	if p == nil {
		if len(m.sw.Ports) >= maxPorts {
			m.Unsolicited++
			return
		}
		p = &apps.Port{No: d.No}
		m.sw.Ports[d.No] = p
		at, _ := slices.BinarySearchFunc(m.sw.Order, d.No, func(a, b openflow.PortNo) int { return cmp.Compare(a, b) })
		m.sw.Order = slices.Insert(m.sw.Order, at, d.No)
		m.dirty, m.posted = true, true
	}
	was := *p
	p.Name, p.MAC = name, packet.MAC(d.HWAddr)
	p.Observable = p.MAC != packet.MAC{} || d.Up()
	p.Up = d.Up() || !p.Observable
	m.findTransit(p)
	if p.Up && (!was.Up || p.UpSince.IsZero()) {
		p.UpSince, p.Settled = now, false
		m.Out.WakeAt(now.Add(settleTime))
	}
	if !p.Up {
		p.Settled = false
	}
	if was.Name != p.Name {
		m.applyIntent(p)
	}
	if was.Up != p.Up || was.Name != p.Name {
		m.dirty, m.posted = true, true
		if was.Name != "" && m.phase >= Adopting {
			e := event.Event{Type: event.PortDown, Switch: m.sw.Name, Port: p.Name, Message: fmt.Sprintf("switch %s: port %s (%d) is down", m.sw.Name, p.Name, p.No)}
			if p.Up {
				e.Type, e.Message = event.PortUp, fmt.Sprintf("switch %s: port %s (%d) is up", m.sw.Name, p.Name, p.No)
			}
			m.notice(now, e)
		}
	}
}

// findTransit says whether a port is the end of a link. One that was before a restart of the controller is, until it has been found
// again.
func (m *Machine) findTransit(p *apps.Port) {
	p.Transit = m.sw.Graph.Transit(m.sw.Ref(p.No))
	if p.Retained && (p.Transit || !p.Up) {
		p.Retained, m.posted = false, true
	}
	p.Transit = p.Transit || p.Retained
}

// release ends the belief in links that have not been found again.
func (m *Machine) release(now time.Time) {
	if m.held.IsZero() {
		return
	}
	if now.Before(m.held) {
		m.Out.WakeAt(m.held)
		return
	}
	m.held = time.Time{}
	for _, p := range m.sw.Ports {
		if p.Retained {
			p.Retained, m.dirty, m.posted = false, true, true
			m.findTransit(p)
		}
	}
}

func (m *Machine) removePort(no openflow.PortNo) {
	if m.sw.Ports[no] == nil {
		return
	}
	delete(m.sw.Ports, no)
	at, _ := slices.BinarySearch(m.sw.Order, no)
	m.sw.Order = slices.Delete(m.sw.Order, at, at+1)
	delete(m.stats, no)
	m.dirty, m.posted = true, true
}

// settle lets ports flood that have been up long enough for discovery to have found a link. Those that follow soon wait for each
// other: the whole flood group is sent each time.
func (m *Machine) settle(now time.Time) {
	settled := false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		if !p.Up || p.Settled {
			continue
		}
		due := p.UpSince.Add(settleTime)
		if next := m.settledAt.Add(settleStep); due.Before(next) {
			due = next
		}
		if now.Before(due) {
			m.Out.WakeAt(due)
			continue
		}
		p.Settled, settled = true, true
	}
	if settled {
		m.dirty, m.settledAt = true, now
	}
}

// PortsChanged reports once whether the graph has to be told of the ports anew, and calls f for each.
func (m *Machine) PortsChanged(f func(openflow.PortNo, topology.PortInfo)) bool {
	if !m.posted {
		return false
	}
	m.posted = false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		f(no, topology.PortInfo{Up: p.Up, Mesh: p.Mode == intent.Tunnel, Held: p.Retained, VLANs: topology.NewVLANs(p.VLANs...)})
	}
	return true
}
