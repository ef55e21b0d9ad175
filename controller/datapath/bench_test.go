package datapath

import (
	"encoding/binary"
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
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

const (
	benchPorts = 48
	benchBatch = 64 // packet-ins that one read brings
)

// hot is a machine that is ready, and a packet-in for it.
type hot struct {
	testing.TB
	m    *Machine
	now  time.Time
	msg  []byte
	sent int     // bytes
	mods [32]int // messages sent, by type

	session  *oftest.Session
	requests []byte // to be answered
	group    int    // length of the last group mod
	ports    openflow.PortNo
}

func newHot(t testing.TB) *hot { return newHotWith(t, benchPorts) }

// newHotWith is newHot with so many ports.
func newHotWith(t testing.TB, ports openflow.PortNo) *hot {
	h := &hot{TB: t, now: time.Unix(1_700_000_000, 0), ports: ports}
	key := probe.NewKey()
	in := Intent{
		Name: "s1", Networks: []apps.Network{{Name: "blue", VLAN: 10}},
		Settings: intent.Settings{HostTimeout: 300 * time.Second, Moves: 5},
		Port: func(string, openflow.PortNo) intent.Port {
			return intent.Port{Mode: intent.Access, VLANs: []uint16{10}, Native: 10}
		},
	}
	h.m = New(1, Keys{Hellos: discovery.NewSigner(h.now), Probes: &key}, in, topology.NewGraph().Snapshot())
	var state oftest.State
	for no := range ports {
		state.Ports = append(state.Ports, port(no+1))
	}
	sw := oftest.New(oftest.Options{DatapathID: 1})
	sw.SetState(state)
	h.session = sw.Open()
	if _, err := h.session.Step(h.now, openflow.AppendHello(nil, 1)); err != nil {
		t.Fatal(err)
	}
	h.m.Attach(h.now)
	for range 20 {
		h.flush()
	}
	h.now = h.now.Add(settleTime)
	if err := h.m.Tick(h.now); err != nil {
		t.Fatal(err)
	}
	h.flush()
	if h.m.Phase() != Ready {
		t.Fatalf("phase %s", h.m.Phase())
	}
	frame := append(packet.AppendEthernetVLAN(nil, packet.MAC{2}, packet.MAC{0x52, 0x54}, 10, 0x88b5),
		make([]byte, 46)...)
	h.msg = openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInAction,
		TableID: pipeline.Number("learn"),
		Cookie:  flow.Cookie(apps.OwnerL2, 1), InPort: 1, Data: frame,
	})
	return h
}

// flush ends a step and has the switch answer requests, barriers and bundles. What the machine sends to change it is
// only counted, so that the machine is what is measured.
func (h *hot) flush() {
	h.m.Flush(h.now)
	wire := h.m.TakeWire()
	h.m.TakeFacts()
	h.m.PortsChanged(func(openflow.PortNo, topology.PortInfo) {})
	h.sent += len(wire)
	for b := wire; len(b) > 0; b = b[binary.BigEndian.Uint16(b[2:]):] {
		n := binary.BigEndian.Uint16(b[2:])
		h.mods[b[1]&31]++
		switch openflow.Type(b[1]) {
		case openflow.TypeRoleRequest, openflow.TypeBarrierRequest, openflow.TypeMultipartRequest:
			h.requests = append(h.requests, b[:n]...)
		case openflow.TypeExperimenter:
			var c openflow.BundleControl
			if c.Decode(b[:n]) == nil {
				h.requests = append(h.requests, b[:n]...)
			}
		case openflow.TypeGroupMod:
			h.group = int(n)
		}
	}
	replies, err := h.session.Step(h.now, h.requests)
	if err != nil {
		h.Fatal(err)
	}
	h.requests = h.requests[:0]
	for b := replies; len(b) > 0; b = b[binary.BigEndian.Uint16(b[2:]):] {
		h.receive(b[:binary.BigEndian.Uint16(b[2:])])
	}
}

func (h *hot) receive(msg []byte) {
	if err := h.m.Receive(h.now, msg); err != nil {
		h.Fatal(err)
	}
}

// host makes the packet-in one of a host with a number.
func (h *hot) host(n uint32) {
	binary.BigEndian.PutUint32(h.msg[len(h.msg)-64+8:], n)
	binary.BigEndian.PutUint32(h.msg[36:], 1+n%uint32(h.ports))
}

// TestHotPath holds the way of a packet-in through the machine to its goals: no allocation for a known host, at most
// one for a new one.
func TestHotPath(t *testing.T) {
	h := newHot(t)
	h.host(0)
	h.receive(h.msg)
	h.flush()
	sent := h.sent
	if n := testing.AllocsPerRun(1000, func() { h.receive(h.msg); h.flush() }); n != 0 || h.sent != sent {
		t.Errorf("%v allocations and %d bytes for a known host", n, h.sent-sent)
	}
	next := uint32(1)
	n := testing.AllocsPerRun(20_000, func() { h.host(next); h.receive(h.msg); h.flush(); next++ })
	if n > 1 || h.m.l2.Len() != int(next) || h.sent < int(next)*2*56 {
		t.Errorf("%v allocations for a new host; %d of %d learned, %d bytes sent", n, h.m.l2.Len(), next, h.sent)
	}
}

