package topology

import "time"

// Freeze describes a frozen host.
type Freeze struct {
	// Kept is the location that the host keeps, Refused the port whose sighting was one move too many.
	Kept, Refused PortRef
	Until         time.Time
}

// moves are the recent moves of a host between switches, and its freeze.
type moves struct {
	MoveLimiter
	until         int64 // frozen until then, as sighting.at
	kept, refused PortRef
}

func (m *moves) frozen(now int64) bool { return m.refused != PortRef{} && now < m.until }

func (m *moves) freeze(now int64, kept, refused PortRef) {
	m.until, m.kept, m.refused = now+int64(FreezeTime), kept, refused
}
