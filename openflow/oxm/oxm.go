// Package oxm is the one list of match fields (OpenFlow 1.3 section 7.2.3, ovs-fields(7)): number, size, mask,
// prerequisites, ovs-ofctl's names, and where the value stands in a packet.
//
// To add a field, add its number to field.go and its line to table.go. Everything else follows: openflow/oftext
// prints it, and openflow/oftest's switch accepts and applies it. packet_test.go then asks for a packet that has it.
package oxm

import (
	"bytes"
	"encoding/binary"
)

var be = binary.BigEndian

// HasMask is the bit of an OXM header that says that a mask follows the value.
const HasMask = 1 << 8

// ClassExperimenter is the class of fields whose value starts with an experimenter id, of which the mask has no part.
const ClassExperimenter = 0xffff

// TLV is one OXM TLV. Value and Mask alias the bytes that it was cut from.
type TLV struct {
	Field Field
	Value []byte
	Mask  []byte // nil: all bits
}

// Cut cuts the first TLV off b, which openflow.ValidateMatch accepts, and returns what follows. A field of OpenFlow 1.3
// that comes under its older number of Nicira comes out under OpenFlow's.
func Cut(b []byte) (t TLV, rest []byte, ok bool) {
	if len(b) < 4 || len(b) < 4+int(b[3]) {
		return t, nil, false
	}
	h := be.Uint32(b)
	n := int(h & 0xff)
	t = TLV{Field: FieldOf(h), Value: b[4 : 4+n]}
	if h&HasMask != 0 && h>>16 != ClassExperimenter {
		t.Value, t.Mask = t.Value[:n/2], t.Value[n/2:]
	}
	return t, b[4+n:], true
}

// Append appends the TLV in wire form.
func (t TLV) Append(b []byte) []byte {
	h := t.Field.Header() | uint32(len(t.Value)+len(t.Mask))
	if t.Mask != nil {
		h |= HasMask
	}
	b = be.AppendUint32(b, h)
	b = append(b, t.Value...)
	return append(b, t.Mask...)
}

// Canonical reports whether the TLV matches anything less than every packet, and drops a mask of all ones: so do
// switches when they dump.
func (t *TLV) Canonical() bool {
	if len(t.Mask) == 0 {
		return true
	}
	all, none := byte(0xff), byte(0)
	for _, m := range t.Mask {
		all &= m
		none |= m
	}
	if all == 0xff {
		t.Mask = nil
	}
	return none != 0
}

// Find returns the TLV of a field in a match.
func Find(match []byte, f Field) (TLV, bool) {
	for t, rest, ok := Cut(match); ok; t, rest, ok = Cut(rest) {
		if t.Field == f {
			return t, true
		}
	}
	return TLV{}, false
}

// Exact returns the value of a field of at most 8 bytes that is matched whole.
func Exact(match []byte, f Field) (uint64, bool) {
	t, ok := Find(match, f)
	if !ok || t.Mask != nil {
		return 0, false
	}
	return Number(t.Value), true
}

// Number reads up to eight bytes; of more, the last eight.
func Number(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// Matches reports whether the packet has what the TLV asks for. A packet without the field does not.
func (t TLV) Matches(p *Packet) bool {
	var buf [16]byte
	v := t.Field.Info().Read(p, buf[:0])
	switch {
	case len(v) != len(t.Value):
		return false
	case t.Mask == nil:
		return bytes.Equal(v, t.Value)
	}
	for i := range v {
		if v[i]&t.Mask[i] != t.Value[i] {
			return false
		}
	}
	return true
}
