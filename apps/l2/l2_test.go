package l2

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

func TestLearnNewHost(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.wantHosts(learned1)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")

	// The destination before the source: a learned source can always be answered.
	b := r.out.Store.Drain(nil, 1, &r.out.Xid, nil)
	var m openflow.FlowMod
	if err := m.Decode(b); err != nil || m.TableID != apptest.Forward {
		t.Errorf("the first message is for table %d (%v)", m.TableID, err)
	}
	h, ok := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
	if !ok || h.Port != 1 || !h.Since.Equal(t0) || !h.Last.Equal(t0) || r.app.Len() != 1 {
		t.Errorf("%+v", h)
	}
}

func TestKnownHostCostsNothing(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	r.now = r.now.Add(time.Minute)
	r.see(1, blue, mac(10))
	r.wantFacts()
	if r.out.Store.Pending() != 0 {
		t.Error("something is to be sent")
	}
	if h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10))); !h.Last.Equal(r.now) || !h.Since.Equal(t0) {
		t.Errorf("%+v", h)
	}
}

// TestSameAddressInTwoNetworks: a host is an address in a network.
func TestSameAddressInTwoNetworks(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.see(3, red, mac(10))
	if r.app.Len() != 2 || r.out.Store.TableLen(apptest.Learn) != 5 {
		t.Errorf("%d hosts, %d rules", r.app.Len(), r.out.Store.TableLen(apptest.Learn))
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t)
	r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 3, 5
	for n := range byte(5) {
		r.see(1, blue, mac(n))
	}
	for n := range byte(5) {
		r.see(2, blue, mac(100+n))
	}
	if r.app.Len() != 5 || r.app.Drops[DropPortLimit] != 2 || r.app.Drops[DropSwitchLimit] != 3 {
		t.Errorf("%d hosts, %d and %d refused", r.app.Len(), r.app.Drops[DropPortLimit], r.app.Drops[DropSwitchLimit])
	}
	// A host that goes makes room.
	r.sw.Ports[1].Up = false
	r.refresh()
	r.see(2, blue, mac(104))
	if r.app.Len() != 3 {
		t.Errorf("%d hosts", r.app.Len())
	}
	r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 0, 0
	for n := range byte(250) {
		r.see(4, red, mac(n))
	}
	if r.app.Len() != 253 {
		t.Error("0 is no limit")
	}
}

func TestNotAdmissible(t *testing.T) {
	r := newRig(t)
	r.link()
	r.drain()
	for _, c := range []struct {
		name string
		port openflow.PortNo
		vlan uint16
		src  packet.MAC
		want Drop
	}{
		{"multicast", 1, blue, packet.MAC{1, 0, 0x5e}, DropBadSource},
		{"broadcast", 1, blue, packet.Broadcast, DropBadSource},
		{"zero", 1, blue, packet.MAC{}, DropBadSource},
		{"unknown port", 77, blue, mac(1), DropUnknownPort},
		{"port down", 6, blue, mac(1), DropUnknownPort},
		{"link", 9, blue, mac(1), DropTransit},
		{"closed port", 5, blue, mac(1), DropVLAN},
		{"other network", 1, red, mac(1), DropVLAN},
		{"network not on the trunk", 4, 12, mac(1), DropVLAN},
	} {
		before := r.app.Drops[c.want]
		r.see(c.port, c.vlan, c.src)
		if r.app.Len() != 0 || r.app.Drops[c.want] != before+1 || r.out.Store.Pending() != 0 || r.facts() != "" {
			t.Errorf("%s: %d hosts, drops %v", c.name, r.app.Len(), r.app.Drops)
		}
	}
	counts := map[string]uint64{}
	r.app.EachDrop(func(reason string, n uint64) { counts[reason] = n })
	if len(counts) != int(numDrops) || counts["bad_source"] != 3 || counts["vlan"] != 3 || counts["frozen"] != 0 {
		t.Errorf("drops by reason: %v", counts)
	}
}

func removed(r *rig, table uint8, reason openflow.FlowRemovedReason, m flow.Match) {
	r.app.FlowRemoved(r.now, &openflow.FlowRemoved{TableID: table, Priority: prioHost, Reason: reason}, &m, r.out)
}

func TestTimeout(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	r.drain()
	k := topology.NewHostKey(blue, mac(10))
	// Not what ends a host: the forward rule, another port's rule, a deletion, matches of another form.
	removed(r, apptest.Forward, openflow.FlowRemovedIdleTimeout, forwardMatch(k))
	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 2))
	removed(r, apptest.Learn, openflow.FlowRemovedDelete, learnMatch(k, 1))
	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, flow.Match{})
	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, flow.Match{}.InPort(1).EthSrc(mac(10)))
	r.wantHosts(learned1)
	r.wantFacts()

	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 1))
	r.wantHosts("")
	r.wantFacts("gone 10/02:00:00:00:00:0a at 1")
	if r.out.Store.Pending() != 1 { // the forward rule; the learn rule is gone by itself
		t.Errorf("%d messages", r.out.Store.Pending())
	}
	removed(r, apptest.Learn, openflow.FlowRemovedIdleTimeout, learnMatch(k, 1))
	r.wantFacts()
}

// TestOrderDoesNotMatter lets independent events happen in any order, with refreshes anywhere: the rules are the same.
func TestOrderDoesNotMatter(t *testing.T) {
	events := []func(*rig){
		func(r *rig) { r.see(1, blue, mac(1)) },
		func(r *rig) { r.see(2, blue, mac(2)) },
		func(r *rig) { r.see(3, red, mac(2)) },
		func(r *rig) { r.see(4, red, mac(3)) },
		func(r *rig) { r.see(4, blue, mac(4)) },
		func(r *rig) { r.link() },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(blue, mac(5)), other, 3, r.out) },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(red, mac(6)), third, 3, r.out) },
		func(r *rig) { r.app.HostAt(r.now, topology.NewHostKey(red, mac(7)), 0, 0, r.out) },
		func(r *rig) { r.sw.Settings.HostTimeout = time.Minute },
		func(r *rig) { r.sw.Ports[4].Native = red },
		func(r *rig) { r.sw.Ports[9].Native = blue },
		func(r *rig) { r.sw.Networks[0].VNI = 9 },
		func(r *rig) { r.app.PacketRcvd(r.now, r.packetFrom(1, blue, frame(mac(9), blue)), r.out) },
		func(r *rig) { r.app.Tick(r.now, r.out) },
	}
	all := func(r *rig) string {
		var lines []string
		r.out.Store.Each(func(m *openflow.FlowMod) {
			lines = append(lines, oftext.Flow(&openflow.FlowStats{
				TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout, Flags: m.Flags,
				Match:        m.Match,
				Instructions: m.Instructions,
			}))
		})
		return oftext.SortFlows(lines)
	}
	var want string
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		r := newRig(t)
		for _, event := range events {
			event(r)
			if random.IntN(2) == 0 {
				r.refresh()
			}
			if random.IntN(4) == 0 {
				r.drain()
			}
		}
		r.refresh()
		got := all(r)
		if i == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("in another order:\n%swant\n%s", got, want)
		}
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}
