package datapath

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/controller/ratelimit"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Class is a kind of packet-ins with a budget of its own, so that no kind can starve another.
type Class uint8

// The classes.
const (
	ClassLearning Class = iota
	ClassDiscovery
	ClassProbe
	NumClasses
)

// String returns the class as it stands in metrics.
func (c Class) String() string { return [...]string{"learning", "discovery", "probe", ""}[c] }

func classOf(o flow.Owner) Class {
	switch o {
	case apps.OwnerDiscovery:
		return ClassDiscovery
	case apps.OwnerProbe:
		return ClassProbe
	}
	return ClassLearning
}

// unlimited stands for no limit in a meter, which has no such value.
const unlimited = 10_000_000

func rate(n int) uint32 {
	if n <= 0 {
		return unlimited
	}
	return uint32(n)
}

// Rates of discovery, in frames a second and switch. Edge ports get hellos only from switches that are not links yet.
const (
	edgeHellos = 500
	linkHellos = 5000
)

func (m *Machine) limit(s apps.Settings) {
	m.budget[ClassLearning] = ratelimit.New(s.PacketIns, time.Second)
	m.budget[ClassDiscovery] = ratelimit.New(edgeHellos+linkHellos, time.Second)
	m.budget[ClassProbe] = ratelimit.New(2*s.Probes, time.Second)
}

// meters are the limits that the switch keeps by itself. Probe replies get twice the rate of probes: some come late or twice.
func (m *Machine) meters() []flow.Meter {
	s := m.sw.Settings
	probes := uint32(unlimited)
	if s.Probes > 0 {
		probes = 2 * uint32(s.Probes)
	}
	meter := func(id, r uint32) flow.Meter { return flow.Meter{ID: id, Rate: r, Burst: r} }
	return []flow.Meter{
		meter(apps.MeterLearn, rate(s.PacketIns)), meter(apps.MeterARP, rate((s.PacketIns+3)/4)),
		meter(apps.MeterDiscovery, edgeHellos), meter(apps.MeterTransit, linkHellos), meter(apps.MeterProbe, probes),
	}
}

// sendMeters brings the meters about and returns how many it had to send. They must be there before the flows that name them,
// and OVS takes none in a bundle.
func (m *Machine) sendMeters() (sent int) {
	m.metersStale = false
	if m.sw.NoMeters {
		return 0
	}
	for _, want := range m.meters() {
		have, exists := m.actualMeters[want.ID]
		if exists && have == want {
			continue
		}
		command := openflow.MeterAdd
		if exists {
			command = openflow.MeterModify
		}
		m.Out.Wire = openflow.AppendMeterMod(m.Out.Wire, m.xid(), command, openflow.MeterPktps|openflow.MeterBurst, want.ID, want.Rate, want.Burst)
		m.actualMeters[want.ID] = want
		sent++
	}
	return sent
}
