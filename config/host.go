package config

import (
	"fmt"
	"net/netip"
	"sort"
)

// MAC is a hardware address; the zero value means none was given.
type MAC [6]byte

// String prints the address as OVS does, in lower case with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// IsZero reports that no address was given.
func (m MAC) IsZero() bool { return m == MAC{} }

// Host is a name for an address. What is absent here is learned.
type Host struct {
	Name string
	// MAC is zero when not given.
	MAC MAC
	// IPs are v4 or v6, in the order of the file, possibly none. A host has a MAC or an IP.
	IPs []netip.Addr
	// Network is the name of the host's network: as written, or the only one whose subnet holds its IPs; else empty,
	// and then it is learned.
	Network string
}

// Hosts are sorted by name.
type Hosts []Host

// ByName finds a host by name.
func (h Hosts) ByName(name string) (Host, bool) {
	i := sort.Search(len(h), func(i int) bool { return h[i].Name >= name })
	if i < len(h) && h[i].Name == name {
		return h[i], true
	}
	return Host{}, false
}

// names lists the names in order.
func (h Hosts) names() []string {
	names := make([]string, len(h))
	for i := range h {
		names[i] = h[i].Name
	}
	return names
}
