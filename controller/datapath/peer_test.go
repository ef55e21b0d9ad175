package datapath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// peer is a machine with the switch at its other end, in virtual time. The switch does what the machine sends and
// answers at once, but where a test has it do otherwise.
type peer struct {
	t   *testing.T
	m   *Machine
	now time.Time

	sw      *oftest.Switch
	session *oftest.Session
	partLen int // entries in one part of a multipart reply; 0 all

	// What the switch holds, as it dumps it: tests change it behind the machine's back. See push.
	ports  []openflow.PortDesc
	flows  []openflow.FlowStats
	groups map[uint32][]byte // buckets by id
	meters map[uint32]flow.Meter

	// silent has the switch leave a request unanswered; refuse has it refuse a message with an error.
	silent func(msg []byte) bool
	refuse func(msg []byte) (typ, code uint16)

	held    [][]byte // requests that are left unanswered for now, see hold
	log     []string // what the machine has sent since the last look, but discovery frames
	hellos  int      // discovery frames
	notices []string
	facts   []apps.Fact
	err     error // with which the machine ended the session
}

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

const dpid openflow.DatapathID = 0xe051

// inNetwork is an intent in which every port is an access port of VLAN 10.
func inNetwork() Intent {
	return Intent{
		Name:     "br0",
		Networks: []apps.Network{{Name: "blue", VLAN: 10, VNI: 5010}, {Name: "red", VLAN: 11, VNI: 5011}},
		Settings: intent.Settings{
			HostTimeout: 300 * time.Second, HostsPerPort: 1024, HostsPerSwitch: 8192,
			PacketIns: 20_000, Moves: 5, Probes: 1000,
		},
		Port: func(string, openflow.PortNo) intent.Port {
			return intent.Port{Mode: intent.Access, VLANs: []uint16{10}, Native: 10, Source: "default"}
		},
		AuditEvery: 30 * time.Second,
	}
}

// inPort is inNetwork with one port in another network.
func inPort(name string, vlan uint16) Intent {
	in := inNetwork()
	in.Port = func(n string, _ openflow.PortNo) intent.Port {
		v := uint16(10)
		if n == name {
			v = vlan
		}
		return intent.Port{Mode: intent.Access, VLANs: []uint16{v}, Native: v}
	}
	return in
}

func newTestMachine(in Intent) *Machine {
	key := probe.NewKey()
	return New(dpid, Keys{Hellos: discovery.NewSigner(epoch), Probes: &key}, in, topology.NewGraph().Snapshot())
}

// newPeer returns a switch with ports 1 and 2 that is not attached yet.
func newPeer(t *testing.T) *peer {
	p := &peer{
		t: t, m: newTestMachine(inNetwork()), now: epoch, groups: map[uint32][]byte{}, meters: map[uint32]flow.Meter{},
		ports: []openflow.PortDesc{port(1), port(2)},
		sw:    oftest.New(oftest.Options{DatapathID: dpid, Desc: openflow.SwitchDesc{Manufacturer: "Nicira, Inc."}}),
	}
	p.session = p.open()
	return p
}

// port describes a port that is up.
func port(no openflow.PortNo) openflow.PortDesc {
	return openflow.PortDesc{
		No: no, Name: fmt.Sprintf("p%d", no), HWAddr: [6]byte{2, 1, 0, 0, byte(no >> 8), byte(no)},
		State: openflow.PortStateLive,
	}
}

// attach begins a session and lets it run until the machine has nothing more to say.
func (p *peer) attach() {
	p.session = p.open()
	p.m.Attach(p.now)
	p.run()
}

// ready attaches and passes the time until ports have settled, and forgets what was sent.
func (p *peer) ready() {
	p.t.Helper()
	p.attach()
	p.pass(2 * time.Second)
	if p.m.Phase() != Ready {
		p.t.Fatalf("phase %s after %q", p.m.Phase(), p.log)
	}
	p.log, p.notices = nil, nil
}

// run flushes the machine and answers it until both are quiet.
func (p *peer) run() {
	p.t.Helper()
	for range 1000 {
		p.m.Flush(p.now)
		for _, f := range p.m.TakeFacts() {
			if f.Kind == apps.Told {
				p.notices = append(p.notices, f.Event.Type.String()+": "+f.Event.Message)
			}
			p.facts = append(p.facts, f)
		}
		wire := bytes.Clone(p.m.TakeWire())
		if len(wire) == 0 {
			return
		}
		p.push()
		var replies [][]byte
		for len(wire) > 0 {
			n := int(binary.BigEndian.Uint16(wire[2:]))
			msg := wire[:n:n]
			wire = wire[n:]
			if msg[1] == byte(openflow.TypePacketOut) {
				p.hellos++
			} else {
				p.log = append(p.log, p.describe(msg))
			}
			replies = append(replies, p.step(msg)...)
		}
		p.pull()
		p.now = p.now.Add(time.Microsecond) // the way there and back
		for _, r := range replies {
			p.receive(r)
		}
	}
	p.t.Fatal("machine and switch would not come to an end")
}

