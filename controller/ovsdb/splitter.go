package ovsdb

import (
	"bytes"
	"errors"
	"fmt"
)

// Bounds of one message. A bridge takes some 300 bytes and 30 values in the first reply, so that a thousand of them fit. What a
// message of that many values can take when it is decoded is a few megabytes.
const (
	maxMessage = 1 << 20 // bytes
	maxValues  = 1 << 16 // of all kinds, nested ones included
	maxDepth   = 32
)

// smallBuffer is the most that is kept of an empty buffer, in bytes.
const smallBuffer = 64 << 10

// Errors of a stream that is not what a database sends. They end the session.
var (
	errTooLong = fmt.Errorf("a message is longer than %d KiB", maxMessage>>10)
	errTooMany = fmt.Errorf("a message has more than %d values", maxValues)
	errTooDeep = fmt.Errorf("a message is nested more than %d deep", maxDepth)
	errNotJSON = errors.New("not a stream of JSON objects")
)

// splitter cuts a stream into JSON objects, which follow each other with nothing or blanks between them. It looks at brackets and
// strings only; whether an object is well-formed is for the decoder to say.
type splitter struct {
	buf     []byte
	from    int // where the current object begins
	at      int // what is before was looked at
	depth   int
	values  int
	text    bool // inside a string
	escaped bool // after a backslash in it
}

// write adds what was read.
func (s *splitter) write(b []byte) {
	if s.from > 0 { // the rest of what was there moves to the front
		s.buf = append(s.buf[:0], s.buf[s.from:]...)
		s.at -= s.from
		s.from = 0
	}
	if len(s.buf) == 0 && cap(s.buf) > smallBuffer {
		s.buf = nil
	}
	s.buf = append(s.buf, b...)
}

// next returns the next whole object, or nil when it is not there yet. It is valid until the next write.
func (s *splitter) next() ([]byte, error) {
	for ; s.at < len(s.buf); s.at++ {
		c := s.buf[s.at]
		if s.text {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.text = false
			}
			continue
		}
		if s.depth == 0 {
			switch c {
			case ' ', '\t', '\r', '\n':
				s.from = s.at + 1
				continue
			case '{':
				s.from, s.values = s.at, 0
			default:
				return nil, fmt.Errorf("%w: %.32q", errNotJSON, s.buf[s.at:])
			}
		}
		switch c {
		case '"':
			s.text = true
		case '{', '[':
			s.depth++
			s.values++
		case ',':
			s.values++
		case '}', ']':
			s.depth--
			if s.depth == 0 {
				s.at++
				object := s.buf[s.from:s.at]
				s.from = s.at
				if len(object) > maxMessage {
					return nil, errTooLong
				}
				return object, nil
			}
		}
		switch {
		case s.depth > maxDepth:
			return nil, errTooDeep
		case s.values > maxValues:
			return nil, errTooMany
		}
	}
	if s.at-s.from > maxMessage {
		return nil, errTooLong
	}
	return nil, nil
}

// partial reports that an object has begun and not ended.
func (s *splitter) partial() bool { return len(bytes.TrimLeft(s.buf[s.from:], " \t\r\n")) > 0 }
