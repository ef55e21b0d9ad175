package flow

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

func rng() *rand.Rand { return rand.New(rand.NewPCG(5, 6)) }

// leads returns a rule of a table that goes on in the next.
func leads(table uint8, port openflow.PortNo) *Rule {
	return &Rule{
		Table: table, Priority: 10, Cookie: Cookie(1, 0), Match: Match{}.InPort(port),
		Instructions: Instructions(nil).Goto(table + 1),
	}
}

// floods returns a rule of table 7 that uses a group.
func floods(id uint32) *Rule {
	return &Rule{
		Table: 7, Priority: 10, Cookie: Cookie(6, 0), Match: Match{}.VLAN(10),
		Instructions: Instructions(nil).Apply(Actions(nil).Group(id)),
	}
}

func wantLog(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("sent %s\nwant %s", strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

// TestAuditOrder checks in which order the difference goes out: groups before flows, flows from the last table to the
// first, deletions from the first table to the last, and groups that are no longer used at the end.
func TestAuditOrder(t *testing.T) {
	r, store, sim := rng(), NewStore(), newSim(t)
	old, next := Group{ID: GroupID(1)}, Group{ID: GroupID(2)}
	store.PutGroup(6, &old)
	store.Put(floods(old.ID))
	for table := range uint8(3) {
		store.Put(leads(table, 1)) // the first table first, so that sorting shows
	}
	sim.audit(r, store, func() {})
	sim.drain(r, store)
	wantLog(t, sim.log, "put group", "add table=7", "add table=2", "add table=1", "add table=0")

	sim.log = nil
	store.Begin(6)
	store.PutGroup(6, &next)
	for _, table := range []uint8{2, 0, 1} {
		store.Delete(table, 10, &leads(table, 1).Match)
		store.Put(leads(table, 2))
	}
	store.Delete(7, 10, &floods(0).Match)
	store.EndGroups(6)
	sim.audit(r, store, func() {})
	xid := uint32(100)
	for store.Pending() > 0 { // one message at a time: a deletion of a group must not overtake flows
		sim.receive(store.Drain(nil, 1, &xid, nil))
	}
	wantLog(t, sim.log, "put group", "add table=2", "add table=1", "add table=0",
		"delete table=0", "delete table=1", "delete table=2", "delete table=7", "delete group")
}

// TestGroupsAroundFlows checks the same of changes that go out without an audit.
func TestGroupsAroundFlows(t *testing.T) {
	store, sim := NewStore(), newSim(t)
	a, b := Group{ID: GroupID(1)}, Group{ID: GroupID(2), Buckets: []Actions{Actions(nil).Output(1)}}
	store.Put(floods(a.ID)) // stated before its group
	store.PutGroup(6, &a)
	sim.drain(rng(), store)
	store.Begin(6)
	store.PutGroup(6, &b)
	store.EndGroups(6)
	store.Put(floods(b.ID))
	xid := uint32(100)
	for store.Pending() > 0 {
		sim.receive(store.Drain(nil, 1, &xid, nil))
	}
	wantLog(t, sim.log, "put group", "add table=7", "put group", "add table=7", "delete group")
}

// TestNotJudged checks that what is stated while a dump is under way is no drift, whether the dump shows it or not.
func TestNotJudged(t *testing.T) {
	store, sim := NewStore(), newSim(t)
	group := Group{ID: GroupID(1)}
	store.PutGroup(6, &group)
	for p := range openflow.PortNo(4) {
		store.Put(leads(1, p))
	}
	sim.drain(rng(), store)
	first := true
	d := sim.audit(rng(), store, func() {
		if !first {
			return
		}
		first = false
		changed := leads(1, 0)
		changed.Instructions = nil
		store.Put(changed)
		store.Delete(1, 10, &leads(1, 1).Match)
		store.Put(leads(1, 9))
		group.Buckets = []Actions{Actions(nil).Output(1)}
		store.PutGroup(6, &group)
		store.PutGroup(6, &Group{ID: GroupID(2)})
	})
	if d.Any() || d.First != "" {
		t.Errorf("drift %+v", d)
	}
	sim.drain(rng(), store)
	if d := sim.audit(rng(), store, func() {}); d.Any() {
		t.Errorf("drift %+v after all was sent", d)
	}
}

// TestDrift checks what an audit says of each kind of difference.
func TestDrift(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*sim)
		want   Drift
	}{
		{"nothing", func(*sim) {}, Drift{}},
		{
			"missing", func(s *sim) { delete(s.flows, leads(1, 2).identity()) },
			Drift{Missing: 1, First: "missing flow table=1 priority=10 in_port=2"},
		},
		{"altered", func(s *sim) {
			f := s.flows[leads(1, 2).identity()]
			f.IdleTimeout = 1
			s.flows[leads(1, 2).identity()] = f
		}, Drift{Altered: 1, First: "altered flow table=1 priority=10 in_port=2"}},
		{"stray", func(s *sim) {
			r := Rule{Table: 2, Priority: 3, Cookie: Cookie(2, 0), Match: Match{}.VLAN(10).EthDst(mac2)}
			s.flows[r.identity()] = stats(&r)
		}, Drift{Stray: 1, First: "stray flow table=2 priority=3 dl_vlan=10 dl_dst=52:54:00:00:00:02"}},
		{"missing group", func(s *sim) { delete(s.groups, GroupID(1)) }, Drift{Groups: 1, First: "missing group"}},
		{"altered group", func(s *sim) {
			s.groups[GroupID(1)] = openflow.GroupDesc{ID: GroupID(1), Type: openflow.GroupTypeSelect}
		}, Drift{Groups: 1, First: "altered group"}},
		{
			"stray group", func(s *sim) { s.groups[GroupID(9)] = openflow.GroupDesc{ID: GroupID(9)} },
			Drift{Groups: 1, First: "stray group"},
		},
		{"foreign group", func(s *sim) { s.groups[9] = openflow.GroupDesc{ID: 9} }, Drift{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, sim := NewStore(), newSim(t)
			store.PutGroup(6, &Group{ID: GroupID(1)})
			for p := range openflow.PortNo(4) {
				store.Put(leads(1, p))
			}
			sim.drain(rng(), store)
			c.change(sim)
			got := sim.audit(rng(), store, func() {})
			if got != c.want || got.Any() != (c.want != Drift{}) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			sim.drain(rng(), store)
			if d := sim.audit(rng(), store, func() {}); d.Any() || len(sim.flows) != 4 {
				t.Errorf("%+v and %d flows after the repair", d, len(sim.flows))
			}
			got.Reset()
			if got.Any() {
				t.Error("Reset leaves something")
			}
		})
	}
}

