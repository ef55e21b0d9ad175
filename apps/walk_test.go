package apps_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/flood"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/vlan"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// The tests of this file put frames through the tables that the apps state, in the fake switch: what counts is where a
// frame comes out and with which tag, not by which rules.

// lab is the apps of one switch and the switch.
type lab struct {
	t    *testing.T
	sw   *apps.Switch
	fake *oftest.Switch
	out  *apps.Output
	l2   *l2.App
	all  []apps.App // from the last table to the first
	ctrl *oftest.Session
	now  time.Time
}

// sink is a port that no network knows.
const sink openflow.PortNo = 999

func newLab(t *testing.T, ports ...*apps.Port) *lab {
	l := &lab{
		t: t, now: time.Unix(1_700_000_000, 0), out: &apps.Output{Layout: apptest.Layout, Store: flow.NewStore()},
		sw: &apps.Switch{
			Layout: apptest.Layout,
			ID:     1, Name: "s1", Ports: map[openflow.PortNo]*apps.Port{}, Graph: topology.NewGraph().Snapshot(),
			Networks: []apps.Network{
				{Name: "blue", VLAN: 10, VNI: 5010},
				{Name: "red", VLAN: 11, VNI: 5011},
				{Name: "grey", VLAN: 12},
			},
			Settings: intent.Settings{HostTimeout: 300 * time.Second},
		},
	}
	fakes := []oftest.Port{{No: sink, Name: "sink"}}
	for _, p := range ports {
		l.sw.Ports[p.No] = p
		l.sw.Order = append(l.sw.Order, p.No)
		fakes = append(fakes,
			oftest.Port{No: p.No, Name: fmt.Sprint("p", p.No), Down: !p.Up, Tunnel: p.Mode == intent.Tunnel})
	}
	slices.Sort(l.sw.Order)
	l.fake = oftest.New(oftest.Options{DatapathID: 1}, fakes...)
	key := probe.NewKey()
	l.l2 = l2.New(l.sw)
	l.all = []apps.App{
		flood.New(l.sw), l.l2, probe.New(l.sw, &key), vlan.New(l.sw),
		discovery.New(l.sw, discovery.NewSigner(l.now)),
	}

	l.ctrl = l.fake.Open()
	l.exchange(openflow.AppendHello(nil, 1))
	l.refresh()
	return l
}

func (l *lab) refresh() {
	for _, a := range l.all {
		a.Refresh(l.now, l.out)
	}
	l.send()
}

// send brings the desired state about.
func (l *lab) send() []openflow.PacketIn {
	l.t.Helper()
	var b []byte
	for _, id := range []uint32{
		apps.MeterLearn, apps.MeterARP, apps.MeterDiscovery, apps.MeterTransit,
		apps.MeterProbe,
	} {
		b = openflow.AppendMeterMod(b, 1, openflow.MeterDelete, 0, id, 0, 0)
		b = openflow.AppendMeterMod(b, 1, openflow.MeterAdd, openflow.MeterPktps|openflow.MeterBurst, id, 100, 100)
	}
	return l.exchange(l.out.Store.Drain(b, 1<<30, &l.out.Xid, nil))
}

// exchange sends messages, which the switch must not refuse, and returns its packet-ins.
func (l *lab) exchange(b []byte) (ins []openflow.PacketIn) {
	l.t.Helper()
	answers, err := l.ctrl.Step(l.now, b)
	if err != nil {
		l.t.Fatal(err)
	}
	for answers = bytes.Clone(answers); len(answers) > 0; {
		n := binary.BigEndian.Uint16(answers[2:])
		msg := answers[:n:n]
		answers = answers[n:]
		switch openflow.Type(msg[1]) {
		case openflow.TypeError:
			var e openflow.Error
			l.t.Fatal(e.Decode(msg), &e)
		case openflow.TypePacketIn:
			var in openflow.PacketIn
			if err := in.Decode(msg); err != nil {
				l.t.Fatal(err)
			}
			ins = append(ins, in)
		}
	}
	return ins
}

// learn gives the apps what came in, and brings about what they make of it.
func (l *lab) learn() (copies int) {
	l.t.Helper()
	ins := l.exchange(nil)
	for i := range ins {
		in := &ins[i]
		f, ok := packet.Parse(in.Data)
		owner, ours := flow.OwnerOf(in.Cookie)
		if !ok || !ours || owner != apps.OwnerL2 {
			l.t.Fatalf("a copy by %x: %x", in.Cookie, in.Data)
		}
		l.l2.PacketRcvd(l.now,
			&apps.Packet{In: in, Frame: f, Port: l.sw.Ports[in.InPort], VLAN: f.VID(), Owner: owner}, l.out)
	}
	l.send()
	return len(ins)
}

// tag is a VLAN tag.
type tag struct {
	tpid, tci uint16
}

// frame builds a frame with any tags.
func frame(dst, src packet.MAC, tags ...tag) []byte {
	b := append(append([]byte(nil), dst[:]...), src[:]...)
	for _, t := range tags {
		b = binary.BigEndian.AppendUint16(b, t.tpid)
		b = binary.BigEndian.AppendUint16(b, t.tci)
	}
	b = binary.BigEndian.AppendUint16(b, 0x88b5)
	return append(b, "what the frame carries, long enough to be one"...)
}

