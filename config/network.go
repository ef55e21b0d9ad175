package config

import (
	"net/netip"
	"sort"
)

// The implicit network, and names with a meaning.
const (
	implicitName  = "default"
	implicitOther = "vlan1" // its name if the file gives "default" to another VLAN
	implicitVLAN  = 1
	maxVLAN       = 4094
	maxVNI        = 1<<24 - 1
	reservedAll   = "all"  // means every network in `trunk:`
	reservedNone  = "none" // means no network in `defaults.network`
	listSize      = 12     // how many names a message lists
)

// Network is one L2 network. Values can be compared with ==.
type Network struct {
	Name     string
	VLAN     uint16       // 1 to 4094
	VNI      uint32       // 1 to 16777215, or 0 for a network that tunnels do not carry
	Subnet   netip.Prefix // invalid when not given
	Gateway  netip.Addr   // invalid when not given, else inside Subnet
	Implicit bool         // not from the file; `trunk: all` carries it only if it is the only one
}

// Networks are sorted by VLAN; names, VLANs and VNIs are unique.
type Networks []Network

// ByName finds a network by name.
func (n Networks) ByName(name string) (Network, bool) {
	for i := range n {
		if n[i].Name == name {
			return n[i], true
		}
	}
	return Network{}, false
}

// ByVLAN finds a network by VLAN.
func (n Networks) ByVLAN(vlan uint16) (Network, bool) {
	i := sort.Search(len(n), func(i int) bool { return n[i].VLAN >= vlan })
	if i < len(n) && n[i].VLAN == vlan {
		return n[i], true
	}
	return Network{}, false
}

// carried returns the VLANs of `trunk: all`: the implicit network only if it is the only one.
func (n Networks) carried() []uint16 {
	vlans := make([]uint16, 0, len(n))
	for i := range n {
		if !n[i].Implicit || len(n) == 1 {
			vlans = append(vlans, n[i].VLAN)
		}
	}
	return vlans
}

// tunneled returns the VLANs of the networks that have a VNI.
func (n Networks) tunneled() []uint16 {
	vlans := make([]uint16, 0, len(n))
	for i := range n {
		if n[i].VNI != 0 {
			vlans = append(vlans, n[i].VLAN)
		}
	}
	return vlans
}

// names lists the names in order of VLAN.
func (n Networks) names() []string {
	names := make([]string, len(n))
	for i := range n {
		names[i] = n[i].Name
	}
	return names
}
