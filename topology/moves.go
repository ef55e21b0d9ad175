package topology

import (
	"math"
	"time"
)

// A host that moves too often within MoveWindow stays where it is for FreezeTime.
const (
	MoveWindow = 10 * time.Second
	FreezeTime = 60 * time.Second
)

// Freeze describes a frozen host.
type Freeze struct {
	// Kept is the place that the host keeps, Refused the port whose sighting was one move too many.
	Kept, Refused PortRef
	Until         time.Time
}

// moves remembers the latest moves of a host.
type moves struct {
	times   []int64 // as sighting.at, ascending, within MoveWindow of the last
	until   int64   // frozen until then
	kept    PortRef
	refused PortRef
}

func newMoves() *moves { return &moves{until: math.MinInt64} }

func (m *moves) frozen(now int64) bool { return now < m.until }

// allow notes a move unless it is one more than the limit within the window; then it freezes the host.
func (m *moves) allow(limit int, now int64, from, to PortRef) bool {
	expired := 0
	for expired < len(m.times) && now-m.times[expired] > int64(MoveWindow) {
		expired++
	}
	m.times = append(m.times[:0], m.times[expired:]...)
	if len(m.times) < limit {
		m.times = append(m.times, now)
		return true
	}
	m.times = m.times[:0]
	m.until, m.kept, m.refused = now+int64(FreezeTime), from, to
	return false
}
