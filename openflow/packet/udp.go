package packet

import "net/netip"

const udpLen = 8

// UDP is a view of a UDP datagram (RFC 768), without what follows its length.
type UDP []byte

// ParseUDP checks that b, the payload of an IP packet, has a whole datagram.
func ParseUDP(b []byte) (UDP, bool) {
	if len(b) < udpLen {
		return nil, false
	}
	n := int(be.Uint16(b[4:]))
	if n < udpLen || n > len(b) {
		return nil, false
	}
	return UDP(b[:n:n]), true
}

// The ports and the data.
func (p UDP) SrcPort() uint16 { return be.Uint16(p) }
func (p UDP) DstPort() uint16 { return be.Uint16(p[2:]) }
func (p UDP) Payload() []byte { return p[udpLen:] }

// ChecksumValid reports whether the checksum between these addresses is right. In IPv4 a checksum of zero says that
// there is none, which is right; in IPv6 there must be one.
func (p UDP) ChecksumValid(src, dst netip.Addr) bool {
	if be.Uint16(p[6:]) == 0 {
		return src.Is4()
	}
	return fold(sum(pseudo(src, dst, ProtoUDP, len(p)), p)) == 0
}

// AppendUDP appends an IP packet with a UDP datagram, with right checksums and without Ethernet header. It appends
// nothing when the addresses are not of one family, or the packet would be too long.
func AppendUDP(b []byte, ip IP, srcPort, dstPort uint16, payload []byte) []byte {
	n := udpLen + len(payload)
	if !ip.fits(n) {
		return b
	}
	b = ip.appendHeader(b, ProtoUDP, n)
	start := len(b)
	b = be.AppendUint16(b, srcPort)
	b = be.AppendUint16(b, dstPort)
	b = be.AppendUint16(b, uint16(n))
	b = append(b, 0, 0)
	b = append(b, payload...)
	c := fold(sum(pseudo(ip.Src, ip.Dst, ProtoUDP, n), b[start:]))
	if c == 0 { // zero would say that there is no checksum
		c = 0xffff
	}
	be.PutUint16(b[start+6:], c)
	return b
}
