package l2

import (
	"encoding/binary"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Refresh states the fixed rules, and brings the hosts in line with what has become of ports, links and settings.
func (a *App) Refresh(now time.Time, out *apps.Output) {
	a.fixed(out)
	timeout := idleSeconds(a.sw.Settings.HostTimeout)
	networks, tagging := a.tagging()
	again := timeout != a.timeout || networks != a.networks || a.sw.NeedsMegaflowWorkaround != a.mixes
	if again || tagging != a.egress || a.graph != a.sw.Graph {
		a.timeout, a.networks, a.egress, a.graph, a.mixes = timeout, networks, tagging, a.sw.Graph, a.sw.NeedsMegaflowWorkaround
		for k, at := range a.remote {
			a.route(k, at, out)
		}
	}
	a.refreshLocal(now, again, out)
}

// tagging returns what decides how frames leave by a port: the networks' numbers, and the ports' modes and networks. Refresh
// compares it, as the links that lead to hosts of other switches may change their tagging while the graph stays as it is.
func (a *App) tagging() (networks, ports string) {
	b := make([]byte, 0, 1<<10)
	for _, n := range a.sw.Networks {
		b = binary.BigEndian.AppendUint16(b, n.VLAN)
		b = binary.BigEndian.AppendUint32(b, n.VNI)
	}
	networks, b = string(b), b[:0]
	for _, no := range a.sw.Order {
		p := a.sw.Ports[no]
		b = binary.BigEndian.AppendUint32(b, uint32(no))
		b = append(b, byte(p.Mode))
		b = binary.BigEndian.AppendUint16(b, p.Native)
		for _, v := range p.VLANs {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	return networks, string(b)
}

// idleSeconds rounds a timeout up to what OpenFlow can say.
func idleSeconds(d time.Duration) uint16 {
	s := (d + time.Second - 1) / time.Second
	return uint16(min(s, 0xffff))
}

// fixed states the rules that do not depend on hosts.
func (a *App) fixed(out *apps.Output) {
	out.Store.Begin(apps.OwnerL2)
	put := func(table uint8, prio uint16, tag uint64, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{Table: table, Priority: prio, Cookie: flow.Cookie(apps.OwnerL2, tag), Match: m, Instructions: ins})
	}
	copied := func(meter uint32, next uint8) flow.Instructions {
		return flow.Instructions(nil).Apply(flow.Actions(nil).Controller(a.sw.Meter(meter))).Goto(next)
	}
	toLearn := flow.Instructions(nil).Goto(apps.TableLearn)
	toForward := flow.Instructions(nil).Goto(apps.TableForward)
	toFlood := flow.Instructions(nil)
	if a.sw.NeedsMegaflowWorkaround {
		toFlood = toFlood.Apply(a.sw.PinMegaflow(nil, openflow.PortAny))
	}
	toFlood = toFlood.Goto(apps.TableFlood)

	put(apps.TableForward, prioSwallowed, 0, flow.Match{}.Reg0(apps.Swallowed), nil)
	put(apps.TableForward, prioMiss, 0, flow.Match{}, toFlood)

	put(apps.TableLearn, prioInjected, 0, flow.Match{}.Reg0(apps.Injected), toForward)
	put(apps.TableLearn, prioInjected, 0, flow.Match{}.EthSrcMasked(apps.ProbeMAC, apps.ProbeMACMask), toForward)
	put(apps.TableLearn, prioMiss, tagLearn, flow.Match{}, copied(apps.MeterLearn, apps.TableForward))

	put(apps.TableSnoop, prioInjected, 0, flow.Match{}.Reg0(apps.Injected), toLearn)
	put(apps.TableSnoop, prioARP, tagARP, flow.Match{}.EthType(packet.EtherTypeARP), copied(apps.MeterARP, apps.TableLearn))
	put(apps.TableSnoop, prioMiss, 0, flow.Match{}, toLearn)

	for _, no := range a.sw.Order {
		if a.sw.Ports[no].Transit {
			put(apps.TableLearn, prioTransit, 0, flow.Match{}.InPort(no), toForward)
			put(apps.TableSnoop, prioTransit, 0, flow.Match{}.InPort(no), toLearn)
		}
	}
	out.Store.End(apps.OwnerL2, apps.TableSnoop)
	out.Store.End(apps.OwnerL2, apps.TableLearn)
	out.Store.End(apps.OwnerL2, apps.TableForward)
}

// refreshLocal forgets the hosts of ports that are gone, down, links now, or no longer carry their network, or that went and came
// back unseen, and states the rules of those anew whose port has changed its tagging. It looks at hosts only if one of their
// ports has changed.
func (a *App) refreshLocal(now time.Time, again bool, out *apps.Output) {
	var changed map[openflow.PortNo]bool // true: what lives there now has come since
	for no, s := range a.ports {
		p := a.sw.Ports[no]
		next := portState{hosts: s.hosts}
		if p != nil {
			next = stateOf(p, s.hosts)
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
	if changed == nil && !again {
		return
	}
	for k, h := range a.local {
		replaced, touched := changed[h.port]
		if !again && !touched {
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

func stateOf(p *apps.Port, hosts int) portState {
	v := make([]byte, 0, 2*len(p.VLANs))
	for _, id := range p.VLANs {
		v = append(v, byte(id>>8), byte(id))
	}
	return portState{
		hosts: hosts, mode: p.Mode, native: p.Native, vlans: string(v), usable: p.Up && !p.Transit, present: true, up: p.UpSince,
	}
}

// MultipartReply takes back what a dump tells after a restart of the controller: hosts of this switch from their learn rules, and
// which ports are ends of links; forward rules of other hosts are held until the links that explain them are found again.
func (a *App) MultipartReply(now time.Time, f *openflow.FlowStats, m *flow.Match, out *apps.Output) {
	owner, _ := flow.OwnerOf(f.Cookie)
	if port, ok := m.GetInPort(); ok && owner == apps.OwnerL2 && f.TableID == apps.TableLearn && f.Priority == prioTransit {
		if p := a.sw.Ports[port]; p != nil && p.Up && !p.Transit {
			p.Retained, p.Transit = true, true
		}
		return
	}
	vlan, ok := m.GetVLAN()
	if owner != apps.OwnerHosts || !ok || f.Priority != prioHost {
		return
	}
	switch f.TableID {
	case apps.TableLearn:
		mac, ok := m.GetEthSrc()
		port, ok2 := m.GetInPort()
		p := a.sw.Ports[port]
		if !ok || !ok2 || f.HardTimeout != 0 || p == nil || !p.Carries(vlan) {
			return
		}
		k := topology.NewHostKey(vlan, mac)
		if _, twice := a.local[k]; twice {
			return
		}
		age := time.Duration(f.DurationSec) * time.Second
		a.portState(port).hosts++ // a new state: the first Refresh looks at what has become of the port
		a.local[k] = host{port: port, since: now.Add(-age).UnixNano(), last: now.UnixNano(), count: uint32(f.Packets)}
		delete(a.held, k)
		out.Facts = append(out.Facts, apps.Fact{Kind: apps.HostSeen, Port: port, VLAN: vlan, MAC: mac, At: now.Add(-age)})
	case apps.TableForward:
		mac, ok := m.GetEthDst()
		if !ok {
			return
		}
		k := topology.NewHostKey(vlan, mac)
		if _, elsewhere := a.remote[k]; elsewhere {
			return // the fabric knows better
		}
		if _, here := a.local[k]; !here {
			a.held[k] = struct{}{}
		}
		a.until = now.Add(heldFor)
		out.WakeAt(a.until)
		out.Put(&flow.Rule{
			Table: f.TableID, Priority: f.Priority, Cookie: f.Cookie, Match: *m, Instructions: append(flow.Instructions(nil), f.Instructions...),
		})
	}
}

// Restored is called when the whole dump has been read: the rules of the restored hosts are stated.
func (a *App) Restored(out *apps.Output) {
	a.timeout = idleSeconds(a.sw.Settings.HostTimeout)
	for k, h := range a.local {
		a.install(k, h.port, out)
	}
}

// Tick ends what was meant to last for a while only.
func (a *App) Tick(now time.Time, out *apps.Output) {
	if len(a.held) > 0 {
		switch {
		case now.Before(a.until):
			out.WakeAt(a.until)
		case a.sw.Restoring():
			out.WakeAt(now.Add(time.Second))
		default:
			for k := range a.held {
				a.dropForward(k, out)
			} // none of them has a way, or it would not be held
			clear(a.held)
		}
	}
	a.unhush(now, out)
}
