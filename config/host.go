package config

import (
	"net/netip"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Host is a name for an address: a MAC, IPs, or both. What is absent is learned.
type Host struct {
	Name    string
	MAC     packet.MAC   // zero when not given
	IPs     []netip.Addr // v4 or v6, in the order of the file
	Network string       // as written, or the only one whose subnet holds the IPs; else empty and learned
}

// Hosts are sorted by name.
type Hosts []Host

// ByName finds a host by name.
func (h Hosts) ByName(name string) (Host, bool) { return search(h, name, Host.name) }

func (h Host) name() string { return h.Name }
