package prober

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// oneMS is a round trip of a millisecond, as results say it.
const oneMS = probespec.Seconds(time.Millisecond)

func ms(n int) probespec.Duration {
	return probespec.Duration(n) * probespec.Duration(time.Millisecond)
}

// advance lets virtual time pass and everything happen that is due by then.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// lab is a network of switches and guests that the tests probe. Its switches run the real probe app; its guests answer.
type lab struct {
	t        *testing.T
	e        *Engine
	mu       sync.Mutex
	hosts    []*guest
	key      probe.Key
	switches map[openflow.DatapathID]*fakeSwitch
	sent     []sentFrame
	notices  []string
	crowded  bool // many probes begin at once: what is unconfirmed may be another's trap
	// bend changes the answers to an echo before they travel.
	bend func(answers []answerFrame) []answerFrame
}

// guest is a host with its habits.
type guest struct {
	Endpoint
	delay    time.Duration
	noICMP   bool
	dead     bool // answers nothing
	cutOff   bool // hears only what is put straight out of its port
	unlisted bool // not known to the controller
	leaky    bool // hears other networks too
}

type fakeSwitch struct {
	mu          sync.Mutex // the switch's lock: Received is called with it
	app         *probe.App
	out         apps.Output
	down        bool
	unconfirmed int // rules that were added since the last barrier
	barriers    int
}

type sentFrame struct {
	at      time.Time
	sw      openflow.DatapathID
	port    openflow.PortNo
	deliver bool
	frame   packet.Frame
}

// answerFrame is an answer on its way to a trap.
type answerFrame struct {
	sw    openflow.DatapathID
	port  openflow.PortNo
	vlan  uint16
	delay time.Duration
	frame []byte
}

// inLab runs f with an engine whose Run runs, in virtual time.
func inLab(t *testing.T, o Options, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, key: probe.NewKey(), switches: map[openflow.DatapathID]*fakeSwitch{}}
		o.Emit = func(e event.Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.notices = append(l.notices, e.Type.String()+": "+e.Message)
		}
		l.e = New(l, o)
		for n := openflow.DatapathID(1); n <= 3; n++ {
			l.replace(n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.e.Run(ctx) }() // ends with ctx, below
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		f(l)
	})
}

// replace gives a switch a new app, as if it had been forgotten and had come anew.
func (l *lab) replace(n openflow.DatapathID) {
	s := &fakeSwitch{
		app: probe.New(&apps.Switch{Layout: apptest.Layout, ID: n}, &l.key),
		out: apps.Output{Layout: apptest.Layout, Store: flow.NewStore()},
	}
	s.app.Refresh(time.Now(), &s.out)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.switches[n] = s
}

// add adds a guest at port number n of a switch, with address 10.0.vlan.n and MAC ending in VLAN and n.
func (l *lab) add(name string, sw openflow.DatapathID, n byte, vlan uint16) *guest {
	networks := map[uint16]string{10: "blue", 11: "red"}
	g := &guest{delay: time.Millisecond, Endpoint: Endpoint{
		Name: name, Switch: sw, SwitchName: "host" + string(rune('0'+sw)), Port: openflow.PortNo(n),
		PortName: "vif-" + name, PortUp: true,
		Connected: true, Located: true, Network: networks[vlan], VLAN: vlan,
		MAC:    packet.MAC{0x52, 0x54, 0, 0, byte(vlan), n},
		IPs:    []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(vlan), n})},
		Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(vlan), 0}), 24),
	}}
	l.mu.Lock()
	l.hosts = append(l.hosts, g)
	l.mu.Unlock()
	l.e.HostsChanged()
	return g
}

// remove forgets a guest.
func (l *lab) remove(g *guest) {
	l.mu.Lock()
	l.hosts = slices.DeleteFunc(l.hosts, func(h *guest) bool { return h == g })
	l.mu.Unlock()
	l.e.HostsChanged()
}

// change changes guests.
func (l *lab) change(f func()) {
	l.mu.Lock()
	f()
	l.mu.Unlock()
	l.e.HostsChanged()
}

func (l *lab) Resolve(ref string) (Endpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*guest
	for _, g := range l.hosts {
		if !g.unlisted &&
			(g.Name == ref || g.MAC.String() == ref ||
				slices.ContainsFunc(g.IPs, func(a netip.Addr) bool { return a.String() == ref })) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 0:
		return Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: []string{"vm1", "vm2"}}
	case 1:
		return found[0].Endpoint, nil
	}
	return Endpoint{}, &probespec.AmbiguousError{Ref: ref}
}

