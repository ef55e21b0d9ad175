package switches

import (
	"time"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// DeliverGraph gives every switch a new snapshot.
func (r *Registry) DeliverGraph(g *topology.Snapshot) {
	for _, s := range r.List() {
		_ = s.Step(func(_ time.Time, m *datapath.Machine, _ State) error {
			m.DeliverGraph(g)
			return nil
		})
	}
}

// DeliverHosts tells a switch where hosts are, in one step.
func (r *Registry) DeliverHosts(id openflow.DatapathID, updates []topology.Update) {
	r.step(id, func(now time.Time, m *datapath.Machine) {
		for _, u := range updates {
			m.DeliverHost(now, topology.NewHostKey(u.VLAN, u.MAC), u.At, u.Port)
		}
	})
}

// DeliverFreeze has a switch keep a host where it is for a while.
func (r *Registry) DeliverFreeze(id openflow.DatapathID, host topology.HostKey) {
	r.step(id, func(now time.Time, m *datapath.Machine) { m.DeliverFreeze(now, host) })
}

func (r *Registry) step(id openflow.DatapathID, f func(time.Time, *datapath.Machine)) {
	if s := r.Get(id); s != nil {
		_ = s.Step(func(now time.Time, m *datapath.Machine, _ State) error {
			f(now, m)
			return nil
		})
	}
}
