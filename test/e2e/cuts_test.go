package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

// talking pings between guests every 20 ms, all at once, until done is called, which checks that each pair lost no more
// than most pings.
func (s *site) talking(pairs ...[2]*lab.VM) (done func(what string, most int)) {
	s.t.Helper()
	var running []*lab.RunningPing
	for _, p := range pairs {
		running = append(running, p[0].StartPing(p[1].IP(), lab.Count(6000), lab.Interval(20*time.Millisecond),
			lab.Timeout(3*time.Second)))
	}
	return func(what string, most int) {
		s.t.Helper()
		for i, r := range running {
			r := r.Stop()
			if r.Err != nil || r.Received == 0 || r.Duplicates > 0 || len(unanswered(r)) > most {
				s.t.Errorf("%s: %s to %s: %v; not answered: %v", what, pairs[i][0].Name, pairs[i][1].Name, r, unanswered(r))
			}
		}
	}
}

// TestTunnelHeals: when one tunnel of a full mesh has been cut, its traffic goes by way of the third host, and comes
// back when it has healed. Guests stay where they are, no flood goes round, and the other pairs notice nothing.
func TestTunnelHeals(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 3)
	vm1, vm2, vm3 := s.vm(br[0], "vm1"), s.vm(br[1], "vm2"), s.vm(br[2], "vm3")
	s.reachAll(vm1, vm2, vm3)
	before := s.steady(br...)
	cut := func(a, b *lab.Bridge, on bool) {
		phy, match := a.Host.Bridge("br-phy"), "ip,nw_src="+b.Host.UnderlayIP()
		if on {
			phy.AddFlow("priority=100," + match + ",actions=drop")
		} else {
			phy.DelFlows(match)
		}
	}
	// A second of pings may be lost as the traffic comes back: the underlay's switches take the drop rules out of their
	// caches flow by flow, and may pass discovery frames before they pass pings.
	const healing = 50
	for range 3 {
		others := s.talking([2]*lab.VM{vm1, vm2}, [2]*lab.VM{vm1, vm3})
		cut(br[1], br[2], true)
		cut(br[2], br[1], true)
		s.waitLinks(2)
		if !vm2.WaitReach(vm3.IP(), patience) {
			t.Fatal("no way around the cut tunnel")
		}
		detour := s.talking([2]*lab.VM{vm2, vm3}, [2]*lab.VM{vm3, vm2})
		cut(br[1], br[2], false)
		cut(br[2], br[1], false)
		// What is unknown is flooded: it must not go round in the loop that the healed tunnel makes with the way around
		// it.
		for _, vm := range []*lab.VM{vm1, vm2, vm3} {
			vm.Announce()
			vm.SendRaw(frame("02:00:00:00:99:99", vm.MAC, words(testType), unique("unknown")))
		}
		s.waitLinks(3)
		s.same("the cut", before, s.steady(br...))
		detour("over the way around and back", healing)
		others("not on the cut tunnel", 0)
	}
	if strings.Contains(s.ctl.Log(), "host_frozen") {
		t.Error("a host was frozen, but none moved")
	}
}

// TestManagementCut: a host that is cut off from the controller without a reset loses nothing, before its session is
// known to be dead and when it is heard again, though its discovery frames stop at once.
func TestManagementCut(t *testing.T) {
	t.Parallel()
	s, br := mesh(t, 3)
	vm1, vm2, vm3 := s.vm(br[0], "vm1"), s.vm(br[1], "vm2"), s.vm(br[2], "vm3")
	s.reachAll(vm1, vm2, vm3)
	before := s.steady(br...)
	for _, cut := range []time.Duration{4 * time.Second, 8 * time.Second} {
		done := s.talking([2]*lab.VM{vm1, vm2}, [2]*lab.VM{vm1, vm3}, [2]*lab.VM{vm2, vm3}, [2]*lab.VM{vm3, vm1})
		br[0].Host.SetManagement(false)
		s.observe(cut, "no link is said to be down", func() bool { return !strings.Contains(s.ctl.Log(), "link_down") })
		br[0].Host.SetManagement(true)
		s.waitConnected(br[0])
		s.waitLinks(3)
		s.same("the cut", before, s.steady(br...))
		done("cut off from the controller", 0)
	}
	if strings.Contains(s.ctl.Log(), "host_frozen") {
		t.Error("a host was frozen, but none moved")
	}
}
