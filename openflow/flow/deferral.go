package flow

import "encoding/binary"

// Defer takes the queued additions of an owner's rules out of the queue until Resume puts them back, in the same order,
// and returns how many there are. It is for rules that others do not need and with which those must not be refused.
func (s *Store) Defer(o Owner) int {
	var kept fifo
	for s.queue.len() > 0 {
		i := s.queue.pop()
		w := s.slab.get(s.recs.at(i).wire)
		if owner, _ := OwnerOf(binary.BigEndian.Uint64(w[offCookie:])); owner == o && !s.recs.at(i).deleted {
			s.deferred.push(i)
		} else {
			kept.push(i)
		}
	}
	s.queue = kept
	return s.deferred.len()
}

// Resume queues what was deferred, after all that is queued already.
func (s *Store) Resume() {
	for s.deferred.len() > 0 {
		s.queue.push(s.deferred.pop())
	}
}
