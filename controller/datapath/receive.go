package datapath

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/vlan"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Bounds of a multipart reply. The dump of 100,000 flows takes 9.2 MiB. A switch with more than about 87,000 hosts goes beyond.
const (
	maxReplyBytes = 16 << 20
	maxReplyParts = 10_000
)

// maxStrays is how many flows that should not be there one audit removes: the next, which comes soon, sees the rest.
const maxStrays = 50_000

// errReplyTooLong says that a switch would not come to the end of a reply.
var errReplyTooLong = fmt.Errorf("multipart reply of more than %d MiB or %d parts", maxReplyBytes>>20, maxReplyParts)

// Receive takes one message of the session. An error closes the connection.
func (m *Machine) Receive(now time.Time, msg []byte) error {
	head, err := openflow.DecodeHeader(msg)
	if err != nil {
		return err
	}
	if head.Version != openflow.Version {
		return fmt.Errorf("%s of wire version %d in a session of OpenFlow 1.3", head.Type, head.Version)
	}
	m.last = now
	m.In[head.Type&31]++
	switch head.Type {
	case openflow.TypePacketIn:
		return m.packetIn(now, msg)
	case openflow.TypeFlowRemoved:
		return m.flowRemoved(now, msg)
	case openflow.TypePortStatus:
		var s openflow.PortStatus
		if err := s.Decode(msg); err != nil {
			return err
		}
		m.portStatus(now, &s)
	case openflow.TypeMultipartReply:
		return m.multipart(now, head.Xid, msg)
	case openflow.TypeEchoRequest:
		var e openflow.Echo
		if err := e.Decode(msg); err != nil {
			return err
		}
		m.Out.Wire = openflow.AppendEchoReply(m.Out.Wire, head.Xid, e.Data)
	case openflow.TypeBarrierReply:
		m.barrierReply(head.Xid)
	case openflow.TypeError:
		var e openflow.Error
		if err := e.Decode(msg); err != nil {
			return err
		}
		m.refused(now, &e)
	case openflow.TypeExperimenter:
		return m.experimenter(now, msg)
	case openflow.TypeRoleReply:
		var r openflow.RoleReply
		if err := r.Decode(msg); err != nil {
			return err
		}
		m.roleReply(now, head.Xid, &r)
	case openflow.TypeEchoReply:
		m.echoReply(now, head.Xid)
	case openflow.TypeHello, openflow.TypeGetConfigReply:
	case openflow.TypeFeaturesReply:
		m.Unsolicited++
	default:
		return fmt.Errorf("unexpected %s from a switch", head.Type)
	}
	return nil
}

// packetIn hands a frame to the app that owns the rule which sent it.
//
//  1. The owner stands in the cookie. A frame that no rule of ours sent (a plain generator, a switch without our flows) is
//     one to learn from, in the network of its in port.
//  2. Each class of frames has its budget.
//  3. The frame carries its VLAN's tag, but for hellos, which are taken before that, and for those of no rule.
func (m *Machine) packetIn(now time.Time, msg []byte) error {
	in := &m.pin
	if err := in.Decode(msg); err != nil {
		return err
	}
	owner, ours := flow.OwnerOf(in.Cookie)
	if !ours {
		owner = apps.OwnerL2
	}
	app := m.byOwner[owner]
	if app == nil {
		m.UnknownOwner++
		return nil
	}
	m.PacketIns[owner]++
	if class := classOf(owner); !m.budget[class].Allow(now) {
		m.PacketInsDropped[class]++
		return nil
	}
	frame, ok := packet.Parse(in.Data)
	if !ok {
		m.Malformed++
		return nil
	}
	p := &m.packet
	p.In, p.Frame, p.Owner, p.Port = in, frame, owner, m.sw.Ports[in.InPort]
	if p.Port == nil {
		m.Malformed++
		return nil
	}
	p.VLAN = frame.VID()
	if !ours {
		if p.VLAN, ok = vlan.Classify(p.Port, frame.Tagged(), frame.VID()); !ok {
			m.Malformed++
			return nil
		}
	}
	if in.TunSrc.IsValid() && owner == apps.OwnerDiscovery {
		p.Port.TunnelLocal, p.Port.TunnelRemote = in.TunDst, in.TunSrc
	}
	if m.phase >= Adopting {
		app.PacketRcvd(now, p, &m.Out)
	}
	return nil
}

// experimenter takes the two kinds of extension that we use. Another vendor's message is nothing to break a session for.
func (m *Machine) experimenter(now time.Time, msg []byte) error {
	var e openflow.Experimenter
	if err := e.Decode(msg); err != nil {
		return err
	}
	if e.ID == openflow.ExperimenterONF {
		switch e.Subtype {
		case openflow.SubtypeBundleControl:
			var b openflow.BundleControl
			if err := b.Decode(msg); err != nil {
				return err
			}
			m.committed(now, &b)
			return nil
		case openflow.SubtypeRoleStatus:
			var s openflow.RoleStatus
			if err := s.Decode(msg); err != nil {
				return err
			}
			return m.roleStatus(now, &s)
		}
	}
	m.Unsolicited++
	return nil
}

