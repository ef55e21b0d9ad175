package datapath

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
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

// bucket is a token bucket that counts in nanoseconds of its rate, so that no fraction is lost.
type bucket struct {
	per   int64 // nanoseconds a token takes to grow; 0 is unlimited
	most  int64 // nanoseconds' worth that it holds
	level int64
	last  int64
}

func newBucket(rate int) bucket {
	if rate <= 0 {
		return bucket{}
	}
	per := max(int64(time.Second)/int64(rate), 1)
	return bucket{per: per, most: int64(time.Second), level: int64(time.Second)}
}

// take takes one token.
func (b *bucket) take(now int64) bool {
	if b.per == 0 {
		return true
	}
	if d := now - b.last; d > 0 {
		b.level = min(b.level+d, b.most)
	}
	b.last = now
	if b.level < b.per {
		return false
	}
	b.level -= b.per
	return true
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
	m.budget[ClassLearning] = newBucket(s.PacketIns)
	m.budget[ClassDiscovery] = newBucket(edgeHellos + linkHellos)
	m.budget[ClassProbe] = bucket{}
	if s.Probes > 0 {
		m.budget[ClassProbe] = newBucket(2 * s.Probes)
	}
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