// receive gives the machine one message.
func (p *peer) receive(msg []byte) {
	if err := p.m.Receive(p.now, msg); err != nil && p.err == nil {
		p.err = err
	}
}

// recv gives the machine messages as one step.
func (p *peer) recv(msgs ...[]byte) {
	p.t.Helper()
	for _, m := range msgs {
		p.receive(m)
	}
	p.run()
}

// pass lets time pass, with a tick whenever the machine has asked for one.
func (p *peer) pass(d time.Duration) {
	p.t.Helper()
	end := p.now.Add(d)
	for range 100_000 {
		p.m.Flush(p.now)
		next := p.m.Out.TakeWake()
		if next.IsZero() || next.After(end) {
			p.m.Out.WakeAt(next) // asked for, and still to come
			p.now = end
			return
		}
		if next.After(p.now) {
			p.now = next
		}
		if err := p.m.Tick(p.now); err != nil {
			p.err = err
			p.now = end
			return
		}
		p.run()
	}
	p.t.Fatalf("the machine wants to be woken without end at %s", p.now.Sub(epoch))
}

// sent returns what the machine has sent since the last look, one line a message.
func (p *peer) sent() string {
	s := strings.Join(p.log, "\n")
	p.log = nil
	return s
}

// wantSent checks all that the machine has sent since the last look.
func (p *peer) wantSent(want ...string) {
	p.t.Helper()
	if got := p.sent(); got != strings.Join(want, "\n") {
		p.t.Errorf("sent:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// wantNotice checks that a notice holds all of the texts.
func (p *peer) wantNotice(texts ...string) {
	p.t.Helper()
	for _, n := range p.notices {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(n, s) }) {
			return
		}
	}
	p.t.Errorf("no notice with %q among %q", texts, p.notices)
}

// describe writes a message in one line.
func (p *peer) describe(msg []byte) string {
	p.t.Helper()
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatalf("the machine sent what cannot be decoded: %v: %x", err, msg)
		}
	}
	switch t := openflow.Type(msg[1]); t {
	case openflow.TypeMultipartRequest:
		var m openflow.MultipartRequest
		must(m.Decode(msg))
		return "ask " + openflow.MultipartName(m.Type)
	case openflow.TypeExperimenter:
		var add openflow.BundleAdd
		if add.Decode(msg) == nil {
			return "bundled " + p.describe(add.Message)
		}
		var c openflow.BundleControl
		must(c.Decode(msg))
		return "bundle " + map[uint16]string{0: "open", 4: "commit", 6: "discard"}[c.Type]
	case openflow.TypeFlowMod:
		var m openflow.FlowMod
		must(m.Decode(msg))
		f := statsOf(&m)
		return map[uint8]string{
			openflow.FlowAdd: "add ", openflow.FlowDeleteStrict: "delete ",
		}[m.Command] + oftext.Flow(&f)
	case openflow.TypeGroupMod:
		var m openflow.GroupMod
		must(m.Decode(msg))
		g := openflow.GroupDesc{Type: m.Type, ID: m.ID, Buckets: m.Buckets}
		return map[uint16]string{
			openflow.GroupAdd: "add ", openflow.GroupModify: "modify ", openflow.GroupDelete: "delete ",
		}[m.Command] + oftext.Group(&g)
	case openflow.TypeMeterMod:
		var m openflow.MeterMod
		must(m.Decode(msg))
		got := meterOf(&openflow.MeterConfig{Flags: m.Flags, ID: m.ID, Bands: m.Bands})
		return fmt.Sprintf("%s meter %#x rate %d",
			map[uint16]string{
				openflow.MeterAdd: "add", openflow.MeterModify: "modify",
				openflow.MeterDelete: "delete",
			}[m.Command], got.ID, got.Rate)
	default:
		return t.String()
	}
}

func statsOf(m *openflow.FlowMod) openflow.FlowStats {
	return openflow.FlowStats{
		TableID: m.TableID, Priority: m.Priority, IdleTimeout: m.IdleTimeout, HardTimeout: m.HardTimeout,
		Flags: m.Flags, Cookie: m.Cookie,
		Match: bytes.Clone(m.Match), Instructions: bytes.Clone(m.Instructions),
	}
}

