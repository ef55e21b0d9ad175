package probe

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// Key signs the payloads of one controller process.
type Key [32]byte

// NewKey returns a random key.
func NewKey() Key {
	var k Key
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// The payload of an echo:
//
//	 0  "EOSN"
//	 4  version
//	 5  0
//	 6  payload length in bytes, this header and the padding included
//	 8  probe id
//	12  sequence number; the echo carries its lower 16 bits
//	16  start, nanoseconds since 1970
//	24  keyed hash over all that is before it, and over addresses and Identifier
//	40  padding: each byte its own place in the payload
const (
	magic   = 0x454f534e
	version = 1

	offHash = 24
	hashLen = 16

	// MinSize is the least payload of an echo in bytes.
	MinSize = offHash + hashLen
	// DefaultSize is the payload that ping sends.
	DefaultSize = 56
	// MaxSize is the largest payload for which frame and actions fit into one packet-out, whose length has 16 bits.
	MaxSize = 65000
)

// hash returns the keyed hash of a payload's header for a request from src to dst.
func (k *Key) hash(head []byte, src, dst netip.Addr, color uint16) [hashLen]byte {
	h := hmac.New(sha256.New, k[:])
	var b [34]byte
	s, d := src.As16(), dst.As16()
	copy(b[:], s[:])
	copy(b[16:], d[:])
	binary.BigEndian.PutUint16(b[32:], color)
	h.Write(b[:])
	h.Write(head[:offHash])
	var sum [sha256.Size]byte
	return [hashLen]byte(h.Sum(sum[:0]))
}

// appendPayload appends the payload of the request.
func (f *Frame) appendPayload(b []byte, key *Key) []byte {
	size := f.size()
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, magic)
	b = append(b, version, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint32(b, f.ID)
	b = binary.BigEndian.AppendUint32(b, f.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(f.Start.UnixNano()))
	sum := key.hash(b[start:], f.Src, f.Dst, f.Color)
	b = append(b, sum[:]...)
	for i := MinSize; i < size; i++ {
		b = append(b, byte(i))
	}
	return b
}

// size returns the payload's length in bytes.
func (f *Frame) size() int {
	if f.Size == 0 {
		return DefaultSize
	}
	return min(max(f.Size, MinSize), MaxSize)
}

// readPayload fills r from the payload of a reply whose other fields are filled already.
func (r *Reply) readPayload(p []byte, key *Key) Reason {
	if len(p) < MinSize || binary.BigEndian.Uint32(p) != magic {
		return NotOurs
	}
	if p[4] != version || p[5] != 0 {
		return BadVersion
	}
	size := int(binary.BigEndian.Uint16(p[6:]))
	r.ID = binary.BigEndian.Uint32(p[8:])
	r.Seq = binary.BigEndian.Uint32(p[12:])
	r.Start = time.Unix(0, int64(binary.BigEndian.Uint64(p[16:])))
	r.Size = size
	want := key.hash(p, r.Dst, r.Src, r.Color) // the request went the other way
	switch {
	case !hmac.Equal(want[:], p[offHash:MinSize]):
		return Forged
	case size != len(p):
		return Truncated
	case r.echoSeq != uint16(r.Seq):
		return Altered
	}
	for i := MinSize; i < size; i++ {
		if p[i] != byte(i) {
			return Altered
		}
	}
	return Genuine
}
