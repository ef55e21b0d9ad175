// Package switches holds the switches that are or were connected: the registry of them, and the shell around the
// machine of each, with its lock, its session and its timer.
package switches

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Registry holds the switches that are connected, or were and are kept. It is safe for use by several goroutines.
type Registry struct {
	mu   lockorder.Mutex[lockorder.Registry] // guards byID
	byID map[openflow.DatapathID]*Switch

	disconnections atomic.Int32  // since stale switches were removed last
	pruneNow       chan struct{} // capacity 1: there were many
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{byID: map[openflow.DatapathID]*Switch{}, pruneNow: make(chan struct{}, 1)}
}

// Get returns a switch, nil if it is not there.
func (r *Registry) Get(id openflow.DatapathID) *Switch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

// List returns the switches, ascending by datapath id.
func (r *Registry) List() []*Switch {
	r.mu.Lock()
	l := slices.Collect(maps.Values(r.byID))
	r.mu.Unlock()
	slices.SortFunc(l, func(a, b *Switch) int { return cmp.Compare(a.id, b.id) })
	return l
}

// ByName returns the switch with a name, or with a datapath id in text form; nil if there is none.
func (r *Registry) ByName(name string) *Switch {
	for _, s := range r.List() {
		if s.Name() == name || s.id.String() == name {
			return s
		}
	}
	return nil
}

// PortName returns the names of a port and its switch.
func (r *Registry) PortName(ref topology.PortRef) (sw, port string) {
	s := r.Get(ref.Switch)
	if s == nil {
		return ref.Switch.String(), ref.Port.String()
	}
	s.Read(func(m *datapath.Machine, _ State) {
		sw, port = m.Name(), ref.Port.String()
		if p, ok := m.Port(ref.Port); ok {
			port = p.Name
		}
	})
	return sw, port
}

// getOrAdd returns a switch, a new one if it is not there.
func (r *Registry) getOrAdd(id openflow.DatapathID, d *Deps) *Switch {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.byID[id]
	if s == nil {
		s = &Switch{id: id, deps: d, registry: r, machine: datapath.New(id, d.Keys, d.Intent(id), d.Fabric.Snapshot())}
		r.byID[id] = s
	}
	return s
}

func (r *Registry) remove(id openflow.DatapathID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id)
}

// DeliverGraph gives every switch a new snapshot.
func (r *Registry) DeliverGraph(g *topology.Snapshot) {
	for _, s := range r.List() {
		s.update(func(_ time.Time, m *datapath.Machine) { m.DeliverGraph(g) })
	}
}

// DeliverHosts gives a switch the new places of hosts, in one step.
func (r *Registry) DeliverHosts(id openflow.DatapathID, updates []topology.Update) {
	r.Get(id).update(func(now time.Time, m *datapath.Machine) {
		for _, u := range updates {
			m.DeliverHost(now, topology.NewHostKey(u.VLAN, u.MAC), u.At, u.Port)
		}
	})
}

// DeliverFreeze has a switch keep a host where it is for a while.
func (r *Registry) DeliverFreeze(id openflow.DatapathID, host topology.HostKey) {
	r.Get(id).update(func(now time.Time, m *datapath.Machine) { m.DeliverFreeze(now, host) })
}
