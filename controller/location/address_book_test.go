package location

import (
	"net/netip"
	"testing"

	"github.com/eosin-sdn/eosin/topology"
)

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// A sweep drops what is true no more and keeps the rest, also what becomes true again while it is looked at.
func TestSweepAddresses(t *testing.T) {
	b := newAddressBook()
	const n = 3 * sweepAtOnce
	for i := range n {
		b.add(addr(i), hostRef{1, topology.HostKey(i)})
	}
	shared := addr(1)
	b.add(shared, hostRef{2, 1})
	asked := map[hostRef]int{}
	hasAddress := func(r hostRef, _ netip.Addr) bool {
		asked[r]++
		return r.sw == 2 || r.key%2 == 0 || r.key == 3 && asked[r]%2 == 0
	}
	b.sweep(hasAddress)
	if len(asked) > sweepAtOnce+1 {
		t.Errorf("one sweep looked at %d", len(asked))
	}
	for i := 0; i < 200 && len(b.hosts) > n/2+2; i++ { // chance looks at all of them
		b.sweep(hasAddress)
	}
	for i := range n {
		want := i%2 == 0 || i == 3
		got := len(b.users(addr(i)))
		if addr(i) == shared {
			if got != 1 || b.users(shared)[0].sw != 2 {
				t.Errorf("the shared address is used by %v", b.users(shared))
			}
		} else if (got == 1) != want {
			t.Fatalf("address %d has %d users, want one: %v", i, got, want)
		}
	}
}

// What hosts can make up is bounded: addresses, and users of one.
func TestBounds(t *testing.T) {
	b := newAddressBook()
	for i := range uint32(maxAddresses + 1000) {
		b.add(addr(int(i)), hostRef{1, topology.HostKey(i)})
	}
	if len(b.hosts) > maxAddresses {
		t.Errorf("%d addresses", len(b.hosts))
	}
	for i := range uint64(2 * maxUsers) {
		b.add(addr(7), hostRef{1, topology.HostKey(i)})
	}
	if n := len(b.users(addr(7))); n != maxUsers {
		t.Errorf("%d users of one address", n)
	}
}