func mac(n byte) packet.MAC { return packet.MAC{2, 0, 0, 0, 0, n} }

func access(no openflow.PortNo, vlan uint16) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Access, VLANs: []uint16{vlan}, Native: vlan}
}

func trunk(no openflow.PortNo, native uint16, vlans ...uint16) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Trunk, VLANs: vlans, Native: native}
}

func tunnel(no openflow.PortNo, vlans ...uint16) *apps.Port {
	return &apps.Port{No: no, Up: true, Settled: true, Mode: intent.Tunnel, VLANs: vlans}
}

// classify says in what network a frame is, and what it looks like inside the pipeline, by the words of the design: the
// naive second version of the classify table.
func classify(p *apps.Port, tunnelID uint64, tags []tag) (vlan uint16, rest []tag, ok bool) {
	untagged := len(tags) == 0
	priority := !untagged && tags[0].tci&0xfff == 0
	hidden := priority && len(tags) > 1
	vlan = p.Native
	switch p.Mode {
	case intent.Closed:
		return 0, nil, false
	case intent.Tunnel:
		vlan = map[uint64]uint16{5010: 10, 5011: 11}[tunnelID]
		if !slices.Contains(p.VLANs, vlan) {
			return 0, nil, false
		}
		fallthrough
	case intent.Access:
		if hidden || !untagged && !priority {
			return 0, nil, false
		}
	case intent.Trunk:
		if !untagged && !priority {
			vlan = tags[0].tci & 0xfff
			return vlan, tags, slices.Contains(p.VLANs, vlan)
		}
		if p.Native == 0 {
			return 0, nil, false
		}
	}
	if untagged {
		return vlan, []tag{{0x8100, vlan}}, true
	}
	return vlan, append([]tag{{tags[0].tpid, tags[0].tci&^0xfff | vlan}}, tags[1:]...), true
}

// TestClassify puts every kind of frame into every kind of port and looks at what comes out of the classify table.
func TestClassify(t *testing.T) {
	ports := []*apps.Port{
		access(1, 10), access(2, 11), trunk(3, 0, 10, 11), trunk(4, 11, 10, 11), trunk(5, 12, 12), tunnel(6, 10, 11),
		tunnel(7, 11, 12),
		{No: 8, Up: true, Settled: true},
		access(openflow.PortLocal, 10),
	}
	l := newLab(t, ports...)
	// The next table shows what it gets.
	for _, f := range l.fake.Flows() {
		if f.TableID == apptest.Trap {
			r := flow.Rule{
				Table: f.TableID, Priority: 0xffff, Cookie: flow.Cookie(apps.OwnerProbe, 0),
				Instructions: flow.Instructions(nil).Apply(flow.Actions(nil).Output(sink)),
			}
			l.out.Put(&r)
			break
		}
	}
	l.send()

	tagLists := [][]tag{nil}
	for _, tpid := range []uint16{0x8100, 0x88a8} {
		for _, vid := range []uint16{0, 1, 10, 11, 12, 13, 4095} {
			for _, pcp := range []uint16{0, 0xa000} {
				outer := tag{tpid, vid | pcp}
				tagLists = append(tagLists, []tag{outer}, []tag{outer, {0x8100, 11}}, []tag{outer, {0x88a8, 10}})
			}
		}
	}
	passed := 0
	for _, p := range ports {
		ids := []uint64{0}
		if p.Mode == intent.Tunnel {
			ids = []uint64{0, 10, 5010, 5011, 99}
		}
		for _, id := range ids {
			for _, tags := range tagLists {
				outs := l.fake.InjectTunnel(p.No, id, frame(mac(1), mac(2), tags...))
				vlanID, rest, ok := classify(p, id, tags)
				switch {
				case !ok && len(outs) == 0:
				case ok && len(outs) == 1 && outs[0].Port == sink &&
					bytes.Equal(outs[0].Frame, frame(mac(1), mac(2), rest...)):
					passed++
				default:
					t.Errorf("port %d (%s), tunnel id %d, tags %x: want VLAN %d, tags %x, %v; got %+v", p.No, p.Mode,
						id, tags, vlanID, rest, ok, outs)
				}
				// What classifies frames that did not pass the table agrees; it is not asked about tunnels, and is not
				// told of a second tag.
				if p.Mode == intent.Tunnel || len(tags) > 1 {
					continue
				}
				vid := uint16(0)
				if len(tags) == 1 {
					vid = tags[0].tci & 0xfff
				}
				if v, same := vlan.Classify(p, len(tags) == 1, vid); same != ok || ok && v != vlanID {
					t.Errorf("port %d, tags %x: vlan.Classify says %d %v, the table %d %v", p.No, tags, v, same,
						vlanID, ok)
				}
			}
		}
	}
	if passed < 50 {
		t.Errorf("only %d frames passed", passed)
	}
}

