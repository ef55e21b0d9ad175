package flow

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// Store holds the desired state of one switch and what has still to be sent. It is not safe for concurrent use.
//
// Rules are kept as the flow-mods that add them. A rule costs its wire bytes and about 80 more, and a new one allocates
// nothing (amortized). There are two ways to the switch:
//
//   - Put, Delete and their group counterparts queue changes; Drain appends them to a session's output.
//   - An audit, at the start of a session and later, compares the desired state with a dump (BeginAudit, Dumped,
//     DumpedGroup, EndAudit) and queues what differs.
type Store struct {
	seed  [2]maphash.Seed
	index map[key]int32
	recs  records
	free  []int32
	queue queue

	deferred queue // see Defer

	tables [256]int32 // desired rules per table

	groups     map[uint32]*groupRecord
	groupQueue []uint32

	meters     map[uint32]*meterRecord
	meterAudit uint32 // number of the running or last dump of meters
	meterWork  bool   // a meter may have to be sent

	audit   uint32 // number of the running or last audit
	sweep   [MaxOwners]uint32
	stated  [MaxOwners]stated
	slab    slab
	scratch []byte
}

// key identifies a rule: two independent keyed hashes of table, priority and match. A collision cannot be provoked and
// does not happen by chance.
type key struct{ hi, lo uint64 }

type record struct {
	key     key
	wire    ref    // the flow-mod that makes it so: ADD, or DELETE_STRICT when the rule should be gone
	touched uint32 // audit during which it was last changed
	seen    uint32 // audit whose dump showed it
	sweep   uint32 // owner's restatement that last named it
	queued  bool
	deleted bool
	stated  uint8 // 1 + owner in whose list of stated rules it is; 0 none
}

// stated lists the records of one owner that restates its rules, so that End need not look at the rules of all hosts.
// An entry may outlive its record until the next End.
type stated struct {
	recs  []int32
	grown bool // since they were sorted
}

type groupRecord struct {
	id      uint32
	buckets []byte
	touched uint32
	seen    uint32
	sweep   uint32
	queued  bool
	deleted bool
	known   bool // the switch is believed to have it: modify, do not add
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		seed:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		index: make(map[key]int32), groups: make(map[uint32]*groupRecord), meters: make(map[uint32]*meterRecord),
	}
}

// Offsets in a flow-mod (OpenFlow 1.3 section 7.3.4.1).
const (
	offCookie   = 8
	offTable    = 24
	offCommand  = 25
	offIdle     = 26
	offHard     = 28
	offPriority = 30
	offFlags    = 44
	offMatch    = 48
)

// matchOf returns the OXM bytes of a flow-mod of ours.
func matchOf(wire []byte) []byte {
	n := int(binary.BigEndian.Uint16(wire[offMatch+2:]))
	return wire[offMatch+4 : offMatch+n]
}

// instructionsOf returns the instruction bytes of a flow-mod of ours.
func instructionsOf(wire []byte) []byte {
	n := int(binary.BigEndian.Uint16(wire[offMatch+2:]))
	return wire[offMatch+(n+7)/8*8:]
}

func (s *Store) keyOf(table uint8, priority uint16, oxm []byte) key {
	var b [maxMatch + 3]byte
	b[0], b[1], b[2] = table, byte(priority>>8), byte(priority)
	n := 3 + copy(b[3:], oxm)
	return key{maphash.Bytes(s.seed[0], b[:n]), maphash.Bytes(s.seed[1], b[:n])}
}

// Len returns how many rules are desired.
func (s *Store) Len() int {
	n := 0
	for _, c := range s.tables {
		n += int(c)
	}
	return n
}

// TableLen returns how many rules are desired in a table.
func (s *Store) TableLen(table uint8) int { return int(s.tables[table]) }

// Begin starts a restatement of everything that owner wants in some tables, see End, and of its groups, see EndGroups.
func (s *Store) Begin(o Owner) {
	s.sweep[o]++
	if s.sweep[o] > 1 {
		return
	}
	for i := range s.recs.n { // what it stated before it was known to restate
		if w := s.slab.get(s.recs.at(i).wire); w != nil {
			s.list(i, binary.BigEndian.Uint64(w[offCookie:]))
		}
	}
}