// TestForeignDump checks that a flow with a cookie of ours whose match is longer than any of ours is left alone, and is
// not reported at each audit as if it had been repaired.
func TestForeignDump(t *testing.T) {
	store := NewStore()
	var d Drift
	store.BeginAudit()
	store.Dumped(&openflow.FlowStats{Cookie: Cookie(1, 0), Match: make([]byte, maxMatch+4)}, &d)
	store.EndAudit(&d)
	if d.Any() || store.Pending() != 0 {
		t.Errorf("%+v, %d pending", d, store.Pending())
	}
}

// TestForgetQueued has the switch remove a rule while a newer version of it is on its way: that one must not stay.
func TestForgetQueued(t *testing.T) {
	store, sim := NewStore(), newSim(t)
	r := leads(1, 1)
	store.Put(r)
	sim.drain(rng(), store)
	r.IdleTimeout = 300
	store.Put(r)
	if !store.Forget(1, 10, &r.Match) || store.Has(1, 10, &r.Match) || store.Forget(1, 10, &r.Match) {
		t.Error("Forget does not say what was")
	}
	sim.drain(rng(), store)
	wantLog(t, sim.log, "add table=1", "delete table=1")
}

// TestForgetSendsNothing has the switch remove a rule by itself.
func TestForgetSendsNothing(t *testing.T) {
	store, sim := NewStore(), newSim(t)
	r := leads(1, 1)
	store.Put(r)
	sim.drain(rng(), store)
	if !store.Forget(1, 10, &r.Match) || store.Pending() != 0 || store.Len() != 0 {
		t.Errorf("%d pending, %d rules", store.Pending(), store.Len())
	}
	if !store.Put(r) {
		t.Error("the rule cannot come back")
	}
}

// TestEndIsTheOwners checks that a restatement touches neither other owners nor other tables.
func TestEndIsTheOwners(t *testing.T) {
	store := NewStore()
	keep := []*Rule{leads(1, 1), leads(2, 2)}
	keep[0].Cookie = Cookie(2, 0) // another owner in the table
	gone := leads(1, 3)
	for _, r := range append(slices.Clone(keep), gone) {
		store.Put(r)
	}
	store.Begin(1)
	store.End(1, 1)
	if store.Has(1, 10, &gone.Match) || !store.Has(1, 10, &keep[0].Match) || !store.Has(2, 10, &keep[1].Match) {
		t.Error("End deleted too much or too little")
	}
}

