package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/topology"
)

// maxUnplugged limits the hosts of ports that are down.
const maxUnplugged = 8192

// sweepInterval is the least time between sweeps of a full map: else many hosts that are unplugged at once would sweep
// it once per host.
const sweepInterval = 5 * time.Second

// unplugged is a host whose port went down. It has no rules any more, but queries can tell what happened to it.
type unplugged struct {
	host
	ips addresses
	at  time.Time // when the port went down
}

// unplug remembers a host that was forgotten because its port is down.
func (a *App) unplug(now time.Time, k topology.HostKey, h host, ips addresses) {
	if p := a.sw.Ports[h.port]; p == nil || p.Up || p.Transit || !p.Carries(k.VLAN()) {
		return
	}
	if len(a.unplugged) >= maxUnplugged && now.Sub(a.lastSweep) >= sweepInterval {
		a.lastSweep = now
		for k := range a.unplugged {
			if _, still := a.Unplugged(now, k); !still {
				delete(a.unplugged, k)
			}
		}
	}
	if len(a.unplugged) < maxUnplugged {
		a.unplugged[k] = unplugged{h, ips, now}
	}
}

// Unplugged returns a host that was at a port of this switch when the port went down: as long as the port exists and is
// down, the host has not been seen elsewhere, and the host timeout has not passed.
func (a *App) Unplugged(now time.Time, k topology.HostKey) (Host, bool) {
	u, known := a.unplugged[k]
	if _, here := a.local[k]; !known || here {
		return Host{}, false
	}
	p, timeout := a.sw.Ports[u.port], a.sw.Settings.HostTimeout
	if p == nil || p.Up || p.Transit || !p.Carries(k.VLAN()) || timeout > 0 && now.Sub(u.at) > timeout {
		return Host{}, false
	}
	return Host{Key: k, Port: u.port, Since: time.Unix(0, u.since), Last: time.Unix(0, u.last), IPs: u.ips}, true
}

// EachUnplugged calls f for every host that Unplugged returns, in no order.
func (a *App) EachUnplugged(now time.Time, f func(Host)) {
	for k := range a.unplugged {
		if h, ok := a.Unplugged(now, k); ok {
			f(h)
		}
	}
}
