package probe

import (
	"net/netip"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Trap says which frames may be replies to a probe. Traps that match the same frames are equal.
type Trap struct {
	VLAN uint16
	Type Type
	// EthDst is the source's MAC address, to which the reply comes; of the link layer, ColoredMAC(color, 0).
	EthDst packet.MAC
	// Src and Dst are the reply's: Src is what was probed. Dst is not set in types of the link layer.
	Src, Dst netip.Addr
}

// NewTrap returns the trap for replies from dst to a probe of the color that src, which has the MAC address, sends.
func NewTrap(typ Type, vlan uint16, mac packet.MAC, src, dst netip.Addr, color uint16) Trap {
	if typ.LinkLayer {
		mac, src = ColoredMAC(color, 0), netip.Addr{}
	}
	return Trap{VLAN: vlan, Type: typ, EthDst: mac, Src: dst, Dst: src}
}

// addresses narrows a match to the exact addresses.
func (t *Trap) addresses(m flow.Match) flow.Match {
	return m.EthDst(t.EthDst).IPSrc(t.Src).IPDst(t.Dst)
}

// Priorities in the tables of this app.
const (
	prioTrap    = 20
	prioTrapped = 10
	prioMiss    = 0
)

// Tags of this app's cookies: which rule a packet-in comes from.
const (
	tagFixed = iota
	tagToTracker
	tagTracked  // colored by the connection tracker
	tagFallback // colored by DSCP
	tagLinkLayer
)

// Colors stand in the lower half of the connection's mark, below a prefix that no one else uses.
const (
	markPrefix = 0xe0510000
	markMask   = 0xffff0000
)

// zoneBase keeps this app's zones of the connection tracker apart from those that people use, which begin at 0.
const zoneBase = 0xe000

// Zone returns the connection tracker's zone for a VLAN: each network has its own, so that equal addresses do not meet.
func Zone(vlan uint16) uint16 { return zoneBase | vlan&0xfff }

// capabilities are what trap rules depend on.
type capabilities struct {
	trap, trapped apps.Table
	noConntrack   bool
	meter         uint32
}

// rule returns the rule that traps.
//
//  1. Replies between the exact addresses go through the connection tracker, which knows the color of the request that
//     they answer. They go on in the next table, where the colored ones are swallowed.
//  2. Without a connection tracker they are told by DSCP. That swallows too much: PacketRcvd puts back what is not
//     ours.
//  3. Replies of the link layer go to a colored MAC address: they are ours, since no one else has it.
func (t Trap) rule(w capabilities) *flow.Rule {
	m := t.Type.matchReply(flow.Match{}.VLAN(t.VLAN), &t)
	switch {
	case t.Type.LinkLayer:
		return newRule(w.trap, prioTrap, tagLinkLayer, m, w.swallow())
	case w.noConntrack:
		return newRule(w.trap, prioTrap, tagFallback, m.IPDSCP(FallbackDSCP), w.swallow())
	}
	return newRule(w.trap, prioTrap, tagToTracker, m.CTState(0, flow.CTTracked),
		flow.Instructions(nil).Apply(flow.Actions(nil).CTRecirculate(Zone(t.VLAN), w.trapped.Number)))
}

func newRule(t apps.Table, priority uint16, tag uint64, m flow.Match, i flow.Instructions) *flow.Rule {
	return &flow.Rule{
		Table: t.Number, Priority: priority, Cookie: flow.Cookie(apps.OwnerProbe, tag), Match: m, Instructions: i,
	}
}

// swallow takes a frame to the controller. It goes on to where sources are learned, and is dropped behind that.
func (w capabilities) swallow() flow.Instructions {
	copied := flow.Actions(nil).Controller(w.meter).SetReg0(apps.Swallowed)
	return flow.Instructions(nil).Apply(copied).Goto(w.trapped.Next)
}

// fixedRules are there whatever is probed. A switch without a connection tracker refuses to match its fields, too.
func fixedRules(w capabilities) []*flow.Rule {
	miss := flow.Instructions(nil).Goto(w.trapped.Next)
	rules := []*flow.Rule{
		newRule(w.trapped, prioMiss, tagFixed, flow.Match{}, miss),
		newRule(w.trap, prioMiss, tagFixed, flow.Match{}, miss),
	}
	if w.noConntrack {
		return rules
	}
	const reply = flow.CTTracked | flow.CTReply
	m := flow.Match{}.CTState(reply, reply).CTMark(markPrefix, markMask)
	return append(rules, newRule(w.trapped, prioTrapped, tagTracked, m, w.swallow()))
}
