package ofconn

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrPeerClosed means that the peer ended its side between two messages. The error that carries it also matches
	// io.EOF.
	ErrPeerClosed = errors.New("peer closed the connection")
	// ErrTruncated means that the peer ended its side within a message. The error that carries it also matches
	// io.ErrUnexpectedEOF.
	ErrTruncated = errors.New("peer closed the connection in the middle of a message")
	// ErrTimeout means that a read deadline passed; what had arrived by then is kept, so Fill may be called again after
	// a new deadline is set. The error that carries it also matches os.ErrDeadlineExceeded.
	ErrTimeout = errors.New("nothing arrived in time")
	// ErrBadLength means that a header gives a length below 8 bytes, after which nothing on the connection can be
	// framed. See LengthError.
	ErrBadLength = errors.New("message length below 8")
	// ErrSlowPeer means that the peer does not take what is sent to it. See SlowPeerError.
	ErrSlowPeer = errors.New("peer does not read")
	// ErrClosed is the reason of a Conn closed with no other reason.
	ErrClosed = errors.New("connection closed")
)

// LengthError is a message header that cannot be framed. It unwraps to ErrBadLength.
type LengthError struct {
	// Version and Type are the header's first two bytes: they tell garbage and other protocols from a faulty switch.
	Version, Type uint8
	Length        uint16
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("header %02x %02x: length %d is below 8", e.Version, e.Type, e.Length)
}

func (e *LengthError) Unwrap() error { return ErrBadLength }

// ForeignError means that the peer speaks another protocol than OpenFlow.
type ForeignError struct {
	Protocol string // TLS, for instance
}

func (e *ForeignError) Error() string {
	return "it speaks " + e.Protocol + " where OpenFlow is spoken without TLS"
}

// SlowPeerError says how much waits for a peer that does not read. It unwraps to ErrSlowPeer.
type SlowPeerError struct {
	Queued int           // bytes that wait, with those that found no room
	For    time.Duration // how long the queue has not been empty
}

func (e *SlowPeerError) Error() string {
	return fmt.Sprintf("peer does not read: %d bytes queued for %v", e.Queued, e.For.Round(time.Millisecond))
}

func (e *SlowPeerError) Unwrap() error { return ErrSlowPeer }
