package discovery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// rig is the app of switch 1 with ports 1 (edge), 2 (edge, down), 3 (tunnel) and LOCAL.
type rig struct {
	*testing.T
	sw  *apps.Switch
	app *App
	out *apps.Output
	now time.Time

	unresponsive bool // the switch confirms nothing
}

func newRig(t *testing.T) *rig {
	sw := &apps.Switch{
		Layout: apptest.Layout, ID: 1, Ports: map[openflow.PortNo]*apps.Port{}, Graph: topology.NewGraph().Snapshot(),
	}
	for _, p := range []*apps.Port{
		{No: 1, Up: true},
		{No: 2},
		{No: 3, Up: true, Mode: intent.Tunnel},
		{No: openflow.PortLocal, Up: true},
	} {
		sw.Ports[p.No] = p
		sw.Order = append(sw.Order, p.No)
	}
	out := &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()}
	return &rig{T: t, sw: sw, app: New(sw, NewSigner(t0)), out: out, now: t0}
}

// sent takes the hellos that were sent since the last call, by port.
func (r *rig) sent() (hellos map[openflow.PortNo]Hello) {
	r.Helper()
	hellos = map[openflow.PortNo]Hello{}
	for b := r.out.Wire; len(b) > 0; {
		n := int(b[2])<<8 | int(b[3])
		var m openflow.PacketOut
		if err := m.Decode(b[:n]); err != nil {
			r.Fatal(err)
		}
		h, drop, ok := r.app.signer.Verify(r.now, m.Data)
		if !ok || m.InPort != openflow.PortController {
			r.Fatalf("%s, in port %s", dropNames[drop], m.InPort)
		}
		if want := string(flow.Actions(nil).Output(h.From.Port)); string(m.Actions) != want || h.From.Switch != 1 {
			r.Fatalf("the hello of %v goes elsewhere: %x", h.From, m.Actions)
		}
		if _, twice := hellos[h.From.Port]; twice {
			r.Fatalf("two hellos at once on port %d", h.From.Port)
		}
		hellos[h.From.Port] = h
		b = b[n:]
	}
	r.out.Wire = r.out.Wire[:0]
	if !r.unresponsive {
		r.out.Unconfirmed = 0
	}
	return hellos
}

func (r *rig) wantSent(want ...openflow.PortNo) {
	r.Helper()
	var got []openflow.PortNo
	for no := range r.sent() {
		got = append(got, no)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.Errorf("%s: hellos on %v, want %v", r.now.Sub(t0), got, want)
	}
}

// times runs the app for so long, with ticks when it asks for them, and returns when hellos went out of each port.
func (r *rig) times(d time.Duration) map[openflow.PortNo][]time.Duration {
	r.Helper()
	at := map[openflow.PortNo][]time.Duration{}
	for end := r.now.Add(d); ; {
		for no := range r.sent() {
			at[no] = append(at[no], r.now.Sub(t0))
		}
		wake := r.out.TakeWake()
		if wake.IsZero() {
			r.Fatal("the app does not want to be woken any more")
		}
		if wake.After(end) {
			r.out.WakeAt(wake)
			r.now = end
			return at
		}
		if !wake.After(r.now) {
			r.Fatalf("woken again at once, %s", r.now.Sub(t0))
		}
		r.now = wake
		r.app.Tick(r.now, r.out)
	}
}

func (r *rig) flows() string {
	var lines []string
	r.out.Store.Each(func(m *openflow.FlowMod) {
		lines = append(lines, oftext.Flow(&openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, Match: m.Match, Instructions: m.Instructions,
		}))
	})
	return oftext.SortFlows(lines)
}

const admit = `cookie=0xe051000000000000, table=0, priority=100,dl_src=02:e0:51:11:d0:00/ff:ff:ff:ff:ff:00,dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc actions=controller(meter_id=918787)
cookie=0xe051000000000000, table=0, priority=90,dl_dst=01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0 actions=drop
cookie=0xe051000000000000, table=0, priority=80,dl_src=00:00:00:00:00:00 actions=drop
cookie=0xe051000000000000, table=0, priority=80,dl_src=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop
cookie=0xe051000000000000, table=0, priority=0 actions=goto_table:1
`

