package oftest

import (
	"cmp"
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// maxDepth bounds how deep, and maxEntries how often, one packet enters tables by resubmit and groups, as OVS does.
const (
	maxDepth   = 64
	maxEntries = 4096
)

// enter counts an entry into a table or group; ok is false when a bound is reached.
func (s *Switch) enter(depth int) (ok bool) {
	if depth == 0 {
		s.entries = 0
	}
	s.entries++
	return depth <= maxDepth && s.entries <= maxEntries
}

// Out is a frame that left a switch.
type Out struct {
	Port     openflow.PortNo
	Frame    []byte
	TunnelID uint64 // if the port is a tunnel's
}

// receive puts a frame through the pipeline as if it had come in by the port. What leaves is added to s.outs; mu is
// held.
func (s *Switch) receive(in openflow.PortNo, tunnelID uint64, frame []byte) {
	port := s.ports[in]
	if port == nil || port.Down || port.NoRecv || len(frame) < 14 {
		return
	}
	port.stats.RxPackets++
	port.stats.RxBytes += uint64(len(frame))
	p := &packetState{Packet: oxm.Packet{Frame: slices.Clone(frame), InPort: in}}
	if port.Tunnel {
		p.TunnelID = tunnelID
	}
	s.pipeline(p, 0, 0)
}

// pipeline runs a packet through the tables from one on (OpenFlow 1.3.5 section 5.1.1).
func (s *Switch) pipeline(p *packetState, table uint8, depth int) {
	if !s.enter(depth) {
		return
	}
	var set [][]byte // the action set, at most one of each kind
	for {
		e := s.table(table).lookup(p)
		if e == nil {
			break // a miss without a table-miss flow drops
		}
		e.packets++
		e.bytes += uint64(len(p.Frame))
		e.used = s.clock
		p.cookie, p.table, p.miss = e.cookie, table, e.priority() == 0 && e.match() == "" && !p.packetOut
		next, more := table, false
		for _, typ := range []uint16{
			openflow.InstructionApplyActions, openflow.InstructionClearActions, openflow.InstructionWriteActions,
			openflow.InstructionWriteMetadata, openflow.InstructionGotoTable,
		} {
			for i := range tlvs(e.instructions) {
				if be.Uint16(i) != typ {
					continue
				}
				switch typ {
				case openflow.InstructionApplyActions:
					s.apply(p, i[8:], depth)
				case openflow.InstructionClearActions:
					set = nil
				case openflow.InstructionWriteActions:
					set = writeActions(set, i[8:])
				case openflow.InstructionWriteMetadata:
					mask := be.Uint64(i[16:])
					p.Metadata = p.Metadata&^mask | be.Uint64(i[8:])&mask
				case openflow.InstructionGotoTable:
					next, more = i[4], true
				}
			}
		}
		if !more {
			break
		}
		table = next
	}
	s.applySet(p, set, depth)
}

// kind tells actions apart that replace each other in an action set.
func kind(a []byte) uint64 {
	k := uint64(be.Uint16(a)) << 32
	switch be.Uint16(a) {
	case openflow.ActionSetField:
		t, _, _ := oxm.Cut(a[4:]) // checked with the flow
		k |= uint64(t.Field)
	case openflow.ActionExperimenter:
		k |= uint64(be.Uint16(a[8:]))
	}
	return k
}

func writeActions(set [][]byte, b []byte) [][]byte {
	for a := range tlvs(b) {
		set = slices.DeleteFunc(set, func(old []byte) bool { return kind(old) == kind(a) })
		set = append(set, a)
	}
	return set
}

// applySet applies an action set in the order of OpenFlow 1.3.5 section 5.10.
func (s *Switch) applySet(p *packetState, set [][]byte, depth int) {
	if len(set) == 0 {
		return
	}
	p.cookie, p.table, p.miss = ^uint64(0), 0, false // an action set is no rule's, says OVS
	rank := func(a []byte) int {
		switch be.Uint16(a) {
		case openflow.ActionPopVLAN:
			return 1
		case openflow.ActionPushVLAN:
			return 2
		case openflow.ActionSetField:
			return 3
		case openflow.ActionGroup:
			return 5
		case openflow.ActionOutput:
			return 6
		}
		return 4
	}
	slices.SortStableFunc(set, func(a, b []byte) int { return cmp.Compare(rank(a), rank(b)) })
	for _, a := range set {
		s.apply(p, a, depth)
		if rank(a) == 5 {
			return // with a group the output is ignored
		}
	}
}

// apply applies a list of actions to the packet, which they change.
func (s *Switch) apply(p *packetState, actions []byte, depth int) {
	for a := range tlvs(actions) {
		switch be.Uint16(a) {
		case openflow.ActionOutput:
			s.output(p, openflow.PortNo(be.Uint32(a[4:])), depth)
		case openflow.ActionGroup:
			s.runGroup(p, be.Uint32(a[4:]), depth+1)
		case openflow.ActionPushVLAN:
			p.pushVLAN(be.Uint16(a[4:]))
		case openflow.ActionPopVLAN:
			p.popVLAN()
		case openflow.ActionSetField:
			t, _, _ := oxm.Cut(a[4:]) // checked with the flow
			t.Field.Info().Write(&p.Packet, t.Value, t.Mask)
		case openflow.ActionExperimenter:
			s.applyNicira(p, a, depth)
		}
	}
}

func (s *Switch) applyNicira(p *packetState, a []byte, depth int) {
	switch be.Uint16(a[8:]) {
	case nxController2:
		s.toController(p, controllerReason(a, p.miss))
	case nxRegLoad:
		p.load(a)
	case nxResubmit:
		q := *p // the rule that goes on keeps its own cookie
		in := q.InPort
		if port := be.Uint16(a[10:]); port != 0xfff8 {
			q.InPort = openflow.PortNo(port)
		}
		s.pipeline(&q, a[12], depth+1)
		q.InPort, q.cookie, q.table, q.miss = in, p.cookie, p.table, p.miss
		*p = q
	case nxCTClear:
		p.CTState, p.CTZone, p.CTMark = 0, 0, 0
	case nxCT:
		// The packet itself goes on untracked; what ct found is seen by the copy that goes to the table.
		q := p.clone()
		zone := be.Uint16(a[16:])
		if src := be.Uint32(a[12:]); src != 0 {
			zone = 0 // a zone out of a field is not modeled: see doc.go
		}
		s.track(q, zone, be.Uint16(a[10:])&1 != 0, a[24:])
		if table := a[18]; table != 0xff {
			q.Metadata, q.Regs = p.Metadata, p.Regs
			s.pipeline(q, table, depth+1)
		}
	}
}

// loadTarget returns where a reg_load writes: field, first bit, bits.
func loadTarget(a []byte) (f oxm.Field, from, n int) {
	ofs := be.Uint16(a[10:])
	return oxm.FieldOf(be.Uint32(a[12:])), int(ofs >> 6), int(ofs&0x3f) + 1
}

// load does NXAST_REG_LOAD.
func (p *packetState) load(a []byte) {
	f, from, n := loadTarget(a)
	size := f.Info().Size // checked with the flow
	value, mask := make([]byte, size), make([]byte, size)
	v := be.Uint64(a[16:])
	for i := range n {
		at := from + i
		mask[size-1-at/8] |= 1 << (at % 8)
		value[size-1-at/8] |= byte(v>>i&1) << (at % 8)
	}
	f.Info().Write(&p.Packet, value, mask)
}

// controllerReason returns the reason that a controller2 action gives.
func controllerReason(a []byte, miss bool) openflow.PacketInReason {
	reason := openflow.PacketInAction
	if miss {
		reason = openflow.PacketInNoMatch
	}
	for b := a[16:]; len(b) >= 4; {
		n := int(be.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			break
		}
		if be.Uint16(b) == 2 && n >= 5 { // NXAC2PT_REASON
			reason = openflow.PacketInReason(b[4])
		}
		b = b[min((n+7)&^7, len(b)):]
	}
	return reason
}

// output sends the packet to a port, never back to the one it came in by.
func (s *Switch) output(p *packetState, to openflow.PortNo, depth int) {
	switch to {
	case openflow.PortController:
		reason := openflow.PacketInAction
		if p.miss {
			reason = openflow.PacketInNoMatch
		}
		s.toController(p, reason)
	case openflow.PortInPort:
		s.send(p, p.InPort)
	case openflow.PortTable:
		s.pipeline(p.clone(), 0, depth+1)
	case openflow.PortAll, openflow.PortFlood, openflow.PortNormal:
		for _, no := range s.portNumbers() {
			if no != p.InPort && no != openflow.PortLocal {
				s.send(p, no)
			}
		}
	default:
		if to != p.InPort {
			s.send(p, to)
		}
	}
}

// send lets a copy of the packet leave by a port that is up.
func (s *Switch) send(p *packetState, to openflow.PortNo) {
	port := s.ports[to]
	if port == nil || port.Down {
		return
	}
	port.stats.TxPackets++
	port.stats.TxBytes += uint64(len(p.Frame))
	out := Out{Port: to, Frame: slices.Clone(p.Frame)}
	if port.Tunnel {
		out.TunnelID = p.TunnelID
	}
	s.outs = append(s.outs, out)
}

// runGroup runs the packet through a group: a copy through every bucket of an all group, the first bucket of any other.
func (s *Switch) runGroup(p *packetState, id uint32, depth int) {
	g := s.groups[id]
	if g == nil || !s.enter(depth) {
		return
	}
	for b := g.buckets; len(b) > 0; {
		k, rest, err := openflow.DecodeBucket(b)
		if err != nil {
			return // checked with the group
		}
		q := p.clone()
		q.miss = false
		s.apply(q, k.Actions, depth)
		if g.typ != openflow.GroupTypeAll {
			return
		}
		b = rest
	}
}

// toController sends a packet-in with the packet as it is now.
func (s *Switch) toController(p *packetState, reason openflow.PacketInReason) {
	s.packetIn(&openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(p.Frame)), Reason: reason, TableID: p.table,
		Cookie: p.cookie, InPort: p.InPort, TunnelID: p.TunnelID, Data: p.Frame,
	})
}
