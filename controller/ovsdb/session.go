package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Times of a session.
const (
	replyTimeout   = 10 * time.Second // of the first request, and of an echo
	echoInterval   = 15 * time.Second // without a message
	messageTimeout = 30 * time.Second // from the first byte of a message to its last
)

// maxEcho is the maximum size of the parameters and of the id of an echo request, in bytes.
const maxEcho = 1 << 10

var (
	errNoAnswer = fmt.Errorf("no answer within %s", replyTimeout)
	errSlow     = fmt.Errorf("a message was not complete within %s", messageTimeout)
	errMessage  = errors.New("not a message of RFC 7047")
)

// Session is the protocol of one connection to a server. The caller writes what TakeOut returns, passes what it reads
// to Receive, and calls Tick at the time of Wake. After an error the session is over.
type Session struct {
	out         []byte
	framer      framer
	db          Database
	ready       bool      // the first reply has arrived
	lastMessage time.Time // the last complete message
	partial     time.Time // start of an incomplete message; zero if there is none
	echoSent    time.Time // the outstanding echo request; zero if there is none
	messages    uint64
}

// NewSession returns a session whose first request is ready to be written.
func NewSession(now time.Time) (*Session, error) {
	out, err := appendMonitor(nil)
	return &Session{out: out, lastMessage: now}, err
}

// TakeOut returns the bytes to be written, once.
func (s *Session) TakeOut() []byte {
	out := s.out
	s.out = nil
	return out
}

// Ready reports whether the first reply has arrived.
func (s *Session) Ready() bool { return s.ready }

// Bridges returns the bridges of the server, sorted by name.
func (s *Session) Bridges() []Bridge { return s.db.Bridges() }

// Messages returns the number of messages received.
func (s *Session) Messages() uint64 { return s.messages }

// Wake returns the latest time for the next call of Tick.
func (s *Session) Wake() time.Time {
	wake := s.lastMessage.Add(echoInterval)
	switch {
	case !s.ready:
		wake = s.lastMessage.Add(replyTimeout)
	case !s.echoSent.IsZero():
		wake = s.echoSent.Add(replyTimeout)
	}
	if !s.partial.IsZero() && s.partial.Add(messageTimeout).Before(wake) {
		wake = s.partial.Add(messageTimeout)
	}
	return wake
}

// Tick sends an echo request after a time without messages, and fails when a reply or the rest of a message is overdue.
func (s *Session) Tick(now time.Time) (err error) {
	switch {
	case !s.partial.IsZero() && now.Sub(s.partial) >= messageTimeout:
		return errSlow
	case !s.ready && now.Sub(s.lastMessage) >= replyTimeout:
		return errNoAnswer
	case !s.echoSent.IsZero() && now.Sub(s.echoSent) >= replyTimeout:
		return errNoAnswer
	case s.ready && s.echoSent.IsZero() && now.Sub(s.lastMessage) >= echoInterval:
		s.echoSent = now
		s.out, err = appendEcho(s.out)
	}
	return err
}

// Receive processes bytes read from the server. It reports whether the bridges may have changed.
func (s *Session) Receive(now time.Time, b []byte) (changed bool, err error) {
	s.framer.write(b)
	for {
		text, err := s.framer.next()
		if err != nil {
			return changed, err
		}
		if text == nil {
			break
		}
		updated, err := s.handle(text)
		if err != nil {
			return changed, err
		}
		changed = changed || updated
		s.messages++
		s.partial = time.Time{}
		if s.ready {
			s.lastMessage, s.echoSent = now, time.Time{}
		}
	}
	switch {
	case !s.framer.partial():
		s.partial = time.Time{}
	case s.partial.IsZero():
		s.partial = now
	}
	return changed, nil
}

// message is a request, a notification or a response (RFC 7047 section 4; JSON-RPC 1.0).
type message struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// handle processes one message.
func (s *Session) handle(text []byte) (changed bool, err error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return false, fmt.Errorf("%w: %w", errMessage, err)
	}
	switch {
	case m.Method == "echo":
		if len(m.Params) > maxEcho || len(m.ID) > maxEcho || len(m.Params) == 0 || len(m.ID) == 0 {
			return false, fmt.Errorf("%w: an echo of %d bytes", errMessage, len(text))
		}
		s.out, err = appendEchoReply(s.out, m.ID, m.Params)
		return false, err
	case m.Method == "update":
		return true, s.update(m.Params)
	case m.Method != "":
		return false, nil // an unknown notification
	case string(m.ID) == "1" && !s.ready:
		if !isNull(m.Error) {
			return false, fmt.Errorf("the server refuses: %.200s", m.Error)
		}
		if err := s.db.apply(m.Result); err != nil {
			return false, err
		}
		s.ready = true
		return true, nil
	case string(m.ID) == "2" && !s.echoSent.IsZero():
		return false, nil
	}
	return false, fmt.Errorf("%w: an answer to nothing that was asked: %.60q", errMessage, text)
}

// update applies an update notification (section 4.1.6).
func (s *Session) update(raw json.RawMessage) error {
	var params []json.RawMessage
	if err := json.Unmarshal(raw, &params); err != nil || len(params) != 2 ||
		string(params[0]) != `"`+monitorName+`"` || !s.ready {
		return fmt.Errorf("%w: an update that was not asked for", errMessage)
	}
	return s.db.apply(params[1])
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }
