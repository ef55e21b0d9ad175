package flow

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

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
		want   Meter
	}{
		{"ours", openflow.MeterConfig{ID: 5, Flags: flags, Bands: band}, Meter{ID: 5, Rate: 100, Burst: 200}},
		{"in kilobits", openflow.MeterConfig{ID: 5, Flags: openflow.MeterBurst, Bands: band}, Meter{ID: 5}},
		{
			"two bands",
			openflow.MeterConfig{ID: 5, Flags: flags, Bands: append(band[:len(band):len(band)], band...)},
			Meter{ID: 5},
		},
		{"no band", openflow.MeterConfig{ID: 5, Flags: flags}, Meter{ID: 5}},
		{"another band", openflow.MeterConfig{ID: 5, Flags: flags, Bands: remark}, Meter{ID: 5}},
	} {
		if got := meterOf(&c.config); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
