package packet

import "net/netip"

// TCP flags.
const (
	TCPSyn uint8 = 1 << 1
	TCPAck uint8 = 1 << 4
)

const tcpLen = 20

// TCP is a view of a TCP segment (RFC 9293).
type TCP []byte

// ParseTCP checks that b, the payload of an IP packet, has a whole TCP header with its options.
func ParseTCP(b []byte) (TCP, bool) {
	if len(b) < tcpLen {
		return nil, false
	}
	if n := int(b[12]>>4) * 4; n < tcpLen || n > len(b) {
		return nil, false
	}
	return TCP(b), true
}

// The fields of the header.
func (p TCP) SrcPort() uint16 { return be.Uint16(p) }
func (p TCP) DstPort() uint16 { return be.Uint16(p[2:]) }
func (p TCP) Seq() uint32     { return be.Uint32(p[4:]) }
func (p TCP) Ack() uint32     { return be.Uint32(p[8:]) }
func (p TCP) Flags() uint8    { return p[13] }

// Payload returns what follows the header and its options.
func (p TCP) Payload() []byte { return p[int(p[12]>>4)*4:] }

// ChecksumValid reports whether the checksum between these addresses is right.
func (p TCP) ChecksumValid(src, dst netip.Addr) bool {
	return fold(sum(pseudo(src, dst, ProtoTCP, len(p)), p)) == 0
}

// Segment holds what a builder writes into a TCP header.
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	Flags            uint8
	Window           uint16
}

// AppendTCP appends an IP packet with a TCP segment without options and data, with right checksums and without Ethernet
// header. It appends nothing when the addresses are not of one family.
func AppendTCP(b []byte, ip IP, s Segment) []byte {
	if !ip.fits(tcpLen) {
		return b
	}
	b = ip.appendHeader(b, ProtoTCP, tcpLen)
	start := len(b)
	b = be.AppendUint16(b, s.SrcPort)
	b = be.AppendUint16(b, s.DstPort)
	b = be.AppendUint32(b, s.Seq)
	b = be.AppendUint32(b, s.Ack)
	b = append(b, tcpLen/4<<4, s.Flags)
	b = be.AppendUint16(b, s.Window)
	b = append(b, 0, 0, 0, 0)
	be.PutUint16(b[start+16:], fold(sum(pseudo(ip.Src, ip.Dst, ProtoTCP, tcpLen), b[start:])))
	return b
}
