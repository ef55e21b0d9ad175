package flow

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// model is the naive second version of Store: what is desired, as a map.
type model struct {
	rules  map[string]Rule
	stated map[string]int // restatement of its owner in which a rule was last stated
	sweep  [MaxOwners]int
	groups map[uint32][]byte
	named  map[uint32]int // as stated
	meters map[uint32]Meter
	turned map[uint32]Meter // refused in this session
}

func newModel() *model {
	return &model{
		rules: map[string]Rule{}, stated: map[string]int{}, groups: map[uint32][]byte{},
		named: map[uint32]int{}, meters: map[uint32]Meter{}, turned: map[uint32]Meter{},
	}
}

func (r *Rule) identity() string { return identity(r.Table, r.Priority, r.Match.Bytes()) }

func (r *Rule) wire() []byte { return r.appendAdd(nil) }

// world is a store, its model and a switch, and what is done to them.
type world struct {
	t       *testing.T
	r       *rand.Rand
	store   *Store
	model   *model
	sim     *sim
	online  bool
	foreign map[string]openflow.FlowStats

	strangers map[uint32]bool // meters of somebody else
}

const (
	groupOwner  = Owner(6)
	meterOwner  = Owner(7)
	foreignBase = 100 // tables of somebody else
)

func (w *world) rule() Rule {
	r := Rule{
		Table: uint8(w.r.IntN(4)), Priority: uint16(10 * w.r.IntN(3)),
		Cookie: Cookie(Owner(1+w.r.IntN(3)), uint64(w.r.IntN(2))),
		Flags:  uint16(w.r.IntN(2)), IdleTimeout: uint16(w.r.IntN(2)) * 300,
	}
	if w.r.IntN(4) > 0 {
		r.Match = r.Match.InPort(openflow.PortNo(1 + w.r.IntN(3)))
	}
	if w.r.IntN(2) > 0 {
		r.Match = r.Match.VLAN(uint16(10 + w.r.IntN(2))).EthDst(packet.MAC{2, 0, 0, 0, 0, byte(w.r.IntN(2))})
	}
	for range w.r.IntN(3) {
		r.Instructions = r.Instructions.Apply(Actions(nil).Output(openflow.PortNo(1 + w.r.IntN(2))))
	}
	return r
}

// known returns a random desired rule's identity, or another.
func (w *world) known() Rule {
	if ids := slices.Sorted(maps.Keys(w.model.rules)); len(ids) > 0 && w.r.IntN(4) > 0 {
		return w.model.rules[ids[w.r.IntN(len(ids))]]
	}
	return w.rule()
}

func (w *world) put(r Rule) {
	id := r.identity()
	owner, _ := OwnerOf(r.Cookie)
	old, had := w.model.rules[id]
	want := !had || !bytes.Equal(old.wire(), r.wire())
	w.model.rules[id] = r
	w.model.stated[id] = w.model.sweep[owner]
	if got := w.store.Put(&r); got != want {
		w.t.Fatalf("Put %s: changed %v, want %v", id, got, want)
	}
}

func (w *world) delete(r Rule) {
	id := r.identity()
	_, had := w.model.rules[id]
	delete(w.model.rules, id)
	if got := w.store.Delete(r.Table, r.Priority, &r.Match); got != had {
		w.t.Fatalf("Delete %s: changed %v, want %v", id, got, had)
	}
}

// expire has the switch remove a flow of ours by itself and tell so.
func (w *world) expire() {
	r := w.known()
	id := r.identity()
	if f, there := w.sim.flows[id]; !there || !w.online || f.TableID >= foreignBase {
		return
	}
	delete(w.sim.flows, id)
	_, had := w.model.rules[id]
	delete(w.model.rules, id)
	if got := w.store.Forget(r.Table, r.Priority, &r.Match); got != had {
		w.t.Fatalf("Forget %s: %v, want %v", id, got, had)
	}
}

