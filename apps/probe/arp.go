package probe

import (
	"net/netip"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// arp is an ARP request without a sender's address, so that it changes nobody's neighbor table.
var arp = Kind{
	Name: "arp", Protocol: "ARP", LinkLayer: true, etherType: packet.EtherTypeARP,
	appendRequest: appendARP,
	matchReply: func(m flow.Match, t *Trap) flow.Match {
		return m.EthDstMasked(t.EthDst, colorMask).EthType(packet.EtherTypeARP).ARPOp(packet.ARPReply).ARPSender(t.Src)
	},
	readReply: readARP,
}

// minFrame is the length to which a network card pads a frame, without its checksum.
const minFrame = 60

// appendARP appends an ARP request. It appends nothing when the destination is not IPv4.
func appendARP(b []byte, f *Frame, _ *Key) []byte {
	if !f.Dst.Is4() {
		return b
	}
	start, link := len(b), f.Link
	link.Src = ColoredMAC(f.Color, f.Seq)
	b = link.append(b, packet.EtherTypeARP)
	b = packet.AppendARPRequest(b, link.Src, netip.IPv4Unspecified(), f.Dst)
	for len(b)-start < minFrame {
		b = append(b, 0)
	}
	return b
}

func readARP(f packet.Frame, r *Reply, _ *Key) Reason {
	arp, ok := packet.ParseARP(f.Payload())
	m := f.Dst()
	switch {
	case !ok:
		return Malformed
	case arp.Op() != packet.ARPReply:
		return NotReply
	case !IsColored(m):
		return NotOurs
	case arp.TargetMAC() != m:
		return Altered
	}
	r.Color, r.Seq = uint16(m[3])<<8|uint16(m[4]), uint32(m[5])
	r.Src, r.EthSrc = arp.SenderIP(), arp.SenderMAC()
	return Genuine
}

// colorMask covers all of a colored MAC address but the sequence number.
var colorMask = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff}

// ColoredMAC returns the MAC address that a request of the link layer is sent from. It is locally administered:
// 02:e0:51, the color, and the lower 8 bits of the sequence number. No host is ever learned at one.
func ColoredMAC(color uint16, seq uint32) packet.MAC {
	m := apps.ProbeMAC
	m[3], m[4], m[5] = byte(color>>8), byte(color), byte(seq)
	return m
}

// IsColored reports whether m is such an address.
func IsColored(m packet.MAC) bool { return [3]byte(m[:3]) == [3]byte(apps.ProbeMAC[:3]) }
