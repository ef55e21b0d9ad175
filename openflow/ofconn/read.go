package ofconn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

const (
	// firstBuffer is where a read buffer starts and returns to: a thousand idle switches take 4 MiB.
	firstBuffer = 4 << 10
	// smallReads is how many reads in a row must have fit into a quarter of a grown buffer before it shrinks.
	smallReads = 8
)

// reader is the inbound half of a Conn; only the goroutine that calls Fill and Next touches it. buf[r:w] is what
// Next has not returned.
type reader struct {
	buf   []byte
	r, w  int
	full  bool // the last read filled the buffer: more may have waited
	small int  // reads in a row that needed no more than a quarter of buf
}

// Next returns the next whole message in the buffer, header included, or ok false if there is none. The bytes are valid
// until the next Fill and may be changed by the caller. Messages of any version are returned. At a header whose length
// is below 8 Next stops, and the Fill that follows returns the error.
func (c *Conn) Next() (msg []byte, ok bool) {
	in := &c.in
	if in.w-in.r < headerLen {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(in.buf[in.r+2:]))
	if n < headerLen || in.w-in.r < n {
		return nil, false
	}
	msg = in.buf[in.r : in.r+n : in.r+n]
	in.r += n
	return msg, true
}

// Fill blocks until at least one whole message is buffered that Next has not returned. It reads as much as has arrived
// and fits, and invalidates what Next has returned.
//
// Errors are LengthError, ForeignError, ErrPeerClosed, ErrTruncated, ErrTimeout, the reason of Close, or the
// connection's own. All but ErrTimeout are final; Fill does not close the connection.
func (c *Conn) Fill() error {
	in := &c.in
	for {
		need, err := in.next()
		if err != nil {
			return err
		}
		if need == 0 {
			return nil
		}
		in.makeRoom(need, c.o.ReadBuffer)
		room := len(in.buf) - in.w
		n, err := c.nc.Read(in.buf[in.w:])
		in.w += n
		in.full = n == room
		if n > 0 && in.w*4 <= len(in.buf) {
			in.small++
		} else if n > 0 {
			in.small = 0
		}
		if err != nil {
			// What came with the error may be the end of a whole message.
			if need, lenErr := in.next(); lenErr == nil && need == 0 {
				return nil
			}
			return c.readError(err)
		}
	}
}

// next returns how many bytes the message at the front needs in all, 0 if it is there whole.
func (in *reader) next() (need int, err error) {
	have := in.w - in.r
	if have < 4 {
		return headerLen, nil
	}
	h := in.buf[in.r:]
	n := binary.BigEndian.Uint16(h[2:])
	if h[0] >= firstForeign {
		if p := Protocol(h); p != "" {
			return 0, &ForeignError{p}
		}
	}
	switch {
	case n < headerLen:
		return 0, &LengthError{Version: h[0], Type: h[1], Length: n}
	case have < int(n):
		return int(n), nil
	}
	return 0, nil
}

// makeRoom moves the remaining bytes to the front and resizes the buffer so that the first message fits: larger after a
// read that filled it, small again after smallReads.
func (in *reader) makeRoom(need, readBuffer int) {
	have := in.w - in.r
	size := max(len(in.buf), firstBuffer)
	switch {
	case in.full:
		size = min(2*size, readBuffer+maxMessage)
	case in.small >= smallReads && size > firstBuffer:
		size = firstBuffer
	}
	in.full = false
	size = max(size, need)
	if size == len(in.buf) {
		copy(in.buf, in.buf[in.r:in.w])
	} else {
		buf := make([]byte, size)
		copy(buf, in.buf[in.r:in.w])
		in.buf, in.small = buf, 0
	}
	in.r, in.w = 0, have
}

// readError names what a failed read means.
func (c *Conn) readError(err error) error {
	if reason := c.Err(); reason != nil {
		return reason
	}
	have := c.in.w - c.in.r
	var netErr net.Error
	switch {
	case errors.Is(err, io.EOF) && have > 0, errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %d bytes of it arrived: %w", ErrTruncated, have, io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("%w: %w", ErrPeerClosed, io.EOF)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		if len(c.in.buf) > firstBuffer && have <= firstBuffer {
			c.in.small = smallReads // idle: the next read starts small
		}
		return fmt.Errorf("%w: %d bytes of a message so far: %w", ErrTimeout, have, err)
	}
	return fmt.Errorf("read: %w", err)
}
