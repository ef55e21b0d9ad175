package packet

import "net/netip"

// sum adds the 16-bit words of b to a running one's complement sum; an odd last byte counts as the high one (RFC 1071).
func sum(acc uint64, b []byte) uint64 {
	for len(b) >= 4 {
		acc += uint64(be.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		acc += uint64(be.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint64(b[0]) << 8
	}
	return acc
}

// fold turns a running sum into the checksum, which is 0 over data that already has a right checksum in it.
func fold(acc uint64) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return ^uint16(acc)
}

// pseudo is the sum of the pseudo header of either IP version (RFC 9293 section 3.1, RFC 8200 section 8.1).
func pseudo(src, dst netip.Addr, proto uint8, length int) uint64 {
	acc := uint64(proto) + uint64(length)
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		return sum(sum(acc, s[:]), d[:])
	}
	s, d := src.As16(), dst.As16()
	return sum(sum(acc, s[:]), d[:])
}

// Checksum returns the Internet checksum of b (RFC 1071): 0 where b has a right one in it already.
func Checksum(b []byte) uint16 { return fold(sum(0, b)) }