// TestAdmit: what no bridge forwards is dropped in every kind of port.
func TestAdmit(t *testing.T) {
	l := newLab(t, access(1, 10), access(2, 10))
	for name, f := range map[string][]byte{
		"spanning tree":    frame(packet.MAC{1, 0x80, 0xc2}, mac(1)),
		"pause":            frame(packet.MAC{1, 0x80, 0xc2, 0, 0, 1}, mac(1)),
		"last reserved":    frame(packet.MAC{1, 0x80, 0xc2, 0, 0, 0x0f}, mac(1)),
		"multicast source": frame(mac(1), packet.MAC{1, 0, 0x5e, 0, 0, 1}),
		"broadcast source": frame(mac(1), packet.Broadcast),
		"zero source":      frame(mac(1), packet.MAC{}),
	} {
		if outs := l.fake.Inject(1, f); len(outs) != 0 {
			t.Errorf("%s came out: %+v", name, outs)
		}
	}
	if outs := l.fake.Inject(1, frame(packet.MAC{1, 0x80, 0xc2, 0, 0, 0x10}, mac(1))); len(outs) != 1 {
		t.Errorf("the first address that is not reserved: %+v", outs)
	}
	if outs := l.fake.Inject(1,
		frame(packet.MAC{1, 0x80, 0xc2, 0, 0, 0x0e}, mac(1))); len(outs) != 0 { // somebody else's LLDP
		t.Errorf("LLDP came out: %+v", outs)
	}
}

// egress is what a frame of a network looks like when it leaves by a port.
func egress(p *apps.Port, vlan uint16, tags []tag) (id uint64, out []tag) {
	switch {
	case p.Mode == intent.Trunk && p.Native != vlan:
		return 0, tags
	case p.Mode == intent.Tunnel:
		return map[uint16]uint64{10: 5010, 11: 5011}[vlan], tags[1:]
	}
	return 0, tags[1:]
}

// TestForwarding sends random frames between random hosts on ports of all kinds and compares where they come out, how
// often and with which tags with a naive bridge that learns. A frame never waits for the controller: it has not heard
// of the host when the first one passes.
func TestForwarding(t *testing.T) {
	down, unsettled := access(9, 10), access(10, 10)
	down.Up, unsettled.Settled = false, false
	ports := []*apps.Port{
		access(1, 10), access(2, 10), access(3, 11), access(4, 12), trunk(5, 0, 10, 11, 12), trunk(6, 11, 10, 11),
		tunnel(7, 10, 11, 12),
		tunnel(8, 10, 11), down, unsettled,
		{No: 11, Up: true, Settled: true},
	}
	l := newLab(t, ports...)
	type host struct {
		vlan uint16
		mac  packet.MAC
	}
	at := map[host]openflow.PortNo{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		in := ports[r.IntN(len(ports))]
		var tags []tag
		switch r.IntN(4) {
		case 0:
			tags = []tag{{0x8100, uint16(r.IntN(4)) << 13}}
		case 1, 2:
			tags = []tag{{0x8100, uint16(10+r.IntN(3)) | uint16(r.IntN(8))<<13}}
		}
		id := uint64(0)
		if in.Mode == intent.Tunnel {
			id = 5010 + uint64(r.IntN(3))
		}
		src, dst := mac(byte(1+r.IntN(20))), mac(byte(1+r.IntN(20)))
		if r.IntN(8) == 0 {
			dst = packet.Broadcast
		}
		vlanID, inside, ok := classify(in, id, tags)
		ok = ok && in.Up

		var want []string
		show := func(p openflow.PortNo, id uint64, f []byte) string { return fmt.Sprintf("%d/%d %x", p, id, f) }
		if ok {
			to, known := at[host{vlanID, dst}]
			for _, p := range ports {
				floods := !known && p.Settled && (in.Mode != intent.Tunnel || p.Mode != intent.Tunnel)
				carries := p.Carries(vlanID) && (p.Mode != intent.Tunnel || vlanID != 12)
				if p.Up && carries && p != in && (floods || known && p.No == to) {
					id, out := egress(p, vlanID, inside)
					want = append(want, show(p.No, id, frame(dst, src, out...)))
				}
			}
		}
		var got []string
		for _, o := range l.fake.InjectTunnel(in.No, id, frame(dst, src, tags...)) {
			got = append(got, show(o.Port, o.TunnelID, o.Frame))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("frame %d from port %d (tunnel id %d, tags %x) to %s:\n got %s\nwant %s", i, in.No, id, tags, dst,
				strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		copies := l.learn()
		was, known := at[host{vlanID, src}]
		if news := ok && (!known || was != in.No); news != (copies == 1) || copies > 1 {
			t.Fatalf("frame %d from %s on port %d (known %v at %d): %d copies to the controller", i, src, in.No, known,
				was, copies)
		}
		if ok {
			at[host{vlanID, src}] = in.No
		}
	}
	if len(at) < 30 || l.l2.Len() != len(at) {
		t.Errorf("%d hosts learned of %d", l.l2.Len(), len(at))
	}
}
