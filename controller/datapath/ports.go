package datapath

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// maxPorts bounds what a switch can make the controller remember: ports beyond it are not served.
const maxPorts = 4096

// Times after a port has come up.
const (
	settleTime = 400 * time.Millisecond // in which discovery finds a link, before the port floods
	settleStep = 100 * time.Millisecond // between ports that settle after each other
)

// portList collects the ports of a new session from the parts of the reply.
type portList struct {
	list          []openflow.PortDesc
	localHasSpeed bool // the bridge's own port has a speed
}

// listPort takes a port of the list that is under way.
func (m *Machine) listPort(d openflow.PortDesc) {
	if len(m.ports.list) >= maxPorts {
		m.Unsolicited++
		return
	}
	m.ports.list = append(m.ports.list, d)
}

// setPorts takes the whole list of ports of a new session.
func (m *Machine) setPorts(now time.Time) {
	gone := maps.Clone(m.sw.Ports)
	for i := range m.ports.list {
		delete(gone, m.ports.list[i].No)
		m.setPort(now, &m.ports.list[i])
	}
	for no := range gone {
		m.removePort(no)
	}
	m.ports.list = nil
}

// portStatus takes the news of one port. While the list is under way, it is newer than the list.
func (m *Machine) portStatus(now time.Time, s *openflow.PortStatus) {
	switch listing := m.phase == Describing && m.requests.outstanding(requestPorts); {
	case listing:
		m.ports.list = slices.DeleteFunc(m.ports.list, func(d openflow.PortDesc) bool { return d.No == s.Desc.No })
		if s.Reason != openflow.PortDelete {
			m.listPort(s.Desc)
		}
	case s.Reason == openflow.PortDelete:
		if p := m.sw.Ports[s.Desc.No]; p != nil {
			m.emitLimited(now, event.PortRemoved, p.Name, fmt.Sprintf(": port %s (%d) removed", p.Name, p.No))
		}
		m.removePort(s.Desc.No)
	default:
		m.setPort(now, &s.Desc)
	}
}

// setPort takes what a switch says of a port. A number with another name is another port.
func (m *Machine) setPort(now time.Time, d *openflow.PortDesc) {
	if d.No > openflow.PortMax && d.No != openflow.PortLocal || d.No == 0 {
		m.Unsolicited++
		return
	}
	if d.No == openflow.PortLocal {
		m.ports.localHasSpeed = d.Curr != 0
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
		p = m.addPort(d.No)
	}
	was := *p
	// A device that was moved into another namespace has neither address nor link for the switch, yet frames pass: it
	// is up.
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
	if was.Up == p.Up && was.Name == p.Name {
		return
	}
	m.refreshDue, m.portsDirty = true, true
	if was.Name != "" && m.phase >= Adopting {
		t, state := event.PortDown, "down"
		if p.Up {
			t, state = event.PortUp, "up"
		}
		m.emitLimited(now, t, p.Name, fmt.Sprintf(": port %s (%d) is %s", p.Name, p.No, state))
	}
}

func (m *Machine) addPort(no openflow.PortNo) *apps.Port {
	p := &apps.Port{No: no}
	m.sw.Ports[no] = p
	at, _ := slices.BinarySearch(m.sw.Order, no)
	m.sw.Order = slices.Insert(m.sw.Order, at, no)
	m.refreshDue, m.portsDirty = true, true
	return p
}

func (m *Machine) removePort(no openflow.PortNo) {
	if m.sw.Ports[no] == nil {
		return
	}
	delete(m.sw.Ports, no)
	at, _ := slices.BinarySearch(m.sw.Order, no)
	m.sw.Order = slices.Delete(m.sw.Order, at, at+1)
	delete(m.stats, no)
	m.refreshDue, m.portsDirty = true, true
}

// findTransit finds out whether a port is the end of a link. One that was before a restart of the controller is, until
// it has been found again.
func (m *Machine) findTransit(p *apps.Port) {
	p.Transit = m.sw.Graph.Transit(m.sw.Ref(p.No))
	if p.Retained && (p.Transit || !p.Up) {
		p.Retained, m.portsDirty = false, true
	}
	p.Transit = p.Transit || p.Retained
}

// settle lets ports flood that have been up long enough for discovery to have found a link. Those that follow soon wait
// for each other: the whole flood group is sent each time.
func (m *Machine) settle(now time.Time) {
	settled := false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		if !p.Up || p.Settled {
			continue
		}
		if due := later(p.UpSince.Add(settleTime), m.settledAt.Add(settleStep)); now.Before(due) {
			m.Out.WakeAt(due)
			continue
		}
		p.Settled, settled = true, true
	}
	if settled {
		m.refreshDue, m.settledAt = true, now
	}
}

// PortsChanged calls f for each port if any has changed since the last call, and reports whether one has.
func (m *Machine) PortsChanged(f func(openflow.PortNo, topology.PortInfo)) bool {
	if !m.portsDirty {
		return false
	}
	m.portsDirty = false
	for _, no := range m.sw.Order {
		p := m.sw.Ports[no]
		f(no, topology.PortInfo{
			Up: p.Up, Mesh: p.Mode == intent.Tunnel, Retained: p.Retained, VLANs: topology.NewVLANs(p.VLANs...),
		})
	}
	return true
}

// RequestPortStats has the ports' counters refreshed; a barrier sent after it tells when they are.
func (m *Machine) RequestPortStats(now time.Time) {
	if m.phase >= Adopting && !m.requests.outstanding(requestPortStats) {
		m.requests.send(now, requestPortStats, &m.Out)
	}
}

func (m *Machine) portStats(s *openflow.PortStats) {
	if m.stats == nil {
		m.stats = map[openflow.PortNo]openflow.PortStats{}
	}
	if m.sw.Ports[s.No] != nil {
		m.stats[s.No] = *s
	}
}
