package openflow

import (
	"errors"
	"strconv"
)

// Reasons why bytes are no message. A [*DecodeError] wraps one of them and says where.
var (
	ErrShort   = errors.New("short")           // ends before what must be there
	ErrLength  = errors.New("bad length")      // a length that contradicts its surroundings or its type
	ErrVersion = errors.New("bad version")     // not OpenFlow 1.3
	ErrType    = errors.New("unexpected type") // another message or match type than the one asked for
)

// DecodeError says which part of a message could not be decoded, and why.
type DecodeError struct {
	Message string // message or multipart entry: "packet_in", "flow_stats"
	Part    string // part of it: "match: field 3" without the number; empty for the fixed part
	Index   int    // number of the element within Part, from 1; 0 when Part has no elements
	Offset  int    // byte within the message (or within the entry, for entries) where the fault was found
	Err     error  // ErrShort, ErrLength, ErrVersion or ErrType
}

// Error returns for example "decode packet_in: match: field 3 at byte 40: short".
func (e *DecodeError) Error() string {
	s := "decode " + e.Message
	if e.Part != "" {
		s += ": " + e.Part
	}
	if e.Index > 0 {
		s += " " + strconv.Itoa(e.Index)
	}
	return s + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// in places an error of a part that starts at byte base into its message.
func (e *DecodeError) in(message string, base int) *DecodeError {
	e.Message = message
	e.Offset += base
	return e
}

// under is in for a part with a name of its own around it.
func (e *DecodeError) under(part string, base int) *DecodeError {
	if e.Part == "" {
		e.Part = part
	} else {
		e.Part = part + ": " + e.Part
	}
	e.Offset += base
	return e
}
