package packet

import "net/netip"

// ARP operations.
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

const arpLen = 28

// arpFixed is the part that every ARP for IPv4 over Ethernet starts with: hardware and protocol type, and their
// lengths.
var arpFixed = [6]byte{0, 1, 8, 0, 6, 4}

// ARP is a view of an ARP packet for IPv4 over Ethernet (RFC 826).
type ARP []byte

// ParseARP checks that b starts with an ARP packet for IPv4 over Ethernet. What follows it (padding) is not part of the
// view. Any operation passes.
func ParseARP(b []byte) (ARP, bool) {
	if len(b) < arpLen || [6]byte(b) != arpFixed {
		return nil, false
	}
	return ARP(b[:arpLen:arpLen]), true
}

// The fields of the packet. Requests usually have zeros in TargetMAC.
func (a ARP) Op() uint16           { return be.Uint16(a[6:]) }
func (a ARP) SenderMAC() MAC       { return MAC(a[8:14]) }
func (a ARP) SenderIP() netip.Addr { return netip.AddrFrom4([4]byte(a[14:18])) }
func (a ARP) TargetMAC() MAC       { return MAC(a[18:24]) }
func (a ARP) TargetIP() netip.Addr { return netip.AddrFrom4([4]byte(a[24:28])) }

// appendARP appends an ARP packet, without Ethernet header. It appends nothing when an address is not IPv4.
func appendARP(b []byte, op uint16, senderMAC MAC, sender netip.Addr, targetMAC MAC, target netip.Addr) []byte {
	if !sender.Is4() || !target.Is4() {
		return b
	}
	s, t := sender.As4(), target.As4()
	b = append(b, arpFixed[:]...)
	b = be.AppendUint16(b, op)
	b = append(b, senderMAC[:]...)
	b = append(b, s[:]...)
	b = append(b, targetMAC[:]...)
	return append(b, t[:]...)
}

// AppendARPRequest appends the request "who has target" of sender, without Ethernet header. The sender 0.0.0.0 makes it
// a probe that changes nobody's neighbor table (RFC 5227).
func AppendARPRequest(b []byte, senderMAC MAC, sender, target netip.Addr) []byte {
	return appendARP(b, ARPRequest, senderMAC, sender, MAC{}, target)
}

// AppendARPReply appends the reply of sender to target, without Ethernet header.
func AppendARPReply(b []byte, senderMAC MAC, sender netip.Addr, targetMAC MAC, target netip.Addr) []byte {
	return appendARP(b, ARPReply, senderMAC, sender, targetMAC, target)
}
