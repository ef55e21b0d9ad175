package packet

import "net/netip"

const ipv6Len = 40

// IPv6 is a view of an IPv6 packet (RFC 8200), without what follows its payload length. Extension headers are not
// walked.
type IPv6 []byte

// ParseIPv6 checks version and payload length. A jumbogram (payload length 0 with an option) shows an empty payload.
func ParseIPv6(b []byte) (IPv6, bool) {
	if len(b) < ipv6Len || b[0]>>4 != 6 {
		return nil, false
	}
	total := ipv6Len + int(be.Uint16(b[4:]))
	if total > len(b) {
		return nil, false
	}
	return IPv6(b[:total:total]), true
}

// The fields of the header: NextHeader is the protocol of the payload, or the number of an extension header.
func (p IPv6) DSCP() uint8       { return uint8(be.Uint16(p)>>6) & 0x3f }
func (p IPv6) NextHeader() uint8 { return p[6] }
func (p IPv6) Src() netip.Addr   { return netip.AddrFrom16([16]byte(p[8:24])) }
func (p IPv6) Dst() netip.Addr   { return netip.AddrFrom16([16]byte(p[24:40])) }

// Payload returns what follows the fixed header.
func (p IPv6) Payload() []byte { return p[ipv6Len:] }

// appendIPv6 appends a header for n bytes of payload. The caller has checked addresses and length.
func appendIPv6(b []byte, ip IP, proto uint8, n int) []byte {
	src, dst := ip.Src.As16(), ip.Dst.As16()
	b = append(b, 0x60|ip.DSCP>>2&0xf, ip.DSCP<<6, 0, 0)
	b = be.AppendUint16(b, uint16(n))
	b = append(b, proto, ip.hops())
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}
