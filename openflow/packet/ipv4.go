package packet

import "net/netip"

// IP protocol numbers.
const (
	ProtoICMP   uint8 = 1
	ProtoTCP    uint8 = 6
	ProtoUDP    uint8 = 17
	ProtoICMPv6 uint8 = 58
)

const ipv4Len = 20

// IPv4 is a view of an IPv4 packet (RFC 791), without what follows its total length.
type IPv4 []byte

// ParseIPv4 checks version, header length and total length; options are allowed. It does not check the checksum.
func ParseIPv4(b []byte) (IPv4, bool) {
	if len(b) < ipv4Len || b[0]>>4 != 4 {
		return nil, false
	}
	header, total := int(b[0]&0xf)*4, int(be.Uint16(b[2:]))
	if header < ipv4Len || total < header || total > len(b) {
		return nil, false
	}
	return IPv4(b[:total:total]), true
}

// HeaderLen returns the length of the header with options, in bytes.
func (p IPv4) HeaderLen() int { return int(p[0]&0xf) * 4 }

// The other fields of the header.
func (p IPv4) DSCP() uint8     { return p[1] >> 2 }
func (p IPv4) ID() uint16      { return be.Uint16(p[4:]) }
func (p IPv4) TTL() uint8      { return p[8] }
func (p IPv4) Proto() uint8    { return p[9] }
func (p IPv4) Src() netip.Addr { return netip.AddrFrom4([4]byte(p[12:16])) }
func (p IPv4) Dst() netip.Addr { return netip.AddrFrom4([4]byte(p[16:20])) }

// FragmentOffset returns the offset of the payload in the whole packet, in bytes. Only at 0 does Payload start with a
// header of the protocol.
func (p IPv4) FragmentOffset() int { return int(be.Uint16(p[6:])&0x1fff) * 8 }

// MoreFragments reports whether another fragment follows.
func (p IPv4) MoreFragments() bool { return p[6]&0x20 != 0 }

// ChecksumValid reports whether the header's checksum is right.
func (p IPv4) ChecksumValid() bool { return Checksum(p[:p.HeaderLen()]) == 0 }

// Payload returns what follows the header.
func (p IPv4) Payload() []byte { return p[p.HeaderLen():] }

// appendIPv4 appends a header without options for n bytes of payload, with the don't-fragment bit and a right checksum.
// The caller has checked addresses and length.
func appendIPv4(b []byte, ip IP, proto uint8, n int) []byte {
	start := len(b)
	src, dst := ip.Src.As4(), ip.Dst.As4()
	b = append(b, 0x45, ip.DSCP<<2)
	b = be.AppendUint16(b, uint16(ipv4Len+n))
	b = be.AppendUint16(b, ip.ID)
	b = append(b, 0x40, 0, ip.hops(), proto, 0, 0)
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	be.PutUint16(b[start+10:], Checksum(b[start:]))
	return b
}