// restate has an owner state some of its rules, and some new ones, and forget the others of one table.
func (w *world) restate() {
	o := Owner(1 + w.r.IntN(3))
	table := uint8(w.r.IntN(4))
	w.store.Begin(o)
	w.model.sweep[o]++
	for _, id := range slices.Sorted(maps.Keys(w.model.rules)) {
		r := w.model.rules[id]
		if owner, _ := OwnerOf(r.Cookie); owner == o && w.r.IntN(3) > 0 {
			w.put(r)
		}
	}
	for range w.r.IntN(3) {
		r := w.rule()
		r.Cookie = Cookie(o, 0)
		w.put(r)
	}
	w.store.End(o, table)
	for id, r := range w.model.rules {
		if owner, _ := OwnerOf(r.Cookie); owner == o && r.Table == table && w.model.stated[id] != w.model.sweep[o] {
			delete(w.model.rules, id)
		}
	}
}

func (w *world) putGroup() {
	g := Group{ID: GroupID(uint32(w.r.IntN(5)))}
	for range w.r.IntN(3) {
		g.Buckets = append(g.Buckets, Actions(nil).Output(openflow.PortNo(1+w.r.IntN(2))))
	}
	var buckets []byte
	for _, a := range g.Buckets {
		buckets = openflow.AppendBucket(buckets, 0, openflow.PortAny, openflow.GroupAny, a)
	}
	old, had := w.model.groups[g.ID]
	w.model.groups[g.ID], w.model.named[g.ID] = buckets, w.model.sweep[groupOwner]
	if got, want := w.store.PutGroup(groupOwner, &g), !had || !bytes.Equal(old, buckets); got != want {
		w.t.Fatalf("PutGroup %x: changed %v, want %v", g.ID, got, want)
	}
}

func (w *world) restateGroups() {
	w.store.Begin(groupOwner)
	w.model.sweep[groupOwner]++
	for range w.r.IntN(4) {
		w.putGroup()
	}
	w.store.EndGroups(groupOwner)
	maps.DeleteFunc(w.model.groups,
		func(id uint32, _ []byte) bool { return w.model.named[id] != w.model.sweep[groupOwner] })
}

// putMeter states a meter. Rules may name it unless this session has refused the same.
func (w *world) putMeter() uint32 {
	rate := []uint32{100, 200, refusedRate}[w.r.IntN(3)]
	m := Meter{ID: MeterIDs + uint32((1 + w.r.IntN(4))), Rate: rate, Burst: rate}
	if w.model.meters[m.ID] != m {
		delete(w.model.turned, m.ID)
	}
	w.model.meters[m.ID] = m
	if got, want := w.store.PutMeter(meterOwner, m), w.model.turned[m.ID] != m; got != want {
		w.t.Fatalf("PutMeter %+v: usable %v, want %v", m, got, want)
	}
	return m.ID
}

func (w *world) restateMeters() {
	w.store.Begin(meterOwner)
	stated := map[uint32]bool{}
	for range w.r.IntN(4) {
		stated[w.putMeter()] = true
	}
	w.store.EndMeters(meterOwner)
	maps.DeleteFunc(w.model.meters, func(id uint32, _ Meter) bool { return !stated[id] })
	maps.DeleteFunc(w.model.turned, func(id uint32, _ Meter) bool { return !stated[id] })
}

// refusals hands the switch's errors to the store.
func (w *world) refusals() {
	for _, xid := range w.sim.errors {
		m, ok := w.store.RefuseMeter(xid)
		if want := w.model.meters[m.ID]; !ok || m != want || m.Rate != refusedRate {
			w.t.Fatalf("refused %+v, %v: want %+v", m, ok, want)
		}
		w.model.turned[m.ID] = m
		if _, again := w.store.RefuseMeter(xid); again {
			w.t.Fatalf("%+v is refused twice", m)
		}
	}
	w.sim.errors = nil
}

