// Package l2 learns where hosts are and forwards frames to them.
//
// It owns the tables snoop, learn and forward. A host is a MAC address in a VLAN. It takes two rules on its own switch
// (learn: its port and source address pass; forward: its destination address goes to its port) and one on every other
// switch of its network (forward). The first frame of a host is not delayed: it is copied to the controller and goes
// on.
package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// App learns and forwards on one switch. It keeps its hosts while the switch is disconnected, which goes on forwarding.
type App struct {
	apps.Base
	sw         *apps.Switch
	tables     struct{ snoop, learn, forward apps.Table }
	local      map[topology.HostKey]host
	remote     map[topology.HostKey]openflow.DatapathID
	ips        map[topology.HostKey]addresses
	ports      map[openflow.PortNo]*portState
	limiters   map[topology.HostKey]topology.MoveLimiter // of local hosts that have moved
	frozen     map[topology.HostKey]time.Time            // until when a host's moves are ignored
	suppressed []suppression
	unplugged  map[topology.HostKey]unplugged // hosts of ports that are down
	lastSweep  time.Time                      // of unplugged
	Drops      [numDrops]uint64               // by Drop
	Moves      map[uint16]uint64              // of hosts between ports of this switch, by VLAN

	// Forward rules that were adopted from the switch although no path to their host is known yet, and until when.
	retained    map[topology.HostKey]struct{}
	retainUntil time.Time

	// What the rules were last stated for, see Refresh.
	timeout     uint16 // idle timeout of learn rules, seconds
	graph       *topology.Snapshot
	pinned      bool   // Switch.NeedsMegaflowWorkaround
	networks    string // see tagging
	portTagging string // see tagging

	rule    flow.Rule // scratch, so that stating a rule allocates nothing
	actions flow.Actions
}

// host is a host at a port of this switch. It is kept small, since there may be many.
type host struct {
	port  openflow.PortNo
	count uint32 // packets of its learn rule at the last audit
	since int64  // Unix nanoseconds: first seen at this port
	last  int64  // Unix nanoseconds: last known to have sent something
}

// New returns the app for a switch.
func New(sw *apps.Switch) *App {
	a := &App{
		sw:        sw,
		local:     map[topology.HostKey]host{},
		remote:    map[topology.HostKey]openflow.DatapathID{},
		ips:       map[topology.HostKey]addresses{},
		ports:     map[openflow.PortNo]*portState{},
		limiters:  map[topology.HostKey]topology.MoveLimiter{},
		frozen:    map[topology.HostKey]time.Time{},
		unplugged: map[topology.HostKey]unplugged{},
		retained:  map[topology.HostKey]struct{}{},
		Moves:     map[uint16]uint64{},
	}
	a.tables.snoop, a.tables.learn = sw.Layout.Table("snoop"), sw.Layout.Table("learn")
	a.tables.forward = sw.Layout.Table("forward")
	return a
}

// Drop is a reason why a packet-in taught nothing.
type Drop uint8

// The reasons.
const (
	DropBadSource   Drop = iota // multicast or zero source address
	DropUnknownPort             // reserved, absent or down in port
	DropTransit                 // came in on a link
	DropVLAN                    // the port does not carry the VLAN
	DropPortLimit
	DropSwitchLimit
	DropFrozen
	numDrops
)

var dropNames = [numDrops]string{
	"bad_source", "unknown_port", "transit", "vlan", "hosts_per_port", "hosts_per_switch", "frozen",
}

// EachDrop calls f with every reason, as it is named in metrics, and its count.
func (a *App) EachDrop(f func(reason string, n uint64)) {
	for reason, n := range a.Drops {
		f(dropNames[reason], n)
	}
}

// PacketRcvd learns from one copied frame.
//
//  1. Frames whose source cannot be a host, or from where hosts cannot be, are dropped with a reason.
//  2. A host known at this port needs nothing. (Frames in flight while its rules were installed end here.)
//  3. A host known at another port has moved, unless it is frozen or the port has reached its limit.
//  4. A new host is learned within the limits.
//  5. ARP also tells the host's address.
func (a *App) PacketRcvd(now time.Time, p *apps.Packet, out *apps.Output) {
	mac := p.Frame.Src()
	k := topology.NewHostKey(p.VLAN, mac)
	h, known := a.local[k]
	if known && h.port == p.In.InPort {
		h.last = now.UnixNano()
		a.local[k] = h
	} else {
		reason, ok := a.admissible(p, mac)
		switch {
		case !ok:
		case known:
			reason, ok = a.move(now, k, h, p.In.InPort, out)
		default:
			reason, ok = a.learn(now, k, p.In.InPort, out)
		}
		if !ok {
			a.Drops[reason]++
			return
		}
	}
	if p.Frame.EtherType() == packet.EtherTypeARP {
		a.snoop(now, k, p, out)
	}
}

