package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// maxUnplugged bounds how many hosts of ports that are down are remembered.
const maxUnplugged = 8192

// sweepUnplugged is how long the memory stays full before it is looked through again: a crowd that is unplugged at once would
// else look through all of it for each host.
const sweepUnplugged = 5 * time.Second

// unplugged is a host whose port went down. It has no rules any more, but who asks for it should learn what happened to it.
type unplugged struct {
	host
	ips addresses
	at  time.Time // when the port went down
}

// unplug remembers a host that is forgotten because its port is down. ips are its addresses.
func (a *App) unplug(now time.Time, k topology.HostKey, h host, ips addresses) {
	if p := a.sw.Ports[h.port]; p == nil || p.Up || p.Transit || !p.Carries(k.VLAN()) {
		return
	}
	if len(a.unplugged) >= maxUnplugged && now.Sub(a.swept) >= sweepUnplugged {
		a.swept = now
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

// Unplugged returns a host that was at a port of this switch when the port went down: as long as the port is there and down, the
// host has not been seen elsewhere, and it is no longer ago than hosts are remembered that keep silent.
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

// pluggedElsewhere forgets that a host was here when its port went down.
func (a *App) pluggedElsewhere(k topology.HostKey, at openflow.DatapathID) {
	if at != 0 && at != a.sw.ID {
		delete(a.unplugged, k)
	}
}