// state does one thing to the desired state.
func (w *world) state() {
	switch n := w.r.IntN(24); {
	case n < 8:
		w.put(w.rule())
	case n < 10:
		w.put(w.known())
	case n < 13:
		w.delete(w.known())
	case n < 14:
		w.expire()
	case n < 16:
		w.restate()
	case n < 19:
		w.putGroup()
	case n < 20:
		w.restateGroups()
	case n < 23:
		w.putMeter()
	default:
		w.restateMeters()
	}
}

// drift does one thing to the switch behind the store's back.
func (w *world) drift() {
	ids := slices.Sorted(maps.Keys(w.sim.flows))
	groups := slices.Sorted(maps.Keys(w.sim.groups))
	some := func() (string, openflow.FlowStats, bool) {
		if len(ids) == 0 {
			return "", openflow.FlowStats{}, false
		}
		id := ids[w.r.IntN(len(ids))]
		f, there := w.sim.flows[id]
		return id, f, there && f.TableID < foreignBase
	}
	switch w.r.IntN(11) {
	case 8:
		delete(w.sim.meters, MeterIDs+uint32((1+w.r.IntN(4))))
	case 9: // altered, or a stray one in our range
		id := MeterIDs + uint32((1 + w.r.IntN(8)))
		w.sim.meters[id] = Meter{ID: id, Rate: 5}
	case 10:
		id := uint32(1 + w.r.IntN(2))
		w.sim.meters[id], w.strangers[id] = Meter{ID: id, Rate: 7}, true
	case 0:
		if id, _, ok := some(); ok {
			delete(w.sim.flows, id)
		}
	case 1:
		if id, f, ok := some(); ok {
			f.Instructions = Instructions(nil).Goto(9)
			w.sim.flows[id] = f
		}
	case 2:
		if id, f, ok := some(); ok {
			f.Cookie ^= 4
			w.sim.flows[id] = f
		}
	case 3:
		if id, f, ok := some(); ok {
			f.HardTimeout = 7
			w.sim.flows[id] = f
		}
	case 4: // a stray one with a cookie of ours
		r := w.rule()
		r.Priority = 77
		w.sim.flows[r.identity()] = stats(&r)
	case 5:
		r := w.rule()
		r.Table, r.Cookie = foreignBase, uint64(w.r.IntN(3))
		w.sim.flows[r.identity()] = stats(&r)
		w.foreign[r.identity()] = stats(&r)
	case 6:
		if len(groups) > 0 {
			delete(w.sim.groups, groups[w.r.IntN(len(groups))])
		}
	case 7:
		id := GroupID(uint32(w.r.IntN(8)))
		w.sim.groups[id] = openflow.GroupDesc{ID: id, Type: uint8(w.r.IntN(2))}
	}
}

func stats(r *Rule) openflow.FlowStats {
	return openflow.FlowStats{
		TableID: r.Table, Priority: r.Priority, Cookie: r.Cookie, IdleTimeout: r.IdleTimeout,
		HardTimeout: r.HardTimeout,
		Flags:       r.Flags, Match: bytes.Clone(r.Match.Bytes()), Instructions: bytes.Clone(r.Instructions),
	}
}

