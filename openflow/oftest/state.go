package oftest

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// State is what a switch holds, in the form in which it is dumped.
type State struct {
	Ports  []openflow.PortDesc
	Flows  []openflow.FlowStats
	Groups []openflow.GroupDesc
	Meters []openflow.MeterConfig
}

// State returns what the switch holds. Matches, instructions, buckets and bands are no copies and must not be written to.
func (s *Switch) State() State {
	s.lock()
	defer s.mu.Unlock()
	st := State{Groups: s.groupDescs(), Meters: s.meterConfigs()}
	for _, no := range s.portNumbers() {
		st.Ports = append(st.Ports, s.ports[no].desc())
	}
	for _, t := range s.tables {
		if t == nil {
			continue
		}
		for _, e := range t.sorted() {
			st.Flows = append(st.Flows, e.stats(s.clock))
		}
	}
	return st
}

// SetState replaces what the switch holds behind the controllers' backs: nothing is checked, and nobody is notified.
// Wires stay where they are.
func (s *Switch) SetState(st State) {
	s.lock()
	defer s.mu.Unlock()
	ports := make(map[openflow.PortNo]*portState, len(st.Ports))
	for _, d := range st.Ports {
		p := s.ports[d.No]
		if p == nil {
			p = newPort(Port{No: d.No})
		}
		p.Port = Port{
			No: d.No, Name: d.Name, MAC: d.HWAddr, Down: !d.Up(), NoRecv: d.Config&openflow.PortConfigNoRecv != 0,
			Tunnel: p.Tunnel,
		}
		ports[d.No] = p
	}
	s.ports = ports
	s.tables = nil
	for _, f := range st.Flows {
		e := &entry{
			key: key(f.Priority, string(f.Match)), instructions: slices.Clone(f.Instructions), cookie: f.Cookie,
			packets: f.Packets, bytes: f.Bytes, created: s.clock, used: s.clock, idle: f.IdleTimeout,
			hard: f.HardTimeout, flags: f.Flags, table: f.TableID,
		}
		s.table(f.TableID).entries[e.key] = e
	}
	clear(s.groups)
	for _, g := range st.Groups {
		s.groups[g.ID] = &group{typ: g.Type, buckets: slices.Clone(g.Buckets)}
	}
	clear(s.meters)
	for _, m := range st.Meters {
		s.meters[m.ID] = &meter{flags: m.Flags, bands: slices.Clone(m.Bands)}
	}
}
