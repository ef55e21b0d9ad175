package datapath

import (
	"strings"
	"testing"
	"time"

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

func TestMeters(t *testing.T) {
	p := newPeer(t)
	p.ready()
	in := inNetwork()
	in.Settings.PacketIns = 400
	p.m.Configure(in)
	p.run()
	p.wantSent("modify meter 0xe0501 rate 400", "modify meter 0xe0502 rate 100")
	in.Settings.PacketIns, in.Settings.Probes = 0, 0
	p.m.Configure(in)
	p.run()
	p.wantSent("modify meter 0xe0501 rate 10000000", "modify meter 0xe0502 rate 10000000",
		"modify meter 0xe0505 rate 10000000")

	// A meter that somebody has changed is put right by the next session.
	p.m.Detach(p.now)
	p.meters[apps.MeterProbe] = flow.Meter{ID: apps.MeterProbe, Rate: 1, Burst: 1}
	p.log = nil
	p.attach()
	if got := p.sent(); strings.Count(got, "meter 0x") != 1 ||
		!strings.Contains(got, "modify meter 0xe0505 rate 10000000") {
		t.Errorf("sent:\n%s", got)
	}
}

// A small limit of packet-ins is one for ARP as well: a quarter of it is not none.
func TestSmallestLimitHoldsForARP(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.PacketIns = 1
	p.m.Configure(in)
	p.attach()
	if r := p.meters[apps.MeterARP].Rate; r != 1 {
		t.Errorf("%d ARP copies a second", r)
	}
}

// A switch without meters works without them, and says so.
func TestMetersRefused(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(msg []byte) (uint16, uint16) {
		if openflow.Type(msg[1]) == openflow.TypeMeterMod {
			return openflow.ErrorTypeMeterModFailed, 10 // OFPMMFC_OUT_OF_METERS
		}
		return 0, 0
	}
	p.attach()
	p.wantNotice("switch_error", "the switch refuses meters: ", "out_of_meters")
	p.wantNotice("no_meters", "limited by the controller alone")
	if len(p.notices) != 2 {
		t.Errorf("notices %q", p.notices)
	}
	p.pass(2 * time.Second)
	if got := p.dump(); p.m.Phase() != Ready || strings.Contains(got, "meter_id") ||
		!strings.Contains(got, "CONTROLLER:65535") {
		t.Errorf("phase %s, flows:\n%s", p.m.Phase(), got)
	}
	if err := p.m.Status().Err; err == nil || !strings.Contains(err.Error(), "meters") {
		t.Errorf("status says %v", err)
	}
	p.sent()
	p.pass(65 * time.Second)
	if got := p.sent(); strings.Contains(got, "meter 0x") || strings.Contains(got, "bundle") {
		t.Errorf("sent:\n%s", got)
	}

	// The next session tries again: with the same outcome, and then at a switch that takes them.
	for _, refuses := range []bool{true, false} {
		if !refuses {
			p.refuse = nil
		}
		p.m.Detach(p.now)
		p.attach()
		p.pass(2 * time.Second)
		if got := p.dump(); p.m.Phase() != Ready || strings.Contains(got, "meter_id") == refuses {
			t.Errorf("refuses %v: phase %s, flows:\n%s", refuses, p.m.Phase(), got)
		}
		if err := p.m.Status().Err; (err != nil) != refuses {
			t.Errorf("refuses %v: status says %v", refuses, err)
		}
	}
}
