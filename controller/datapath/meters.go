package datapath

import (
	"errors"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Meters limit in the switch what it copies to the controller. All that concerns them is in this file. The session
// calls:
//
//   - startMeters when it begins, before metersPart takes what the switch lists;
//   - sendMeters before flows that name meters are sent: at the end of phase Describing, in phase Ready, when an audit
//     begins;
//   - requestMeters when an audit of a ready session begins, and repairMeters when it ends;
//   - metersUnlisted when the switch cannot list them, metersRejected when it rejects one.
//
// Configure sets meters.stale. Open vSwitch takes no meter-mod in a bundle.
type meters struct {
	actual   map[uint32]flow.Meter
	stale    bool // the config has changed since they were sent
	unlisted bool // the switch cannot list its meters
}

var errNoMeters = errors.New(
	"the switch refuses meters: what it copies to the controller is limited by the controller alone")

const meterFlags = openflow.MeterPktps | openflow.MeterBurst

// unlimited stands for no limit in a meter, which has no such value.
const unlimited = 10_000_000

func meterRate(n int) uint32 {
	if n <= 0 {
		return unlimited
	}
	return uint32(n)
}

// desiredMeters are the limits of a config. Probe replies get twice the rate of probes: some come late or twice.
func desiredMeters(s apps.Settings) []flow.Meter {
	meter := func(id, r uint32) flow.Meter { return flow.Meter{ID: id, Rate: r, Burst: r} }
	return []flow.Meter{
		meter(apps.MeterLearn, meterRate(s.PacketIns)), meter(apps.MeterARP, meterRate((s.PacketIns+3)/4)),
		meter(apps.MeterDiscovery, edgeHellos), meter(apps.MeterTransit, linkHellos),
		meter(apps.MeterProbe, meterRate(2*s.Probes)),
	}
}

// startMeters begins a session. The switch may be another one than before, or have room for meters again.
func (m *Machine) startMeters() {
	m.meters = meters{actual: map[uint32]flow.Meter{}}
	if m.sw.NoMeters {
		m.sw.NoMeters, m.refreshDue = false, true
	}
}

// requestMeters has the switch list its meters again.
func (m *Machine) requestMeters(now time.Time) {
	if !m.meters.unlisted {
		clear(m.meters.actual)
		m.requests.send(now, requestMeters, &m.Out)
	}
}

// metersPart takes a part of the list. Meters of others are left alone.
func (m *Machine) metersPart(body []byte) error {
	return eachEntry(body, openflow.DecodeMeterConfig, func(c *openflow.MeterConfig) {
		if c.ID >= apps.MeterLearn && c.ID <= apps.MeterProbe {
			m.meters.actual[c.ID] = meterOf(c)
		}
	})
}

// meterOf reads a meter; one of another form than ours comes out as a meter without a rate.
func meterOf(c *openflow.MeterConfig) flow.Meter {
	meter := flow.Meter{ID: c.ID}
	band, rest, err := openflow.DecodeMeterBand(c.Bands)
	if err == nil && len(rest) == 0 && band.Type == openflow.MeterBandDrop && c.Flags == meterFlags {
		meter.Rate, meter.Burst = band.Rate, band.Burst
	}
	return meter
}

// sendMeters sends the meters that differ and returns how many.
func (m *Machine) sendMeters() (sent int) {
	m.meters.stale = false
	if m.sw.NoMeters {
		return 0
	}
	for _, want := range desiredMeters(m.sw.Settings) {
		have, exists := m.meters.actual[want.ID]
		if exists && have == want {
			continue
		}
		command := openflow.MeterAdd
		if exists {
			command = openflow.MeterModify
		}
		m.Out.Wire = openflow.AppendMeterMod(
			m.Out.Wire, nextXid(&m.Out), command, meterFlags, want.ID, want.Rate, want.Burst)
		m.meters.actual[want.ID] = want
		sent++
	}
	return sent
}

// repairMeters sends the meters that differ at the end of an audit and returns how many of them somebody else has
// changed.
func (m *Machine) repairMeters() (drifted int) {
	reconfigured := m.meters.stale // the config has changed during the audit
	if sent := m.sendMeters(); !reconfigured {
		return sent
	}
	return 0
}

// metersUnlisted goes on with a switch that cannot list its meters.
func (m *Machine) metersUnlisted() { m.meters.unlisted = true }

// metersRejected goes on without meters. The apps leave them out of their rules, and the next session tries again.
func (m *Machine) metersRejected(now time.Time) {
	m.sw.NoMeters, m.refreshDue = true, true
	m.emit(now, event.NoMeters, ": "+errNoMeters.Error())
}
