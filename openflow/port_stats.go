package openflow

// PortStats counts what went through a port (spec 7.3.5.6). A counter that the switch does not keep is all ones.
type PortStats struct {
	No           PortNo
	RxPackets    uint64
	TxPackets    uint64
	RxBytes      uint64
	TxBytes      uint64
	RxDropped    uint64
	TxDropped    uint64
	RxErrors     uint64
	TxErrors     uint64
	RxFrameErr   uint64
	RxOverErr    uint64
	RxCRCErr     uint64
	Collisions   uint64
	DurationSec  uint32 // age of the port
	DurationNsec uint32 // beyond DurationSec
}

const portStatsLen = 112

// DecodePortStats reads one entry of a [MultipartPortStats] reply and returns what follows it.
func DecodePortStats(b []byte) (p PortStats, rest []byte, err error) {
	if len(b) < portStatsLen {
		return p, nil, &DecodeError{Message: "port_stats", Offset: len(b), Err: ErrShort}
	}
	return PortStats{
		No:           PortNo(be.Uint32(b)),
		RxPackets:    be.Uint64(b[8:]),
		TxPackets:    be.Uint64(b[16:]),
		RxBytes:      be.Uint64(b[24:]),
		TxBytes:      be.Uint64(b[32:]),
		RxDropped:    be.Uint64(b[40:]),
		TxDropped:    be.Uint64(b[48:]),
		RxErrors:     be.Uint64(b[56:]),
		TxErrors:     be.Uint64(b[64:]),
		RxFrameErr:   be.Uint64(b[72:]),
		RxOverErr:    be.Uint64(b[80:]),
		RxCRCErr:     be.Uint64(b[88:]),
		Collisions:   be.Uint64(b[96:]),
		DurationSec:  be.Uint32(b[104:]),
		DurationNsec: be.Uint32(b[108:]),
	}, b[portStatsLen:], nil
}

// AppendPortStats appends one entry of a [MultipartPortStats] reply.
func AppendPortStats(b []byte, p *PortStats) []byte {
	b = be.AppendUint32(b, uint32(p.No))
	b = appendZeros(b, 4)
	for _, v := range [...]uint64{
		p.RxPackets, p.TxPackets, p.RxBytes, p.TxBytes, p.RxDropped, p.TxDropped, p.RxErrors, p.TxErrors,
		p.RxFrameErr, p.RxOverErr, p.RxCRCErr, p.Collisions,
	} {
		b = be.AppendUint64(b, v)
	}
	b = be.AppendUint32(b, p.DurationSec)
	return be.AppendUint32(b, p.DurationNsec)
}
