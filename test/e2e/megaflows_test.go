package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

// TestNoStaleMegaflow: no megaflow of a host goes on sending frames to where a guest was that has moved between two
// others, also when two megaflows overlap: one that pings made while the guest's probes were trapped at the host, and
// one that other packets have made since. Open vSwitch 3.1.0 changes the actions of one of them twice and leaves the
// other's as they were, unless it is made to delete them.
func TestNoStaleMegaflow(t *testing.T) {
	t.Parallel()
	// While anything is probed, what is not looks alike in all megaflows.
	s, br := meshWith(t, 3, named(3)+"probes:\n  - {name: always, pairs: [[vm1, vm3]], interval: 1s}\n")
	vm1, vm2, vm3 := s.vm(br[0], "vm1"), s.vm(br[0], "vm2"), s.vm(br[1], "vm3")
	s.reachAll(vm1, vm2, vm3)
	// A megaflow like the one that other packets will make, used by ever new connections, so that the datapath tries
	// its kind first.
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { // ends with ctx
		next := time.NewTicker(5 * time.Millisecond)
		defer next.Stop()
		for ctx.Err() == nil {
			say(vm1, vm3)
			<-next.C
		}
	})

	overlaps := 0
	for i := range 3 {
		pings := vm1.StartPing(vm2.IP(), lab.Count(2000), lab.Interval(20*time.Millisecond))
		probed := make(chan lab.CommandResult, 1)
		go func() { probed <- s.ctl.Eosin("probe", vm2.IP(), vm1.IP(), "-c", "10", "-i", "100ms", "-W", "500ms") }()
		trapped := func() bool { return len(grep(br[0].DumpFlows(), ofTable("trap"), "dl_dst="+vm2.MAC)) > 0 }
		s.eventually(patience, "a trap for the probe", trapped)
		vm2.Move(br[1], vm2.Port)
		s.arrive(vm2)
		answered := pings.Answered()
		s.eventually(patience, "pings where the guest is now", func() bool { return pings.Answered() >= answered+10 })
		if r := <-probed; r.Exit > 1 { // some are lost on the way
			t.Errorf("probe: %v", r)
		}
		s.eventually(patience, "no trap", func() bool { return !trapped() })
		s.eventually(patience, "other packets' megaflow", func() bool {
			say(vm1, vm2)
			return len(grep(megaflows(br[0]), "src="+vm1.MAC, "dst="+vm2.MAC, "proto=17/0,")) > 0
		})
		if len(grep(megaflows(br[0]), "src="+vm1.MAC, "dst="+vm2.MAC, "proto=1,")) > 0 {
			overlaps++
		}

		vm2.Move(br[2], vm2.Port)
		s.arrive(vm2)
		was := br[1].Host.UnderlayIP()
		stale := func() []string { return grep(megaflows(br[0]), "src="+vm1.MAC, "dst="+vm2.MAC, "dst="+was+",") }
		if !s.Eventually(patience, func() bool { return len(stale()) == 0 }) {
			t.Errorf("move %d: host1 goes on sending to where the guest was:\n%s", i, strings.Join(stale(), "\n"))
		}
		pings.Stop()
		vm2.Move(br[0], vm2.Port)
		s.arrive(vm2)
	}
	if overlaps == 0 {
		t.Error("no megaflows overlapped, so that nothing was tried")
	}
}

// megaflows of a bridge, one in a line.
func megaflows(br *lab.Bridge) []string {
	return strings.Split(br.Host.Appctl("dpctl/dump-flows", "-m"), "\n")
}

// say sends one datagram from a new socket.
func say(from, to *lab.VM) {
	c, err := from.Dial("udp", to.IP()+":9", patience)
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte("other packets"))
}
