package oftest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// controller is the other side of a session: stepped, or a real bridge's while a golden file is recorded.
type controller struct {
	t      testing.TB
	sw     *Switch
	s      *Session
	bridge net.Conn
	xid    uint32
}

// connect opens a session and exchanges hellos.
func connect(t testing.TB, sw *Switch) *controller {
	t.Helper()
	c := &controller{t: t, sw: sw, s: sw.Open()}
	if got := c.step(openflow.AppendHello(nil, 1)); len(got) != 1 || openflow.Type(got[0][1]) != openflow.TypeHello {
		t.Fatalf("the switch began with %x", got)
	}
	return c
}

// step sends bytes and returns copies of the messages that the switch sends.
func (c *controller) step(b []byte) [][]byte {
	c.t.Helper()
	if c.bridge != nil {
		return c.stepBridge(b)
	}
	now := time.Unix(0, 0)
	if c.sw.o.Now != nil {
		now = c.sw.o.Now()
	}
	out, err := c.s.Step(now, b)
	if err != nil {
		c.t.Fatal(err)
	}
	return split(out)
}

// split returns copies of messages.
func split(b []byte) (msgs [][]byte) {
	for b = bytes.Clone(b); len(b) > 0; {
		n := be.Uint16(b[2:])
		msgs = append(msgs, b[:n:n])
		b = b[n:]
	}
	return msgs
}

// do sends messages and a barrier and returns what comes before its reply.
func (c *controller) do(msgs ...[]byte) [][]byte {
	c.t.Helper()
	c.xid += 1000
	got := c.step(openflow.AppendBarrierRequest(bytes.Join(msgs, nil), c.xid))
	last := len(got) - 1
	if last < 0 || !bytes.Equal(got[last], openflow.AppendBarrierReply(nil, c.xid)) {
		c.t.Fatalf("no barrier reply at the end of %x", got)
	}
	return got[:last]
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
	binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip))
	icmp := []byte{typ, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}
	binary.BigEndian.PutUint16(icmp[2:], packet.Checksum(icmp))
	return append(append(b, ip...), icmp...)
}

func ports(n int) []Port {
	var p []Port
	for i := 1; i <= n; i++ {
		p = append(p, Port{
			No: openflow.PortNo(i), Name: "p" + string(rune('0'+i)),
			MAC: [6]byte{2, 1, 0, 0, 0, byte(i)},
		})
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
	for name, serve := range map[string]func(sw *Switch) ([]byte, error){
		"stepped": func(sw *Switch) ([]byte, error) {
			return sw.Open().Step(time.Time{}, []byte{1, 0, 0, 8, 0, 0, 0, 1})
		},
		"connection": func(sw *Switch) ([]byte, error) {
			ours, theirs := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- sw.Serve(theirs) }()
			go func() { _, _ = ours.Write([]byte{1, 0, 0, 8, 0, 0, 0, 1}) }()
			got, _ := io.ReadAll(ours)
			return got, <-done
		},
	} {
		out, err := serve(New(Options{}))
		if !errors.Is(err, errHello) {
			t.Errorf("%s: %v", name, err)
		}
		var e openflow.Error
		got := split(out)
		if err := e.Decode(got[len(got)-1]); err != nil || e.Type != openflow.ErrorTypeHelloFailed {
			t.Errorf("%s: last message %x: %v", name, got, err)
		}
	}
}

// TestStepFrames gives the switch its messages in pieces.
func TestStepFrames(t *testing.T) {
	c := connect(t, New(Options{}))
	msgs := openflow.AppendEchoRequest(openflow.AppendEchoRequest(nil, 2, []byte("two")), 3, nil)
	var got [][]byte
	for i := range msgs {
		got = append(got, c.step(msgs[i:i+1])...)
	}
	if len(got) != 2 || string(got[0][8:]) != "two" || got[1][7] != 3 {
		t.Errorf("answers %x", got)
	}
	if _, err := c.s.Step(time.Time{}, []byte{4, 2, 0, 7, 0, 0, 0, 0}); !errors.Is(err, openflow.ErrLength) {
		t.Errorf("a message of 7 bytes: %v", err)
	}
	if out, err := c.s.Step(time.Time{}, msgs); err == nil || len(out) != 0 || c.sw.Sessions() != 0 {
		t.Errorf("after the end: %x, %v, %d sessions", out, err, c.sw.Sessions())
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
	sw.SetFaults(Faults{Refuse: func(msg []byte) (typ, code uint16, refuse bool) {
		return openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull,
			openflow.Type(msg[1]) == openflow.TypeFlowMod && len(sw.table(0).entries) == 1
	}})
	c.wantErrors(c.do(add(0, 1, 1, nil, nil), add(0, 2, 1, nil, nil), add(0, 3, 1, nil, nil)),
		[2]uint16{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull},
		[2]uint16{openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull})
	if sw.FlowCount() != 1 {
		t.Errorf("%d flows", sw.FlowCount())
	}
	sw.SetFaults(Faults{Ignore: func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypeBarrierRequest }})
	got := c.step(openflow.AppendEchoRequest(openflow.AppendBarrierRequest(nil, 5), 6, nil))
	if len(got) != 1 || openflow.Type(got[0][1]) != openflow.TypeEchoReply {
		t.Errorf("got %x", got)
	}
	sw.SetFaults(Faults{StallReading: true})
	if got := c.step(openflow.AppendEchoRequest(nil, 7, nil)); len(got) != 0 {
		t.Errorf("stalled, but got %x", got)
	}
	sw.SetFaults(Faults{})
	if got := c.step(nil); len(got) != 1 || openflow.Type(got[0][1]) != openflow.TypeEchoReply {
		t.Errorf("got %x", got)
	}
	sw.Disconnect()
	if _, err := c.s.Step(time.Time{}, nil); !errors.Is(err, errDisconnect) {
		t.Errorf("after Disconnect: %v", err)
	}
}

