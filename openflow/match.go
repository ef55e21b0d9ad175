package openflow

// matchTypeOXM is the only match type of OpenFlow 1.3 (spec 7.2.2.1).
const matchTypeOXM = 1

// pad8 rounds n up to a multiple of 8.
func pad8(n int) int { return (n + 7) &^ 7 }

// cutMatch splits b, which starts with an ofp_match, into its OXM TLVs and what follows the match and its padding. It
// checks the frame of the match only; walkOXM checks the TLVs. Offsets in errors count from the start of b.
func cutMatch(b []byte) (oxm, rest []byte, e *DecodeError) {
	if len(b) < 8 {
		return nil, nil, &DecodeError{Part: "match", Offset: len(b), Err: ErrShort}
	}
	if be.Uint16(b) != matchTypeOXM {
		return nil, nil, &DecodeError{Part: "match", Err: ErrType}
	}
	n := int(be.Uint16(b[2:]))
	if n < 4 {
		return nil, nil, &DecodeError{Part: "match", Offset: 2, Err: ErrLength}
	}
	end := pad8(n)
	if end > len(b) {
		return nil, nil, &DecodeError{Part: "match", Offset: 2, Err: ErrShort}
	}
	return b[4:n:n], b[end:], nil
}

// decodeMatch is cutMatch followed by validateOXM.
func decodeMatch(b []byte) (oxm, rest []byte, e *DecodeError) {
	if oxm, rest, e = cutMatch(b); e != nil {
		return nil, nil, e
	}
	if e = validateOXM(oxm); e != nil {
		return nil, nil, e.under("match", 4)
	}
	return oxm, rest, nil
}

// oxmClassExperimenter marks TLVs whose value starts with a 4-byte experimenter id.
const oxmClassExperimenter = 0xffff

// ValidateMatch checks that the OXM TLVs fill b exactly (spec 7.2.2.2). b is without ofp_match header and padding.
func ValidateMatch(b []byte) error {
	if e := validateOXM(b); e != nil {
		return e.in("match", 0)
	}
	return nil
}

func validateOXM(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		if len(b)-i < 4 {
			return &DecodeError{Part: "field", Index: n, Offset: i, Err: ErrShort}
		}
		size := int(b[i+3])
		if len(b)-i-4 < size {
			return &DecodeError{Part: "field", Index: n, Offset: i, Err: ErrShort}
		}
		if !oxmSizeOK(be.Uint32(b[i:])) {
			return &DecodeError{Part: "field", Index: n, Offset: i + 3, Err: ErrLength}
		}
		i += 4 + size
	}
	return nil
}

// oxmSizeOK checks the length in an OXM header: a mask is as long as its value, and an experimenter TLV has its id.
func oxmSizeOK(header uint32) bool {
	size := header & 0xff
	if header>>16 == oxmClassExperimenter && size < 4 {
		return false
	}
	masked := header&0x100 != 0
	return !masked || size&1 == 0
}

// matchLen is the length on the wire of an ofp_match with these TLVs, padding included.
func matchLen(oxm []byte) int { return pad8(4 + len(oxm)) }

// appendMatch appends an ofp_match with its header and padding.
func appendMatch(b, oxm []byte) []byte {
	n := 4 + len(oxm)
	b = append(b, 0, matchTypeOXM, byte(n>>8), byte(n))
	b = append(b, oxm...)
	return appendZeros(b, pad8(n)-n)
}

// appendZeros appends n zero bytes, n at most 8.
func appendZeros(b []byte, n int) []byte {
	var zeros [8]byte
	return append(b, zeros[:n]...)
}
