package openflow

import "encoding/binary"

var be = binary.BigEndian

// clip returns b without the capacity behind it, so that whoever appends to a part of a message copies it instead of
// writing over the message that follows in the same buffer.
func clip(b []byte) []byte { return b[:len(b):len(b)] }

// Sizes in bytes, and the one protocol version that this package speaks.
const (
	HeaderLen = 8
	MaxLen    = 65535 // longest message that the 16-bit length of the header can say
	Version   = 4     // OpenFlow 1.3
)

// Header starts every message (spec 7.1).
type Header struct {
	Version uint8
	Type    Type
	Length  uint16 // of the whole message, header included
	Xid     uint32 // a reply carries the xid of its request
}

// DecodeHeader reads the first 8 bytes of b, which may be the start of a longer stream. It fails with [ErrShort] on
// fewer bytes and with [ErrLength] when the length says less than a header. It takes any version and any type: a hello
// of another version must still be readable.
func DecodeHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, &DecodeError{Message: "header", Offset: len(b), Err: ErrShort}
	}
	h := Header{Version: b[0], Type: Type(b[1]), Length: be.Uint16(b[2:]), Xid: be.Uint32(b[4:])}
	if h.Length < HeaderLen {
		return h, &DecodeError{Message: "header", Offset: 2, Err: ErrLength}
	}
	return h, nil
}

// checkHeader verifies that msg is one whole message of type t and this package's version, at least min bytes long.
func checkHeader(msg []byte, t Type, min int) *DecodeError {
	if len(msg) < HeaderLen {
		return &DecodeError{Message: t.String(), Offset: len(msg), Err: ErrShort}
	}
	if msg[0] != Version {
		return &DecodeError{Message: t.String(), Err: ErrVersion}
	}
	return checkHeaderAnyVersion(msg, t, min)
}

// checkHeaderAnyVersion is checkHeader for the messages that are understood in any version. msg has HeaderLen bytes.
func checkHeaderAnyVersion(msg []byte, t Type, min int) *DecodeError {
	if Type(msg[1]) != t {
		return &DecodeError{Message: t.String(), Offset: 1, Err: ErrType}
	}
	if int(be.Uint16(msg[2:])) != len(msg) {
		return &DecodeError{Message: t.String(), Offset: 2, Err: ErrLength}
	}
	if len(msg) < min {
		return &DecodeError{Message: t.String(), Offset: len(msg), Err: ErrShort}
	}
	return nil
}

// checkFixed is checkHeader for a message of exactly size bytes.
func checkFixed(msg []byte, t Type, size int) *DecodeError {
	if e := checkHeader(msg, t, size); e != nil {
		return e
	}
	if len(msg) != size {
		return &DecodeError{Message: t.String(), Offset: size, Err: ErrLength}
	}
	return nil
}

// cutElement returns the length without padding of the element that starts at b[i]. The elements have a 16-bit type and
// a 16-bit length of at least min bytes (spec 7.2.3); with min 8 the length has to include the padding.
func cutElement(b []byte, i, min int, part string, index int) (size int, e *DecodeError) {
	if len(b)-i < min {
		return 0, &DecodeError{Part: part, Index: index, Offset: i, Err: ErrShort}
	}
	size = int(be.Uint16(b[i+2:]))
	if size < min || min == 8 && size%8 != 0 {
		return 0, &DecodeError{Part: part, Index: index, Offset: i + 2, Err: ErrLength}
	}
	if pad8(size) > len(b)-i {
		return 0, &DecodeError{Part: part, Index: index, Offset: i + 2, Err: ErrShort}
	}
	return size, nil
}

// appendHeader appends the header of a message of n bytes in all. The caller has checked that n is at most MaxLen.
func appendHeader(b []byte, t Type, n int, xid uint32) []byte {
	return append(
		b, Version, byte(t), byte(n>>8), byte(n),
		byte(xid>>24), byte(xid>>16), byte(xid>>8), byte(xid),
	)
}
