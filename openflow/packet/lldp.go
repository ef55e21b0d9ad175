package packet

// LLDP TLV types (IEEE 802.1AB-2016, 8.4).
const (
	LLDPEnd        uint8 = 0
	LLDPChassisID  uint8 = 1
	LLDPPortID     uint8 = 2
	LLDPTTL        uint8 = 3
	LLDPPortDesc   uint8 = 4
	LLDPSystemName uint8 = 5
	LLDPSystemDesc uint8 = 6
	LLDPOrg        uint8 = 127 // organisation's own
)

// lldpMax is the longest value that a TLV's 9-bit length can say.
const lldpMax = 511

// LLDPMulticast is the destination of LLDP frames that no bridge forwards.
var LLDPMulticast = MAC{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}

// LLDP is a view of the TLVs of an LLDPDU (IEEE 802.1AB), the end TLV and what follows it left out.
type LLDP []byte

// TLV is one element of an LLDPDU. Value aliases the frame.
type TLV struct {
	Type  uint8
	Value []byte
}

// ParseLLDP checks that b starts with an LLDPDU: chassis id, port id and TTL first and in this order, each once and of a
// possible length, every TLV within b, and an end TLV.
func ParseLLDP(b []byte) (LLDP, bool) {
	l := b
	for n := 0; ; n++ {
		if len(l) < 2 {
			return nil, false
		}
		t, size := l[0]>>1, int(be.Uint16(l)&lldpMax)
		if size > len(l)-2 || !lldpPlace(n, t, size) {
			return nil, false
		}
		if t == LLDPEnd {
			end := len(b) - len(l)
			return LLDP(b[:end:end]), true
		}
		l = l[2+size:]
	}
}

// lldpPlace reports whether a TLV of this type and size may be the n-th, counted from 0.
func lldpPlace(n int, t uint8, size int) bool {
	switch t {
	case LLDPChassisID, LLDPPortID: // subtype and 1 to 255 bytes of id
		return n == int(t)-1 && 2 <= size && size <= 256
	case LLDPTTL:
		return n == 2 && size >= 2
	case LLDPEnd:
		return n >= 3 && size == 0
	case LLDPOrg: // OUI and subtype
		return n >= 3 && size >= 4
	}
	return n >= 3
}

// Next returns the first TLV and the ones behind it; ok is false when there is none.
func (l LLDP) Next() (t TLV, rest LLDP, ok bool) {
	if len(l) == 0 {
		return TLV{}, nil, false
	}
	end := 2 + int(be.Uint16(l)&lldpMax)
	return TLV{Type: l[0] >> 1, Value: l[2:end:end]}, l[end:], true
}

// ChassisID returns subtype and id of the chassis. Like PortID and TTL it is for the view that ParseLLDP returned, not
// for the rest that Next returns.
func (l LLDP) ChassisID() (subtype uint8, id []byte) {
	t, _, _ := l.Next()
	return t.Value[0], t.Value[1:]
}

// PortID returns subtype and id of the port.
func (l LLDP) PortID() (subtype uint8, id []byte) {
	_, l, _ = l.Next()
	t, _, _ := l.Next()
	return t.Value[0], t.Value[1:]
}

// TTL returns the seconds for which the information holds.
func (l LLDP) TTL() uint16 {
	_, l, _ = l.Next()
	_, l, _ = l.Next()
	t, _, _ := l.Next()
	return be.Uint16(t.Value)
}

// Org returns the parts of an organisation's own TLV; ok is false for every other type.
func (t TLV) Org() (oui [3]byte, subtype uint8, info []byte, ok bool) {
	if t.Type != LLDPOrg || len(t.Value) < 4 {
		return oui, 0, nil, false
	}
	return [3]byte(t.Value), t.Value[3], t.Value[4:], true
}

// AppendTLV appends one LLDP TLV. It appends nothing when value has more than 511 bytes or the type more than 7 bits. An
// LLDPDU ends with AppendTLV(b, LLDPEnd, nil).
func AppendTLV(b []byte, t uint8, value []byte) []byte {
	if len(value) > lldpMax || t > 127 {
		return b
	}
	b = append(b, t<<1|byte(len(value)>>8), byte(len(value)))
	return append(b, value...)
}

// AppendTLVSubtype appends a chassis or port id TLV.
func AppendTLVSubtype(b []byte, t, subtype uint8, id []byte) []byte {
	if len(id) < 1 || len(id) > 255 || t > 127 {
		return b
	}
	n := 1 + len(id)
	b = append(b, t<<1|byte(n>>8), byte(n), subtype)
	return append(b, id...)
}

// AppendTLVTTL appends the TTL TLV, in seconds.
func AppendTLVTTL(b []byte, seconds uint16) []byte {
	return append(b, LLDPTTL<<1, 2, byte(seconds>>8), byte(seconds))
}

// AppendTLVOrg appends an organisation's own TLV. It appends nothing when info has more than 507 bytes.
func AppendTLVOrg(b []byte, oui [3]byte, subtype uint8, info []byte) []byte {
	n := 4 + len(info)
	if n > lldpMax {
		return b
	}
	b = append(b, LLDPOrg<<1|byte(n>>8), byte(n), oui[0], oui[1], oui[2], subtype)
	return append(b, info...)
}
