package flow

import (
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

// Rule is one flow entry as it should be.
type Rule struct {
	Table        uint8
	Priority     uint16
	Cookie       uint64
	IdleTimeout  uint16 // seconds without traffic after which the switch removes it, 0 never
	HardTimeout  uint16 // seconds after which the switch removes it, 0 never
	Flags        uint16 // openflow.FlagSendFlowRem, …
	Match        Match
	Instructions Instructions // empty drops
}

// appendAdd appends the flow-mod that adds the rule, or replaces it.
func (r *Rule) appendAdd(b []byte) []byte {
	return openflow.AppendFlowMod(b, 0, openflow.FlowAdd, &openflow.FlowMod{
		Cookie: r.Cookie, TableID: r.Table, Command: openflow.FlowAdd, IdleTimeout: r.IdleTimeout,
		HardTimeout: r.HardTimeout, Priority: r.Priority, BufferID: openflow.BufferNone, OutPort: openflow.PortAny,
		OutGroup: openflow.GroupAny, Flags: r.Flags, Match: r.Match.Bytes(), Instructions: r.Instructions,
	})
}

// Group is one group of type ALL: a copy of the frame for each bucket.
type Group struct {
	ID      uint32
	Buckets []Actions
}

// Meter is a rate limit in packets a second.
type Meter struct {
	ID          uint32
	Rate, Burst uint32
}

// Describe names a rule in logs: its table, its priority and what of its match tells it from its neighbours.
func Describe(table uint8, priority uint16, oxm []byte) string {
	s := fmt.Sprintf("table=%d priority=%d", table, priority)
	m, err := Canonical(oxm)
	if err != nil {
		return s
	}
	if p, ok := m.GetInPort(); ok {
		s += fmt.Sprintf(" in_port=%d", p)
	}
	if v, ok := m.GetVLAN(); ok {
		s += fmt.Sprintf(" dl_vlan=%d", v)
	}
	if a, ok := m.GetEthSrc(); ok {
		s += " dl_src=" + a.String()
	}
	if a, ok := m.GetEthDst(); ok {
		s += " dl_dst=" + a.String()
	}
	return s
}