// check compares the switch with what is desired.
func (w *world) check() {
	w.t.Helper()
	show := func(f openflow.FlowStats) string {
		return fmt.Sprintf("%x %d %d %x %x", f.Cookie, f.IdleTimeout, f.HardTimeout, f.Flags, f.Instructions)
	}
	if len(w.sim.flows) != len(w.model.rules)+len(w.foreign) {
		w.t.Errorf("%d flows, want %d and %d foreign ones", len(w.sim.flows), len(w.model.rules), len(w.foreign))
	}
	for id, r := range w.model.rules {
		if got, want := show(w.sim.flows[id]), show(stats(&r)); got != want {
			w.t.Errorf("%s:\n got %s\nwant %s", id, got, want)
		}
		if !w.store.Has(r.Table, r.Priority, &r.Match) {
			w.t.Errorf("%s: Has says no", id)
		}
	}
	for id, f := range w.foreign {
		if got, want := show(w.sim.flows[id]), show(f); got != want {
			w.t.Errorf("foreign %s:\n got %s\nwant %s", id, got, want)
		}
	}
	if len(w.sim.groups) != len(w.model.groups) {
		w.t.Errorf("%d groups, want %d", len(w.sim.groups), len(w.model.groups))
	}
	for id, want := range w.model.groups {
		if got := w.sim.groups[id]; !bytes.Equal(got.Buckets, want) || got.Type != groupTypeAll {
			w.t.Errorf("group %x: %x, want %x", id, got.Buckets, want)
		}
	}
	meters := map[uint32]Meter{}
	for id, m := range w.model.meters {
		if w.model.turned[id] != m {
			meters[id] = m
		}
	}
	for id := range w.strangers {
		meters[id] = Meter{ID: id, Rate: 7}
	}
	if !maps.Equal(w.sim.meters, meters) {
		w.t.Errorf("meters %v, want %v", w.sim.meters, meters)
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// count compares what can be asked of the store at any time.
func (w *world) count() {
	w.t.Helper()
	perTable := map[uint8]int{}
	for _, r := range w.model.rules {
		perTable[r.Table]++
	}
	each := map[string]bool{}
	w.store.Each(func(m *openflow.FlowMod) { each[identity(m.TableID, m.Priority, m.Match)] = true })
	if w.store.Len() != len(w.model.rules) || len(each) != len(w.model.rules) {
		w.t.Fatalf("Len %d, Each %d, want %d", w.store.Len(), len(each), len(w.model.rules))
	}
	for table := range uint8(4) {
		if got := w.store.TableLen(table); got != perTable[table] {
			w.t.Fatalf("TableLen(%d) = %d, want %d", table, got, perTable[table])
		}
	}
}

// TestStoreAgainstModel does random things and expects that a drained store and its switch agree, whatever has
// happened:
//
//   - after draining, the switch has what is desired;
//   - after drift, lost sessions and restarts of the switch, an audit and draining, it has so again;
//   - a further audit then finds nothing and queues nothing;
//   - flows and meters of others are never touched, and meters that the switch refuses are not there.
func TestStoreAgainstModel(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &world{
				t: t, r: rand.New(rand.NewPCG(seed, 1)), store: NewStore(), model: newModel(), sim: newSim(t),
				foreign: map[string]openflow.FlowStats{}, strangers: map[uint32]bool{},
			}
			for range 60 {
				w.round()
			}
		})
	}
}

func (w *world) round() {
	for range w.r.IntN(8) {
		w.state()
		w.count()
	}
	switch n := w.r.IntN(10); {
	case n < 3 && w.online:
		w.drain()
		return
	case n < 5 && w.online: // a session ends with part of the queue sent
		xid := uint32(len(w.sim.xids))
		w.sim.receive(w.store.DrainMeters(nil, &xid))
		w.sim.errors = nil // nobody is told any more
		w.sim.receive(w.store.Drain(nil, w.r.IntN(300), &xid, nil))
		w.store.Discard()
		w.online = false
		return
	case n < 6 && w.online: // the switch restarts
		w.store.Discard()
		clear(w.sim.flows)
		clear(w.sim.groups)
		clear(w.sim.meters)
		clear(w.strangers)
		clear(w.foreign)
		w.online = false
		return
	}
	for range w.r.IntN(4) {
		w.drift()
	}
	if !w.online {
		w.store.ResetMeters()
		clear(w.model.turned)
	}
	w.sim.audit(w.r, w.store, func() {
		for range w.r.IntN(3) {
			w.state()
		}
	})
	w.online = true
	w.drain()
	if d := w.sim.audit(w.r, w.store, func() {}); d.Any() || w.store.Pending() > 0 {
		w.t.Fatalf("audit of an unchanged switch: %+v, %d pending", d, w.store.Pending())
	}
}

// drain sends what is queued. What the switch refuses goes in a second round.
func (w *world) drain() {
	w.t.Helper()
	for range 2 {
		w.sim.drain(w.r, w.store)
		w.refusals()
	}
	w.check()
}
