package packet

import (
	"cmp"
	"net/netip"
)

// IP holds what a builder writes into an IP header of either version; the addresses say which.
type IP struct {
	Src, Dst netip.Addr
	DSCP     uint8  // 0 to 63
	TTL      uint8  // hop limit; 0 means 64
	ID       uint16 // identification, IPv4 only
}

func (ip IP) hops() uint8 { return cmp.Or(ip.TTL, 64) }

// fits reports whether the addresses are of one family, DSCP has 6 bits, and n bytes of payload can be said.
func (ip IP) fits(n int) bool {
	if ip.DSCP > 63 {
		return false
	}
	if ip.is4() {
		return ip.Dst.Is4() && ipv4Len+n <= 0xffff
	}
	return ip.Src.Is6() && ip.Dst.Is6() && n <= 0xffff
}

func (ip IP) is4() bool { return ip.Src.Is4() }

// appendHeader appends the header of the addresses' family for n bytes of payload, for fields that fit.
func (ip IP) appendHeader(b []byte, proto uint8, n int) []byte {
	if ip.is4() {
		return appendIPv4(b, ip, proto, n)
	}
	return appendIPv6(b, ip, proto, n)
}