// End closes the restatement for one table: rules of the owner in it that were not stated since Begin are deleted.
func (s *Store) End(o Owner, table uint8) {
	l := &s.stated[o]
	if l.grown { // a record may be listed twice that was released and taken again
		slices.Sort(l.recs)
		l.recs, l.grown = slices.Compact(l.recs), false
	}
	kept := l.recs[:0]
	for _, i := range l.recs {
		r := s.recs.at(i)
		if r.stated != uint8(o)+1 {
			continue // released since, and perhaps taken by another owner
		}
		kept = append(kept, i)
		if !r.deleted && r.sweep != s.sweep[o] && s.table(r) == table {
			s.remove(i)
		}
	}
	l.recs = kept
}

// Put states that the rule should exist. It reports whether that changes anything.
func (s *Store) Put(r *Rule) bool {
	sweep := uint32(0)
	if o, ok := OwnerOf(r.Cookie); ok {
		sweep = s.sweep[o]
	}
	s.scratch = r.appendAdd(s.scratch[:0])
	if len(s.scratch) == 0 { // too long for a message: no switch can have it
		return s.Delete(r.Table, r.Priority, &r.Match)
	}
	k := s.keyOf(r.Table, r.Priority, r.Match.Bytes())
	i, ok := s.index[k]
	if !ok {
		i = s.newRecord(k)
		rec := s.recs.at(i)
		rec.wire, rec.sweep = s.slab.dup(s.scratch), sweep
		s.list(i, r.Cookie)
		s.tables[r.Table]++
		s.enqueue(i)
		return true
	}
	rec := s.recs.at(i)
	rec.sweep = sweep
	s.list(i, r.Cookie)
	if !rec.deleted && bytes.Equal(s.slab.get(rec.wire), s.scratch) {
		return false
	}
	if rec.deleted {
		rec.deleted = false
		s.tables[r.Table]++
	}
	s.slab.release(rec.wire)
	rec.wire = s.slab.dup(s.scratch)
	s.enqueue(i)
	return true
}

// list has the end of its owner's next restatement look at a record. Rules of owners that never restate are in no list.
func (s *Store) list(i int32, cookie uint64) {
	rec := s.recs.at(i)
	o, ours := OwnerOf(cookie)
	if !ours || s.sweep[o] == 0 {
		rec.stated = 0
		return
	}
	if rec.stated == uint8(o)+1 {
		return
	}
	rec.stated = uint8(o) + 1
	l := &s.stated[o]
	l.recs, l.grown = append(l.recs, i), true
}

// Delete states that no rule with this identity should exist. It reports whether that changes anything.
func (s *Store) Delete(table uint8, priority uint16, m *Match) bool {
	i, ok := s.desired(table, priority, m)
	if ok {
		s.remove(i)
	}
	return ok
}

// Forget drops a rule that the switch itself has removed: nothing is sent. It reports whether the rule was desired.
func (s *Store) Forget(table uint8, priority uint16, m *Match) bool {
	i, ok := s.desired(table, priority, m)
	if !ok {
		return false
	}
	s.tables[table]--
	if s.recs.at(i).queued { // a newer version is about to be sent: let it be deleted in its turn
		s.toTombstone(i)
		return true
	}
	s.release(i)
	return true
}

// Has reports whether a rule with this identity is desired.
func (s *Store) Has(table uint8, priority uint16, m *Match) bool {
	_, ok := s.desired(table, priority, m)
	return ok
}

func (s *Store) desired(table uint8, priority uint16, m *Match) (i int32, ok bool) {
	i, ok = s.index[s.keyOf(table, priority, m.Bytes())]
	return i, ok && !s.recs.at(i).deleted
}

func (s *Store) newRecord(k key) int32 {
	var i int32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = s.recs.add()
	}
	*s.recs.at(i) = record{key: k}
	s.index[k] = i
	return i
}

