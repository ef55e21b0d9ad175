package openflow

// FlowRemovedReason says why a flow is gone (spec 7.4.2).
type FlowRemovedReason uint8

// Reasons of a flow-removed.
const (
	FlowRemovedIdleTimeout FlowRemovedReason = 0
	FlowRemovedHardTimeout FlowRemovedReason = 1
	FlowRemovedDelete      FlowRemovedReason = 2 // by a flow-mod
	FlowRemovedGroupDelete FlowRemovedReason = 3 // its group was deleted
	FlowRemovedMeterDelete FlowRemovedReason = 4 // its meter was deleted (as OVS says it to an OpenFlow 1.4 peer)
	FlowRemovedEviction    FlowRemovedReason = 5 // to make room (as above)
)

var flowRemovedReasons = [...]string{
	"idle_timeout", "hard_timeout", "delete", "group_delete", "meter_delete", "eviction",
}

// String returns the reason in snake case, or "reason_N".
func (r FlowRemovedReason) String() string {
	return nameOf(flowRemovedReasons[:], "reason_", int(r))
}

// FlowRemoved tells the end of a flow that asked for it with [FlagSendFlowRem] (spec 7.4.2).
type FlowRemoved struct {
	Cookie       uint64
	Priority     uint16
	Reason       FlowRemovedReason
	TableID      uint8
	DurationSec  uint32
	DurationNsec uint32 // beyond DurationSec
	IdleTimeout  uint16 // seconds
	HardTimeout  uint16 // seconds
	Packets      uint64
	Bytes        uint64
	Match        []byte // OXM TLVs; aliases the message
}

const flowRemovedFixed = 48 // bytes before the match

// Decode reads a flow-removed.
func (m *FlowRemoved) Decode(msg []byte) error {
	if e := checkHeader(msg, TypeFlowRemoved, flowRemovedFixed+8); e != nil {
		return e
	}
	match, rest, e := decodeMatch(msg[flowRemovedFixed:])
	if e != nil {
		return e.in("flow_removed", flowRemovedFixed)
	}
	if len(rest) != 0 {
		return &DecodeError{Message: "flow_removed", Offset: len(msg) - len(rest), Err: ErrLength}
	}
	*m = FlowRemoved{
		Cookie:       be.Uint64(msg[8:]),
		Priority:     be.Uint16(msg[16:]),
		Reason:       FlowRemovedReason(msg[18]),
		TableID:      msg[19],
		DurationSec:  be.Uint32(msg[20:]),
		DurationNsec: be.Uint32(msg[24:]),
		IdleTimeout:  be.Uint16(msg[28:]),
		HardTimeout:  be.Uint16(msg[30:]),
		Packets:      be.Uint64(msg[32:]),
		Bytes:        be.Uint64(msg[40:]),
		Match:        match,
	}
	return nil
}

// AppendFlowRemoved appends a flow-removed. It appends nothing when the match is too long.
func AppendFlowRemoved(b []byte, xid uint32, m *FlowRemoved) []byte {
	n := flowRemovedFixed + matchLen(m.Match)
	if n > MaxLen {
		return b
	}
	b = appendHeader(b, TypeFlowRemoved, n, xid)
	b = be.AppendUint64(b, m.Cookie)
	b = be.AppendUint16(b, m.Priority)
	b = append(b, byte(m.Reason), m.TableID)
	b = be.AppendUint32(b, m.DurationSec)
	b = be.AppendUint32(b, m.DurationNsec)
	b = be.AppendUint16(b, m.IdleTimeout)
	b = be.AppendUint16(b, m.HardTimeout)
	b = be.AppendUint64(b, m.Packets)
	b = be.AppendUint64(b, m.Bytes)
	return appendMatch(b, m.Match)
}
