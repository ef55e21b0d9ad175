package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
)

// TestManyHosts: thousands of hosts of one port are learned on a real bridge, and a restarted controller takes them all back from
// the flows without touching one.
func TestManyHosts(t *testing.T) {
	const hosts = 5000
	s := newSite(t, "limits: {hosts_per_port: 0, hosts_per_switch: 0, packet_ins_per_second: 0}\n")
	br := s.bridge("host1")
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)

	var frames [][]byte
	for i := range hosts {
		frames = append(frames, frame(vm2.MAC, fmt.Sprintf("06:00:00:00:%02x:%02x", i>>8, i&0xff), []uint16{0x88b5}, ""))
	}
	began := time.Now()
	s.eventually(3*patience, fmt.Sprintf("%d hosts learned", hosts), func() bool {
		seen := map[string]bool{}
		for _, line := range grep(br.DumpFlows(), "table=5,", "dl_src=06:00:00:00:") {
			_, mac, _ := strings.Cut(line, "dl_src=")
			seen[mac[:17]] = true
		}
		// What the switch has dropped, since it queues few frames for its controller, comes again, as from real hosts.
		var again [][]byte
		for i, f := range frames {
			if !seen[fmt.Sprintf("06:00:00:00:%02x:%02x", i>>8, i&0xff)] {
				again = append(again, f)
			}
		}
		for chunk := range slices.Chunk(again, 50) {
			vm1.SendRaw(chunk...)
			time.Sleep(2 * time.Millisecond)
		}
		return len(again) == 0
	})
	t.Logf("%d hosts learned in %v", hosts, time.Since(began).Round(time.Millisecond))

	before := snap(br)
	s.ctl.Kill()
	s.ctl.Start()
	s.waitConnected(br)
	s.eventually(patience, "hosts taken back", func() bool {
		networks := get[api.Network](s, "networks")
		return len(networks) == 1 && networks[0].Hosts == hosts+2
	})
	s.eventually(patience, "the flows audited", func() bool { return s.metric(`eosin_flow_audits_total{switch="`+br.DatapathID()+`"}`) >= 1 })
	if touched := before.touched(br); len(touched) > 0 {
		t.Errorf("%d flows were touched by the restart, the first: %s", len(touched), touched[0])
	}
	t.Logf("%d flows compared in %.3f s", len(before.flows), s.metric(`eosin_flow_audit_seconds{switch="`+br.DatapathID()+`"}`))
}
