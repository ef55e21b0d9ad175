package probe

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

// FallbackDSCP marks requests where the switch has no connection tracker. It is of the pool that RFC 2474 section 6
// leaves to experiments and local use (xxxx11), so that hardly any guest sets it.
const FallbackDSCP = 0b101011

// Link is how the source puts frames on its port.
type Link struct {
	Src, Dst packet.MAC // Src is not used by types of the link layer
	Tagged   bool       // the port is a trunk and VLAN is not its native one
	VLAN     uint16
}

func (l *Link) append(b []byte, etherType uint16) []byte {
	if l.Tagged {
		return packet.AppendEthernetVLAN(b, l.Dst, l.Src, l.VLAN, etherType)
	}
	return packet.AppendEthernet(b, l.Dst, l.Src, etherType)
}

// Frame is one request as the source would send it.
type Frame struct {
	Type Type
	Link
	Src, Dst netip.Addr // Src is not used by types of the link layer
	Color    uint16
	ID       uint32 // names the probe, so that its replies find it
	Seq      uint32
	Start    time.Time
	Size     int   // payload in bytes; 0 is DefaultSize, less than MinSize is MinSize
	DSCP     uint8 // set by the app
}

// Append appends the frame. It appends nothing when the addresses do not fit the type.
func (f *Frame) Append(b []byte, key *Key) []byte { return f.Type.appendRequest(b, f, key) }

// LinkLocal returns the IPv6 link-local address that a host with this MAC address gives itself unless told otherwise
// (RFC 4291 appendix A).
func LinkLocal(m packet.MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}
