package datapath

import (
	"testing"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

func TestDesiredMeters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings apps.Settings
		want     map[uint32]uint32
	}{
		{
			apps.Settings{PacketIns: 400, Probes: 100},
			map[uint32]uint32{apps.MeterLearn: 400, apps.MeterARP: 100, apps.MeterProbe: 200},
		},
		{
			apps.Settings{PacketIns: 1, Probes: 1},
			map[uint32]uint32{apps.MeterLearn: 1, apps.MeterARP: 1, apps.MeterProbe: 2},
		},
		{apps.Settings{}, map[uint32]uint32{
			apps.MeterLearn: unlimited, apps.MeterARP: unlimited, apps.MeterProbe: unlimited,
		}},
	} {
		got := map[uint32]uint32{}
		for _, m := range desiredMeters(c.settings) {
			if got[m.ID] = m.Rate; m.Burst != m.Rate {
				t.Errorf("meter %#x: burst %d, rate %d", m.ID, m.Burst, m.Rate)
			}
		}
		c.want[apps.MeterDiscovery], c.want[apps.MeterTransit] = edgeHellos, linkHellos
		for id, rate := range c.want {
			if got[id] != rate {
				t.Errorf("%+v: meter %#x has rate %d, want %d", c.settings, id, got[id], rate)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%d meters", len(got))
		}
	}
}

// A meter of another form than ours is read as one that differs from all of ours.
func TestMeterOf(t *testing.T) {
	t.Parallel()
	const flags = openflow.MeterPktps | openflow.MeterBurst
	band := openflow.AppendMeterMod(nil, 0, openflow.MeterAdd, flags, 5, 100, 200)[16:]
	remark := append([]byte(nil), band...)
	remark[1] = 2 // OFPMBT_DSCP_REMARK
	for _, c := range []struct {
		name   string
		config openflow.MeterConfig
		want   flow.Meter
	}{
		{"ours", openflow.MeterConfig{ID: 5, Flags: flags, Bands: band}, flow.Meter{ID: 5, Rate: 100, Burst: 200}},
		{"in kilobits", openflow.MeterConfig{ID: 5, Flags: openflow.MeterBurst, Bands: band}, flow.Meter{ID: 5}},
		{
			"two bands",
			openflow.MeterConfig{ID: 5, Flags: flags, Bands: append(band[:len(band):len(band)], band...)},
			flow.Meter{ID: 5},
		},
		{"no band", openflow.MeterConfig{ID: 5, Flags: flags}, flow.Meter{ID: 5}},
		{"another band", openflow.MeterConfig{ID: 5, Flags: flags, Bands: remark}, flow.Meter{ID: 5}},
	} {
		if got := meterOf(&c.config); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
