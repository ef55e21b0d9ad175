package oftest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

// entry is one flow. It is replaced and not changed, but for its counters, so that a bundle can be reverted.
type entry struct {
	key          string // priority and canonical match
	instructions []byte
	cookie       uint64
	packets      uint64
	bytes        uint64
	created      int64 // nanoseconds of the switch's clock
	used         int64
	idle, hard   uint16
	flags        uint16
	table        uint8
}

func (e *entry) priority() uint16 { return uint16(e.key[0])<<8 | uint16(e.key[1]) }
func (e *entry) match() string    { return e.key[2:] }

// stats returns the flow as a dump has it.
func (e *entry) stats(now int64) openflow.FlowStats {
	age := time.Duration(now - e.created)
	return openflow.FlowStats{
		TableID: e.table, Priority: e.priority(), Cookie: e.cookie, IdleTimeout: e.idle, HardTimeout: e.hard,
		DurationSec: uint32(age / time.Second), DurationNsec: uint32(age % time.Second),
		Flags: e.flags, Packets: e.packets, Bytes: e.bytes, Match: []byte(e.match()), Instructions: e.instructions,
	}
}

// flowTable is one flow table.
type flowTable struct {
	entries map[string]*entry
	order   []*entry // by descending priority; nil when it is out of date
}

// sorted returns the flows by descending priority and then by match.
func (t *flowTable) sorted() []*entry {
	if t.order == nil {
		t.order = slices.SortedFunc(maps.Values(t.entries), func(a, b *entry) int {
			return cmp.Or(cmp.Compare(b.priority(), a.priority()), strings.Compare(a.match(), b.match()))
		})
	}
	return t.order
}

// lookup returns the flow of highest priority that matches. Two of the same priority are tried in the order of their
// matches.
func (t *flowTable) lookup(p *packetState) *entry {
	for _, e := range t.sorted() {
		if p.matches(e.match()) {
			return e
		}
	}
	return nil
}

// table returns a table, made on first use.
func (s *Switch) table(id uint8) *flowTable {
	for len(s.tables) <= int(id) {
		s.tables = append(s.tables, nil)
	}
	if s.tables[id] == nil {
		s.tables[id] = &flowTable{entries: make(map[string]*entry)}
	}
	return s.tables[id]
}

// put replaces the flow with e's key, or with e nil removes it.
func (s *Switch) put(table uint8, key string, e *entry) {
	t := s.table(table)
	change(s, t.entries, key, e, func() { t.order = nil })
}

// change replaces a value, or with nil removes it, in a way that a bundle can revert. changed is called each time.
func change[K comparable, V any](s *Switch, m map[K]*V, key K, v *V, changed func()) {
	set := func(v *V) {
		changed()
		if v == nil {
			delete(m, key)
			return
		}
		m[key] = v
	}
	if old := m[key]; s.bundling {
		s.undo = append(s.undo, func() { set(old) })
	}
	set(v)
}

// flowMod does what a flow-mod asks for (OpenFlow 1.3.5 section 6.4).
func (s *Switch) flowMod(m *openflow.FlowMod) *refusal {
	if m.Command > openflow.FlowDeleteStrict {
		return &refusal{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedBadCommand}
	}
	match, no := canonical(m.Match)
	if no != nil {
		return no
	}
	remove := m.Command >= openflow.FlowDelete
	all := remove && m.TableID == openflow.TableAll
	if no := s.checkTable(m.TableID); no != nil && !all {
		return no
	}
	if !remove {
		if no := s.checkInstructions(m.TableID, []byte(match), m.Instructions); no != nil {
			return no
		}
	}
	if m.Command == openflow.FlowAdd {
		return s.addFlow(m, match)
	}
	f := filter{
		match: []byte(match), cookie: m.Cookie, cookieMask: m.CookieMask, priority: m.Priority,
		strict:  m.Command == openflow.FlowModifyStrict || m.Command == openflow.FlowDeleteStrict,
		outPort: openflow.PortAny, outGroup: openflow.GroupAny,
	}
	if remove {
		f.outPort, f.outGroup = m.OutPort, m.OutGroup
	}
	for _, e := range s.selectFlows(m.TableID, all, &f) {
		if remove {
			s.removeFlow(e, openflow.FlowRemovedDelete)
			continue
		}
		changed := *e
		changed.instructions = slices.Clone(m.Instructions)
		if m.Flags&openflow.FlagResetCounts != 0 {
			changed.packets, changed.bytes = 0, 0
		}
		s.put(e.table, e.key, &changed)
	}
	return nil
}

// checkTable refuses tables that a flow-mod cannot change. OVS keeps the last one to itself.
func (s *Switch) checkTable(id uint8) *refusal {
	switch {
	case id == openflow.TableMax:
		return badRequest(openflow.BadRequestEPerm)
	case int(id) >= s.o.Tables:
		return &refusal{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedBadTableID}
	}
	return nil
}

