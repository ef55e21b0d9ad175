package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// HostAt says where a host of the network is: at another switch (then this one gives up its own sighting), at this one
// (then an earlier sighting of its own holds again), or nowhere (at is 0).
func (a *App) HostAt(
	now time.Time, k topology.HostKey, at openflow.DatapathID, port openflow.PortNo, out *apps.Output,
) {
	h, here := a.local[k]
	if at != 0 && at != a.sw.ID {
		delete(a.unplugged, k)
	}
	switch {
	case at == a.sw.ID:
		if p := a.sw.Ports[port]; !here && p != nil && p.Up && !p.Transit && p.Carries(k.VLAN()) {
			_, _ = a.learn(now, k, port, out)
		}
		return
	case here && at == 0:
		return // forgotten elsewhere; it is still seen here
	case here:
		a.dropLocal(k, h, out)
	}
	if at == 0 {
		delete(a.retained, k)
		delete(a.remote, k)
		a.dropForward(k, out)
		return
	}
	a.remote[k] = at
	a.route(k, at, out)
}

// route states the forward rule of a host on another switch, out of the port on the path with the fewest hops. Without
// a path, its frames are flooded like unknown ones. A retained rule stays until there is a path or its time is over.
func (a *App) route(k topology.HostKey, at openflow.DatapathID, out *apps.Output) {
	if port, ok := a.sw.Graph.Next(k.VLAN(), a.sw.ID, at); ok && a.sw.CarriesVLAN(k.VLAN()) {
		delete(a.retained, k)
		a.putForward(k, port, out)
		return
	}
	if _, retained := a.retained[k]; !retained {
		a.dropForward(k, out)
	}
}

// DropRemote forgets the hosts of other switches: no link leads to any.
func (a *App) DropRemote(out *apps.Output) {
	for k := range a.remote {
		a.dropForward(k, out)
	}
	clear(a.remote)
}
