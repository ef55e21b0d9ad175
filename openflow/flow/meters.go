package flow

import (
	"maps"
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// MeterIDs is the first of the 256 ids of this controller's meters: meters have no cookie.
const MeterIDs = 0xe0500

const meterIDMask = 0xffffff00

// meterFlags are those of all our meters.
const meterFlags = openflow.MeterPktps | openflow.MeterBurst

// meterRecord is one meter: as it should be, and as the switch is believed to have it.
type meterRecord struct {
	owner   Owner
	sweep   uint32 // owner's restatement that last named it
	want    Meter
	wanted  bool
	refused bool // in this session: it is to be there no more than one that is not wanted
	have    Meter
	exists  bool
	xid     uint32 // of the meter-mod that was sent last
	command uint16 // what it did
	touched uint32 // audit during which it was sent
	seen    uint32 // audit whose dump showed it
}

// usable reports whether rules may name the meter.
func (r *meterRecord) usable() bool { return r.wanted && !r.refused }

// PutMeter states that the meter should exist. It reports whether rules may name it: not after the switch has refused
// it, until the session ends or the meter changes.
func (s *Store) PutMeter(o Owner, m Meter) bool {
	r := s.meters[m.ID]
	if r == nil {
		r = &meterRecord{}
		s.meters[m.ID] = r
	}
	if r.want != m || !r.wanted {
		r.refused, s.meterWork = false, true
	}
	r.owner, r.sweep, r.want, r.wanted = o, s.sweep[o], m, true
	return r.usable()
}

// EndMeters deletes the meters that owner has not stated since Begin.
func (s *Store) EndMeters(o Owner) {
	for _, r := range s.meters {
		if r.wanted && r.owner == o && r.sweep != s.sweep[o] {
			r.wanted, s.meterWork = false, true
		}
	}
}

// DrainMeters appends the meter-mods that add and change meters. They go before the flows that name them, and not into
// a bundle, in which Open vSwitch takes none.
func (s *Store) DrainMeters(b []byte, xid *uint32) []byte {
	if !s.meterWork {
		return b
	}
	for _, id := range s.meterIDs() {
		r := s.meters[id]
		if !r.usable() || r.exists && r.have == r.want {
			continue
		}
		command := openflow.MeterAdd
		if r.exists {
			command = openflow.MeterModify
		}
		b = s.sendMeter(b, xid, command, r)
		r.have, r.exists = r.want, true
	}
	return b
}

// DrainMeterDeletions appends the meter-mods that delete meters. They go after everything else, since a switch deletes
// the flows that name a meter with it.
func (s *Store) DrainMeterDeletions(b []byte, xid *uint32) []byte {
	if !s.meterWork {
		return b
	}
	b = s.DrainMeters(b, xid)
	s.meterWork = false
	for _, id := range s.meterIDs() {
		r := s.meters[id]
		if r.usable() {
			continue
		}
		if r.exists {
			r.want.ID = id
			b = s.sendMeter(b, xid, openflow.MeterDelete, r)
			r.exists = false
		}
		if !r.wanted && r.touched != s.meterAudit {
			delete(s.meters, id)
		} // else a dump under way may still show it
	}
	return b
}

func (s *Store) meterIDs() []uint32 { return slices.Sorted(maps.Keys(s.meters)) }

func (s *Store) sendMeter(b []byte, xid *uint32, command uint16, r *meterRecord) []byte {
	*xid++
	r.xid, r.command, r.touched = *xid, command, s.meterAudit
	return openflow.AppendMeterMod(b, *xid, command, meterFlags, r.want.ID, r.want.Rate, r.want.Burst)
}

// RefuseMeter says that the switch has refused the meter-mod with this xid. It returns the meter that rules may no
// longer name; ok is false if there is none.
func (s *Store) RefuseMeter(xid uint32) (m Meter, ok bool) {
	for _, r := range s.meters {
		if r.xid != xid {
			continue
		}
		if r.command == openflow.MeterDelete {
			r.exists = true // rules no longer name it: it is tried again with the next change
		}
		if !r.usable() {
			continue
		}
		r.refused = r.have == r.want                 // else another is to be sent in its place
		r.exists = r.command == openflow.MeterModify // with what it was before: it is deleted, or modified again
		r.have, s.meterWork = Meter{}, true
		return r.want, r.refused
	}
	return m, false
}

// RefusedMeters returns how many meters the switch refuses.
func (s *Store) RefusedMeters() (n int) {
	for _, r := range s.meters {
		if r.refused {
			n++
		}
	}
	return n
}

// ResetMeters forgets which meters the switch has and which it has refused: a session begins.
func (s *Store) ResetMeters() {
	s.meterWork = true
	for id, r := range s.meters {
		r.exists, r.refused, r.xid, r.touched = false, false, 0, 0
		if !r.wanted {
			delete(s.meters, id)
		}
	}
}

// BeginMeterAudit starts the comparison with a dump of meters whose request is sent now.
func (s *Store) BeginMeterAudit() { s.meterAudit++ }

// DumpedMeter compares one dumped meter with what the switch is believed to have. Meters of others are left alone.
func (s *Store) DumpedMeter(c *openflow.MeterConfig, d *Drift) {
	if c.ID&meterIDMask != MeterIDs {
		return
	}
	r := s.meters[c.ID]
	if r == nil {
		r = &meterRecord{}
		s.meters[c.ID] = r
	}
	r.seen = s.meterAudit
	if r.touched == s.meterAudit {
		return
	}
	if have := meterOf(c); !r.exists || r.have != have {
		r.exists, r.have, s.meterWork = true, have, true
		d.Meters++
		d.note("a meter")
	}
}

// EndMeterAudit says that all meters have been dumped: DumpedMeter has seen each that is there.
func (s *Store) EndMeterAudit(d *Drift) {
	for _, r := range s.meters {
		if !r.exists || r.seen == s.meterAudit || r.touched == s.meterAudit {
			continue
		}
		r.exists, s.meterWork = false, true
		d.Meters++
		d.note("a meter")
	}
}

// meterOf reads a dumped meter; one of another form than ours comes out without a rate.
func meterOf(c *openflow.MeterConfig) Meter {
	m := Meter{ID: c.ID}
	band, rest, err := openflow.DecodeMeterBand(c.Bands)
	if err == nil && len(rest) == 0 && band.Type == openflow.MeterBandDrop && c.Flags == meterFlags {
		m.Rate, m.Burst = band.Rate, band.Burst
	}
	return m
}
