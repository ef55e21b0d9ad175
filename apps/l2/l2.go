// Package l2 learns where hosts are and sends their frames there.
//
// It owns the tables snoop, learn and forward. A host, that is a MAC address in a VLAN, costs two rules on the switch where
// it lives (learn: its port and source address pass; forward: its destination address goes to its port) and one on every
// other switch of its network (forward). The first frame of a host does not wait: it is copied to the controller and goes on.
package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Priorities in the tables snoop, learn and forward.
const (
	prioSwallowed = 30 // replies of probes end here
	prioInjected  = 30 // frames of probes teach nothing
	prioTransit   = 20 // frames from other switches teach nothing
	prioARP       = 10
	prioHost      = 10
	prioMiss      = 0
)

// Cookie tags of the fixed rules that copy frames here.
const (
	tagLearn = 1
	tagARP   = 2
)

// heldFor is how long forward rules of hosts on other switches outlive a restart of the controller at least: until then the links
// that explain them have been found again, or it is known which are missing.
const heldFor = 10 * time.Second

// App learns and forwards on one switch.
type App struct {
	sw        *apps.Switch
	local     map[topology.HostKey]host
	remote    map[topology.HostKey]openflow.DatapathID
	held      map[topology.HostKey]struct{} // restored forward rules of hosts to which no way is known yet
	until     time.Time                     // when held ends
	ips       map[topology.HostKey]addresses
	ports     map[openflow.PortNo]*portState
	hushes    []hush
	frozen    map[topology.HostKey]time.Time // until when a host's moves are ignored
	unplugged map[topology.HostKey]unplugged // hosts of ports that are down
	swept     time.Time                      // when unplugged was full and looked through last
	Drops     [numDrops]uint64               // by Drop
	Moves     map[uint16]uint64              // of hosts between ports of this switch, by VLAN

	timeout  uint16 // idle timeout of learn rules, seconds
	graph    *topology.Snapshot
	mixes    bool      // Switch.NeedsMegaflowWorkaround
	networks string    // see tagging
	egress   string    // see tagging
	rule     flow.Rule // scratch, so that stating a rule allocates nothing
	actions  flow.Actions
}

// host is what is known of a host at a port of this switch. It is kept small: there may be many.
type host struct {
	port  openflow.PortNo
	moves uint32 // within the current window
	since int64  // Unix nanoseconds: when it was seen here first
	last  int64  // Unix nanoseconds: when it is known to have sent something
	count uint32 // packets of its learn rule at the last audit
	moved int64  // Unix nanoseconds: start of the window in which moves are counted
}

// portState is what Refresh compares to find the hosts that a change concerns.
type portState struct {
	hosts   int
	mode    intent.Mode
	native  uint16
	vlans   string
	usable  bool
	present bool
	up      time.Time // since when
}

// New returns the app for a switch.
func New(sw *apps.Switch) *App {
	return &App{
		sw: sw, local: map[topology.HostKey]host{}, remote: map[topology.HostKey]openflow.DatapathID{}, held: map[topology.HostKey]struct{}{},
		ips: map[topology.HostKey]addresses{}, ports: map[openflow.PortNo]*portState{}, frozen: map[topology.HostKey]time.Time{}, unplugged: map[topology.HostKey]unplugged{},
		Moves: map[uint16]uint64{},
	}
}

// Drop says why a packet-in taught nothing.
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

// String returns the reason as it stands in metrics.
func (d Drop) String() string {
	return [...]string{
		"bad_source", "unknown_port", "transit", "vlan", "hosts_per_port", "hosts_per_switch", "frozen", "",
	}[d]
}

// Reasons lists all reasons.
func Reasons() []Drop {
	r := make([]Drop, numDrops)
	for i := range r {
		r[i] = Drop(i)
	}
	return r
}

// SwitchConnected does nothing: what is desired is stated already.
func (a *App) SwitchConnected(time.Time, *apps.Output) {}

// SwitchDisconnected keeps the hosts: the switch goes on forwarding to them.
func (a *App) SwitchDisconnected(time.Time) {}

// PacketRcvd learns from one copied frame.
//
//  1. Frames with a source that cannot be a host, or from where hosts cannot be, are dropped with a reason.
//  2. A host that is known at this port needs nothing. (Frames that were under way when its rules went in end here.)
//  3. A host at another port has moved, unless it is frozen or that port has as many as it may have.
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

