package oftest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// controller is the other side of a session.
type controller struct {
	t    testing.TB
	conn *ofconn.Conn
	xid  uint32
}

// newController speaks hello over nc.
func newController(t testing.TB, nc net.Conn) *controller {
	t.Helper()
	c := &controller{t: t, conn: ofconn.New(nc, ofconn.Options{MaxQueue: 1 << 26})}
	done := make(chan struct{})
	go func() { defer close(done); _ = c.conn.Run(context.Background()) }()
	t.Cleanup(func() { c.conn.Close(nil); <-done })
	c.send(openflow.AppendHello(nil, 1))
	if m := c.next(); openflow.Type(m[1]) != openflow.TypeHello {
		t.Fatalf("first message %x", m)
	}
	return c
}

// connect serves sw over a pipe and returns the controller's side.
func connect(t testing.TB, sw *Switch) *controller {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); _ = sw.Serve(a) }()
	t.Cleanup(func() { sw.Disconnect(); <-done })
	return newController(t, b)
}

func (c *controller) send(b []byte) {
	c.t.Helper()
	if err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next returns a copy of the next message.
func (c *controller) next() []byte {
	c.t.Helper()
	m, err := c.receive(5 * time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *controller) receive(timeout time.Duration) ([]byte, error) {
	for {
		if m, ok := c.conn.Next(); ok {
			return bytes.Clone(m), nil
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return nil, err
		}
		if err := c.conn.Fill(); err != nil {
			return nil, err
		}
	}
}

// do sends messages and a barrier and returns what came before its reply.
func (c *controller) do(msgs ...[]byte) [][]byte {
	c.t.Helper()
	c.xid += 1000
	c.send(openflow.AppendBarrierRequest(bytes.Join(msgs, nil), c.xid))
	var got [][]byte
	for {
		m := c.next()
		if openflow.Type(m[1]) == openflow.TypeBarrierReply && binary.BigEndian.Uint32(m[4:]) == c.xid {
			return got
		}
		got = append(got, m)
	}
}

// ok is do for messages that are to have no answer.
func (c *controller) ok(msgs ...[]byte) {
	c.t.Helper()
	for _, m := range c.do(msgs...) {
		c.t.Fatalf("unexpected answer: %s", describe(c.t, m))
	}
}

// describe names a message, with the error if it is one.
func describe(t testing.TB, m []byte) string {
	t.Helper()
	if typ := openflow.Type(m[1]); typ != openflow.TypeError {
		return typ.String()
	}
	var e openflow.Error
	if err := e.Decode(m); err != nil {
		t.Fatal(err)
	}
	return e.Error()
}

// wantErrors checks the errors among the answers, as names of type and code.
func (c *controller) wantErrors(got [][]byte, want ...[2]uint16) {
	c.t.Helper()
	var have [][2]uint16
	for _, m := range got {
		var e openflow.Error
		if openflow.Type(m[1]) == openflow.TypeError {
			if err := e.Decode(m); err != nil {
				c.t.Fatal(err)
			}
			have = append(have, [2]uint16{e.Type, e.Code})
		}
	}
	if !slices.Equal(have, want) {
		c.t.Errorf("errors %v, want %v", have, want)
	}
}

var (
	macA = packet.MAC{2, 0, 0, 0, 0, 1}
	macB = packet.MAC{2, 0, 0, 0, 0, 2}
	ipA  = netip.MustParseAddr("10.0.3.1")
	ipB  = netip.MustParseAddr("10.0.3.2")
)

// frame returns an Ethernet frame with a payload of 50 bytes.
func frame(dst, src packet.MAC, vid int) []byte {
	var b []byte
	if vid >= 0 {
		b = packet.AppendEthernetVLAN(nil, dst, src, uint16(vid), 0x88b5)
	} else {
		b = packet.AppendEthernet(nil, dst, src, 0x88b5)
	}
	return append(b, make([]byte, 50)...)
}

// echo returns an ICMP echo of the given type, tagged if vid is not negative.
func echo(dst, src packet.MAC, to, from netip.Addr, vid int, typ uint8, id uint16) []byte {
	b := frame(dst, src, vid)
	b = b[:len(b)-50]
	binary.BigEndian.PutUint16(b[len(b)-2:], packet.EtherTypeIPv4)
	ip := make([]byte, 20)
	ip[0], ip[3], ip[8], ip[9] = 0x45, 28, 64, packet.ProtoICMP
	f, t := from.As4(), to.As4()
	copy(ip[12:], f[:])
	copy(ip[16:], t[:])
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip, 0))
	icmp := []byte{typ, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}
	binary.BigEndian.PutUint16(icmp[2:], ^sum(icmp, 0))
	return append(append(b, ip...), icmp...)
}

func ports(n int) []Port {
	var p []Port
	for i := 1; i <= n; i++ {
		p = append(p, Port{No: openflow.PortNo(i), Name: "p" + string(rune('0'+i)), MAC: [6]byte{2, 1, 0, 0, 0, byte(i)}})
	}
	return p
}

