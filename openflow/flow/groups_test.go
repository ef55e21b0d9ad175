package flow

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// TestGroupsKeepTheLimit checks that many groups do not go out in one piece, which a connection's queue could not take,
// and that no rule overtakes them.
func TestGroupsKeepTheLimit(t *testing.T) {
	store, sim := NewStore(), newSim(t)
	const groups, limit = 200, 4 << 10
	store.Put(floods(GroupID(groups - 1)))
	for n := range uint32(groups) {
		g := Group{ID: GroupID(n)}
		for p := range openflow.PortNo(30) {
			g.Buckets = append(g.Buckets, Actions(nil).Output(p+1))
		}
		store.PutGroup(6, &g)
	}
	var xid uint32
	drain := func() {
		t.Helper()
		for store.Pending() > 0 {
			b := store.Drain(nil, limit, &xid, nil)
			if len(b) == 0 || len(b) > limit+2<<10 {
				t.Fatalf("%d bytes at once, %d pending", len(b), store.Pending())
			}
			sim.receive(b)
		}
	}
	drain()
	if n := len(sim.log); n != groups+1 || sim.log[n-1] != "add table=7" {
		t.Errorf("%d messages, the last is %q", n, sim.log[n-1])
	}
	store.Begin(6)
	store.Delete(7, 10, &floods(0).Match)
	store.EndGroups(6)
	drain()
	if n := len(sim.log); n != 2*groups+2 || sim.log[groups+1] != "delete table=7" {
		t.Errorf("%d messages in all", n)
	}
}