// BenchmarkReceiveKnown takes packet-ins of known hosts, as read from the socket, through the machine.
func BenchmarkReceiveKnown(b *testing.B) {
	h := newHot(b)
	for n := range uint32(1000) {
		h.host(n)
		h.receive(h.msg)
	}
	h.flush()
	sent := h.sent
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		h.host(uint32(i) % 1000)
		h.receive(h.msg)
		if i%benchBatch == 0 {
			h.flush()
		}
	}
	if h.sent != sent {
		b.Error("something was sent")
	}
}

// BenchmarkReceiveNew takes packet-ins of new hosts through the machine, up to the bytes of their flow-mods.
func BenchmarkReceiveNew(b *testing.B) {
	const hosts = 100_000
	h := newHot(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i > 0 && i%hosts == 0 {
			b.StopTimer()
			h = newHot(b)
			b.StartTimer()
		}
		h.host(uint32(i % hosts))
		h.receive(h.msg)
		if i%benchBatch == 0 {
			h.flush()
		}
	}
	h.flush()
	if h.m.l2.Len() != (b.N-1)%hosts+1 {
		b.Error("not all were learned")
	}
}

// learn has hosts learned, the same number at each port.
func (h *hot) learn(n uint32) {
	for i := range n {
		h.host(i)
		h.receive(h.msg)
		if i%benchBatch == 0 {
			h.flush()
		}
	}
	for range 10 {
		h.flush()
	}
}

// until lets time pass up to t: the machine is woken when it wants to be.
func (h *hot) until(t time.Time) {
	for {
		wake := h.m.Out.TakeWake()
		if wake.IsZero() || wake.After(t) {
			h.m.Out.WakeAt(wake)
			h.now = t
			return
		}
		if wake.After(h.now) {
			h.now = wake
		}
		if err := h.m.Tick(h.now); err != nil {
			h.Fatal(err)
		}
		h.flush()
	}
}

// status tells of a port that is up, or down.
func (h *hot) status(no openflow.PortNo, up bool) {
	d := port(no)
	if !up {
		d.State = openflow.PortStateLinkDown
	}
	h.receive(portStatus(openflow.PortModify, d))
	h.flush()
}

// TestPortsOneByOne: ports that come up one after the other, each in a step of its own, do not each have the whole
// flood group sent, and yet all are in it soon after the last.
func TestPortsOneByOne(t *testing.T) {
	const ports, apart = 200, 5 * time.Millisecond
	h := newHotWith(t, ports)
	whole := h.group
	for no := range openflow.PortNo(ports) {
		h.status(no+1, false)
	}
	if empty := h.group; whole-empty < ports*32 {
		t.Fatalf("the group of %d ports has %d bytes, without ports %d", ports, whole, empty)
	}
	before := h.mods[openflow.TypeGroupMod]
	for no := range openflow.PortNo(ports) {
		h.status(no+1, true)
		h.until(h.now.Add(apart))
	}
	h.until(h.now.Add(settleTime + settleStep))
	if h.group != whole {
		t.Errorf("the last group sent has %d bytes, want %d as before", h.group, whole)
	}
	if n, most := h.mods[openflow.TypeGroupMod]-before, int(ports*apart/settleStep)+2; n > most {
		t.Errorf("the group was sent %d times for %d ports, want %d at most", n, ports, most)
	}
}

// TestFramesAreConfirmed: the switch is asked to confirm very many hellos, so that they do not pile up before one that
// is slow.
func TestFramesAreConfirmed(t *testing.T) {
	h := newHotWith(t, 1000)
	if n := h.mods[openflow.TypePacketOut]; n < 1000 || h.mods[openflow.TypeBarrierRequest] < n*100/barrierEvery {
		t.Errorf("%d hellos, %d barriers", n, h.mods[openflow.TypeBarrierRequest])
	}
	h.until(h.now.Add(10 * time.Second))
	if left := h.m.Out.Unconfirmed; left < 0 || left > barrierEvery || h.m.barriers.frames != 0 {
		t.Errorf("%d bytes unconfirmed, %d covered", left, h.m.barriers.frames)
	}
}

// BenchmarkPortFlap takes a port down and up, beside a thousand others with ten hosts each.
func BenchmarkPortFlap(b *testing.B) {
	h := newHotWith(b, 1000)
	h.learn(10_000)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		no := openflow.PortNo(i%1000 + 1)
		h.status(no, false)
		h.status(no, true)
	}
}