// outPorts returns the ports of frames that left.
func outPorts(outs []Out) []openflow.PortNo {
	var p []openflow.PortNo
	for _, o := range outs {
		p = append(p, o.Port)
	}
	return p
}

func wantPorts(t *testing.T, outs []Out, want ...openflow.PortNo) {
	t.Helper()
	if got := outPorts(outs); !slices.Equal(got, want) {
		t.Errorf("out of %v, want %v", got, want)
	}
}

func TestHandshake(t *testing.T) {
	sw := New(Options{DatapathID: 0xabc, Desc: openflow.SwitchDesc{Manufacturer: "Nicira, Inc."}}, ports(2)...)
	c := connect(t, sw)
	got := c.do(
		openflow.AppendFeaturesRequest(nil, 7),
		openflow.AppendEchoRequest(nil, 8, []byte("abc")),
		openflow.AppendSetConfig(nil, 9, 0, 0xffff),
		[]byte{4, 7, 0, 8, 0, 0, 0, 10},
		openflow.AppendDescRequest(nil, 11),
		openflow.AppendPortDescRequest(nil, 12),
		openflow.AppendPortStatsRequest(nil, 13, openflow.PortAny),
		[]byte{4, 26, 0, 8, 0, 0, 0, 15},
	)
	if len(got) != 7 {
		t.Fatalf("%d answers", len(got))
	}
	var f openflow.FeaturesReply
	if err := f.Decode(got[0]); err != nil || f.DatapathID != 0xabc || f.NTables != 254 {
		t.Errorf("features %+v, %v", f, err)
	}
	var e openflow.Echo
	if err := e.Decode(got[1]); err != nil || !e.Reply || string(e.Data) != "abc" || got[1][7] != 8 {
		t.Errorf("echo %+v, %v", e, err)
	}
	if want := []byte{4, 8, 0, 12, 0, 0, 0, 10, 0, 0, 0xff, 0xff}; !bytes.Equal(got[2], want) {
		t.Errorf("config %x, want %x", got[2], want)
	}
	var m openflow.Multipart
	var d openflow.SwitchDesc
	if err := errors.Join(m.Decode(got[3]), d.Decode(m.Body)); err != nil || d.Manufacturer != "Nicira, Inc." {
		t.Errorf("desc %+v, %v", d, err)
	}
	if err := m.Decode(got[4]); err != nil || len(m.Body) != 2*openflow.PortDescLen {
		t.Errorf("port desc %d, %v", len(m.Body), err)
	}
	p, _, err := openflow.DecodePortDesc(m.Body)
	if err != nil || p.Name != "p1" || p.No != 1 || !p.Up() {
		t.Errorf("port %+v, %v", p, err)
	}
	c.wantErrors(got, [2]uint16{openflow.ErrorTypeBadRequest, openflow.BadRequestBadType})
	if s := sw.Received(openflow.TypeBarrierRequest); s != 1 {
		t.Errorf("%d barriers", s)
	}
}

