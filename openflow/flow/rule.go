package flow

import "github.com/eosin-sdn/eosin/openflow"

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

// appendMod appends the flow-mod that does command for the rule.
func (r *Rule) appendMod(b []byte, command uint8) []byte {
	m := openflow.FlowMod{
		Cookie: r.Cookie, TableID: r.Table, Command: command, IdleTimeout: r.IdleTimeout, HardTimeout: r.HardTimeout,
		Priority: r.Priority, BufferID: openflow.BufferNone, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
		Flags: r.Flags, Match: r.Match.Bytes(), Instructions: r.Instructions,
	}
	if command == openflow.FlowDeleteStrict {
		m.Instructions = nil
	}
	return openflow.AppendFlowMod(b, 0, command, &m)
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