func (m *Machine) flowRemoved(now time.Time, msg []byte) error {
	var f openflow.FlowRemoved
	if err := f.Decode(msg); err != nil {
		return err
	}
	owner, ours := flow.OwnerOf(f.Cookie)
	match, err := flow.Canonical(f.Match)
	if !ours || err != nil || m.byOwner[owner] == nil || m.phase < Adopting {
		m.Unsolicited++
		return nil
	}
	switch desired := m.Out.Store.Has(f.TableID, f.Priority, &match); {
	case desired && f.Reason == openflow.FlowRemovedDelete:
		m.suspect(now) // not by us
	case !desired && f.Reason != openflow.FlowRemovedDelete:
		m.Unsolicited++
	}
	m.byOwner[owner].FlowRemoved(now, &f, &match, &m.Out)
	return nil
}

func (m *Machine) barrierReply(xid uint32) {
	for i, b := range m.barrier {
		if b.xid != xid {
			continue
		}
		for _, b := range m.barrier[:i+1] { // barriers are answered in order
			m.inflight -= b.bytes
			m.covered -= b.frames
			m.Out.Unconfirmed -= b.frames
			if b.done != nil {
				close(b.done)
			}
		}
		m.barrier = append(m.barrier[:0], m.barrier[i+1:]...)
		return
	}
	m.Unsolicited++
}

// multipart takes one part of a reply that was asked for; others are counted and ignored.
func (m *Machine) multipart(now time.Time, xid uint32, msg []byte) error {
	var mp openflow.Multipart
	if err := mp.Decode(msg); err != nil {
		return err
	}
	for i := range m.waiting {
		r := &m.waiting[i]
		if r.xid != xid {
			continue
		}
		if mp.Type != r.kind.multipart() {
			return fmt.Errorf("%s in reply to a request for %s", openflow.MultipartName(mp.Type), openflow.MultipartName(r.kind.multipart()))
		}
		r.bytes += len(msg)
		r.parts++
		if r.bytes > maxReplyBytes || r.parts > maxReplyParts {
			return errReplyTooLong
		}
		kind := r.kind
		if err := m.part(now, kind, &mp); err != nil {
			return err
		}
		if !mp.More {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.answered(now, kind)
		}
		return nil
	}
	m.Unsolicited++
	return nil
}

// part reads the body of one part.
func (m *Machine) part(now time.Time, kind requestKind, mp *openflow.Multipart) error {
	b := mp.Body
	switch kind {
	case askDesc:
		return m.desc.Decode(b)
	case askPorts:
		for len(b) > 0 {
			p, rest, err := openflow.DecodePortDesc(b)
			if err != nil {
				return err
			}
			m.listPort(p)
			b = rest
		}
	case askMeters:
		for len(b) > 0 {
			c, rest, err := openflow.DecodeMeterConfig(b)
			if err != nil {
				return err
			}
			if c.ID >= apps.MeterLearn && c.ID <= apps.MeterProbe {
				m.actualMeters[c.ID] = meterOf(&c)
			}
			b = rest
		}
	case askRestore, askFlows:
		for len(b) > 0 {
			f, rest, err := openflow.DecodeFlowStats(b)
			if err != nil {
				return err
			}
			m.dumped(now, kind, &f)
			b = rest
		}
	case askGroups:
		for len(b) > 0 {
			g, rest, err := openflow.DecodeGroupDesc(b)
			if err != nil {
				return err
			}
			m.Out.Store.DumpedGroup(&g, &m.drift)
			b = rest
		}
	case askPortStats:
		for len(b) > 0 {
			s, rest, err := openflow.DecodePortStats(b)
			if err != nil {
				return err
			}
			if m.stats == nil {
				m.stats = map[openflow.PortNo]openflow.PortStats{}
			}
			if m.sw.Ports[s.No] != nil {
				m.stats[s.No] = s
			}
			b = rest
		}
	}
	return nil
}

func (m *Machine) dumped(now time.Time, kind requestKind, f *openflow.FlowStats) {
	match, err := flow.Canonical(f.Match)
	owner, ours := flow.OwnerOf(f.Cookie)
	if !ours {
		return // a switch that does not filter by cookie
	}
	if kind == askFlows {
		if m.drift.Stray < maxStrays || err == nil && m.Out.Store.Has(f.TableID, f.Priority, &match) {
			m.Out.Store.Dumped(f, &m.drift)
		}
		if err == nil && owner == apps.OwnerHosts {
			m.l2.UpdateStats(now, f, &match)
		}
		return
	}
	m.restored++
	if l := m.sw.Settings.HostsPerSwitch; l > 0 && owner == apps.OwnerHosts && f.TableID == apps.TableLearn && m.l2.Len() >= l {
		return // the audit removes it
	}
	if err == nil && m.byOwner[owner] != nil {
		m.byOwner[owner].MultipartReply(now, f, &match, &m.Out)
	}
}

// meterOf reads back a meter; one of another form than ours comes out as a meter without a rate.
func meterOf(c *openflow.MeterConfig) flow.Meter {
	meter := flow.Meter{ID: c.ID}
	band, rest, err := openflow.DecodeMeterBand(c.Bands)
	if err == nil && len(rest) == 0 && band.Type == openflow.MeterBandDrop && c.Flags == openflow.MeterPktps|openflow.MeterBurst {
		meter.Rate, meter.Burst = band.Rate, band.Burst
	}
	return meter
}
