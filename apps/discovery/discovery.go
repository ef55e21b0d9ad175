// Package discovery finds the links between switches with LLDP frames of its own, sent out of every port.
//
// It owns the admit table, the first of the pipeline, and so it also drops there what no bridge forwards.
package discovery

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Priorities in the admit table.
const (
	prioLinkHello = 110 // a hello on a known link has a meter of its own
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

// Bounds of what is sent when very many ports come up at once, so that a switch that is slow to take it is not given up: hellos in
// one step, and bytes of hellos that it has not confirmed. Hellos of links are not held back, there are few.
const (
	stepHellos  = 500
	unconfirmed = 256 << 10
)

// bursts are the gaps after the first hellos of a port.
var bursts = [...]time.Duration{60 * time.Millisecond, 120 * time.Millisecond, 200 * time.Millisecond}

// App sends and receives the hellos of one switch.
type App struct {
	sw     *apps.Switch
	signer *Signer
	ports  map[openflow.PortNo]*portState
	live   bool // a session is up
	step   time.Time
	sent   int // hellos in the step
	frame  []byte
	Drops  [numDrops]uint64 // by Drop
}

type portState struct {
	up    time.Time // since when the port has been up
	next  time.Time
	burst int
	seq   uint64
	heard map[topology.PortRef]time.Time // when each peer's last hello was sent
}

// New returns the app for a switch. All apps of a controller share one signer.
func New(sw *apps.Switch, s *Signer) *App {
	return &App{sw: sw, signer: s, ports: map[openflow.PortNo]*portState{}}
}

// Drop says why a discovery frame made no link.
type Drop uint8

// The reasons.
const (
	DropForeign  Drop = iota // LLDP that is not ours
	DropForged               // the signature is wrong
	DropStale                // older than maxAge: replayed
	DropReplayed             // not newer than one that was seen before
	DropPort                 // unknown in port
	DropOwnPort              // came back to the port that sent it
	numDrops
)

// String returns the reason as it stands in metrics.
func (d Drop) String() string {
	return [...]string{"foreign_lldp", "forged_lldp", "stale_lldp", "replayed_lldp", "unknown_port", "own_port", ""}[d]
}

// Reasons lists all reasons.
func Reasons() []Drop {
	r := make([]Drop, numDrops)
	for i := range r {
		r[i] = Drop(i)
	}
	return r
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

// MultipartReply takes nothing back: links are found again.
func (a *App) MultipartReply(time.Time, *openflow.FlowStats, *flow.Match, *apps.Output) {}

// FlowRemoved cannot happen: the rules have no timeouts.
func (a *App) FlowRemoved(time.Time, *openflow.FlowRemoved, *flow.Match, *apps.Output) {}

// Refresh states the table and looks for ports that have come up.
//
//  1. Hellos of ours go to the controller, those of known links through a meter that other ports cannot use up.
//  2. Every other frame to 01:80:c2:00:00:00 to 0f is dropped (IEEE 802.1Q table 8-1: never forwarded by a bridge).
//  3. So are frames whose source cannot be a host: multicast, broadcast or zero.
func (a *App) Refresh(now time.Time, out *apps.Output) {
	out.Store.Begin(apps.OwnerDiscovery)
	put := func(prio uint16, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{
			Table: apps.TableAdmit, Priority: prio, Cookie: flow.Cookie(apps.OwnerDiscovery, 0), Match: m, Instructions: ins,
		})
	}
	hello := flow.Match{}.EthDst(helloDst).EthType(packet.EtherTypeLLDP).EthSrcMasked(helloSrc, helloSrcMask)
	put(prioHello, hello, flow.Instructions(nil).Apply(flow.Actions(nil).Controller(a.sw.Meter(apps.MeterDiscovery))))
	for _, no := range a.sw.Order {
		if a.sw.Ports[no].Transit {
			put(prioLinkHello, hello.InPort(no), flow.Instructions(nil).Apply(flow.Actions(nil).Controller(a.sw.Meter(apps.MeterTransit))))
		}
	}
	put(prioReserved, flow.Match{}.EthDstMasked(reserved, reservedMask), nil)
	put(prioBadSource, flow.Match{}.EthSrcMasked(groupBit, groupBit), nil)
	put(prioBadSource, flow.Match{}.EthSrc(packet.MAC{}), nil)
	put(prioMiss, flow.Match{}, flow.Instructions(nil).Goto(apps.TableClassify))
	out.Store.End(apps.OwnerDiscovery, apps.TableAdmit)
	a.schedule(now, out)
}

// schedule makes hellos due on ports that have come up and forgets those that went.
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

// Tick sends the hellos that are due: first those of ports that have sent none, as a port floods when it has had its chance.
func (a *App) Tick(now time.Time, out *apps.Output) {
	if !a.live {
		return
	}
	if now.Sub(a.step) >= tickStep {
		a.step, a.sent = now, 0
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
	if !wake.IsZero() {
		out.WakeAt(later(wake, now.Add(tickStep)))
	}
}

// fast reports whether a port says hello often: it is a link, or is there to be one.
func (a *App) fast(no openflow.PortNo) bool {
	p := a.sw.Ports[no]
	return p.Transit || p.Mode == intent.Tunnel
}

// port sends the hello of a port if it is due, and says when the next one is.
func (a *App) port(now time.Time, no openflow.PortNo, s *portState, out *apps.Output) {
	fast := a.fast(no)
	if fast && s.next.Sub(now) > linkInterval {
		s.next = now.Add(linkInterval)
	}
	if s.next.Sub(now) >= tickStep/2 {
		return
	}
	if !fast && (a.sent >= stepHellos || out.Unconfirmed >= unconfirmed) {
		return // it stays due
	}
	a.sent++
	a.send(now, a.sw.Ports[no], s, out)
	switch {
	case s.burst < len(bursts):
		s.next = now.Add(bursts[s.burst])
		s.burst++
	case fast:
		s.next = now.Add(linkInterval)
	default: // spread over the interval by the port's number
		s.next = now.Add(edgeInterval + time.Duration(uint32(no)*7919%1000)*time.Millisecond)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (a *App) send(now time.Time, p *apps.Port, s *portState, out *apps.Output) {
	s.seq++
	a.frame = a.signer.Append(a.frame[:0], Hello{From: a.sw.Ref(p.No), Seq: s.seq, Sent: now})
	out.PacketOut(openflow.PortController, flow.Actions(nil).Output(p.No), a.frame)
	if p.Transit {
		out.Facts = append(out.Facts, apps.Fact{Kind: apps.HelloSent, Port: p.No, Seq: s.seq, At: now})
	}
}

// PacketRcvd takes a hello in.
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
	// By the sending time, as a peer counts from 1 again when its switch reconnects.
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