// TestTooLong checks that a group whose message would be too long is not sent, and that nothing panics.
func TestTooLong(t *testing.T) {
	store := NewStore()
	g := Group{ID: GroupID(1)}
	for p := range openflow.PortNo(3000) {
		g.Buckets = append(g.Buckets, Actions(nil).Output(p+1))
	}
	store.PutGroup(6, &g)
	var xid uint32
	if b := store.Drain(nil, 1<<20, &xid, nil); len(b) != 0 || store.Pending() != 0 {
		t.Errorf("%d bytes, %d pending", len(b), store.Pending())
	}
}

// TestDrainInBundles checks that what is wrapped is what would be sent bare.
func TestDrainInBundles(t *testing.T) {
	bare, wrapped := NewStore(), NewStore()
	for _, s := range []*Store{bare, wrapped} {
		s.PutGroup(6, &Group{ID: GroupID(1)})
		s.Put(floods(GroupID(1)))
		s.Put(leads(0, 1))
	}
	var xid, count uint32
	want := bare.Drain(nil, 1<<20, &xid, nil)
	xid = 0
	got := wrapped.Drain(nil, 1<<20, &xid, func(b, msg []byte) []byte {
		count++
		return append(b, msg...)
	})
	if string(got) != string(want) || count != 3 || xid != 3 {
		t.Errorf("%x\n%x\n%d messages, last xid %d", got, want, count, xid)
	}
}

func TestCookies(t *testing.T) {
	c := Cookie(5, 0xffff_1234_5678_9abc)
	value, mask := CookieMask()
	if o, ours := OwnerOf(c); !ours || o != 5 || Tag(c) != 0x1234_5678_9abc || c&mask != value {
		t.Errorf("%x: %d %v %x", c, o, ours, Tag(c))
	}
	for _, foreign := range []uint64{0, 1, ^uint64(0), c &^ (1 << 63)} {
		if _, ours := OwnerOf(foreign); ours {
			t.Errorf("%x is ours", foreign)
		}
	}
	if GroupID(1<<20|7) != GroupID(7) || GroupID(7) == GroupID(8) {
		t.Error("group ids overlap")
	}
}

// TestSlab checks that a message given back makes place for another, and that no place is given out twice.
func TestSlab(t *testing.T) {
	r := rng()
	var s slab
	type held struct {
		ref ref
		msg []byte
	}
	var all []held
	for n := range 20_000 {
		if len(all) > 100 {
			i := r.IntN(len(all))
			if got := s.get(all[i].ref); !bytes.Equal(got, all[i].msg) {
				t.Fatalf("a place was given out twice: %x became %x", all[i].msg, got)
			}
			s.release(all[i].ref)
			all = slices.Delete(all, i, i+1)
		}
		msg := bytes.Repeat([]byte{byte(n)}, 8+r.IntN(600))
		binary.BigEndian.PutUint16(msg[2:], uint16(len(msg)))
		all = append(all, held{s.dup(msg), msg})
	}
	if len(s.blocks) > 200 {
		t.Errorf("%d blocks for 100 messages: places are not used again", len(s.blocks))
	}
	if s.dup(nil) != 0 || s.get(0) != nil {
		t.Error("the empty message is not 0")
	}
}

func TestDescribe(t *testing.T) {
	m := Match{}.InPort(7).VLAN(10).EthSrc(mac1).EthDst(mac2)
	want := "table=5 priority=10 in_port=7 dl_vlan=10 dl_src=52:54:00:00:00:01 dl_dst=52:54:00:00:00:02"
	if got := Describe(5, 10, m.Bytes()); got != want {
		t.Error(got)
	}
	if got := Describe(5, 10, make([]byte, 1000)); got != "table=5 priority=10" {
		t.Error(got)
	}
}

// hostRules are the two rules of a host, as learned.
func hostRules(n uint64) (learn, forward Rule) {
	mac := packet.MACFromUint64(2<<40 | n)
	learn = Rule{
		Table: 5, Priority: 10, Cookie: Cookie(5, mac.Uint64()), IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
		Match: Match{}.InPort(openflow.PortNo(n % 48)).VLAN(10).EthSrc(mac), Instructions: Instructions(nil).Goto(6),
	}
	forward = Rule{
		Table: 6, Priority: 10, Cookie: Cookie(5, mac.Uint64()), Match: Match{}.VLAN(10).EthDst(mac),
		Instructions: Instructions(nil).Apply(Actions(nil).PopVLAN().Output(openflow.PortNo(n % 48))),
	}
	return learn, forward
}