// addFlow adds a flow or replaces the one with the same match and priority.
func (s *Switch) addFlow(m *openflow.FlowMod, match string) *refusal {
	if m.Flags&openflow.FlagCheckOverlap != 0 {
		for _, e := range s.table(m.TableID).entries {
			if e.priority() == m.Priority && overlaps([]byte(e.match()), []byte(match)) {
				return &refusal{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedOverlap}
			}
		}
	}
	e := &entry{
		key: key(m.Priority, match), instructions: slices.Clone(m.Instructions), cookie: m.Cookie,
		created: s.clock, used: s.clock, idle: m.IdleTimeout, hard: m.HardTimeout,
		flags: m.Flags &^ openflow.FlagCheckOverlap, table: m.TableID,
	}
	if old := s.table(m.TableID).entries[e.key]; old != nil && m.Flags&openflow.FlagResetCounts == 0 {
		e.packets, e.bytes = old.packets, old.bytes
	}
	s.put(m.TableID, e.key, e)
	return nil
}

// removeFlow removes a flow, and sends a flow-removed if the flow asks for one.
func (s *Switch) removeFlow(e *entry, reason openflow.FlowRemovedReason) {
	s.put(e.table, e.key, nil)
	if e.flags&openflow.FlagSendFlowRem == 0 {
		return
	}
	st := e.stats(s.clock)
	s.event(openflow.TypeFlowRemoved, uint8(reason), openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{
		Cookie: e.cookie, Priority: st.Priority, Reason: reason, TableID: e.table,
		DurationSec: st.DurationSec, DurationNsec: st.DurationNsec, IdleTimeout: e.idle, HardTimeout: e.hard,
		Packets: e.packets, Bytes: e.bytes, Match: st.Match,
	}))
}

// filter selects flows of modifications, deletions and dumps.
type filter struct {
	match      []byte // canonical
	cookie     uint64
	cookieMask uint64
	priority   uint16 // compared if strict
	strict     bool
	outPort    openflow.PortNo
	outGroup   uint32
}

func (f *filter) selects(e *entry) bool {
	switch {
	case (e.cookie^f.cookie)&f.cookieMask != 0:
		return false
	case f.strict && (e.priority() != f.priority || e.match() != string(f.match)):
		return false
	case !f.strict && !covers(f.match, []byte(e.match())):
		return false
	case f.outPort != openflow.PortAny && !outputsTo(e.instructions, openflow.ActionOutput, uint32(f.outPort)):
		return false
	}
	return f.outGroup == openflow.GroupAny || outputsTo(e.instructions, openflow.ActionGroup, f.outGroup)
}

// selectFlows returns the flows of one table, or of all, in table order.
func (s *Switch) selectFlows(table uint8, all bool, f *filter) []*entry {
	var found []*entry
	for id, t := range s.tables {
		if t == nil || !all && id != int(table) {
			continue
		}
		if f.strict {
			if e := t.entries[key(f.priority, string(f.match))]; e != nil && f.selects(e) {
				found = append(found, e)
			}
			continue
		}
		for _, e := range t.sorted() {
			if f.selects(e) {
				found = append(found, e)
			}
		}
	}
	return found
}

// outputsTo reports whether an action of the given type with this port or group is among the instructions.
func outputsTo(instructions []byte, typ uint16, id uint32) bool {
	for i := range tlvs(instructions) {
		if t := be.Uint16(i); t != openflow.InstructionApplyActions && t != openflow.InstructionWriteActions {
			continue
		}
		for a := range tlvs(i[8:]) {
			if be.Uint16(a) == typ && be.Uint32(a[4:]) == id {
				return true
			}
		}
	}
	return false
}

// tlvs yields instructions or actions, which have been validated.
func tlvs(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := int(be.Uint16(b[2:]))
			if !yield(b[:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// Expire removes the flows whose idle or hard timeout has passed by the switch's clock, and returns how many.
func (s *Switch) Expire() int {
	s.lock()
	defer s.mu.Unlock()
	past := func(since int64, seconds uint16) bool {
		return seconds > 0 && s.clock-since >= int64(seconds)*int64(time.Second)
	}
	n := 0
	for _, t := range s.tables {
		if t == nil {
			continue
		}
		for _, e := range slices.Clone(t.sorted()) {
			switch {
			case past(e.created, e.hard):
				s.removeFlow(e, openflow.FlowRemovedHardTimeout)
			case past(e.used, e.idle):
				s.removeFlow(e, openflow.FlowRemovedIdleTimeout)
			default:
				continue
			}
			n++
		}
	}
	s.flush()
	return n
}

// Flows returns the flows of State, ordered by table, descending priority and match.
func (s *Switch) Flows() []openflow.FlowStats { return s.State().Flows }

// FlowCount returns the number of flows in all tables.
func (s *Switch) FlowCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tables {
		if t != nil {
			n += len(t.entries)
		}
	}
	return n
}

// Dump returns all flows in the form of oftext.NormalizeFlows.
func (s *Switch) Dump() string {
	var lines []string
	for _, f := range s.Flows() {
		lines = append(lines, oftext.Flow(&f))
	}
	return oftext.SortFlows(lines)
}
