package packet

import (
	"encoding/hex"
	"fmt"
)

// MAC is an Ethernet address.
type MAC [6]byte

// Broadcast is the address of all stations.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// MACFromUint64 returns the address whose 48 bits are the low bits of v, the first byte highest.
func MACFromUint64(v uint64) MAC {
	return MAC{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// ParseMAC reads six pairs of hex digits of either case with colons between them, and no other form.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	ok := len(s) == 17
	for i := 0; ok && i < len(m); i++ {
		_, err := hex.Decode(m[i:i+1], []byte(s[3*i:3*i+2]))
		ok = err == nil && (i == 5 || s[3*i+2] == ':')
	}
	if !ok {
		return MAC{}, fmt.Errorf("MAC address %q: want 01:23:45:67:89:ab", s)
	}
	return m, nil
}

// String returns lower-case hex with colons.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	var b [17]byte
	for i, v := range m {
		b[3*i] = digits[v>>4]
		b[3*i+1] = digits[v&0xf]
		if i < 5 {
			b[3*i+2] = ':'
		}
	}
	return string(b[:])
}

// Uint64 returns the 48 bits of the address, the first byte highest.
func (m MAC) Uint64() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(be.Uint32(m[2:]))
}

// IsMulticast reports whether the group bit is set; it is for the broadcast address too.
func (m MAC) IsMulticast() bool { return m[0]&1 == 1 }

// IsZero reports whether m is 00:00:00:00:00:00.
func (m MAC) IsZero() bool { return m == MAC{} }