func TestAdmit(t *testing.T) {
	r := newRig(t)
	r.app.Refresh(r.now, r.out)
	if got := r.flows(); got != admit {
		t.Errorf("got\n%swant\n%s", got, admit)
	}
	if len(r.out.Wire) != 0 || !r.out.TakeWake().IsZero() {
		t.Error("something is sent without a session")
	}
	r.sw.Ports[3].Transit = true
	r.app.Refresh(r.now, r.out)
	link := `cookie=0xe051000000000000, table=0, priority=110,in_port=3,dl_src=02:e0:51:11:d0:00/ff:ff:ff:ff:ff:00,dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc actions=controller(meter_id=918788)
`
	if got := r.flows(); got != link+admit {
		t.Errorf("got\n%swant\n%s", got, link+admit)
	}
	r.sw.Ports[3].Transit = false
	r.app.Refresh(r.now, r.out)
	if got := r.flows(); got != admit {
		t.Errorf("after the link is gone\n%s", got)
	}
}

// TestSchedule: three hellos after the first within the time in which a port may not flood, then one every half second
// on links and tunnels and about every five on edge ports.
func TestSchedule(t *testing.T) {
	r := newRig(t)
	r.sw.Ports[1].Transit = true
	r.app.SwitchConnected(r.now, r.out)
	r.wantSent(1, 3, openflow.PortLocal)
	at := r.times(30 * time.Second)
	for _, no := range []openflow.PortNo{1, 3, openflow.PortLocal} {
		if got := at[no][:3]; got[0] != 60*time.Millisecond || got[1] != 180*time.Millisecond ||
			got[2] != 380*time.Millisecond {
			t.Errorf("port %d: burst at %v", no, got)
		}
	}
	for _, no := range []openflow.PortNo{1, 3} {
		for i := 3; i < len(at[no]); i++ {
			if gap := at[no][i] - at[no][i-1]; gap < linkInterval-tickStep || gap > linkInterval+tickStep {
				t.Errorf("port %d: %s between hellos", no, gap)
			}
		}
		if n := len(at[no]); n < 60 {
			t.Errorf("port %d: %d hellos", no, n)
		}
	}
	for i := 3; i < len(at[openflow.PortLocal]); i++ {
		if gap := at[openflow.PortLocal][i] - at[openflow.PortLocal][i-1]; gap < edgeInterval-tickStep ||
			gap > edgeInterval+time.Second {
			t.Errorf("edge port: %s between hellos", gap)
		}
	}
	if at[2] != nil {
		t.Error("hellos on a port that is down")
	}
}

// TestEdgesAreSpread: the hellos of many edge ports are spread over time.
func TestEdgesAreSpread(t *testing.T) {
	r := newRig(t)
	r.addEdgePorts(1000)
	r.app.SwitchConnected(r.now, r.out)
	r.sent()
	r.times(time.Second)
	steps := map[time.Duration]int{}
	for no, at := range r.times(7 * time.Second) {
		if no >= 10 && no < 1010 {
			steps[at[0].Truncate(100*time.Millisecond)]++
		}
	}
	for step, n := range steps {
		if n > 250 {
			t.Errorf("%d ports at %s", n, step)
		}
	}
	if len(steps) < 8 {
		t.Errorf("all within %d tenths of a second", len(steps))
	}
}

// addEdgePorts adds edge ports to the switch.
func (r *rig) addEdgePorts(n openflow.PortNo) {
	for no := openflow.PortNo(10); no < 10+n; no++ {
		r.sw.Ports[no] = &apps.Port{No: no, Up: true}
		r.sw.Order = append(r.sw.Order, no)
	}
	slices.Sort(r.sw.Order)
}

