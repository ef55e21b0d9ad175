package probe

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// FallbackDSCP marks echoes where the switch has no connection tracker. It is of the pool that RFC 2474 section 6 leaves to
// experiments and local use (xxxx11), so that hardly any guest sets it.
const FallbackDSCP = 0b101011

// Link is how the source puts frames on its port.
type Link struct {
	Src, Dst packet.MAC
	Tagged   bool // the port is a trunk and VLAN is not its native one
	VLAN     uint16
}

func (l *Link) append(b []byte, etherType uint16) []byte {
	if l.Tagged {
		return packet.AppendEthernetVLAN(b, l.Dst, l.Src, l.VLAN, etherType)
	}
	return packet.AppendEthernet(b, l.Dst, l.Src, etherType)
}

// Echo is one echo request of a probe, of ICMP or ICMPv6 as its addresses are.
type Echo struct {
	Link
	Src, Dst netip.Addr
	Color    uint16 // the Identifier
	ID       uint32 // names the probe, so that its replies find it
	Seq      uint32
	Start    time.Time
	Size     int   // payload in bytes; 0 is DefaultSize, less than MinSize is MinSize
	DSCP     uint8 // see App.DSCP
}

// Append appends the frame as the source itself would send it. It appends nothing when the addresses are not of one family.
func (e *Echo) Append(b []byte, key *Key) []byte {
	start := len(b)
	payload := e.appendPayload(make([]byte, 0, e.size()), key)
	etherType := packet.EtherTypeIPv4
	if e.Src.Is6() {
		etherType = packet.EtherTypeIPv6
	}
	b = e.append(b, etherType)
	head := len(b)
	b = packet.AppendEcho(b, packet.IP{Src: e.Src, Dst: e.Dst, DSCP: e.DSCP, TTL: 64, ID: uint16(e.Seq)}, packet.Echo{
		ID: e.Color, Seq: uint16(e.Seq), Payload: payload,
	})
	if len(b) == head {
		return b[:start]
	}
	return b
}

// ARPRequest is one ARP request of a probe. It carries no sender address, so that it changes nobody's neighbour table; a reply
// comes back to the colored MAC.
type ARPRequest struct {
	Link   // Src is ignored
	Target netip.Addr
	Color  uint16
	Seq    uint32
}

// minFrame is the length to which a network card pads a frame, without its checksum.
const minFrame = 60

// Append appends the frame. It appends nothing when the target is not IPv4.
func (r *ARPRequest) Append(b []byte) []byte {
	if !r.Target.Is4() {
		return b
	}
	start := len(b)
	r.Src = ColoredMAC(r.Color, r.Seq)
	b = r.append(b, packet.EtherTypeARP)
	b = packet.AppendARPRequest(b, r.Src, netip.IPv4Unspecified(), r.Target)
	for len(b)-start < minFrame {
		b = append(b, 0)
	}
	return b
}

// The MAC addresses that ARP probes send from are locally administered: 02:e0:51, the color, and the lower 8 bits of the
// sequence number. No host is ever learned at one.
var (
	colorMask = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff}
)

// ColoredMAC returns the MAC address that an ARP probe sends from.
func ColoredMAC(color uint16, seq uint32) packet.MAC {
	m := apps.ProbeMAC
	m[3], m[4], m[5] = byte(color>>8), byte(color), byte(seq)
	return m
}

// IsColored reports whether m is the MAC address of an ARP probe.
func IsColored(m packet.MAC) bool { return [3]byte(m[:3]) == [3]byte(apps.ProbeMAC[:3]) }

// LinkLocal returns the IPv6 link-local address that a host with this MAC address gives itself unless told otherwise (RFC
// 4291 appendix A).
func LinkLocal(m packet.MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}
