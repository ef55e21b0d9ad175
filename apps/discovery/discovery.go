// Package discovery finds the links between switches with LLDP frames (hellos) that it sends out of every port.
//
// It owns the admit table, the first of the pipeline, and so it also drops the frames that no bridge forwards.
package discovery

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Priorities in the admit table.
const (
	prioLinkHello = 110 // hellos of known links have their own meter
	prioHello     = 100
	prioReserved  = 90
	prioBadSource = 80
	prioMiss      = 0
)

// Intervals of hellos. A port that has just come up gets three at once, so that a link is known before the port floods.
const (
	linkInterval = 400 * time.Millisecond
	edgeInterval = 5 * time.Second
	tickStep     = 20 * time.Millisecond // hellos due within one step are sent together
)

// Limits for when very many ports come up at once, so that a slow switch is not considered dead. Hellos of links are
// exempt, since there are few.
const (
	maxHellosPerTick = 500
	maxUnconfirmed   = 256 << 10 // bytes of frames that the switch has not confirmed
)

// burst are the gaps after the first hellos of a port.
var burst = [...]time.Duration{60 * time.Millisecond, 120 * time.Millisecond, 200 * time.Millisecond}

// App sends and receives the hellos of one switch.
type App struct {
	apps.Base // nothing to restore: links are discovered again
	sw        *apps.Switch
	admit     apps.Table
	signer    *Signer
	ports     map[openflow.PortNo]*portState
	live      bool // a session is up
	tick      time.Time
	sent      int              // hellos since tick
	frame     []byte           // scratch
	Drops     [numDrops]uint64 // by Drop
}

type portState struct {
	up    time.Time // Port.UpSince
	next  time.Time
	seq   uint64
	heard map[topology.PortRef]time.Time // sending time of the last hello by peer
}

// New returns the app for a switch. All apps of a controller share one signer.
func New(sw *apps.Switch, s *Signer) *App {
	return &App{sw: sw, admit: sw.Layout.Table("admit"), signer: s, ports: map[openflow.PortNo]*portState{}}
}

// Drop is a reason why a discovery frame was not accepted.
type Drop uint8

// The reasons.
const (
	DropForeign  Drop = iota // LLDP of others
	DropForged               // wrong signature
	DropStale                // older than maxAge: replayed
	DropReplayed             // not newer than a previous one
	DropPort                 // unknown in port
	DropOwnPort              // received by the port that sent it
	numDrops
)

var dropNames = [numDrops]string{
	"foreign_lldp", "forged_lldp", "stale_lldp", "replayed_lldp", "unknown_port", "own_port",
}

// EachDrop calls f with every reason, as it is named in metrics, and its count.
func (a *App) EachDrop(f func(reason string, n uint64)) {
	for reason, n := range a.Drops {
		f(dropNames[reason], n)
	}
}

var (
	reserved     = packet.MAC{0x01, 0x80, 0xc2, 0, 0, 0}
	reservedMask = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}
	groupBit     = packet.MAC{0x01}
)

// SwitchConnected starts sending on all ports at once.
func (a *App) SwitchConnected(now time.Time, out *apps.Output) {
	a.live = true
	clear(a.ports)
	a.schedule(now, out)
}

// SwitchDisconnected stops sending.
func (a *App) SwitchDisconnected(time.Time) { a.live = false }

// Refresh states the table and starts sending on ports that have come up.
//
//  1. Hellos go to the controller, those of known links through a meter that other ports cannot exhaust.
//  2. Every other frame to 01:80:c2:00:00:00 to 0f is dropped (IEEE 802.1Q table 8-1: never forwarded by a bridge).
//  3. So are frames whose source cannot be a host: multicast, broadcast or zero.
func (a *App) Refresh(now time.Time, out *apps.Output) {
	out.Store.Begin(apps.OwnerDiscovery)
	cookie := flow.Cookie(apps.OwnerDiscovery, a.sw.Layout.VersionTag())
	put := func(prio uint16, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{
			Table: a.admit.Number, Priority: prio, Cookie: cookie, Match: m, Instructions: ins,
		})
	}
	hello := flow.Match{}.EthDst(helloDst).EthType(packet.EtherTypeLLDP).EthSrcMasked(helloSrc, helloSrcMask)
	edge := out.PutMeter(apps.OwnerDiscovery, apps.MeterDiscovery, apps.EdgeHellos)
	link := out.PutMeter(apps.OwnerDiscovery, apps.MeterTransit, apps.LinkHellos)
	put(prioHello, hello, flow.Instructions(nil).Apply(flow.Actions(nil).Controller(edge)))
	for _, no := range a.sw.Order {
		if a.sw.Ports[no].Transit {
			put(prioLinkHello, hello.InPort(no),
				flow.Instructions(nil).Apply(flow.Actions(nil).Controller(link)))
		}
	}
	put(prioReserved, flow.Match{}.EthDstMasked(reserved, reservedMask), nil)
	put(prioBadSource, flow.Match{}.EthSrcMasked(groupBit, groupBit), nil)
	put(prioBadSource, flow.Match{}.EthSrc(packet.MAC{}), nil)
	put(prioMiss, flow.Match{}, flow.Instructions(nil).Goto(a.admit.Next))
	out.Store.EndMeters(apps.OwnerDiscovery)
	out.Store.End(apps.OwnerDiscovery, a.admit.Number)
	a.schedule(now, out)
}

