package openflow

// Reserved meter numbers (spec 7.3.4.4).
const (
	MeterMax        uint32 = 0xffff0000 // highest number of a real meter
	MeterSlowpath   uint32 = 0xfffffffd
	MeterController uint32 = 0xfffffffe // all packet-ins; OVS applies it without being asked by a flow
	MeterAll        uint32 = 0xffffffff // all meters; delete and requests only
)

// Commands of a meter-mod (spec 7.3.4.4).
const (
	MeterAdd    uint16 = 0
	MeterModify uint16 = 1
	MeterDelete uint16 = 2
)

// Flags of a meter (spec 7.3.4.4).
const (
	MeterKbps  uint16 = 1 << 0 // rates count kbit/s
	MeterPktps uint16 = 1 << 1 // rates count packets/s
	MeterBurst uint16 = 1 << 2 // burst sizes hold
	MeterStats uint16 = 1 << 3
)

// Types of a meter band (spec 7.3.4.4).
const (
	MeterBandDrop         uint16 = 1
	MeterBandExperimenter uint16 = 0xffff
)

// MeterConfig is one meter of a meter dump (spec 7.3.5.12).
type MeterConfig struct {
	Flags uint16
	ID    uint32
	Bands []byte // well-formed, for DecodeMeterBand; aliases the message
}

const (
	meterConfigFixed = 8  // bytes before the bands
	meterModFixed    = 16 // bytes before the bands
	meterBandLen     = 16 // of a drop or remark band
)

// DecodeMeterConfig reads one entry of a [MultipartMeterConfig] reply and returns what follows it.
func DecodeMeterConfig(b []byte) (m MeterConfig, rest []byte, err error) {
	entry, rest, e := cutEntry(b, meterConfigFixed)
	if e != nil {
		return m, nil, e.in("meter_config", 0)
	}
	if e := validateBands(entry[meterConfigFixed:]); e != nil {
		return m, nil, e.in("meter_config", meterConfigFixed)
	}
	return MeterConfig{
		Flags: be.Uint16(entry[2:]), ID: be.Uint32(entry[4:]),
		Bands: entry[meterConfigFixed:],
	}, rest, nil
}

// MeterBand is one band of a meter (spec 7.3.4.4).
type MeterBand struct {
	Type  uint16
	Rate  uint32 // kbit/s or packets/s, as the meter's flags say
	Burst uint32 // kbit or packets
}

// DecodeMeterBand reads one band and returns what follows it.
func DecodeMeterBand(b []byte) (m MeterBand, rest []byte, err error) {
	entry, rest, e := cutBand(b)
	if e != nil {
		return m, nil, e.in("meter_band", 0)
	}
	return MeterBand{Type: be.Uint16(entry), Rate: be.Uint32(entry[4:]), Burst: be.Uint32(entry[8:])}, rest, nil
}

func cutBand(b []byte) (entry, rest []byte, e *DecodeError) {
	if len(b) < meterBandLen {
		return nil, nil, &DecodeError{Offset: len(b), Err: ErrShort}
	}
	n := int(be.Uint16(b[2:]))
	if n < meterBandLen || n%8 != 0 || (n != meterBandLen && be.Uint16(b) != MeterBandExperimenter) {
		return nil, nil, &DecodeError{Offset: 2, Err: ErrLength}
	}
	if n > len(b) {
		return nil, nil, &DecodeError{Offset: 2, Err: ErrShort}
	}
	return b[:n:n], b[n:], nil
}

func validateBands(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		entry, _, e := cutBand(b[i:])
		if e != nil {
			e.Index = n
			return e.under("band", i)
		}
		i += len(entry)
	}
	return nil
}

// MeterMod adds, changes or deletes a meter (spec 7.3.4.4).
type MeterMod struct {
	Command uint16
	Flags   uint16
	ID      uint32
	Bands   []byte // well-formed, for DecodeMeterBand; aliases the message
}

// Decode reads a meter-mod.
func (m *MeterMod) Decode(msg []byte) error {
	if e := checkHeader(msg, TypeMeterMod, meterModFixed); e != nil {
		return e
	}
	if e := validateBands(msg[meterModFixed:]); e != nil {
		return e.in("meter_mod", meterModFixed)
	}
	*m = MeterMod{
		Command: be.Uint16(msg[8:]), Flags: be.Uint16(msg[10:]), ID: be.Uint32(msg[12:]),
		Bands: clip(msg[meterModFixed:]),
	}
	return nil
}

// AppendMeterConfig appends one entry of a [MultipartMeterConfig] reply. It appends nothing when the entry is too long.
func AppendMeterConfig(b []byte, m *MeterConfig) []byte {
	n := meterConfigFixed + len(m.Bands)
	if n > MaxLen {
		return b
	}
	b = append(b, byte(n>>8), byte(n), byte(m.Flags>>8), byte(m.Flags))
	b = be.AppendUint32(b, m.ID)
	return append(b, m.Bands...)
}