// open begins a session with the switch, up to the hellos.
func (p *peer) open() *oftest.Session {
	session := p.sw.Open()
	if _, err := session.Step(p.now, openflow.AppendHello(nil, 1)); err != nil {
		p.t.Fatal(err)
	}
	return session
}

// claim has another controller become master with a generation, and returns the one that the switch knows then.
func (p *peer) claim(role uint32, generation uint64) uint64 {
	p.t.Helper()
	out, err := p.open().Step(p.now, openflow.AppendRoleRequest(nil, 1, role, generation))
	var r openflow.RoleReply
	if err != nil || r.Decode(out) != nil {
		p.t.Fatalf("claim %d: %x, %v", generation, out, err)
	}
	return r.GenerationID
}

// answer has the switch carry out one message, and returns its answers.
func (p *peer) answer(msg []byte) [][]byte {
	p.t.Helper()
	p.push()
	defer p.pull()
	return p.step(msg)
}

// step is answer where the switch has been given its state.
func (p *peer) step(msg []byte) (replies [][]byte) {
	p.t.Helper()
	out, err := p.session.Step(p.now, msg)
	if err != nil {
		p.t.Fatal(err)
	}
	for out = bytes.Clone(out); len(out) > 0; {
		n := int(binary.BigEndian.Uint16(out[2:]))
		replies = append(replies, out[:n:n])
		out = out[n:]
	}
	return replies
}

// push gives the switch the state that the test has made.
func (p *peer) push() {
	st := oftest.State{Ports: p.ports, Flows: p.flows}
	for id, b := range p.groups {
		st.Groups = append(st.Groups, openflow.GroupDesc{ID: id, Buckets: b})
	}
	for _, m := range p.meters {
		const flags = openflow.MeterPktps | openflow.MeterBurst
		bands := openflow.AppendMeterMod(nil, 0, openflow.MeterAdd, flags, m.ID, m.Rate, m.Burst)[16:]
		st.Meters = append(st.Meters, openflow.MeterConfig{Flags: flags, ID: m.ID, Bands: bands})
	}
	p.sw.SetState(st)
	f := oftest.Faults{PartLen: p.partLen, Ignore: p.silent}
	if refuse := p.refuse; refuse != nil {
		f.Refuse = func(msg []byte) (typ, code uint16, refused bool) {
			typ, code = refuse(msg)
			return typ, code, typ != 0
		}
	}
	p.sw.SetFaults(f)
}

// pull takes the state that the switch has come to.
func (p *peer) pull() {
	st := p.sw.State()
	p.flows = st.Flows
	clear(p.groups)
	for _, g := range st.Groups {
		p.groups[g.ID] = g.Buckets
	}
	clear(p.meters)
	for _, m := range st.Meters {
		p.meters[m.ID] = meterOf(&m)
	}
}

// dump returns the switch's flows as text.
func (p *peer) dump() string {
	var lines []string
	for i := range p.flows {
		lines = append(lines, oftext.Flow(&p.flows[i]))
	}
	return oftext.SortFlows(lines)
}

// portStatus is a message about a port.
func portStatus(reason openflow.PortReason, d openflow.PortDesc) []byte {
	return openflow.AppendPortStatus(nil, 0, &openflow.PortStatus{Reason: reason, Desc: d})
}

var (
	macA = packet.MAC{0x52, 0x54, 0, 0, 0, 0xa}
	macB = packet.MAC{0x52, 0x54, 0, 0, 0, 0xb}
)

// learnCookie is that of the rule which copies frames of unknown sources.
var learnCookie = flow.Cookie(apps.OwnerL2, 1)

// packetIn is a frame of VLAN 10 as the learn table sends it.
func packetIn(cookie uint64, in openflow.PortNo, src packet.MAC) []byte {
	frame := append(packet.AppendEthernetVLAN(nil, macB, src, 10, 0x88b5), make([]byte, 46)...)
	return openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInAction,
		TableID: pipeline.Number("learn"),
		Cookie:  cookie, InPort: in, Data: frame,
	})
}

// manyHosts returns n packet-ins of different sources.
func manyHosts(n int) [][]byte {
	var msgs [][]byte
	for i := range n {
		msgs = append(msgs, packetIn(learnCookie, 1, packet.MACFromUint64(0x5254_1000_0000+uint64(i))))
	}
	return msgs
}

// meterOf reads a meter of the one form that is sent.
func meterOf(c *openflow.MeterConfig) flow.Meter {
	band, _, err := openflow.DecodeMeterBand(c.Bands)
	if err != nil {
		return flow.Meter{ID: c.ID}
	}
	return flow.Meter{ID: c.ID, Rate: band.Rate, Burst: band.Burst}
}
