package flow

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// hosted is leads, of another owner.
func hosted(table uint8, port openflow.PortNo) *Rule {
	r := leads(table, port)
	r.Cookie = Cookie(5, 1)
	return r
}

// What is deferred goes out after Resume, in its order, with what has become of it meanwhile.
func TestDefer(t *testing.T) {
	r, store, sim := rng(), NewStore(), newSim(t)
	store.Put(hosted(6, 1))
	store.Put(leads(1, 1))
	store.Put(hosted(5, 1))
	store.Put(leads(0, 1))
	store.Put(hosted(4, 1))
	if n := store.Defer(5); n != 3 || store.Pending() != 2 {
		t.Fatalf("%d deferred, %d pending", n, store.Pending())
	}
	sim.drain(r, store)
	wantLog(t, sim.log, "add table=1", "add table=0")

	sim.log = nil
	store.Put(leads(2, 1))
	store.Put(hosted(6, 1)) // as it is: nothing
	store.Delete(4, 10, &hosted(4, 1).Match)
	store.Resume()
	sim.drain(r, store)
	wantLog(t, sim.log, "add table=2", "add table=6", "add table=5", "delete table=4")
	if store.Defer(5) != 0 || store.Len() != 5 {
		t.Errorf("%d rules", store.Len())
	}
}

func TestDiscardDeferred(t *testing.T) {
	r, store, sim := rng(), NewStore(), newSim(t)
	store.Put(hosted(6, 1))
	store.Put(hosted(5, 1))
	store.Delete(5, 10, &hosted(5, 1).Match)
	if n := store.Defer(5); n != 1 || store.Pending() != 1 {
		t.Fatalf("%d deferred, %d pending: a deletion is never refused", n, store.Pending())
	}
	store.Discard()
	if store.Pending() != 0 || store.Defer(5) != 0 || store.Len() != 1 {
		t.Fatalf("%d pending, %d rules", store.Pending(), store.Len())
	}
	sim.audit(r, store, func() {})
	sim.drain(r, store)
	wantLog(t, sim.log, "add table=6")
}
