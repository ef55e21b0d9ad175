// Package switches holds the switches that are or were connected: the registry of them, and the shell around the
// machine of each, with its lock, its session and its timer.
package switches

import (
	"cmp"
	"maps"
	"slices"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// Registry holds the switches that are connected, or were and are kept. It is safe for use by several goroutines.
type Registry struct {
	mu   lockorder.RWMutex[lockorder.Registry] // guards byID
	byID map[openflow.DatapathID]*Switch

	stale staleness
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{byID: map[openflow.DatapathID]*Switch{}, stale: staleness{wake: make(chan struct{}, 1)}}
}

// Get returns a switch, nil if it is not there.
func (r *Registry) Get(id openflow.DatapathID) *Switch {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

// List returns the switches, ascending by datapath id.
func (r *Registry) List() []*Switch {
	r.mu.RLock()
	l := slices.Collect(maps.Values(r.byID))
	r.mu.RUnlock()
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

// getOrAdd returns a switch, which create makes if it is not there.
func (r *Registry) getOrAdd(id openflow.DatapathID, create func() *Switch) *Switch {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.byID[id]
	if s == nil {
		s = create()
		r.byID[id] = s
	}
	return s
}

func (r *Registry) remove(id openflow.DatapathID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id)
}