// TestManyPortsAtOnce: hellos of very many ports are not sent at once, and no port sends a second one before all have
// sent their first.
func TestManyPortsAtOnce(t *testing.T) {
	const ports = 4000
	r := newRig(t)
	r.addEdgePorts(ports)
	r.app.SwitchConnected(r.now, r.out)
	var last, again time.Duration // of the first hellos; the first of the second ones
	steps := map[time.Duration]int{}
	for no, at := range r.times(time.Second) {
		if no < 10 || no >= 10+ports {
			continue
		}
		if len(at) < 3 {
			t.Fatalf("port %d sent hellos at %v", no, at)
		}
		last = max(last, at[0])
		if again == 0 || at[1] < again {
			again = at[1]
		}
		for _, d := range at {
			steps[d]++
		}
	}
	if last > 200*time.Millisecond || again < last {
		t.Errorf("the last first hello was sent at %s, the first second one at %s", last, again)
	}
	for at, n := range steps {
		if n > maxHellosPerTick {
			t.Errorf("%d hellos at %s", n, at)
		}
	}
}

// TestSlowSwitch: what is sent to a switch that confirms nothing is limited, but hellos of links go on.
func TestSlowSwitch(t *testing.T) {
	r := newRig(t)
	r.unresponsive = true
	r.addEdgePorts(4000)
	r.app.SwitchConnected(r.now, r.out)
	tunnel, edges := 0, 0
	for no, at := range r.times(4 * time.Second) {
		if no == 3 {
			tunnel = len(at)
		} else {
			edges += len(at)
		}
	}
	if tunnel < 10 {
		t.Errorf("%d hellos through the tunnel in 4 s", tunnel)
	}
	if edges < 1000 || r.out.Unconfirmed > maxUnconfirmed+4<<10 {
		t.Errorf("%d hellos to edge ports, %d bytes", edges, r.out.Unconfirmed)
	}
}

// TestPortsComeAndGo: a port that comes up gets its burst, one that becomes a link sends hellos soon, one that
// is gone sends none.
func TestPortsComeAndGo(t *testing.T) {
	r := newRig(t)
	r.app.SwitchConnected(r.now, r.out)
	r.sent()
	r.times(time.Second)
	r.sw.Ports[2].Up = true
	r.app.Refresh(r.now, r.out)
	r.wantSent(2)
	burst := r.times(400 * time.Millisecond)[2]
	if len(burst) != 3 {
		t.Errorf("burst at %v", burst)
	}
	r.sw.Ports[1].Transit = true
	r.app.Refresh(r.now, r.out)
	if at := r.times(600 * time.Millisecond)[1]; len(at) != 1 {
		t.Errorf("a new link has hellos at %v", at)
	}
	r.sw.Ports[2].Up = false
	r.app.Refresh(r.now, r.out)
	if at := r.times(10 * time.Second)[2]; at != nil {
		t.Errorf("a port that is down has hellos at %v", at)
	}
	delete(r.sw.Ports, 1)
	r.sw.Order = slices.DeleteFunc(r.sw.Order, func(no openflow.PortNo) bool { return no == 1 })
	r.app.Refresh(r.now, r.out)
	if at := r.times(time.Second)[1]; at != nil {
		t.Errorf("a port that is gone has hellos at %v", at)
	}
	r.app.SwitchDisconnected(r.now)
	r.app.Tick(r.now.Add(time.Minute), r.out)
	r.app.Refresh(r.now.Add(time.Minute), r.out)
	r.wantSent()
}

// TestSentFacts: hellos sent on a link are reported, so that a loss is noticed.
func TestSentFacts(t *testing.T) {
	r := newRig(t)
	r.sw.Ports[3].Transit = true
	r.app.SwitchConnected(r.now, r.out)
	h := r.sent()[3]
	if len(r.out.Facts) != 1 || r.out.Facts[0].Kind != apps.HelloSent || r.out.Facts[0].Port != 3 ||
		r.out.Facts[0].Seq != h.Seq || h.Seq != 1 {
		t.Errorf("%+v", r.out.Facts)
	}
}

// hear has a frame come in.
func (r *rig) hear(port openflow.PortNo, frame []byte, tunnel bool) {
	in := &openflow.PacketIn{InPort: port, Data: frame}
	if tunnel {
		in.TunSrc = addr
	}
	f, ok := packet.Parse(frame)
	if !ok {
		r.Fatal("bad frame")
	}
	p := r.sw.Ports[port]
	if p == nil {
		p = &apps.Port{No: port}
	}
	r.app.PacketRcvd(r.now, &apps.Packet{In: in, Frame: f, Port: p, Owner: apps.OwnerDiscovery}, r.out)
}

