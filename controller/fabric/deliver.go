package fabric

import (
	"fmt"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// deliverGraph gives every switch the new snapshot, if there is one.
func (f *Fabric) deliverGraph() {
	next := f.graph.Snapshot()
	last := f.snapshot.Load()
	if next == last {
		return
	}
	if next.Version() == last.Version() { // only latencies are new
		f.snapshot.Store(next)
		return
	}
	f.emitLinks(next)
	f.updates = f.hosts.Apply(next, f.updates)
	f.snapshot.Store(next)
	f.o.Switches.DeliverGraph(next)
	f.o.GraphChanged()
}

// emitLinks reports which links came and went.
func (f *Fabric) emitLinks(next *topology.Snapshot) {
	seen := map[topology.LinkRef]topology.State{}
	for _, l := range next.Links() {
		ref := topology.NewLinkRef(l.A, l.B)
		seen[ref] = l.State
		was, known := f.links[ref]
		switch {
		case l.State == topology.Up && (!known || was != topology.Up):
			f.emitLink(event.LinkUp, ref, l.Kind.String(), "up")
		case l.State == topology.Down && known && was != topology.Down:
			f.emitLink(event.LinkDown, ref, l.Kind.String(), "down")
		}
	}
	for ref, was := range f.links {
		if _, still := seen[ref]; !still && was != topology.Down {
			f.emitLink(event.LinkDown, ref, "link", "gone")
		}
	}
	f.links = seen
}

func (f *Fabric) emitLink(t *event.Type, l topology.LinkRef, kind, what string) {
	a, b := f.portName(l.A), f.portName(l.B)
	f.o.Emit(event.Event{Type: t, Link: a + "--" + b, Message: fmt.Sprintf("%s %s -- %s is %s", kind, a, b, what)})
}

// deliverHosts tells the switches what has become of hosts, each switch in one step.
func (f *Fabric) deliverHosts() {
	if len(f.updates) > 0 {
		by := map[openflow.DatapathID][]topology.Update{}
		for _, u := range f.updates {
			by[u.Switch] = append(by[u.Switch], u)
		}
		f.updates = f.updates[:0]
		for id, us := range by {
			f.o.Switches.DeliverHosts(id, us)
		}
	}
	for _, z := range f.frozen {
		f.o.Switches.DeliverFreeze(z.sw, z.key)
	}
	f.frozen = f.frozen[:0]
}
