package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestMeters: a reload with another limit changes the meters that follow from it, and no flow and no other meter. Meters
// that somebody deletes come back with the next audit, one of ours that nobody states goes, and those of others stay.
func TestMeters(t *testing.T) {
	t.Parallel()
	config := "audit: {interval: 5s}\n" + conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}"))
	s := newSite(t, config)
	br := s.bridge("host1")
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)
	br.Host.Ofctl("add-meter", "br0", "meter=7,pktps,burst,band=type=drop,rate=7,burst_size=7")
	s.steady(br)
	before, flows := br.DumpMeters(), snap(br)
	mods := s.sentMods(br, "meter_mod")

	s.reload("limits: {packet_ins_per_second: 400}\n"+config, "reloaded")
	want := slices.Clone(before)
	for i, line := range want {
		for meter, rate := range map[string]string{"meter=918785 ": "400", "meter=918786 ": "100"} {
			if strings.HasPrefix(line, meter) {
				want[i] = meter + "pktps burst bands= type=drop rate=" + rate + " burst_size=" + rate
			}
		}
	}
	s.eventually(patience, "the meters of the new limit", func() bool { return slices.Equal(br.DumpMeters(), want) })
	if n := s.sentMods(br, "meter_mod") - mods; n != 2 {
		t.Errorf("%d meter-mods for two meters:\n%s", n, strings.Join(br.DumpMeters(), "\n"))
	}
	if list := flows.touched(br); len(list) > 0 {
		t.Errorf("the reload touched flows:\n%s", strings.Join(list, "\n"))
	}

	flowsBefore := br.DumpFlows()
	br.Host.Ofctl("del-meters", "br0")
	br.Host.Ofctl("add-meter", "br0", "meter=7,pktps,burst,band=type=drop,rate=7,burst_size=7")
	br.Host.Ofctl("add-meter", "br0", "meter=918910,pktps,burst,band=type=drop,rate=7,burst_size=7") // 0xe057e
	s.eventually(patience, "meters and flows repaired", func() bool {
		return slices.Equal(br.DumpMeters(), want) && slices.Equal(br.DumpFlows(), flowsBefore)
	})
	s.pings(vm1, vm2)
}
