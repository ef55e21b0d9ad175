package oftest

import "github.com/eosin-sdn/eosin/openflow/ofconn"

// Faults are ways in which the switch misbehaves. The zero value is none. Functions are called with the switch's lock
// held: they must not call the switch, nor keep the message.
type Faults struct {
	// StallReading leaves what the controllers send unread.
	StallReading bool
	// PartLen is the number of entries in one part of a multipart reply. 0: as many as fit.
	PartLen int
	// Ignore, if set, selects messages that are neither carried out nor answered.
	Ignore func(msg []byte) bool
	// Refuse, if set, selects messages that are answered with an error and not carried out.
	Refuse func(msg []byte) (typ, code uint16, refuse bool)
}

// SetFaults replaces the faults.
func (s *Switch) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
	close(s.changed)
	s.changed = make(chan struct{})
}

// waitUnstalled blocks while reading is stalled, and returns false when the connection has ended meanwhile.
func (s *Switch) waitUnstalled(c *ofconn.Conn) bool {
	for {
		s.mu.Lock()
		stalled, changed := s.faults.StallReading, s.changed
		s.mu.Unlock()
		if !stalled {
			return true
		}
		select {
		case <-changed:
		case <-c.Done():
			return false
		}
	}
}