func (l *lab) ResolveIn(network string, addr netip.Addr) (Endpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.hosts {
		if !g.unlisted && g.Network == network && slices.Contains(g.IPs, addr) {
			return g.Endpoint, true
		}
	}
	return Endpoint{}, false
}

func (l *lab) Network(name string) (eps []Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.hosts {
		if g.Network == name && !g.unlisted {
			eps = append(eps, g.Endpoint)
		}
	}
	return eps
}

var errAway = errors.New("not connected")

func (l *lab) at(sw openflow.DatapathID) *fakeSwitch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.switches[sw]
}

func (l *lab) Exec(sw openflow.DatapathID, fn func(now time.Time, app *probe.App, out *apps.Output)) error {
	s := l.at(sw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errAway
	}
	fn(time.Now(), s.app, &s.out)
	var xid uint32
	for _, m := range messages(s.out.Store.Drain(nil, 1<<20, &xid, nil)) {
		if m[1] == 14 && m[25] == 0 { // a flow-mod that adds
			s.unconfirmed++
		}
	}
	for _, m := range messages(s.out.Wire) {
		if s.unconfirmed > 0 && !l.crowded {
			l.t.Error("a request was sent before its trap was confirmed")
		}
		l.packetOut(sw, m)
	}
	s.out.Wire = nil
	return nil
}

func (l *lab) Barrier(_ context.Context, sw openflow.DatapathID) error {
	s := l.at(sw)
	time.Sleep(200 * time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errAway
	}
	s.unconfirmed = 0
	s.barriers++
	return nil
}

func messages(b []byte) (list [][]byte) {
	for len(b) > 0 {
		n := binary.BigEndian.Uint16(b[2:])
		list = append(list, b[:n])
		b = b[n:]
	}
	return list
}

// packetOut lets a frame travel.
func (l *lab) packetOut(sw openflow.DatapathID, m []byte) {
	in := openflow.PortNo(binary.BigEndian.Uint32(m[12:]))
	actions := int(binary.BigEndian.Uint16(m[16:]))
	f, ok := packet.Parse(slices.Clone(m[24+actions:]))
	if !ok {
		l.t.Errorf("packet-out without a frame: %x", m)
		return
	}
	x := sentFrame{at: time.Now(), sw: sw, port: in, frame: f}
	if in == openflow.PortController {
		x.deliver, x.port = true, openflow.PortNo(binary.BigEndian.Uint32(m[28:]))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, x)
	from := l.guestAt(sw, x.port)
	if from == nil {
		l.t.Errorf("a frame was sent at port %v of %v, where nobody is", x.port, sw)
		return
	}
	for _, g := range l.hosts {
		there := g.VLAN == from.VLAN && g != from && !g.cutOff || g == from && x.deliver || g.leaky && g != from
		if !there || g.dead || (f.Dst() != g.MAC && f.Dst() != packet.Broadcast) {
			continue
		}
		answers := []answerFrame{{sw: sw, port: 99, vlan: from.VLAN, delay: g.delay, frame: g.answer(f)}}
		if answers[0].frame == nil {
			continue
		}
		if g.Switch == sw {
			answers[0].port = g.Port
		}
		if l.bend != nil && f.EtherType() != packet.EtherTypeARP {
			answers = l.bend(answers)
		}
		for _, a := range answers {
			time.AfterFunc(a.delay, func() { l.packetIn(a) })
		}
	}
}

