package datapath

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/vlan"
	"github.com/eosin-sdn/eosin/controller/ratelimit"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// class is a kind of packet-ins with a budget of its own, so that no kind can starve another.
type class uint8

// The classes.
const (
	classLearning class = iota
	classDiscovery
	classProbe
	numClasses
)

// String returns the class as it stands in metrics.
func (c class) String() string { return [...]string{"learning", "discovery", "probe", ""}[c] }

func classOf(o flow.Owner) class {
	switch o {
	case apps.OwnerDiscovery:
		return classDiscovery
	case apps.OwnerProbe:
		return classProbe
	}
	return classLearning
}

// budgets are the limits of packet-ins, by class. Probe replies get twice the rate of probes: some come late or twice.
type budgets [numClasses]ratelimit.Bucket

func newBudgets(s intent.Settings) budgets {
	return budgets{
		classLearning:  ratelimit.New(s.PacketIns, time.Second),
		classDiscovery: ratelimit.New(apps.EdgeHellos+apps.LinkHellos, time.Second),
		classProbe:     ratelimit.New(2*s.Probes, time.Second),
	}
}

// packetIn hands a frame to the app that owns the rule which sent it.
//
//  1. The owner stands in the cookie. A frame that no rule of ours sent (a plain generator, a switch without our
//     flows) is one to learn from, in the network of its in port.
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
	app := m.apps.ByOwner[owner]
	if app == nil {
		m.UnknownOwner++
		return nil
	}
	m.PacketIns[owner]++
	if c := classOf(owner); !m.budgets[c].Allow(now) {
		m.PacketInsDropped[c]++
		return nil
	}
	frame, ok := packet.Parse(in.Data)
	port := m.sw.Ports[in.InPort]
	if !ok || port == nil {
		m.Malformed++
		return nil
	}
	p := &m.packet
	p.In, p.Frame, p.Owner, p.Port, p.VLAN = in, frame, owner, port, frame.VID()
	if !ours {
		if p.VLAN, ok = vlan.Classify(port, frame.Tagged(), frame.VID()); !ok {
			m.Malformed++
			return nil
		}
	}
	if in.TunSrc.IsValid() && owner == apps.OwnerDiscovery {
		port.TunnelLocal, port.TunnelRemote = in.TunDst, in.TunSrc
	}
	if m.phase >= Adopting {
		app.PacketRcvd(now, p, &m.Out)
	}
	return nil
}
