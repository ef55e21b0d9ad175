package openflow

import "github.com/contiv/libOpenflow/openflow13"

// AppendMeterMod appends a meter-mod with one drop band, or without any when command is [MeterDelete]. rate and burst
// count what flags say: kbit/s and kbit, or packets/s and packets; burst holds with [MeterBurst] only.
func AppendMeterMod(b []byte, xid uint32, command, flags uint16, id, rate, burst uint32) []byte {
	m := openflow13.NewMeterMod()
	m.Command = command
	m.Flags = flags
	m.MeterId = id
	if command != MeterDelete {
		band := &openflow13.MeterBandDrop{MeterBandHeader: *openflow13.NewMeterBandHeader()}
		band.Type = openflow13.OFPMBT13_DROP
		band.Rate = rate
		band.BurstSize = burst
		m.AddMeterBand(band)
	}
	return appendLib(b, xid, &m.Header, m)
}
