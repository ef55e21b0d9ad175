package flow

import (
	"bytes"

	"github.com/eosin-sdn/eosin/openflow"
)

// GroupTypeAll sends a copy of the frame through every bucket (OFPGT_ALL).
const groupTypeAll = 0

// PutGroup states that the group should exist with these buckets. It reports whether that changes anything.
func (s *Store) PutGroup(o Owner, g *Group) bool {
	s.scratch = s.scratch[:0]
	for _, a := range g.Buckets {
		s.scratch = openflow.AppendBucket(s.scratch, 0, openflow.PortAny, openflow.GroupAny, a)
	}
	rec := s.groups[g.ID]
	if rec == nil {
		rec = &groupRecord{id: g.ID}
		s.groups[g.ID] = rec
	} else if !rec.deleted && bytes.Equal(rec.buckets, s.scratch) {
		rec.sweep = s.sweep[o]
		return false
	}
	rec.sweep, rec.deleted = s.sweep[o], false
	rec.buckets = append(rec.buckets[:0], s.scratch...)
	s.enqueueGroup(rec)
	return true
}

// EndGroups deletes the groups that owner has not stated since Begin. Groups have one owner in all.
func (s *Store) EndGroups(o Owner) {
	for _, g := range s.groups {
		if !g.deleted && g.sweep != s.sweep[o] {
			g.deleted = true
			s.enqueueGroup(g)
		}
	}
}

func (s *Store) enqueueGroup(g *groupRecord) {
	g.touched = s.audit
	if !g.queued {
		g.queued = true
		s.groupQueue = append(s.groupQueue, g.id)
	}
}

// drainGroups emits the queued additions and changes, or the queued deletions, until full returns true. It reports
// whether all of them were emitted.
func (s *Store) drainGroups(emit func([]byte), full func() bool, deletions bool) (all bool) {
	kept, all := s.groupQueue[:0], true
	for _, id := range s.groupQueue {
		g := s.groups[id]
		if g == nil {
			continue
		}
		if g.deleted != deletions || full() {
			all = all && g.deleted != deletions
			kept = append(kept, id)
			continue
		}
		g.queued = false
		switch {
		case deletions:
			if g.known {
				emit(openflow.AppendGroupMod(nil, 0, openflow.GroupDelete, groupTypeAll, id, nil))
			}
			delete(s.groups, id)
		case g.known:
			emit(openflow.AppendGroupMod(nil, 0, openflow.GroupModify, groupTypeAll, id, g.buckets))
		default:
			emit(openflow.AppendGroupMod(nil, 0, openflow.GroupAdd, groupTypeAll, id, g.buckets))
			g.known = true
		}
	}
	s.groupQueue = kept
	return all
}

// groupIDMagic marks the ids of this controller's groups: groups have no cookie.
const groupIDMagic, groupIDMask = 0xe0500000, 0xfff00000

// GroupID returns the id of the group with a number of 20 bits.
func GroupID(n uint32) uint32 { return groupIDMagic | n&^groupIDMask }

// DumpedGroup compares one dumped group with the desired state and queues what is to be done about it. Groups of others
// are left alone.
func (s *Store) DumpedGroup(gd *openflow.GroupDesc, d *Drift) {
	if gd.ID&groupIDMask != groupIDMagic {
		return
	}
	g := s.groups[gd.ID]
	if g == nil {
		d.Groups++
		d.note("stray group")
		g = &groupRecord{id: gd.ID, deleted: true, known: true, seen: s.audit}
		s.groups[gd.ID] = g
		s.enqueueGroup(g)
		return
	}
	g.known, g.seen = true, s.audit
	if g.queued || g.touched == s.audit {
		return
	}
	if gd.Type != groupTypeAll || !bytes.Equal(g.buckets, gd.Buckets) {
		d.Groups++
		d.note("altered group")
		s.enqueueGroup(g)
	}
}
