package packet

import "net/netip"

// ICMP types of an echo.
const (
	ICMPv4EchoReply   uint8 = 0
	ICMPv4EchoRequest uint8 = 8
	ICMPv6EchoRequest uint8 = 128
	ICMPv6EchoReply   uint8 = 129
)

const icmpLen = 8

// ICMP is a view of an ICMP message of either version (RFC 792, RFC 4443).
type ICMP []byte

// ParseICMP checks that b has a whole ICMP header. b is the payload of the IP packet.
func ParseICMP(b []byte) (ICMP, bool) {
	if len(b) < icmpLen {
		return nil, false
	}
	return ICMP(b), true
}

// The fields of the header: identifier and sequence number are those of an echo.
func (p ICMP) Type() uint8 { return p[0] }
func (p ICMP) Code() uint8 { return p[1] }
func (p ICMP) ID() uint16  { return be.Uint16(p[4:]) }
func (p ICMP) Seq() uint16 { return be.Uint16(p[6:]) }

// Payload returns what follows the first 8 bytes: in an echo the data, which the reply returns.
func (p ICMP) Payload() []byte { return p[icmpLen:] }

// ChecksumValid reports whether the checksum of an ICMP message in IPv4 is right.
func (p ICMP) ChecksumValid() bool { return Checksum(p) == 0 }

// ChecksumValid6 reports whether the checksum of an ICMPv6 message between these addresses is right.
func (p ICMP) ChecksumValid6(src, dst netip.Addr) bool {
	return fold(sum(pseudo(src, dst, ProtoICMPv6, len(p)), p)) == 0
}

// Echo holds what a builder writes into an echo request or reply.
type Echo struct {
	Reply   bool
	Code    uint8
	ID      uint16
	Seq     uint16
	Payload []byte
}

// AppendEcho appends an IP packet with an ICMP or ICMPv6 echo, as the addresses say, with right checksums and without
// Ethernet header. It appends nothing when the addresses are not of one family, or the packet would be too long.
func AppendEcho(b []byte, ip IP, e Echo) []byte {
	n := icmpLen + len(e.Payload)
	if !ip.fits(n) {
		return b
	}
	proto, request, reply := ProtoICMP, ICMPv4EchoRequest, ICMPv4EchoReply
	if !ip.is4() {
		proto, request, reply = ProtoICMPv6, ICMPv6EchoRequest, ICMPv6EchoReply
	}
	typ := request
	if e.Reply {
		typ = reply
	}
	b = ip.appendHeader(b, proto, n)
	start := len(b)
	b = append(b, typ, e.Code, 0, 0)
	b = be.AppendUint16(b, e.ID)
	b = be.AppendUint16(b, e.Seq)
	b = append(b, e.Payload...)
	var acc uint64
	if !ip.is4() {
		acc = pseudo(ip.Src, ip.Dst, proto, n)
	}
	be.PutUint16(b[start+2:], fold(sum(acc, b[start:])))
	return b
}
