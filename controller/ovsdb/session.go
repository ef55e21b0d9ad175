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
	answerWithin = 10 * time.Second // to the first request, and to an echo
	echoAfter    = 15 * time.Second // of silence
	wholeWithin  = 30 * time.Second // from the first byte of a message to its last
)

// maxEcho is the longest parameter of an echo that is sent back, and the longest id, in bytes.
const maxEcho = 1 << 10

var (
	errNoAnswer = fmt.Errorf("no answer within %s", answerWithin)
	errSlow     = fmt.Errorf("a message was not complete within %s", wholeWithin)
	errMessage  = errors.New("not a message of RFC 7047")
)

// Session is one conversation with a server, from connecting to its end. The caller writes what Out takes, hands in what it
// reads, and calls Tick when Wake has come. After an error the session is over.
type Session struct {
	out     []byte
	split   splitter
	db      Database
	ready   bool      // the first reply is there
	heard   time.Time // the last whole message
	began   time.Time // the message that is not complete; zero for none
	echoed  time.Time // an echo that is not answered; zero for none
	message uint64
}

// NewSession begins a conversation: its first request is to be written.
func NewSession(now time.Time) (*Session, error) {
	out, err := appendMonitor(nil)
	return &Session{out: out, heard: now}, err
}

// TakeOut returns what is to be written.
func (s *Session) TakeOut() []byte {
	out := s.out
	s.out = nil
	return out
}

// Ready reports that the server has told what it has.
func (s *Session) Ready() bool { return s.ready }

// Bridges returns what the server has told so far.
func (s *Session) Bridges() []Bridge { return s.db.Bridges() }

// Messages returns how many messages have come.
func (s *Session) Messages() uint64 { return s.message }

// Wake returns when Tick is to be called at the latest.
func (s *Session) Wake() time.Time {
	wake := s.heard.Add(echoAfter)
	switch {
	case !s.ready:
		wake = s.heard.Add(answerWithin)
	case !s.echoed.IsZero():
		wake = s.echoed.Add(answerWithin)
	}
	if !s.began.IsZero() && s.began.Add(wholeWithin).Before(wake) {
		wake = s.began.Add(wholeWithin)
	}
	return wake
}

// Tick asks for a sign of life when there was none for a while, and ends the session when it does not come.
func (s *Session) Tick(now time.Time) (err error) {
	switch {
	case !s.began.IsZero() && now.Sub(s.began) >= wholeWithin:
		return errSlow
	case !s.ready && now.Sub(s.heard) >= answerWithin:
		return errNoAnswer
	case !s.echoed.IsZero() && now.Sub(s.echoed) >= answerWithin:
		return errNoAnswer
	case s.ready && s.echoed.IsZero() && now.Sub(s.heard) >= echoAfter:
		s.echoed = now
		s.out, err = appendEcho(s.out)
	}
	return err
}

// Receive takes in what was read. It reports whether what is known of bridges may have changed.
func (s *Session) Receive(now time.Time, b []byte) (changed bool, err error) {
	s.split.write(b)
	for {
		text, err := s.split.next()
		if err != nil {
			return changed, err
		}
		if text == nil {
			break
		}
		news, err := s.take(text)
		if err != nil {
			return changed, err
		}
		changed = changed || news
		s.message++
		s.began = time.Time{}
		if s.ready {
			s.heard, s.echoed = now, time.Time{}
		}
	}
	switch {
	case !s.split.partial():
		s.began = time.Time{}
	case s.began.IsZero():
		s.began = now
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

// take takes in one message.
func (s *Session) take(text []byte) (changed bool, err error) {
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
		return false, nil // a notification of something that was not asked for
	case string(m.ID) == "1" && !s.ready:
		if !null(m.Error) {
			return false, fmt.Errorf("the server refuses: %.200s", m.Error)
		}
		if err := s.db.apply(m.Result); err != nil {
			return false, err
		}
		s.ready = true
		return true, nil
	case string(m.ID) == "2" && !s.echoed.IsZero():
		return false, nil
	}
	return false, fmt.Errorf("%w: an answer to nothing that was asked: %.60q", errMessage, text)
}

// update takes in a notification of changes (section 4.1.6).
func (s *Session) update(raw json.RawMessage) error {
	var params []json.RawMessage
	if err := json.Unmarshal(raw, &params); err != nil || len(params) != 2 || string(params[0]) != `"`+monitorName+`"` || !s.ready {
		return fmt.Errorf("%w: an update that was not asked for", errMessage)
	}
	return s.db.apply(params[1])
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }
