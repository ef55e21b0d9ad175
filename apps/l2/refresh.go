package l2

import (
	"encoding/binary"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// portState is what Refresh compares to find the hosts that a change of their port affects.
type portState struct {
	hosts   int
	tagging string // see appendTagging; "" for a port that is gone
	usable  bool
	up      time.Time // since when
}

// appendTagging encodes what the egress actions of a port depend on.
func appendTagging(b []byte, p *apps.Port) []byte {
	b = append(b, byte(p.Mode))
	b = binary.BigEndian.AppendUint16(b, p.Native)
	for _, v := range p.VLANs {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// portState returns the state of a port. A new one differs from that of any port that is up, so that the next Refresh
// checks the port.
func (a *App) portState(no openflow.PortNo) *portState {
	s := a.ports[no]
	if s == nil {
		s = &portState{}
		if p := a.sw.Ports[no]; p != nil {
			s.up = p.UpSince
		}
		a.ports[no] = s
	}
	return s
}

// Refresh states the static rules, and adapts the hosts to changes of ports, links and settings.
func (a *App) Refresh(now time.Time, out *apps.Output) {
	a.putStatic(out)
	timeout, pinned := timeoutSeconds(a.sw.Settings.HostTimeout), a.sw.NeedsMegaflowWorkaround
	networks, ports := a.tagging()
	all := timeout != a.timeout || networks != a.networks || pinned != a.pinned
	if all || ports != a.portTagging || a.graph != a.sw.Graph {
		a.timeout, a.networks, a.portTagging, a.graph, a.pinned = timeout, networks, ports, a.sw.Graph, pinned
		for k, at := range a.remote {
			a.route(k, at, out)
		}
	}
	a.refreshLocal(now, all, out)
}

// tagging encodes what egress actions depend on: the VLANs and VNIs of networks, and the modes and networks of ports.
// Refresh compares it, as the tagging of a link may change while the graph stays the same.
func (a *App) tagging() (networks, ports string) {
	b := make([]byte, 0, 1<<10)
	for _, n := range a.sw.Networks {
		b = binary.BigEndian.AppendUint16(b, n.VLAN)
		b = binary.BigEndian.AppendUint32(b, n.VNI)
	}
	networks, b = string(b), b[:0]
	for _, no := range a.sw.Order {
		b = binary.BigEndian.AppendUint32(b, uint32(no))
		b = appendTagging(b, a.sw.Ports[no])
	}
	return networks, string(b)
}

// refreshLocal forgets the hosts of ports that are gone, down, links now, without their network, or went down and came
// up in between. It states the rules of those whose port has changed its tagging, or of all hosts.
func (a *App) refreshLocal(now time.Time, all bool, out *apps.Output) {
	changed := a.refreshPorts()
	if changed == nil && !all {
		return
	}
	for k, h := range a.local {
		replaced, touched := changed[h.port]
		if !all && !touched {
			continue
		}
		p := a.sw.Ports[h.port]
		if replaced || p == nil || !p.Up || p.Transit || !p.Carries(k.VLAN()) {
			ips := a.ips[k]
			a.forget(now, k, h, out)
			a.unplug(now, k, h, ips)
			continue
		}
		a.install(k, h.port, out)
	}
}

// refreshPorts updates the port states and returns the ports with hosts that have changed; true if the port was down in
// between.
func (a *App) refreshPorts() (changed map[openflow.PortNo]bool) {
	for no, s := range a.ports {
		p := a.sw.Ports[no]
		next := portState{hosts: s.hosts}
		if p != nil {
			next.tagging, next.usable, next.up = string(appendTagging(nil, p)), p.Up && !p.Transit, p.UpSince
		}
		if *s != next || p == nil { // a port that went before its first Refresh looks unchanged
			if s.hosts > 0 {
				if changed == nil {
					changed = map[openflow.PortNo]bool{}
				}
				changed[no] = !s.up.Equal(next.up)
			}
			*s = next
		}
		if p == nil && s.hosts == 0 {
			delete(a.ports, no)
		}
	}
	return changed
}
