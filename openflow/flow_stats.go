package openflow

// FlowStats is one flow of a flow dump (spec 7.3.5.2).
type FlowStats struct {
	TableID      uint8
	DurationSec  uint32
	DurationNsec uint32 // beyond DurationSec
	Priority     uint16
	IdleTimeout  uint16 // seconds
	HardTimeout  uint16 // seconds
	Flags        uint16 // Flag bits
	Cookie       uint64
	Packets      uint64
	Bytes        uint64
	Match        []byte // OXM TLVs; aliases the message
	Instructions []byte // well-formed; aliases the message
}

const flowStatsFixed = 48 // bytes before the match

// DecodeFlowStats reads one entry of a [MultipartFlow] reply and returns what follows it.
func DecodeFlowStats(b []byte) (f FlowStats, rest []byte, err error) {
	entry, rest, e := cutEntry(b, flowStatsFixed+8)
	if e != nil {
		return f, nil, e.in("flow_stats", 0)
	}
	match, instructions, e := decodeMatch(entry[flowStatsFixed:])
	if e != nil {
		return f, nil, e.in("flow_stats", flowStatsFixed)
	}
	if e := validateInstructions(instructions); e != nil {
		return f, nil, e.in("flow_stats", len(entry)-len(instructions))
	}
	return FlowStats{
		TableID:      entry[2],
		DurationSec:  be.Uint32(entry[4:]),
		DurationNsec: be.Uint32(entry[8:]),
		Priority:     be.Uint16(entry[12:]),
		IdleTimeout:  be.Uint16(entry[14:]),
		HardTimeout:  be.Uint16(entry[16:]),
		Flags:        be.Uint16(entry[18:]),
		Cookie:       be.Uint64(entry[24:]),
		Packets:      be.Uint64(entry[32:]),
		Bytes:        be.Uint64(entry[40:]),
		Match:        match,
		Instructions: instructions,
	}, rest, nil
}

// cutEntry cuts off b an entry that starts with its own 16-bit length, at least min bytes.
func cutEntry(b []byte, min int) (entry, rest []byte, e *DecodeError) {
	if len(b) < min {
		return nil, nil, &DecodeError{Offset: len(b), Err: ErrShort}
	}
	n := int(be.Uint16(b))
	if n < min {
		return nil, nil, &DecodeError{Err: ErrLength}
	}
	if n > len(b) {
		return nil, nil, &DecodeError{Err: ErrShort}
	}
	return b[:n:n], b[n:], nil
}

// FlowStatsRequest selects the flows of a dump (spec 7.3.5.2). Its Match is empty in requests of ours: every flow
// matches.
type FlowStatsRequest struct {
	TableID    uint8 // TableAll for all
	OutPort    PortNo
	OutGroup   uint32
	Cookie     uint64
	CookieMask uint64 // 0: any cookie
	Match      []byte // OXM TLVs; aliases the message
}

const flowStatsRequestFixed = 32 // bytes before the match

// Decode reads the body of a [MultipartFlow] or [MultipartAggregate] request.
func (r *FlowStatsRequest) Decode(body []byte) error {
	if len(body) < flowStatsRequestFixed+8 {
		return &DecodeError{Message: "flow_stats_request", Offset: len(body), Err: ErrShort}
	}
	match, rest, e := decodeMatch(body[flowStatsRequestFixed:])
	if e != nil {
		return e.in("flow_stats_request", flowStatsRequestFixed)
	}
	if len(rest) != 0 {
		return &DecodeError{Message: "flow_stats_request", Offset: len(body) - len(rest), Err: ErrLength}
	}
	*r = FlowStatsRequest{
		TableID:    body[0],
		OutPort:    PortNo(be.Uint32(body[4:])),
		OutGroup:   be.Uint32(body[8:]),
		Cookie:     be.Uint64(body[16:]),
		CookieMask: be.Uint64(body[24:]),
		Match:      match,
	}
	return nil
}

// AppendFlowStatsRequest appends a request for a flow dump. OutPort and OutGroup are sent as they are: [PortAny] and
// [GroupAny] do not filter. It appends nothing when Match is too long.
func AppendFlowStatsRequest(b []byte, xid uint32, r FlowStatsRequest) []byte {
	n := multipartFixed + flowStatsRequestFixed + matchLen(r.Match)
	if n > MaxLen {
		return b
	}
	b = appendMultipartFixed(b, TypeMultipartRequest, n, xid, MultipartFlow, false)
	b = append(b, r.TableID, 0, 0, 0)
	b = be.AppendUint32(b, uint32(r.OutPort))
	b = be.AppendUint32(b, r.OutGroup)
	b = appendZeros(b, 4)
	b = be.AppendUint64(b, r.Cookie)
	b = be.AppendUint64(b, r.CookieMask)
	return appendMatch(b, r.Match)
}

// AppendFlowStats appends one entry of a [MultipartFlow] reply. It appends nothing when the entry is too long.
func AppendFlowStats(b []byte, f *FlowStats) []byte {
	n := flowStatsFixed + matchLen(f.Match) + len(f.Instructions)
	if n > MaxLen {
		return b
	}
	b = append(b, byte(n>>8), byte(n), f.TableID, 0)
	b = be.AppendUint32(b, f.DurationSec)
	b = be.AppendUint32(b, f.DurationNsec)
	b = be.AppendUint16(b, f.Priority)
	b = be.AppendUint16(b, f.IdleTimeout)
	b = be.AppendUint16(b, f.HardTimeout)
	b = be.AppendUint16(b, f.Flags)
	b = appendZeros(b, 4)
	b = be.AppendUint64(b, f.Cookie)
	b = be.AppendUint64(b, f.Packets)
	b = be.AppendUint64(b, f.Bytes)
	b = appendMatch(b, f.Match)
	return append(b, f.Instructions...)
}