// schedule makes hellos due on ports that have come up, and forgets ports that are gone or down.
func (a *App) schedule(now time.Time, out *apps.Output) {
	if !a.live {
		return
	}
	for no, s := range a.ports {
		if p := a.sw.Ports[no]; p == nil || !p.Up || !p.UpSince.Equal(s.up) {
			delete(a.ports, no)
		}
	}
	for _, no := range a.sw.Order {
		if p := a.sw.Ports[no]; p.Up && a.ports[no] == nil {
			a.ports[no] = &portState{up: p.UpSince, next: now, heard: map[topology.PortRef]time.Time{}}
		}
	}
	a.Tick(now, out)
}

// Tick sends the hellos that are due, first those of ports that have sent none: a port floods some time after its
// first.
func (a *App) Tick(now time.Time, out *apps.Output) {
	if !a.live {
		return
	}
	if now.Sub(a.tick) >= tickStep {
		a.tick, a.sent = now, 0
	}
	fresh := 0
	for _, no := range a.sw.Order {
		if s := a.ports[no]; s != nil && s.seq == 0 {
			a.port(now, no, s, out)
			if s.seq == 0 {
				fresh++
			}
		}
	}
	var wake time.Time
	for _, no := range a.sw.Order {
		s := a.ports[no]
		if s == nil {
			continue
		}
		if s.seq > 0 && (fresh == 0 || a.fast(no)) {
			a.port(now, no, s, out)
		}
		if wake.IsZero() || s.next.Before(wake) {
			wake = s.next
		}
	}
	if soonest := now.Add(tickStep); !wake.IsZero() && wake.Before(soonest) {
		wake = soonest
	}
	if !wake.IsZero() {
		out.WakeAt(wake)
	}
}

// fast reports whether a port sends hellos at linkInterval: it is a link, or a tunnel.
func (a *App) fast(no openflow.PortNo) bool {
	p := a.sw.Ports[no]
	return p.Transit || p.Mode == intent.Tunnel
}

// port sends the hello of a port if it is due, and schedules the next.
func (a *App) port(now time.Time, no openflow.PortNo, s *portState, out *apps.Output) {
	fast := a.fast(no)
	if fast && s.next.Sub(now) > linkInterval {
		s.next = now.Add(linkInterval)
	}
	if s.next.Sub(now) >= tickStep/2 {
		return
	}
	if !fast && (a.sent >= maxHellosPerTick || out.Unconfirmed >= maxUnconfirmed) {
		return // it stays due
	}
	a.sent++
	a.send(now, a.sw.Ports[no], s, out)
	switch {
	case s.seq <= uint64(len(burst)):
		s.next = now.Add(burst[s.seq-1])
	case fast:
		s.next = now.Add(linkInterval)
	default: // spread by port number
		s.next = now.Add(edgeInterval + time.Duration(uint32(no)*7919%1000)*time.Millisecond)
	}
}

func (a *App) send(now time.Time, p *apps.Port, s *portState, out *apps.Output) {
	s.seq++
	a.frame = a.signer.Append(a.frame[:0], Hello{From: a.sw.Ref(p.No), Seq: s.seq, Sent: now})
	out.PacketOut(openflow.PortController, flow.Actions(nil).Output(p.No), a.frame)
	if p.Transit {
		out.Facts = append(out.Facts, apps.Fact{Kind: apps.HelloSent, Port: p.No, Seq: s.seq, At: now})
	}
}

// PacketRcvd receives a hello.
func (a *App) PacketRcvd(now time.Time, p *apps.Packet, out *apps.Output) {
	s := a.ports[p.In.InPort]
	if s == nil {
		a.Drops[DropPort]++
		return
	}
	h, drop, ok := a.signer.Verify(now, p.In.Data)
	if !ok {
		a.Drops[drop]++
		return
	}
	if h.From == a.sw.Ref(p.In.InPort) {
		a.Drops[DropOwnPort]++
		return
	}
	// Compare the sending time, since a peer restarts its sequence numbers when its switch reconnects.
	if !h.Sent.After(s.heard[h.From]) {
		a.Drops[DropReplayed]++
		return
	}
	s.heard[h.From] = h.Sent
	out.Facts = append(out.Facts, apps.Fact{
		Kind: apps.HelloSeen, Port: p.In.InPort, At: now, Peer: h.From, Seq: h.Seq, Latency: now.Sub(h.Sent),
		Tunnel: p.In.TunSrc.IsValid() || p.Port.Mode == intent.Tunnel,
	})
}

var _ apps.App = (*App)(nil)