// remove turns a record into a queued deletion.
func (s *Store) remove(i int32) {
	s.tables[s.table(s.recs.at(i))]--
	s.toTombstone(i)
	s.enqueue(i)
}

func (s *Store) toTombstone(i int32) {
	rec := s.recs.at(i)
	w := s.slab.get(rec.wire)
	cookie, priority := binary.BigEndian.Uint64(w[offCookie:]), binary.BigEndian.Uint16(w[offPriority:])
	s.scratch = deletion(s.scratch[:0], cookie, w[offTable], priority, matchOf(w))
	s.slab.release(rec.wire)
	rec.wire, rec.deleted = s.slab.dup(s.scratch), true
}

// deletion appends the strict delete of one rule. The cookie restricts it to the controller's own flows.
func deletion(b []byte, cookie uint64, table uint8, priority uint16, oxm []byte) []byte {
	_, mask := CookieMask()
	return openflow.AppendFlowMod(b, 0, openflow.FlowDeleteStrict, &openflow.FlowMod{
		Cookie: cookie, CookieMask: mask, TableID: table, Command: openflow.FlowDeleteStrict, Priority: priority,
		BufferID: openflow.BufferNone, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny, Match: oxm,
	})
}

func (s *Store) release(i int32) {
	rec := s.recs.at(i)
	delete(s.index, rec.key)
	s.slab.release(rec.wire)
	*rec = record{}
	s.free = append(s.free, i)
}

func (s *Store) enqueue(i int32) {
	rec := s.recs.at(i)
	rec.touched = s.audit
	if !rec.queued {
		rec.queued = true
		s.queue.push(i)
	}
}

// Pending returns how many messages wait to be sent.
func (s *Store) Pending() int { return s.queue.len() + len(s.groupQueue) }

// Discard forgets what was queued, since the session it was meant for is gone. The next session begins with an audit.
func (s *Store) Discard() {
	s.Resume()
	for s.queue.len() > 0 {
		s.settle(s.queue.pop())
	}
	for _, id := range s.groupQueue {
		if g := s.groups[id]; g != nil {
			g.queued = false
			if g.deleted {
				delete(s.groups, id)
			}
		}
	}
	s.groupQueue = s.groupQueue[:0]
}

// settle closes a queue entry: a sent deletion leaves nothing behind.
func (s *Store) settle(i int32) {
	rec := s.recs.at(i)
	rec.queued = false
	if rec.deleted {
		s.release(i)
	}
}

// Drain appends queued messages to b until it has about limit bytes or nothing is left: new groups before the flows
// that refer to them, deletions of groups after the flows. wrap, if not nil, puts each message into a bundle.
func (s *Store) Drain(b []byte, limit int, xid *uint32, wrap func(b, msg []byte) []byte) []byte {
	emit := func(msg []byte) {
		if len(msg) == 0 {
			return // too long for a message: nobody can have it
		}
		*xid++
		binary.BigEndian.PutUint32(msg[4:], *xid)
		if wrap != nil {
			b = wrap(b, msg)
		} else {
			b = append(b, msg...)
		}
		binary.BigEndian.PutUint32(msg[4:], 0) // stored rules are compared with restated ones, which have no xid
	}
	full := func() bool { return len(b) >= limit }
	if !s.drainGroups(emit, full, false) {
		return b // no rule before the groups that it may use
	}
	for !full() && s.queue.len() > 0 {
		i := s.queue.pop()
		emit(s.slab.get(s.recs.at(i).wire))
		s.settle(i)
	}
	if s.queue.len() == 0 {
		s.drainGroups(emit, full, true)
	}
	return b
}

// BeginAudit starts the comparison with a dump whose request is sent now. What is stated later is not compared.
func (s *Store) BeginAudit() { s.audit++ }

// Drift says what an audit found to differ.
type Drift struct {
	Missing, Altered, Stray int // flows
	Groups, Meters          int // missing, altered or stray
	First                   string
}

// Reset makes the drift empty again.
func (d *Drift) Reset() { *d = Drift{} }

// Any reports whether anything differed.
func (d *Drift) Any() bool { return d.Missing+d.Altered+d.Stray+d.Groups+d.Meters > 0 }

