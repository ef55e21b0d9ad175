package location

import (
	"net/netip"
	"slices"

	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// addressBook knows which hosts use an IP address: the API and the probes name hosts by it.
type addressBook struct {
	mu    lockorder.Mutex[lockorder.Leaf]
	hosts map[netip.Addr][]hostRef
}

// hostRef names a host in the whole network: the same address may be used in many.
type hostRef struct {
	sw  openflow.DatapathID
	key topology.HostKey
}

const (
	maxUsers     = 64      // of one address
	maxAddresses = 1 << 17 // that are remembered
	sweepAtOnce  = 1 << 14 // addresses that one sweep looks at
)

func newAddressBook() *addressBook { return &addressBook{hosts: map[netip.Addr][]hostRef{}} }

// add notes that a host uses an address.
func (b *addressBook) add(a netip.Addr, r hostRef) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.hosts[a]
	if slices.Contains(l, r) {
		return
	}
	if l == nil && len(b.hosts) >= maxAddresses {
		for other := range b.hosts { // any one: a host may claim addresses without end
			delete(b.hosts, other)
			break
		}
	}
	if len(l) >= maxUsers {
		l = slices.Delete(l, 0, 1)
	}
	b.hosts[a] = append(l, r)
}

// users returns the hosts that were seen to use an address. They may be gone: the caller looks them up.
func (b *addressBook) users(a netip.Addr) []hostRef {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.hosts[a])
}

// drop removes a user of an address.
func (b *addressBook) drop(a netip.Addr, r hostRef) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := slices.DeleteFunc(b.hosts[a], func(o hostRef) bool { return o == r })
	if len(l) == 0 {
		delete(b.hosts, a)
		return
	}
	b.hosts[a] = l
}

// sweep drops what is true no more of some addresses, which are left to chance: nobody may ever look them up.
func (b *addressBook) sweep(hasAddress func(hostRef, netip.Addr) bool) {
	type entry struct {
		addr netip.Addr
		ref  hostRef
	}
	var some []entry
	b.mu.Lock()
	n := 0
	for a, l := range b.hosts {
		for _, r := range l {
			some = append(some, entry{a, r})
		}
		if n++; n == sweepAtOnce {
			break
		}
	}
	b.mu.Unlock()
	for _, e := range some {
		if !hasAddress(e.ref, e.addr) {
			b.dropUnless(e.addr, e.ref, hasAddress)
		}
	}
}

// dropUnless drops a user that no longer has an address, and reports whether it has got it back at this moment, which
// is reported once only.
func (b *addressBook) dropUnless(a netip.Addr, r hostRef, hasAddress func(hostRef, netip.Addr) bool) bool {
	b.drop(a, r)
	if !hasAddress(r, a) {
		return false
	}
	b.add(a, r)
	return true
}