// heard returns the facts of what came in, and forgets them.
func (r *rig) heard() (s []string) {
	for _, f := range r.out.Facts {
		if f.Kind == apps.HelloSeen {
			s = append(s, fmt.Sprintf("%d hears %d:%d seq %d after %s tunnel %v", f.Port, uint64(f.Peer.Switch),
				f.Peer.Port, f.Seq, f.Latency, f.Tunnel))
		}
	}
	r.out.Facts = nil
	return s
}

func TestHear(t *testing.T) {
	r := newRig(t)
	r.app.SwitchConnected(r.now, r.out)
	signer := r.app.signer
	peer := topology.PortRef{Switch: 2, Port: 9}
	hello := func(from topology.PortRef, seq uint64, sent time.Time) []byte {
		return signer.Append(nil, Hello{From: from, Seq: seq, Sent: sent})
	}
	want := func(drop Drop, lines ...string) {
		t.Helper()
		var drops [numDrops]uint64
		if drop < numDrops {
			drops[drop] = 1
		}
		if got := r.heard(); !slices.Equal(got, lines) || r.app.Drops != drops {
			t.Errorf("heard %q, dropped %v", got, r.app.Drops)
		}
		r.app.Drops = [numDrops]uint64{}
	}
	r.now = t0.Add(10 * time.Second)
	at := func(ms int) time.Time { return r.now.Add(time.Duration(ms) * time.Millisecond) }

	first := hello(peer, 5, at(-3))
	r.hear(1, first, false)
	want(numDrops, "1 hears 2:9 seq 5 after 3ms tunnel false")
	r.hear(1, first, false)
	want(DropReplayed)
	r.hear(1, hello(peer, 4, at(-4)), false)
	want(DropReplayed)
	r.hear(1, hello(peer, 6, at(-2)), false)
	want(numDrops, "1 hears 2:9 seq 6 after 2ms tunnel false")
	r.hear(1, hello(topology.PortRef{Switch: 3, Port: 9}, 1, at(-9)), false) // another peer counts for itself
	want(numDrops, "1 hears 3:9 seq 1 after 9ms tunnel false")
	again := hello(peer, 1, at(-1)) // the peer's switch has connected again
	r.hear(1, again, false)
	want(numDrops, "1 hears 2:9 seq 1 after 1ms tunnel false")
	r.hear(1, again, false)
	want(DropReplayed)
	r.hear(3, hello(peer, 7, at(0)), false)
	want(numDrops, "3 hears 2:9 seq 7 after 0s tunnel true")
	r.hear(1, hello(topology.PortRef{Switch: 4, Port: 1}, 7, at(0)), true) // GRE on a trunk port
	want(numDrops, "1 hears 4:1 seq 7 after 0s tunnel true")

	r.hear(1, hello(topology.PortRef{Switch: 1, Port: 1}, 7, at(0)), false)
	want(DropOwnPort)
	r.hear(1, hello(topology.PortRef{Switch: 1, Port: 3}, 7, at(0)), false) // a cable between two ports of one switch
	want(numDrops, "1 hears 1:3 seq 7 after 0s tunnel false")
	r.hear(1, hello(peer, 9, at(-5001)), false)
	want(DropStale)
	forged := hello(peer, 9, at(0))
	forged[20]++
	r.hear(1, forged, false)
	want(DropForged)
	r.hear(1, append(packet.AppendEthernet(nil, helloDst, packet.MAC{2}, packet.EtherTypeLLDP), make([]byte, 100)...),
		false)
	want(DropForeign)
	r.hear(77, hello(peer, 9, at(0)), false)
	want(DropPort)
	r.hear(2, hello(peer, 9, at(0)), false) // down
	want(DropPort)

	r.app.Drops = [numDrops]uint64{DropForged: 1, DropOwnPort: 2}
	counts := map[string]uint64{}
	r.app.EachDrop(func(reason string, n uint64) { counts[reason] = n })
	if len(counts) != int(numDrops) || counts["forged_lldp"] != 1 || counts["own_port"] != 2 {
		t.Errorf("drops by reason: %v", counts)
	}
}
