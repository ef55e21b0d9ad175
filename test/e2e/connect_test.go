package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/lab"
)

// TestConnect: the controller connects to bridges that listen, over TCP and at Open vSwitch's own management socket,
// and comes back to them when they restart.
func TestConnect(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"tcp", "mgmt"} {
		t.Run(way, func(t *testing.T) {
			l := lab.Start(t)
			h := l.AddHost("host1")
			br := h.AddBridge("br0", lab.BridgeOptions{})
			target := "unix:" + h.RunDir() + "/br0.mgmt"
			if way == "tcp" {
				br.SetController("ptcp:6653:" + h.ManagementIP())
				target = "tcp:" + h.ManagementIP() + ":6653"
			}
			config := fmt.Sprintf("openflow: {connect: [%q]}\n", target)
			s := &site{Lab: l, t: t, ctl: l.StartController(program, config)}
			s.waitConnected(br)
			vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
			s.reachAll(vm1, vm2)
			if r := s.ctl.Eosin("probe", vm1.MAC, vm2.MAC, "-c", "2", "-i", "0.1s"); r.Exit != 0 {
				t.Errorf("probe: %v", r)
			}

			h.RestartVswitchd()
			s.eventually(patience, "connected again", func() bool {
				return strings.Count(s.ctl.Log(), "connected from "+target) == 2
			})
			s.reachAll(vm1, vm2)
		})
	}
}