// TestStallReading: a connection that is not read is read again when the fault ends.
func TestStallReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := New(Options{}, ports(1)...)
		sw.SetFaults(Faults{StallReading: true})
		ours, theirs := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- sw.Serve(theirs) }()
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		go func() { _, _ = ours.Write(openflow.AppendHello(nil, 1)) }()
		synctest.Wait()
		if n := sw.Received(openflow.TypeHello); n != 0 {
			t.Errorf("%d hellos were read", n)
		}
		sw.SetFaults(Faults{})
		synctest.Wait()
		if n := sw.Received(openflow.TypeHello); n != 1 {
			t.Errorf("%d hellos were read afterwards", n)
		}
		sw.Close()
		if err := <-done; !errors.Is(err, errDisconnect) {
			t.Error(err)
		}
	})
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
	if got := a.do(); len(got) != 1 || told.Decode(got[0]) != nil || told.Role != openflow.RoleSlave ||
		told.GenerationID != 6 {
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
		if _, err := nc.Write(openflow.AppendBarrierRequest(openflow.AppendHello(nil, 1), 2)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(openflow.AppendHello(nil, 0))+openflow.HeaderLen)
		if _, err := io.ReadFull(nc, got); err != nil || openflow.Type(got[len(got)-7]) != openflow.TypeBarrierReply {
			t.Fatalf("got %x, %v", got, err)
		}
		sw.Disconnect()
		_ = nc.Close()
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

// TestFilterFlowMod: a flow-mod that is filtered out is confirmed, counted and not kept.
func TestFilterFlowMod(t *testing.T) {
	var seen []uint16
	sw := New(Options{FilterFlowMod: func(m *openflow.FlowMod) bool {
		seen = append(seen, m.Priority)
		return m.Priority == 2
	}})
	c := connect(t, sw)
	c.ok(add(0, 1, 1, nil, nil), add(0, 2, 1, nil, nil), add(0, 3, 1, nil, nil))
	if n := sw.FlowCount(); n != 1 || sw.Received(openflow.TypeFlowMod) != 3 || !slices.Equal(seen, []uint16{1, 2, 3}) {
		t.Errorf("%d kept, %d counted, %d seen", n, sw.Received(openflow.TypeFlowMod), seen)
	}
	sw.SendPacketIn(&openflow.PacketIn{BufferID: openflow.BufferNone, InPort: 9, Data: frame(macA, macB, -1)})
	var p openflow.PacketIn
	if err := p.Decode(c.step(nil)[0]); err != nil || p.InPort != 9 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestPartLen: a dump comes in parts of so many entries.
func TestPartLen(t *testing.T) {
	sw := New(Options{}, ports(5)...)
	sw.SetFaults(Faults{PartLen: 2})
	c := connect(t, sw)
	var m openflow.Multipart
	got := c.do(openflow.AppendPortDescRequest(nil, 1))
	for i, want := range []int{2, 2, 1} {
		if err := m.Decode(got[i]); err != nil || len(m.Body) != want*openflow.PortDescLen || m.More != (i < 2) {
			t.Errorf("part %d: %d bytes, more %v, %v", i, len(m.Body), m.More, err)
		}
	}
}

// TestSetState: what one switch holds, another can be given, and neither controller hears of it.
func TestSetState(t *testing.T) {
	from, to := New(Options{}, ports(3)...), New(Options{}, ports(1)...)
	a, b := connect(t, from), connect(t, to)
	a.ok(
		openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, openflow.GroupTypeAll, 7, nil),
		openflow.AppendMeterMod(nil, 2, openflow.MeterAdd, openflow.MeterPktps, 9, 10, 0),
		add(0, 5, 1, match(flow.Match{}.InPort(1)), output(2)), add(3, 0, 2, nil, nil),
	)
	to.SetState(from.State())
	if len(to.State().Ports) != 3 || to.FlowCount() != 2 || to.Dump() != from.Dump() ||
		to.DumpGroups() != from.DumpGroups() ||
		!reflect.DeepEqual(to.State().Meters, from.State().Meters) {
		t.Errorf("copied %+v", to.State())
	}
	b.ok()
	wantPorts(t, to.Inject(1, frame(macA, macB, -1)), 2)
}
