package flow

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// sim is a switch that holds what it is told to, and nothing more: flows by identity, groups and meters by id.
type sim struct {
	t      testing.TB
	flows  map[string]openflow.FlowStats
	groups map[uint32]openflow.GroupDesc
	meters map[uint32]Meter
	errors []uint32 // xids of refused meter-mods
	log    []string // what came in, in order
	xids   map[uint32]bool
}

// refusedRate is a rate that the switch does not take.
const refusedRate = 13

func newSim(t testing.TB) *sim {
	return &sim{
		t: t, flows: map[string]openflow.FlowStats{}, groups: map[uint32]openflow.GroupDesc{},
		meters: map[uint32]Meter{}, xids: map[uint32]bool{},
	}
}

func identity(table uint8, priority uint16, match []byte) string {
	m, err := Canonical(match)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %d %x", table, priority, m.Bytes())
}

// receive does what messages say, and fails the test where a switch would refuse.
func (s *sim) receive(b []byte) {
	s.t.Helper()
	for len(b) > 0 {
		h, err := openflow.DecodeHeader(b)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.xids[h.Xid] || h.Xid == 0 {
			s.t.Fatalf("xid %d twice, or none", h.Xid)
		}
		s.xids[h.Xid] = true
		n := int(h.Length)
		switch h.Type {
		case openflow.TypeFlowMod:
			s.flowMod(b[:n])
		case openflow.TypeGroupMod:
			s.groupMod(b[:n])
		case openflow.TypeMeterMod:
			s.meterMod(h.Xid, b[:n])
		default:
			s.t.Fatalf("unexpected %s", h.Type)
		}
		b = b[n:]
	}
}

func (s *sim) flowMod(msg []byte) {
	s.t.Helper()
	var m openflow.FlowMod
	if err := m.Decode(bytes.Clone(msg)); err != nil {
		s.t.Fatal(err)
	}
	id := identity(m.TableID, m.Priority, m.Match)
	switch m.Command {
	case openflow.FlowAdd:
		s.log = append(s.log, fmt.Sprintf("add table=%d", m.TableID))
		for _, g := range groupsOf(m.Instructions) {
			if _, ok := s.groups[g]; !ok {
				s.t.Fatalf("flow with a group that is not there: %x", g)
			}
		}
		s.flows[id] = openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout,
			HardTimeout: m.HardTimeout,
			Flags:       m.Flags, Match: m.Match, Instructions: m.Instructions,
		}
	case openflow.FlowDeleteStrict:
		s.log = append(s.log, fmt.Sprintf("delete table=%d", m.TableID))
		if f, ok := s.flows[id]; ok && (f.Cookie^m.Cookie)&m.CookieMask == 0 {
			delete(s.flows, id)
		}
	default:
		s.t.Fatalf("command %d", m.Command)
	}
}

// groupsOf returns the groups that a flow's apply-actions name; the tests' actions are groups and outputs only.
func groupsOf(instructions []byte) (ids []uint32) {
	for b := instructions; len(b) > 8; b = b[int(b[2])<<8|int(b[3]):] {
		if b[1] != insApply {
			continue
		}
		for a := b[8 : int(b[2])<<8|int(b[3])]; len(a) > 0; a = a[a[3]:] {
			if a[1] == actGroup {
				ids = append(ids, uint32(a[4])<<24|uint32(a[5])<<16|uint32(a[6])<<8|uint32(a[7]))
			}
		}
	}
	return ids
}

func (s *sim) groupMod(msg []byte) {
	s.t.Helper()
	var m openflow.GroupMod
	if err := m.Decode(bytes.Clone(msg)); err != nil {
		s.t.Fatal(err)
	}
	_, exists := s.groups[m.ID]
	switch {
	case m.Command == openflow.GroupAdd && exists:
		s.t.Fatalf("group %x added twice", m.ID)
	case m.Command == openflow.GroupModify && !exists:
		s.t.Fatalf("group %x modified, which is not there", m.ID)
	case m.Command == openflow.GroupDelete:
		s.log = append(s.log, "delete group")
		for _, f := range s.flows {
			if slices.Contains(groupsOf(f.Instructions), m.ID) {
				s.t.Fatalf("group %x deleted before the flow that uses it", m.ID)
			}
		}
		delete(s.groups, m.ID)
		return
	default:
		s.log = append(s.log, "put group")
		s.groups[m.ID] = openflow.GroupDesc{Type: m.Type, ID: m.ID, Buckets: m.Buckets}
	}
}

func (s *sim) meterMod(xid uint32, msg []byte) {
	s.t.Helper()
	var m openflow.MeterMod
	if err := m.Decode(bytes.Clone(msg)); err != nil {
		s.t.Fatal(err)
	}
	_, exists := s.meters[m.ID]
	meter := meterOf(&openflow.MeterConfig{ID: m.ID, Flags: m.Flags, Bands: m.Bands})
	switch {
	case m.ID&meterIDMask != MeterIDs:
		s.t.Fatalf("meter %x of somebody else", m.ID)
	case m.Command == openflow.MeterDelete:
		s.log = append(s.log, "delete meter")
		delete(s.meters, m.ID)
	case exists != (m.Command == openflow.MeterModify):
		s.t.Fatalf("command %d for meter %x, which exists: %v", m.Command, m.ID, exists)
	case meter.Rate == refusedRate:
		s.errors = append(s.errors, xid)
	default:
		s.log = append(s.log, "put meter")
		s.meters[m.ID] = meter
	}
}

// dumpMeter is a meter as a switch dumps it.
func dumpMeter(m Meter) *openflow.MeterConfig {
	b := openflow.AppendMeterMod(nil, 0, openflow.MeterAdd, meterFlags, m.ID, m.Rate, m.Burst)
	return &openflow.MeterConfig{ID: m.ID, Flags: meterFlags, Bands: b[16:]}
}

// audit dumps the switch to the store, in random order and with the fields of matches in random order. between runs
// after the request and in the middle of the dump.
func (s *sim) audit(r *rand.Rand, store *Store, between func()) (d Drift) {
	store.BeginAudit()
	store.BeginMeterAudit()
	between()
	for _, m := range s.meters {
		store.DumpedMeter(dumpMeter(m), &d)
	}
	between()
	store.EndMeterAudit(&d)
	value, mask := CookieMask()
	ids := slices.Sorted(maps.Keys(s.flows))
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i, id := range ids {
		if i == len(ids)/2 {
			between()
		}
		f := s.flows[id]
		if f.Cookie&mask != value {
			continue
		}
		tlvs := cut(f.Match)
		r.Shuffle(len(tlvs), func(i, j int) { tlvs[i], tlvs[j] = tlvs[j], tlvs[i] })
		f.Match = slices.Concat(tlvs...)
		store.Dumped(&f, &d)
	}
	for _, g := range s.groups {
		store.DumpedGroup(&g, &d)
	}
	between()
	store.EndAudit(&d)
	return d
}

// drain sends everything that is queued, in portions of random size: meters before, and those that go after the rest.
func (s *sim) drain(r *rand.Rand, store *Store) {
	s.t.Helper()
	xid := uint32(len(s.xids))
	s.receive(store.DrainMeters(nil, &xid))
	defer func() { s.receive(store.DrainMeterDeletions(nil, &xid)) }()
	for store.Pending() > 0 {
		before := store.Pending()
		s.receive(store.Drain(nil, 1+r.IntN(500), &xid, nil))
		if store.Pending() >= before {
			s.t.Fatalf("%d pending before, %d after a drain", before, store.Pending())
		}
	}
}