func (d *Drift) note(what string) {
	if d.First == "" {
		d.First = what
	}
}

// Dumped compares one dumped flow of ours with the desired state and queues what is to be done about it.
func (s *Store) Dumped(f *openflow.FlowStats, d *Drift) {
	m, err := Canonical(f.Match)
	if err != nil {
		return // cannot be ours, whatever its cookie says
	}
	k := s.keyOf(f.TableID, f.Priority, m.Bytes())
	i, ok := s.index[k]
	if !ok {
		d.Stray++
		d.note("stray flow " + Describe(f.TableID, f.Priority, f.Match))
		i = s.newRecord(k)
		s.scratch = deletion(s.scratch[:0], f.Cookie, f.TableID, f.Priority, f.Match)
		s.recs.at(i).wire, s.recs.at(i).deleted = s.slab.dup(s.scratch), true
		s.enqueue(i)
		return
	}
	rec := s.recs.at(i)
	rec.seen = s.audit
	if rec.touched == s.audit || rec.queued {
		return
	}
	w := s.slab.get(rec.wire)
	if binary.BigEndian.Uint64(w[offCookie:]) != f.Cookie || binary.BigEndian.Uint16(w[offIdle:]) != f.IdleTimeout ||
		binary.BigEndian.Uint16(w[offHard:]) != f.HardTimeout || binary.BigEndian.Uint16(w[offFlags:]) != f.Flags ||
		!bytes.Equal(instructionsOf(w), f.Instructions) {
		d.Altered++
		d.note("altered flow " + Describe(f.TableID, f.Priority, f.Match))
		s.enqueue(i)
	}
}

// EndAudit queues what the dump did not show, and sorts the queue: rules from the last table to the first, so that no
// rule leads to one that is not there yet, then deletions from the first table to the last.
func (s *Store) EndAudit(d *Drift) {
	for i := range s.recs.n {
		rec := s.recs.at(i)
		if rec.wire == 0 || rec.deleted || rec.queued || rec.seen == s.audit || rec.touched == s.audit {
			continue
		}
		d.Missing++
		if d.First == "" {
			w := s.slab.get(rec.wire)
			d.note("missing flow " + Describe(w[offTable], binary.BigEndian.Uint16(w[offPriority:]), matchOf(w)))
		}
		s.enqueue(i)
	}
	for _, g := range s.groups {
		if g.seen == s.audit {
			continue
		}
		g.known = false // whatever is to be sent: there is nothing to modify or to delete
		if g.deleted || g.queued || g.touched == s.audit {
			continue
		}
		d.Groups++
		d.note("missing group")
		s.enqueueGroup(g)
	}
	slices.Sort(s.groupQueue)
	order := func(i int32) int { // rules descending from 0 by table, then deletions ascending
		rec := s.recs.at(i)
		if rec.deleted {
			return 1 + int(s.table(rec))
		}
		return -int(s.table(rec))
	}
	s.queue.sort(func(a, b int32) int { return cmp.Compare(order(a), order(b)) })
}

// table returns the table of a record's rule.
func (s *Store) table(r *record) uint8 { return s.slab.get(r.wire)[offTable] }

// Each calls f with every desired rule, as the flow-mod that installs it, in no order. f must not keep it.
func (s *Store) Each(f func(*openflow.FlowMod)) {
	for i := range s.recs.n {
		w := s.slab.get(s.recs.at(i).wire)
		if w == nil || s.recs.at(i).deleted {
			continue
		}
		f(&openflow.FlowMod{
			Cookie: binary.BigEndian.Uint64(w[offCookie:]), TableID: w[offTable], Command: w[offCommand],
			IdleTimeout: binary.BigEndian.Uint16(w[offIdle:]), HardTimeout: binary.BigEndian.Uint16(w[offHard:]),
			Priority: binary.BigEndian.Uint16(w[offPriority:]), Flags: binary.BigEndian.Uint16(w[offFlags:]),
			Match: matchOf(w), Instructions: instructionsOf(w),
		})
	}
}
