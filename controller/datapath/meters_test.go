package datapath

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

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
	for _, id := range []string{"0xe0501", "0xe0502", "0xe0503", "0xe0504", "0xe0505"} {
		p.wantNotice("no_meters", id)
	}
	if len(p.notices) != 6 {
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

// A meter that the switch refuses is the only one that is missing, and is tried again when it is another.
func TestMeterRefused(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(msg []byte) (uint16, uint16) {
		var m openflow.MeterMod
		if openflow.Type(msg[1]) == openflow.TypeMeterMod && m.Decode(msg) == nil && m.ID == apps.MeterARP {
			return openflow.ErrorTypeMeterModFailed, 6 // OFPMMFC_BAD_RATE
		}
		return 0, 0
	}
	p.attach()
	p.pass(2 * time.Second)
	got := p.dump()
	if _, there := p.meters[apps.MeterARP]; there || len(p.meters) != 4 || strings.Contains(got, "meter_id=918786") ||
		strings.Count(got, "meter_id=") == 0 || p.m.Phase() != Ready {
		t.Errorf("meters %v, flows:\n%s", p.meters, got)
	}
	p.wantNotice("no_meters", "refuses meter 0xe0502")
	if len(p.notices) != 2 { // and switch_error
		t.Errorf("notices %q", p.notices)
	}
	p.refuse = nil
	in := inNetwork()
	in.Settings.PacketIns = 400
	p.m.Configure(in)
	p.run()
	p.pass(2 * time.Second)
	if got := p.dump(); p.meters[apps.MeterARP].Rate != 100 || !strings.Contains(got, "meter_id=918786") {
		t.Errorf("meters %v, flows:\n%s", p.meters, got)
	}
}

// A meter in our range that nobody states is deleted, after the flows that may name it; those of others stay.
func TestStrayMeters(t *testing.T) {
	p := newPeer(t)
	p.meters[flow.MeterIDs+0x77] = flow.Meter{ID: flow.MeterIDs + 0x77, Rate: 1, Burst: 1}
	p.meters[77] = flow.Meter{ID: 77, Rate: 1, Burst: 1}
	p.attach()
	p.pass(2 * time.Second)
	if _, there := p.meters[flow.MeterIDs+0x77]; there || p.meters[77].Rate != 1 || len(p.meters) != 6 {
		t.Errorf("meters %v", p.meters)
	}
	got := p.sent()
	if i := strings.Index(got, "delete meter"); i < strings.LastIndex(got, "bundle commit") {
		t.Errorf("sent:\n%s", got)
	}
}

// A switch that refuses to delete a meter is asked once in a session.
func TestMeterKept(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(msg []byte) (uint16, uint16) {
		var m openflow.MeterMod
		if openflow.Type(msg[1]) == openflow.TypeMeterMod && m.Decode(msg) == nil && m.Command == openflow.MeterDelete {
			return openflow.ErrorTypeMeterModFailed, 0
		}
		return 0, 0
	}
	p.meters[flow.MeterIDs+0x77] = flow.Meter{ID: flow.MeterIDs + 0x77, Rate: 1, Burst: 1}
	p.attach()
	p.pass(2 * time.Minute)
	if got := p.sent(); strings.Count(got, "delete meter") != 1 || p.m.Audits > 8 || p.m.Drifts > 0 {
		t.Errorf("%d audits, %d drifts, sent:\n%s", p.m.Audits, p.m.Drifts, got)
	}
}
