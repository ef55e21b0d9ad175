package oftest

// Faults are ways in which the switch misbehaves. The zero value is none.
type Faults struct {
	// TableFullFrom refuses to add flows with table_full from the nth one on
	// that was asked for since SetFaults, counted from 1. 0: never.
	TableFullFrom int
	// DropBarriers leaves barrier requests unanswered.
	DropBarriers bool
	// StallReading stops reading from the controllers.
	StallReading bool
	// DisconnectAfter ends a session when it has brought so many messages.
	// 0: never.
	DisconnectAfter int
}

// SetFaults replaces the faults.
func (s *Switch) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
	s.adds = 0
	close(s.changed)
	s.changed = make(chan struct{})
}

// waitUnstalled blocks while reading is stalled, and returns false when the
// session has ended meanwhile.
func (s *Switch) waitUnstalled(c *session) bool {
	for {
		s.mu.Lock()
		stalled, changed := s.faults.StallReading, s.changed
		s.mu.Unlock()
		if !stalled {
			return true
		}
		select {
		case <-changed:
		case <-c.conn.Done():
			return false
		}
	}
}
