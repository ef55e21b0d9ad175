package ovsdb

import (
	"bytes"
	"errors"
	"fmt"
)

// Limits of one message. A bridge takes about 300 bytes and 30 values in the first reply, so that a thousand of them
// fit; a decoded message takes a few megabytes at most.
const (
	maxMessage = 1 << 20 // bytes
	maxValues  = 1 << 16 // of all kinds and depths
	maxDepth   = 32
)

// maxIdleBuffer is the capacity that an empty buffer may keep, in bytes.
const maxIdleBuffer = 64 << 10

// Framing errors. They end the session.
var (
	errTooLong = fmt.Errorf("a message is longer than %d KiB", maxMessage>>10)
	errTooMany = fmt.Errorf("a message has more than %d values", maxValues)
	errTooDeep = fmt.Errorf("a message is nested more than %d deep", maxDepth)
	errNotJSON = errors.New("not a stream of JSON objects")
)

// framer splits a byte stream into JSON objects, which may be separated by white space. It tracks brackets and strings
// only; the decoder checks that an object is well-formed.
type framer struct {
	buf     []byte
	from    int // start of the current object
	at      int // end of what was scanned
	depth   int
	values  int
	str     bool // inside a string
	escaped bool // after a backslash in a string
}

// write appends bytes of the stream.
func (f *framer) write(b []byte) {
	if f.from > 0 { // move the rest to the front
		f.buf = append(f.buf[:0], f.buf[f.from:]...)
		f.at -= f.from
		f.from = 0
	}
	if len(f.buf) == 0 && cap(f.buf) > maxIdleBuffer {
		f.buf = nil
	}
	f.buf = append(f.buf, b...)
}

// next returns the next complete object, or nil if there is none yet. It is valid until the next write.
func (f *framer) next() ([]byte, error) {
	for ; f.at < len(f.buf); f.at++ {
		c := f.buf[f.at]
		if f.str {
			switch {
			case f.escaped:
				f.escaped = false
			case c == '\\':
				f.escaped = true
			case c == '"':
				f.str = false
			}
			continue
		}
		if f.depth == 0 {
			switch c {
			case ' ', '\t', '\r', '\n':
				f.from = f.at + 1
				continue
			case '{':
				f.from, f.values = f.at, 0
			default:
				return nil, fmt.Errorf("%w: %.32q", errNotJSON, f.buf[f.at:])
			}
		}
		switch c {
		case '"':
			f.str = true
		case '{', '[':
			f.depth++
			f.values++
		case ',':
			f.values++
		case '}', ']':
			f.depth--
			if f.depth == 0 {
				f.at++
				object := f.buf[f.from:f.at]
				f.from = f.at
				if len(object) > maxMessage {
					return nil, errTooLong
				}
				return object, nil
			}
		}
		switch {
		case f.depth > maxDepth:
			return nil, errTooDeep
		case f.values > maxValues:
			return nil, errTooMany
		}
	}
	if f.at-f.from > maxMessage {
		return nil, errTooLong
	}
	return nil, nil
}

// partial reports whether an object is incomplete.
func (f *framer) partial() bool { return len(bytes.TrimLeft(f.buf[f.from:], " \t\r\n")) > 0 }