func TestOldControllerIsRefused(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- New(Options{}).Serve(a) }()
	conn := ofconn.New(b, ofconn.Options{})
	go func() { _ = conn.Run(context.Background()) }()
	defer conn.Close(nil)
	if err := conn.Write([]byte{1, 0, 0, 8, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for conn.Fill() == nil {
		for m, ok := conn.Next(); ok; m, ok = conn.Next() {
			last = bytes.Clone(m)
		}
	}
	if err := <-done; !errors.Is(err, errHello) {
		t.Errorf("Serve: %v", err)
	}
	var e openflow.Error
	if err := e.Decode(last); err != nil || e.Type != openflow.ErrorTypeHelloFailed {
		t.Errorf("last message %x: %v", last, err)
	}
}

func TestPortStatus(t *testing.T) {
	sw := New(Options{}, ports(1)...)
	c := connect(t, sw)
	c.ok()
	sw.SetPort(Port{No: 2, Name: "new"})
	sw.SetPort(Port{No: 2, Name: "new", Down: true})
	sw.DeletePort(2)
	sw.DeletePort(2)
	got := c.do()
	want := []openflow.PortReason{openflow.PortAdd, openflow.PortModify, openflow.PortDelete}
	if len(got) != len(want) {
		t.Fatalf("%d messages", len(got))
	}
	for i, m := range got {
		var s openflow.PortStatus
		if err := s.Decode(m); err != nil || s.Reason != want[i] || s.Desc.Name != "new" || s.Desc.Up() != (i == 0) {
			t.Errorf("%d: %+v, %v", i, s, err)
		}
	}
}

func TestFaults(t *testing.T) {
	sw := New(Options{}, ports(1)...)
	c := connect(t, sw)
	sw.SetFaults(Faults{TableFullFrom: 2})
	c.wantErrors(c.do(add(0, 1, 1, nil, nil), add(0, 2, 1, nil, nil), add(0, 3, 1, nil, nil)),
		[2]uint16{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull},
		[2]uint16{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull})
	if sw.FlowCount() != 1 {
		t.Errorf("%d flows", sw.FlowCount())
	}
	sw.SetFaults(Faults{DropBarriers: true})
	c.send(openflow.AppendBarrierRequest(nil, 5))
	c.send(openflow.AppendEchoRequest(nil, 6, nil))
	if m := c.next(); openflow.Type(m[1]) != openflow.TypeEchoReply {
		t.Errorf("got %s", describe(t, m))
	}
	sw.SetFaults(Faults{StallReading: true})
	c.send(openflow.AppendEchoRequest(nil, 7, nil)) // may be read still
	if _, err := c.receive(50 * time.Millisecond); err != nil && !errors.Is(err, ofconn.ErrTimeout) {
		t.Fatal(err)
	}
	c.send(openflow.AppendEchoRequest(nil, 8, nil))
	if m, err := c.receive(50 * time.Millisecond); !errors.Is(err, ofconn.ErrTimeout) {
		t.Errorf("stalled, but got %x, %v", m, err)
	}
	sw.SetFaults(Faults{})
	if m := c.next(); openflow.Type(m[1]) != openflow.TypeEchoReply {
		t.Errorf("got %s", describe(t, m))
	}
	sw.SetFaults(Faults{DisconnectAfter: 1})
	c.send(openflow.AppendEchoRequest(nil, 9, nil))
	for {
		if _, err := c.receive(5 * time.Second); err != nil {
			if !errors.Is(err, ofconn.ErrPeerClosed) {
				t.Error(err)
			}
			break
		}
	}
}

func TestRoles(t *testing.T) {
	sw := New(Options{}, ports(1)...)
	a, b := connect(t, sw), connect(t, sw)
	a.do(openflow.AppendRoleRequest(nil, 1, openflow.RoleMaster, 5))
	got := b.do(openflow.AppendRoleRequest(nil, 1, openflow.RoleMaster, 4))
	b.wantErrors(got, [2]uint16{openflow.ErrorTypeRoleRequestFailed, openflow.RoleRequestFailedStale})
	got = b.do(openflow.AppendRoleRequest(nil, 2, openflow.RoleMaster, 6))
	var r openflow.RoleReply
	if err := r.Decode(got[0]); err != nil || r.Role != openflow.RoleMaster || r.GenerationID != 6 {
		t.Errorf("%+v, %v", r, err)
	}
	var told openflow.RoleStatus
	if got := a.do(); len(got) != 1 || told.Decode(got[0]) != nil || told.Role != openflow.RoleSlave || told.GenerationID != 6 {
		t.Errorf("the master that was replaced got %x", got)
	}
	a.wantErrors(a.do(add(0, 1, 1, nil, nil)), [2]uint16{openflow.ErrorTypeBadRequest, openflow.BadRequestIsSlave})
	b.ok(add(0, 1, 1, nil, toController()))
	sw.Inject(1, frame(macA, macB, -1))
	if got := a.do(); len(got) != 0 {
		t.Errorf("the slave got %d messages", len(got))
	}
	if got := b.do(); len(got) != 1 {
		t.Errorf("the master got %d messages", len(got))
	}
	b.ok(openflow.AppendSetAsync(nil, 3, openflow.AsyncConfig{PortStatusMaster: 7}))
	sw.Inject(1, frame(macA, macB, -1))
	if got := b.do(); len(got) != 0 {
		t.Errorf("packet-in though it is switched off")
	}
}

func TestConnectAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sw := New(Options{}, ports(1)...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sw.Connect(ctx, "tcp", ln.Addr().String(), time.Millisecond) }()
	for range 3 {
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		newController(t, nc).ok()
		sw.Disconnect()
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ln.Close()
	if err := sw.Connect(t.Context(), "tcp", ln.Addr().String(), 0); err == nil {
		t.Error("connected to nobody")
	}
}

func TestCountFlows(t *testing.T) {
	seen := 0
	sw := New(Options{CountFlows: true, OnFlowMod: func(m *openflow.FlowMod) { seen += int(m.Priority) }})
	c := connect(t, sw)
	c.ok(add(0, 1, 1, nil, nil), add(0, 2, 1, nil, nil))
	if sw.FlowCount() != 0 || sw.Received(openflow.TypeFlowMod) != 2 || seen != 3 {
		t.Errorf("%d kept, %d counted, %d seen", sw.FlowCount(), sw.Received(openflow.TypeFlowMod), seen)
	}
	sw.SendPacketIn(&openflow.PacketIn{BufferID: openflow.BufferNone, InPort: 9, Data: frame(macA, macB, -1)})
	var p openflow.PacketIn
	if err := p.Decode(c.next()); err != nil || p.InPort != 9 {
		t.Errorf("%+v, %v", p, err)
	}
}