// admissible says whether a frame's source may be learned at its in port.
func (a *App) admissible(p *apps.Packet, mac packet.MAC) (Drop, bool) {
	switch {
	case mac.IsMulticast() || mac.IsZero():
		return DropBadSource, false
	case [3]byte(mac[:3]) == [3]byte(apps.ProbeMAC[:3]): // a probe of ours that came round through a loop outside
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

// learn takes up a new host. The forward rule is stated before the learn rule, so that a learned source can be answered.
func (a *App) learn(now time.Time, k topology.HostKey, port openflow.PortNo, out *apps.Output) (Drop, bool) {
	s := a.portState(port)
	if l := a.sw.Settings.HostsPerPort; l > 0 && s.hosts >= l {
		return DropPortLimit, false
	}
	if l := a.sw.Settings.HostsPerSwitch; l > 0 && len(a.local) >= l {
		return DropSwitchLimit, false
	}
	if until, frozen := a.frozen[k]; frozen && now.Before(until) {
		a.hush(now, k, port, until, out)
		return DropFrozen, false
	}
	delete(a.remote, k)
	delete(a.held, k)
	delete(a.unplugged, k)
	s.hosts++
	a.local[k] = host{port: port, since: now.UnixNano(), last: now.UnixNano()}
	a.install(k, port, out)
	out.Facts = append(out.Facts, apps.Fact{Kind: apps.HostSeen, Port: port, VLAN: k.VLAN(), MAC: k.MAC(), At: now})
	return 0, true
}

// install states the two rules of a host at a port of this switch.
func (a *App) install(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	a.putForward(k, port, out)
	a.putLearn(k, port, out)
}

// putForward states the rule that sends a host's frames out of a port.
func (a *App) putForward(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	p := a.sw.Ports[port]
	n, ok := a.sw.Network(k.VLAN())
	if p == nil || !ok {
		a.dropForward(k, out)
		return
	}
	a.actions = p.Egress(a.sw.PinMegaflow(a.actions[:0], port), n)
	r := &a.rule
	r.Table, r.Priority, r.Cookie = apps.TableForward, prioHost, hostCookie(k)
	r.IdleTimeout, r.Flags = 0, 0
	r.Match = forwardMatch(k)
	r.Instructions = r.Instructions[:0].Apply(a.actions)
	out.Put(r)
}

// putLearn states the rule that lets a host's frames pass without a copy to the controller. When the host has been silent for
// the timeout, the switch removes the rule and says so.
func (a *App) putLearn(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	r := &a.rule
	r.Table, r.Priority, r.Cookie = apps.TableLearn, prioHost, hostCookie(k)
	r.IdleTimeout, r.Flags = a.timeout, openflow.FlagSendFlowRem
	r.Match = learnMatch(k, port)
	r.Instructions = r.Instructions[:0].Goto(apps.TableForward)
	out.Put(r)
}

func (a *App) dropForward(k topology.HostKey, out *apps.Output) {
	m := forwardMatch(k)
	out.Store.Delete(apps.TableForward, prioHost, &m)
}

func (a *App) dropLearn(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	m := learnMatch(k, port)
	out.Store.Delete(apps.TableLearn, prioHost, &m)
}

// forwardMatch and learnMatch name the fields in canonical order, which spares the match moving them about.
func forwardMatch(k topology.HostKey) flow.Match { return flow.Match{}.EthDst(k.MAC()).VLAN(k.VLAN()) }

func learnMatch(k topology.HostKey, port openflow.PortNo) flow.Match {
	return flow.Match{}.InPort(port).EthSrc(k.MAC()).VLAN(k.VLAN())
}

// hostCookie makes a host's rules easy to find in a dump: the lower 48 bits are its address.
func hostCookie(k topology.HostKey) uint64 { return flow.Cookie(apps.OwnerHosts, uint64(k)) }

// FlowRemoved forgets a host whose learn rule the switch has timed out. (A hush has no removal message.)
func (a *App) FlowRemoved(now time.Time, f *openflow.FlowRemoved, m *flow.Match, out *apps.Output) {
	if f.TableID != apps.TableLearn || f.Reason == openflow.FlowRemovedDelete {
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
		out.Store.Forget(apps.TableLearn, prioHost, m)
		a.forget(now, k, h, out)
	}
}

// forget drops a host of this switch and its rules.
func (a *App) forget(now time.Time, k topology.HostKey, h host, out *apps.Output) {
	delete(a.local, k)
	delete(a.ips, k)
	a.portState(h.port).hosts--
	a.dropLearn(k, h.port, out)
	a.dropForward(k, out)
	out.Facts = append(out.Facts, apps.Fact{Kind: apps.HostGone, Port: h.port, VLAN: k.VLAN(), MAC: k.MAC(), At: now})
}

// Reset forgets every host and route: another controller has answered for the switch in the meantime. What is true now is
// taken from its flows.
func (a *App) Reset(now time.Time, out *apps.Output) {
	for k, h := range a.local {
		a.forget(now, k, h, out)
	}
	for k := range a.held {
		a.dropForward(k, out)
	}
	clear(a.held)
	clear(a.unplugged)
}

// HostAt is told by the fabric where a host of the network is: at another switch (then this one gives up its own sighting),
// at this one (then an earlier sighting of its own holds again), or nowhere (at is 0).
func (a *App) HostAt(now time.Time, k topology.HostKey, at openflow.DatapathID, port openflow.PortNo, out *apps.Output) {
	h, here := a.local[k]
	a.pluggedElsewhere(k, at)
	switch {
	case at == a.sw.ID:
		if p := a.sw.Ports[port]; !here && p != nil && p.Up && !p.Transit && p.Carries(k.VLAN()) {
			_, _ = a.learn(now, k, port, out)
		}
		return
	case here && at == 0:
		return // forgotten elsewhere; it is still seen here
	case here:
		delete(a.local, k)
		delete(a.ips, k)
		a.portState(h.port).hosts--
		a.dropLearn(k, h.port, out)
	}
	if at == 0 {
		delete(a.held, k)
		delete(a.remote, k)
		a.dropForward(k, out)
		return
	}
	a.remote[k] = at
	a.route(k, at, out)
}

// route states the forward rule of a host on another switch, out of the port that leads there by the fewest hops; without a
// way there, its frames are flooded like any unknown ones. A held rule stays until there is a way, or its time is over.
func (a *App) route(k topology.HostKey, at openflow.DatapathID, out *apps.Output) {
	if port, ok := a.sw.Graph.Next(k.VLAN(), a.sw.ID, at); ok && a.sw.CarriesVLAN(k.VLAN()) {
		delete(a.held, k)
		a.putForward(k, port, out)
		return
	}
	if _, held := a.held[k]; !held {
		a.dropForward(k, out)
	}
}

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

var _ apps.App = (*App)(nil)
