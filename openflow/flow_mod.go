package openflow

// Commands of a flow-mod (spec 7.3.4.1).
const (
	FlowAdd          uint8 = 0
	FlowModify       uint8 = 1
	FlowModifyStrict uint8 = 2
	FlowDelete       uint8 = 3
	FlowDeleteStrict uint8 = 4
)

// Flags of a flow (spec 7.3.4.1).
const (
	FlagSendFlowRem  uint16 = 1 << 0 // tell the end of the flow with a flow-removed
	FlagCheckOverlap uint16 = 1 << 1
	FlagResetCounts  uint16 = 1 << 2
	FlagNoPktCounts  uint16 = 1 << 3
	FlagNoBytCounts  uint16 = 1 << 4
)

// Table numbers (spec 7.3.4.1).
const (
	TableMax uint8 = 0xfe // highest number of a real table
	TableAll uint8 = 0xff // all tables; requests and deletes only
)

// FlowMod adds, changes or deletes flows (spec 7.3.4.1). Every field is sent as it is, so the zero value is a poor
// start: see [NewFlowMod].
type FlowMod struct {
	Cookie       uint64
	CookieMask   uint64 // modify and delete: only flows whose cookie equals Cookie under this mask
	TableID      uint8
	Command      uint8
	IdleTimeout  uint16 // seconds; 0 = never
	HardTimeout  uint16 // seconds; 0 = never
	Priority     uint16
	BufferID     uint32
	OutPort      PortNo // delete: only flows that output here; PortAny = all
	OutGroup     uint32 // delete: only flows that output here; GroupAny = all
	Flags        uint16 // Flag bits
	Match        []byte // OXM TLVs without ofp_match header and padding; aliases the message after Decode
	Instructions []byte // aliases the message after Decode
}

// NewFlowMod returns a FlowMod that names no buffer and does not filter by output: BufferNone, PortAny, GroupAny.
func NewFlowMod() FlowMod {
	return FlowMod{BufferID: BufferNone, OutPort: PortAny, OutGroup: GroupAny}
}

const flowModFixed = 48 // bytes before the match

// Decode reads a flow-mod.
func (m *FlowMod) Decode(msg []byte) error {
	if e := checkHeader(msg, TypeFlowMod, flowModFixed+8); e != nil {
		return e
	}
	match, instructions, e := decodeMatch(msg[flowModFixed:])
	if e != nil {
		return e.in("flow_mod", flowModFixed)
	}
	if e := validateInstructions(instructions); e != nil {
		return e.in("flow_mod", len(msg)-len(instructions))
	}
	*m = FlowMod{
		Cookie:       be.Uint64(msg[8:]),
		CookieMask:   be.Uint64(msg[16:]),
		TableID:      msg[24],
		Command:      msg[25],
		IdleTimeout:  be.Uint16(msg[26:]),
		HardTimeout:  be.Uint16(msg[28:]),
		Priority:     be.Uint16(msg[30:]),
		BufferID:     be.Uint32(msg[32:]),
		OutPort:      PortNo(be.Uint32(msg[36:])),
		OutGroup:     be.Uint32(msg[40:]),
		Flags:        be.Uint16(msg[44:]),
		Match:        match,
		Instructions: clip(instructions),
	}
	return nil
}

// AppendFlowMod appends a flow-mod with this command; f.Command is not looked at. It appends nothing when the message
// would be longer than MaxLen. Match and Instructions are copied as they are: they come from this program's own
// builders, and checking them again would cost more than writing them.
func AppendFlowMod(b []byte, xid uint32, command uint8, f *FlowMod) []byte {
	n := flowModFixed + matchLen(f.Match) + len(f.Instructions)
	if n > MaxLen {
		return b
	}
	b = appendHeader(b, TypeFlowMod, n, xid)
	b = be.AppendUint64(b, f.Cookie)
	b = be.AppendUint64(b, f.CookieMask)
	b = append(b, f.TableID, command)
	b = be.AppendUint16(b, f.IdleTimeout)
	b = be.AppendUint16(b, f.HardTimeout)
	b = be.AppendUint16(b, f.Priority)
	b = be.AppendUint32(b, f.BufferID)
	b = be.AppendUint32(b, uint32(f.OutPort))
	b = be.AppendUint32(b, f.OutGroup)
	b = append(b, byte(f.Flags>>8), byte(f.Flags), 0, 0)
	b = appendMatch(b, f.Match)
	return append(b, f.Instructions...)
}
