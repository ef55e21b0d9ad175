package l2

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// TestMovesAreForgotten: the moves of a host are counted as long as it is known, and no longer.
func TestMovesAreForgotten(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	if len(r.app.limiters) != 0 {
		t.Error("moves of a host that has not moved")
	}
	r.see(2, blue, mac(10))
	if len(r.app.limiters) != 1 {
		t.Errorf("moves of %d hosts", len(r.app.limiters))
	}
	r.sw.Ports[2].Up = false
	r.refresh()
	if len(r.app.limiters) != 0 {
		t.Error("the moves of a forgotten host are kept")
	}
}

func TestMove(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	r.see(2, blue, mac(10))
	r.wantHosts(learned2)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 2")
	if r.app.Moves[blue] != 1 || r.app.Len() != 1 {
		t.Errorf("%d moves, %d hosts", r.app.Moves[blue], r.app.Len())
	}
}

// TestFreeze moves a host more often than the limit: it stays, one line says so, its frames at the wrong port are no
// longer copied, and after a minute it may move again.
func TestFreeze(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	for i := range 5 {
		r.now = r.now.Add(time.Second)
		r.see(openflow.PortNo(2-i%2), blue, mac(10))
	}
	r.drain()
	r.see(1, blue, mac(10)) // the sixth move, from port 2
	suppressedRules := learned2 + `
		cookie=0xe05502000000000a, table=5, hard_timeout=60, priority=10,in_port=1,dl_vlan=10,dl_src=02:00:00:00:00:0a actions=goto_table:6`
	sorted := strings.Split(strings.TrimSpace(suppressedRules), "\n")
	r.wantHosts(strings.Join([]string{sorted[2], sorted[0], sorted[1]}, "\n"))
	r.wantFacts("host_frozen: host 02:00:00:00:00:0a (VLAN 10) moves between ports vif2 and vif1 of switch s1 more " +
		"than 5 times in 10s: it stays at vif2 for 1m0s")
	r.drain()

	for range 10 { // frames in flight
		r.see(1, blue, mac(10))
	}
	r.wantFacts()
	if r.out.Store.Pending() != 0 || r.app.Drops[DropFrozen] != 11 || r.app.Moves[blue] != 5 {
		t.Errorf("%d pending, %d drops, %d moves", r.out.Store.Pending(), r.app.Drops[DropFrozen], r.app.Moves[blue])
	}
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(topology.FreezeTime)) {
		t.Errorf("wake at %s", wake)
	}
	r.now = r.now.Add(topology.FreezeTime - time.Millisecond)
	r.app.Tick(r.now, r.out)
	r.see(1, blue, mac(10))
	r.wantFacts()
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(time.Millisecond)) {
		t.Errorf("wake at %s", wake)
	}

	r.now = r.now.Add(time.Millisecond)
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned2)
	if wake := r.out.TakeWake(); !wake.IsZero() {
		t.Errorf("wake at %s", wake)
	}
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")
}

// TestSlowMoves: the limit is for moves within ten seconds.
func TestSlowMoves(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		r.see(openflow.PortNo(1+i%2), blue, mac(10))
		r.now = r.now.Add(3 * time.Second)
	}
	if r.app.Drops[DropFrozen] != 0 || r.app.Moves[blue] != 29 {
		t.Errorf("%d moves, %d refused", r.app.Moves[blue], r.app.Drops[DropFrozen])
	}
	r.sw.Settings.Moves = 0
	for i := range 100 {
		r.see(openflow.PortNo(1+i%2), blue, mac(10))
	}
	if r.app.Drops[DropFrozen] != 0 {
		t.Error("0 is no limit")
	}
}

// TestFreezeUnknown freezes a host that moves between switches: it is not learned here meanwhile.
func TestFreezeUnknown(t *testing.T) {
	r := newRig(t)
	r.app.Freeze(r.now, topology.NewHostKey(blue, mac(10)), r.out)
	r.see(1, blue, mac(10))
	if r.app.Len() != 0 || r.app.Drops[DropFrozen] != 1 || r.out.Store.TableLen(apptest.Learn) != 4 {
		t.Errorf("%d hosts, %d rules", r.app.Len(), r.out.Store.TableLen(apptest.Learn))
	}
	r.now = r.now.Add(topology.FreezeTime)
	r.app.Tick(r.now, r.out)
	r.wantHosts("")
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
}

// TestMoveOntoLink: a host cannot be moved to a link by frames that come in there.
func TestMoveOntoLink(t *testing.T) {
	r := newRig(t)
	r.link()
	r.see(1, blue, mac(10))
	r.see(9, blue, mac(10))
	r.see(6, blue, mac(10))
	r.wantHosts(learned1)
}

// TestMoveToFullPort: nobody takes more hosts to a port by moving them there than it may have. The host is then known
// nowhere, as a new one would be: what is for it is flooded, not sent to where it was.
func TestMoveToFullPort(t *testing.T) {
	r := newRig(t)
	r.sw.Settings.HostsPerPort = 2
	for n := range byte(2) {
		r.see(1, blue, mac(1+n))
		r.see(2, blue, mac(11+n))
	}
	r.drain()
	r.see(2, blue, mac(1))
	if _, known := r.app.Lookup(topology.NewHostKey(blue, mac(1))); known || r.app.Len() != 3 ||
		r.app.Drops[DropPortLimit] != 1 {
		t.Errorf("%d hosts, %d refused", r.app.Len(), r.app.Drops[DropPortLimit])
	}
	if strings.Contains(r.hosts(), mac(1).String()) {
		t.Errorf("rules left:\n%s", r.hosts())
	}
	if len(r.out.Facts) != 1 || r.out.Facts[0].Kind != apps.HostGone || r.out.Facts[0].Port != 1 {
		t.Errorf("facts %+v", r.out.Facts)
	}
	r.see(1, blue, mac(1)) // it was there all the time
	if h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(1))); h.Port != 1 {
		t.Errorf("%+v", h)
	}
}
