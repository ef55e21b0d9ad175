package config

import (
	"cmp"
	"net/netip"
	"slices"
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
func (n Networks) ByName(name string) (Network, bool) { return find(n, name) }

// ByVLAN finds a network by VLAN.
func (n Networks) ByVLAN(vlan uint16) (Network, bool) {
	return search(n, vlan, func(n Network) uint16 { return n.VLAN })
}

func (n Network) name() string { return n.Name }

// vlans returns the VLANs of some networks, ascending.
func (n Networks) vlans(some func(Network) bool) []uint16 {
	vlans := make([]uint16, 0, len(n))
	for i := range n {
		if some(n[i]) {
			vlans = append(vlans, n[i].VLAN)
		}
	}
	return vlans
}

// carried returns the VLANs of `trunk: all`: the implicit network only if it is the only one.
func (n Networks) carried() []uint16 {
	return n.vlans(func(one Network) bool { return !one.Implicit || len(n) == 1 })
}

// tunneled returns the VLANs of the networks that have a VNI.
func (n Networks) tunneled() []uint16 { return n.vlans(func(one Network) bool { return one.VNI != 0 }) }

// named is what a list can be searched for by name.
type named interface{ name() string }

// find returns the element of that name.
func find[T named](list []T, name string) (found T, ok bool) {
	i := slices.IndexFunc(list, func(e T) bool { return e.name() == name })
	if i >= 0 {
		found = list[i]
	}
	return found, i >= 0
}

// search finds an element of a list that is sorted by its key.
func search[T any, K cmp.Ordered](list []T, key K, of func(T) K) (found T, ok bool) {
	i, ok := slices.BinarySearchFunc(list, key, func(e T, k K) int { return cmp.Compare(of(e), k) })
	if ok {
		found = list[i]
	}
	return found, ok
}

// names lists the names in the order of the list.
func names[T named](list []T) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name()
	}
	return names
}