// admissible reports whether the source of a frame may be learned at its in port.
func (a *App) admissible(p *apps.Packet, mac packet.MAC) (Drop, bool) {
	switch {
	case mac.IsMulticast() || mac.IsZero():
		return DropBadSource, false
	case [3]byte(mac[:3]) == [3]byte(apps.ProbeMAC[:3]): // a probe that returned through a loop outside of the network
		return DropBadSource, false
	case p.Port == nil || !p.Port.Up:
		return DropUnknownPort, false
	case p.Port.Transit:
		return DropTransit, false
	case !p.Port.Carries(p.VLAN):
		return DropVLAN, false
	}
	return 0, true
}

// learn adds a new host.
func (a *App) learn(now time.Time, k topology.HostKey, port openflow.PortNo, out *apps.Output) (Drop, bool) {
	s := a.portState(port)
	if l := a.sw.Settings.HostsPerPort; l > 0 && s.hosts >= l {
		return DropPortLimit, false
	}
	if l := a.sw.Settings.HostsPerSwitch; l > 0 && len(a.local) >= l {
		return DropSwitchLimit, false
	}
	if until, frozen := a.frozen[k]; frozen && now.Before(until) {
		a.suppress(now, k, port, until, out)
		return DropFrozen, false
	}
	delete(a.remote, k)
	delete(a.retained, k)
	delete(a.unplugged, k)
	s.hosts++
	a.local[k] = host{port: port, since: now.UnixNano(), last: now.UnixNano()}
	a.install(k, port, out)
	out.Facts = append(out.Facts, hostFact(apps.HostSeen, k, port, now))
	return 0, true
}

func hostFact(kind apps.FactKind, k topology.HostKey, port openflow.PortNo, at time.Time) apps.Fact {
	return apps.Fact{Kind: kind, Port: port, VLAN: k.VLAN(), MAC: k.MAC(), At: at}
}

// FlowRemoved forgets a host whose learn rule has timed out. (Rules of suppressions send no removal message.)
func (a *App) FlowRemoved(now time.Time, f *openflow.FlowRemoved, m *flow.Match, out *apps.Output) {
	if f.TableID != a.tables.learn.Number || f.Reason == openflow.FlowRemovedDelete {
		return // a deletion is either our own or drift, which the audit repairs
	}
	port, ok := m.GetInPort()
	vlan, ok2 := m.GetVLAN()
	mac, ok3 := m.GetEthSrc()
	if !ok || !ok2 || !ok3 {
		return
	}
	k := topology.NewHostKey(vlan, mac)
	if h, known := a.local[k]; known && h.port == port {
		out.Store.Forget(a.tables.learn.Number, prioHost, m)
		a.forget(now, k, h, out)
	}
}

// forget drops a local host with its rules.
func (a *App) forget(now time.Time, k topology.HostKey, h host, out *apps.Output) {
	a.dropLocal(k, h, out)
	a.dropForward(k, out)
	out.Facts = append(out.Facts, hostFact(apps.HostGone, k, h.port, now))
}

// dropLocal drops a local host with its learn rule.
func (a *App) dropLocal(k topology.HostKey, h host, out *apps.Output) {
	delete(a.local, k)
	delete(a.ips, k)
	delete(a.limiters, k)
	a.portState(h.port).hosts--
	a.dropLearn(k, h.port, out)
}

// Reset forgets all hosts and paths. It is called when another controller was master in the meantime: the present state
// is then adopted from the flows of the switch.
func (a *App) Reset(now time.Time, out *apps.Output) {
	for k, h := range a.local {
		a.forget(now, k, h, out)
	}
	for k := range a.retained {
		a.dropForward(k, out)
	}
	clear(a.retained)
	clear(a.unplugged)
}

var _ apps.App = (*App)(nil)
