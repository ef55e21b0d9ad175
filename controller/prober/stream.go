package prober

import (
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// stream is a sequence of requests of one color from one source to one destination. The engine's lock guards it.
type stream struct {
	id       uint32
	want     probe.Expectation
	timeout  time.Duration
	keep     int // how many of the newest requests are remembered; 0: all
	first    uint32
	requests []sentRequest // those numbered first, first+1, …
	onReply  func(replyEvent)
}

// sentRequest is one request in flight, or its outcome.
type sentRequest struct {
	start    time.Time
	answered bool
	late     bool // the reply came after the timeout
	expired  bool // it timed out
}

// replyEvent is a verified reply, matched with its request.
type replyEvent struct {
	kind replyKind
	seq  uint32
	rtt  time.Duration
	from packet.MAC
}

type replyKind uint8

const (
	replyInTime replyKind = iota
	replyLate
	replyDuplicate
)

// record numbers the next request.
func (s *stream) record(start time.Time) (seq uint32) {
	if s.first == 0 {
		s.first = 1
	}
	if s.keep > 0 && len(s.requests) >= 2*s.keep {
		n := copy(s.requests, s.requests[len(s.requests)-s.keep:])
		s.first += uint32(len(s.requests) - n)
		s.requests = s.requests[:n]
	}
	s.requests = append(s.requests, sentRequest{start: start})
	return s.first + uint32(len(s.requests)) - 1
}

// at returns a remembered request, or nil.
func (s *stream) at(seq uint32) *sentRequest {
	if i := seq - s.first; s.first != 0 && i < uint32(len(s.requests)) {
		return &s.requests[i]
	}
	return nil
}

// answer matches a reply with its request.
func (s *stream) answer(r *probe.Reply, at time.Time) (replyEvent, probe.Reason) {
	seq := r.Seq
	if s.want.Type.LinkLayer { // 8 bits are known: the newest request with these
		last := s.first + uint32(len(s.requests)) - 1
		seq = last - (last-r.Seq)&0xff
	}
	f := s.at(seq)
	if f == nil {
		return replyEvent{}, probe.WrongSequence
	}
	h := replyEvent{kind: replyInTime, seq: seq, rtt: max(at.Sub(f.start), time.Nanosecond), from: r.EthSrc}
	switch {
	case f.answered:
		h.kind = replyDuplicate
	case f.expired || h.rtt > s.timeout:
		h.kind, f.late = replyLate, true
	}
	f.answered = true
	return h, probe.Genuine
}

// expire times a request out. It reports false for one that was answered in time or has timed out already.
func (s *stream) expire(seq uint32) bool {
	f := s.at(seq)
	if f == nil || f.expired || f.answered && !f.late {
		return false
	}
	f.expired = true
	return true
}

// register lets replies find the stream. The engine's lock is held.
func (e *Engine) register(s *stream) {
	if s.want.Type.LinkLayer {
		e.arps[s.want.Color] = s
		return
	}
	for s.id == 0 || e.streams[s.id] != nil {
		e.lastID++
		s.id = e.lastID
	}
	e.streams[s.id] = s
}

// unregister ends a stream. The engine's lock is held.
func (e *Engine) unregister(s *stream) {
	if e.streams[s.id] == s {
		delete(e.streams, s.id)
	}
	if e.arps[s.want.Color] == s {
		delete(e.arps, s.want.Color)
	}
}

// Received takes a trapped frame, with its in port and the time at which it was read. It does not block or call the
// fabric: it is called with a switch's lock held.
func (e *Engine) Received(sw openflow.DatapathID, port openflow.PortNo, at time.Time, vlan uint16, r *probe.Trapped) {
	e.mu.Lock()
	defer e.mu.Unlock()
	reason := r.Reason
	if reason == probe.Genuine {
		reason = e.accept(sw, port, at, vlan, &r.Reply)
	}
	if reason != probe.Genuine {
		e.rejected[reason]++
	}
}

func (e *Engine) accept(sw openflow.DatapathID, port openflow.PortNo, at time.Time, vlan uint16,
	r *probe.Reply,
) probe.Reason {
	s := e.streams[r.ID]
	if r.Type.LinkLayer {
		s = e.arps[r.Color]
	}
	if s == nil {
		return probe.UnknownProbe
	}
	if reason := s.want.Check(sw, port, vlan, r); reason != probe.Genuine {
		return reason
	}
	h, reason := s.answer(r, at)
	if reason == probe.Genuine {
		s.onReply(h)
	}
	return reason
}