func (l *lab) packetIn(a answerFrame) {
	s := l.at(a.sw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.PacketRcvd(time.Now(), &apps.Packet{In: &openflow.PacketIn{InPort: a.port, Data: a.frame}, VLAN: a.vlan},
		&s.out)
	fact := s.out.Facts[0]
	s.out.Facts, s.out.Wire = nil, nil
	l.e.Received(a.sw, fact.Port, fact.At, fact.VLAN, fact.Reply.(*probe.Trapped))
}

func (l *lab) guestAt(sw openflow.DatapathID, port openflow.PortNo) *guest {
	for _, g := range l.hosts {
		if g.Switch == sw && g.Port == port {
			return g
		}
	}
	return nil
}

// answer returns what the guest answers to a frame, tagged as inside the pipeline, or nil.
func (g *guest) answer(f packet.Frame) []byte {
	b := packet.AppendEthernetVLAN(nil, f.Src(), g.MAC, g.VLAN, f.EtherType())
	switch f.EtherType() {
	case packet.EtherTypeARP:
		arp, ok := packet.ParseARP(f.Payload())
		if !ok || !slices.Contains(g.IPs, arp.TargetIP()) {
			return nil
		}
		return packet.AppendARPReply(b, g.MAC, arp.TargetIP(), arp.SenderMAC(), arp.SenderIP())
	case packet.EtherTypeIPv4:
		ip, _ := packet.ParseIPv4(f.Payload())
		icmp, _ := packet.ParseICMP(ip.Payload())
		if g.noICMP || !slices.Contains(g.IPs, ip.Dst()) {
			return nil
		}
		return packet.AppendEcho(b, packet.IP{Src: ip.Dst(), Dst: ip.Src()}, packet.Echo{
			Reply: true, ID: icmp.ID(), Seq: icmp.Seq(), Payload: icmp.Payload(),
		})
	case packet.EtherTypeIPv6:
		ip, _ := packet.ParseIPv6(f.Payload())
		icmp, _ := packet.ParseICMP(ip.Payload())
		if g.noICMP {
			return nil
		}
		return packet.AppendEcho(b, packet.IP{Src: ip.Dst(), Dst: ip.Src()}, packet.Echo{
			Reply: true, ID: icmp.ID(), Seq: icmp.Seq(), Payload: icmp.Payload(),
		})
	}
	return nil
}

// frames returns what was sent and passes keep.
func (l *lab) frames(keep func(*sentFrame) bool) (list []sentFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.sent {
		if keep == nil || keep(&l.sent[i]) {
			list = append(list, l.sent[i])
		}
	}
	return list
}

func isEcho(x *sentFrame) bool { return x.frame.EtherType() != packet.EtherTypeARP }

func (l *lab) traps(sw openflow.DatapathID) int {
	s := l.at(sw)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.app.TrapCount()
}

func (l *lab) rejected(r probe.Reason) uint64 {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	return l.e.rejected[r]
}

// probe runs a probe that must be possible.
func (l *lab) probe(r probespec.Request) (probespec.Result, []probespec.Update) {
	l.t.Helper()
	var updates []probespec.Update
	res, err := l.e.Probe(l.t.Context(), r.WithDefaults(), func(u probespec.Update) { updates = append(updates, u) })
	if err != nil {
		l.t.Fatalf("%s -> %s: %v", r.Source, r.Destination, err)
	}
	return res, updates
}

// entry returns a row of the mesh.
func (l *lab) entry(probe, src, dst string) probespec.MeshEntry {
	l.t.Helper()
	for _, m := range l.e.Mesh() {
		if m.Probe == probe && m.Source == src && m.Destination == dst {
			return m
		}
	}
	l.t.Fatalf("no entry %s: %s -> %s in %+v", probe, src, dst, l.e.Mesh())
	return probespec.MeshEntry{}
}

func (l *lab) noticed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.notices)
}

// pair returns a copy of a pair's state.
func (l *lab) pair(probe, src, dst string) (p pair) {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	for _, g := range l.e.probes {
		if q := g.pairs[probespec.Pair{Source: src, Destination: dst}]; q != nil && g.spec.Name == probe {
			return *q
		}
	}
	return p
}

// left says what the engine holds, or "".
func (l *lab) left() string {
	traps := l.traps(1) + l.traps(2)
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	streams, colors := len(l.e.streams)+len(l.e.arps), l.e.colors.InUse()
	if traps+streams+colors == 0 {
		return ""
	}
	return fmt.Sprintf("%d traps, %d streams, %d colors", traps, streams, colors)
}

// barriers returns how many barriers a switch has answered.
func (l *lab) barriers(sw openflow.DatapathID) int {
	s := l.at(sw)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.barriers
}

// pairsOf takes sources and destinations in turn.
func pairsOf(ends ...string) (list []probespec.Pair) {
	for i := 0; i < len(ends); i += 2 {
		list = append(list, probespec.Pair{Source: ends[i], Destination: ends[i+1]})
	}
	return list
}
