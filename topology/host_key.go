package topology

import "github.com/eosin-sdn/eosin/openflow/packet"

// HostKey names a host, which is a MAC address in a VLAN: the VLAN in the upper 16 bits, the address in the lower 48.
type HostKey uint64

// NewHostKey returns the key of a host.
func NewHostKey(vlan uint16, mac packet.MAC) HostKey {
	return HostKey(vlan)<<48 | HostKey(mac.Uint64())
}

// VLAN returns the host's VLAN.
func (k HostKey) VLAN() uint16 { return uint16(k >> 48) }

// MAC returns the host's address.
func (k HostKey) MAC() packet.MAC { return packet.MACFromUint64(uint64(k) & (1<<48 - 1)) }
