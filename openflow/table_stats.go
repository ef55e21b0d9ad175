package openflow

// TableStats counts what a flow table holds and did (spec 7.3.5.4).
type TableStats struct {
	TableID uint8
	Active  uint32 // flows in the table
	Lookups uint64
	Matched uint64
}

const tableStatsLen = 24

// DecodeTableStats reads one entry of a [MultipartTable] reply and returns what follows it.
func DecodeTableStats(b []byte) (t TableStats, rest []byte, err error) {
	if len(b) < tableStatsLen {
		return t, nil, &DecodeError{Message: "table_stats", Offset: len(b), Err: ErrShort}
	}
	return TableStats{
		TableID: b[0], Active: be.Uint32(b[4:]), Lookups: be.Uint64(b[8:]), Matched: be.Uint64(b[16:]),
	}, b[tableStatsLen:], nil
}

// AppendTableStats appends one entry of a [MultipartTable] reply.
func AppendTableStats(b []byte, t *TableStats) []byte {
	b = append(b, t.TableID, 0, 0, 0)
	b = be.AppendUint32(b, t.Active)
	b = be.AppendUint64(b, t.Lookups)
	return be.AppendUint64(b, t.Matched)
}
