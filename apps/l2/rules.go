package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Priorities in the tables snoop, learn and forward.
const (
	prioSwallowed = 30 // probe replies end here
	prioInjected  = 30 // injected probe frames teach nothing
	prioTransit   = 20 // frames from other switches teach nothing
	prioARP       = 10
	prioHost      = 10
	prioMiss      = 0
)

// Cookie tags of the static rules that copy frames to the controller.
const (
	tagLearn = 1
	tagARP   = 2
)

// putStatic states the rules that do not depend on hosts.
func (a *App) putStatic(out *apps.Output) {
	out.Store.Begin(apps.OwnerL2)
	put := func(table uint8, prio uint16, tag uint64, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{
			Table: table, Priority: prio, Cookie: flow.Cookie(apps.OwnerL2, tag), Match: m, Instructions: ins,
		})
	}
	copied := func(meter uint32, next uint8) flow.Instructions {
		return flow.Instructions(nil).Apply(flow.Actions(nil).Controller(meter)).Goto(next)
	}
	packetIns := a.sw.Settings.PacketIns
	unknown := out.PutMeter(apps.OwnerL2, apps.MeterLearn, packetIns)
	arp := out.PutMeter(apps.OwnerL2, apps.MeterARP, (packetIns+3)/4)
	toLearn := flow.Instructions(nil).Goto(a.tables.learn.Number)
	toForward := flow.Instructions(nil).Goto(a.tables.forward.Number)
	toFlood := flow.Instructions(nil)
	if a.sw.NeedsMegaflowWorkaround {
		toFlood = toFlood.Apply(a.sw.PinMegaflow(nil, openflow.PortAny))
	}
	toFlood = toFlood.Goto(a.tables.forward.Next)

	put(a.tables.forward.Number, prioSwallowed, 0, flow.Match{}.Reg0(apps.Swallowed), nil)
	put(a.tables.forward.Number, prioMiss, 0, flow.Match{}, toFlood)

	put(a.tables.learn.Number, prioInjected, 0, flow.Match{}.Reg0(apps.Injected), toForward)
	put(a.tables.learn.Number, prioInjected, 0, flow.Match{}.EthSrcMasked(apps.ProbeMAC, apps.ProbeMACMask), toForward)
	put(a.tables.learn.Number, prioMiss, tagLearn, flow.Match{}, copied(unknown, a.tables.forward.Number))

	put(a.tables.snoop.Number, prioInjected, 0, flow.Match{}.Reg0(apps.Injected), toLearn)
	put(a.tables.snoop.Number, prioARP, tagARP, flow.Match{}.EthType(packet.EtherTypeARP),
		copied(arp, a.tables.learn.Number))
	put(a.tables.snoop.Number, prioMiss, 0, flow.Match{}, toLearn)

	for _, no := range a.sw.Order {
		if a.sw.Ports[no].Transit {
			put(a.tables.learn.Number, prioTransit, 0, flow.Match{}.InPort(no), toForward)
			put(a.tables.snoop.Number, prioTransit, 0, flow.Match{}.InPort(no), toLearn)
		}
	}
	out.Store.EndMeters(apps.OwnerL2)
	out.Store.End(apps.OwnerL2, a.tables.snoop.Number)
	out.Store.End(apps.OwnerL2, a.tables.learn.Number)
	out.Store.End(apps.OwnerL2, a.tables.forward.Number)
}

// install states the two rules of a local host. The forward rule comes first, so that a learned source can be answered.
func (a *App) install(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	a.putForward(k, port, out)
	a.putLearn(k, port, out)
}

// putForward states the rule that sends frames to a host out of a port.
func (a *App) putForward(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	p := a.sw.Ports[port]
	n, ok := a.sw.Network(k.VLAN())
	if p == nil || !ok {
		a.dropForward(k, out)
		return
	}
	a.actions = p.Egress(a.sw.PinMegaflow(a.actions[:0], port), n)
	r := &a.rule
	r.Table, r.Priority, r.Cookie = a.tables.forward.Number, prioHost, hostCookie(k)
	r.IdleTimeout, r.Flags = 0, 0
	r.Match = forwardMatch(k)
	r.Instructions = r.Instructions[:0].Apply(a.actions)
	out.Put(r)
}

// putLearn states the rule that lets frames of a host pass without a copy to the controller. When the host has been
// silent for the timeout, the switch removes the rule and sends a flow-removed message.
func (a *App) putLearn(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	r := &a.rule
	r.Table, r.Priority, r.Cookie = a.tables.learn.Number, prioHost, hostCookie(k)
	r.IdleTimeout, r.Flags = a.timeout, openflow.FlagSendFlowRem
	r.Match = learnMatch(k, port)
	r.Instructions = r.Instructions[:0].Goto(a.tables.forward.Number)
	out.Put(r)
}

func (a *App) dropForward(k topology.HostKey, out *apps.Output) {
	m := forwardMatch(k)
	out.Store.Delete(a.tables.forward.Number, prioHost, &m)
}

func (a *App) dropLearn(k topology.HostKey, port openflow.PortNo, out *apps.Output) {
	m := learnMatch(k, port)
	out.Store.Delete(a.tables.learn.Number, prioHost, &m)
}

// forwardMatch and learnMatch add the fields in canonical order, which spares the match from moving them.
func forwardMatch(k topology.HostKey) flow.Match { return flow.Match{}.EthDst(k.MAC()).VLAN(k.VLAN()) }

func learnMatch(k topology.HostKey, port openflow.PortNo) flow.Match {
	return flow.Match{}.InPort(port).EthSrc(k.MAC()).VLAN(k.VLAN())
}

// hostCookie makes a host's rules easy to find in a dump: the lower 48 bits are its address.
func hostCookie(k topology.HostKey) uint64 { return flow.Cookie(apps.OwnerHosts, uint64(k)) }

// timeoutSeconds rounds a timeout up to what a flow-mod can express.
func timeoutSeconds(d time.Duration) uint16 {
	s := (d + time.Second - 1) / time.Second
	return uint16(min(s, 0xffff))
}
