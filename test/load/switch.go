package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// Ports of a fake switch. In the fabric the last two are the ends of wires.
const (
	serverPort openflow.PortNo = 1 // where the known destination lives
	hostPort   openflow.PortNo = 2 // where the crowd comes in
	movedPort  openflow.PortNo = 3 // where it moves to
	uplink     openflow.PortNo = 3
	downlink   openflow.PortNo = 4
	lastPort   openflow.PortNo = 4
)

// Bits of what a host of the crowd has been given: a rule that matches its address as source, and one as destination.
const (
	gotSource      = 1
	gotDestination = 2
)

// fakeSwitch is one OpenFlow 1.3 switch on one connection. It answers the handshake and what a controller asks, keeps the
// few rules that decide which packet-ins it sends (see pipeline.go), and counts the rules of the crowd's hosts without keeping
// them, which is what makes it fast.
type fakeSwitch struct {
	number int
	conn   *ofconn.Conn // reads only
	wires  map[openflow.PortNo]wireEnd
	remote *atomic.Int64 // rules given for hosts of other switches

	writing sync.Mutex // guards nc and keeps messages whole
	nc      net.Conn   // nil while disconnected

	mu       sync.Mutex // guards all below
	rules    [256][]rule
	asked    bool // the features were asked for
	commits  int  // bundles that were committed
	need     byte // bits that make a host complete
	got      []byte
	onDone   func(host int) // called by the reader for each completed host, with the lock held
	outbox   []delivery     // frames on their way to other switches
	reply    []byte         // answers of one batch
	done     atomic.Int64   // complete hosts
	echoes   atomic.Int64   // echo replies received
	problems atomic.Int64   // error messages received

	progress chan struct{} // capacity 1: something has changed
	ended    chan error    // capacity 1: why the reader ended
}

type wireEnd struct {
	peer *fakeSwitch
	port openflow.PortNo
}

type delivery struct {
	to    wireEnd
	frame []byte
}

// newSwitch returns a switch that is not connected.
func newSwitch(number int, remote *atomic.Int64) *fakeSwitch {
	return &fakeSwitch{
		number: number, remote: remote, wires: map[openflow.PortNo]wireEnd{},
		progress: make(chan struct{}, 1), ended: make(chan error, 1),
	}
}

// connect connects, says hello and reads until the connection ends.
func (f *fakeSwitch) connect(address string) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	f.conn = ofconn.New(nc, ofconn.Options{ReadBuffer: 256 << 10})
	if _, err := nc.Write(openflow.AppendHello(nil, 1)); err != nil {
		_ = nc.Close()
		return err
	}
	f.writing.Lock()
	f.nc = nc
	f.writing.Unlock()
	go func() { f.ended <- f.read() }() // ends with the connection, which close closes
	return nil
}

// close ends the connection and waits for the reader.
func (f *fakeSwitch) close() {
	f.writing.Lock()
	nc := f.nc
	f.nc = nil
	f.writing.Unlock()
	if nc != nil {
		_ = nc.Close()
		<-f.ended
	}
}

// write sends whole messages, and waits until the socket has taken them.
func (f *fakeSwitch) write(b []byte) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	if f.nc == nil {
		return net.ErrClosed
	}
	_, err := f.nc.Write(b)
	return err
}

func (f *fakeSwitch) read() error {
	for {
		if err := f.conn.Fill(); err != nil {
			return err
		}
		f.mu.Lock()
		for {
			msg, ok := f.conn.Next()
			if !ok {
				break
			}
			f.handle(msg)
		}
		reply, out := f.reply, f.outbox
		f.reply, f.outbox = f.reply[:0], nil
		f.mu.Unlock()
		if len(reply) > 0 {
			if err := f.write(reply); err != nil {
				return err
			}
		}
		for _, d := range out {
			d.to.peer.receive(d.to.port, d.frame)
		}
		select {
		case f.progress <- struct{}{}:
		default:
		}
	}
}

// receive takes a frame in from a wire: it becomes a packet-in if a rule says so.
func (f *fakeSwitch) receive(port openflow.PortNo, frame []byte) {
	f.mu.Lock()
	msg, _ := f.packetIn(port, frame)
	f.mu.Unlock()
	if msg != nil {
		_ = f.write(msg) // its own reader finds out that the connection has ended
	}
}

// handle takes one message; what it answers is appended to f.reply.
func (f *fakeSwitch) handle(msg []byte) {
	xid := binary.BigEndian.Uint32(msg[4:])
	switch openflow.Type(msg[1]) {
	case openflow.TypeFlowMod:
		f.flowMod(msg)
	case openflow.TypePacketOut:
		f.packetOut(msg)
	case openflow.TypeBarrierRequest:
		f.reply = openflow.AppendBarrierReply(f.reply, xid)
	case openflow.TypeEchoRequest:
		f.reply = openflow.AppendEchoReply(f.reply, xid, msg[openflow.HeaderLen:])
	case openflow.TypeEchoReply:
		f.echoes.Add(1)
	case openflow.TypeFeaturesRequest:
		f.asked = true
		f.reply = openflow.AppendFeaturesReply(f.reply, xid, &openflow.FeaturesReply{
			DatapathID: openflow.DatapathID(f.number + 1), NTables: 254, Capabilities: openflow.CapFlowStats,
		})
	case openflow.TypeGetConfigRequest:
		f.reply = openflow.AppendGetConfigReply(f.reply, xid, openflow.SwitchConfig{MissSendLen: 0xffff})
	case openflow.TypeRoleRequest:
		f.reply = openflow.AppendRoleReply(f.reply, xid, 1, 0)
	case openflow.TypeMultipartRequest:
		f.multipart(xid, msg)
	case openflow.TypeExperimenter:
		f.experimenter(xid, msg)
	case openflow.TypeError:
		f.problems.Add(1)
	default: // hello, set-config, meters, groups: nothing to answer
	}
}

func (f *fakeSwitch) multipart(xid uint32, msg []byte) {
	typ := binary.BigEndian.Uint16(msg[8:])
	var body []byte
	switch typ {
	case openflow.MultipartDesc:
		body = openflow.AppendSwitchDesc(nil, &openflow.SwitchDesc{Manufacturer: "load", Hardware: "fake switch"})
	case openflow.MultipartPortDesc:
		for no := openflow.PortNo(1); no <= lastPort; no++ {
			body = openflow.AppendPortDesc(body, &openflow.PortDesc{
				No: no, HWAddr: [6]byte{0x0e, byte(f.number >> 8), byte(f.number), 0, 0, byte(no)},
				Name: fmt.Sprintf("p%d", no), State: openflow.PortStateLive,
			})
		}
	default: // flows, groups and meters: there are none when a session begins
	}
	f.reply = openflow.AppendMultipartReply(f.reply, xid, typ, false, body)
}

// experimenter takes bundles: what is added is done at once, and the commit is answered.
func (f *fakeSwitch) experimenter(xid uint32, msg []byte) {
	var c openflow.BundleControl
	if c.Decode(msg) == nil {
		if c.Type == openflow.BundleCommitRequest {
			f.commits++
		}
		f.reply = openflow.AppendBundleControl(f.reply, xid, c.ID, c.Type+1, c.Flags)
		return
	}
	var a openflow.BundleAdd
	if a.Decode(msg) == nil {
		f.handle(a.Message)
	}
}

// packetOut sends a frame over the wires that its output actions name.
func (f *fakeSwitch) packetOut(msg []byte) {
	if len(f.wires) == 0 {
		return
	}
	var p openflow.PacketOut
	if p.Decode(msg) != nil {
		return
	}
	for a := p.Actions; len(a) >= 8; a = a[binary.BigEndian.Uint16(a[2:]):] {
		if binary.BigEndian.Uint16(a) == actOutput {
			if to, ok := f.wires[openflow.PortNo(binary.BigEndian.Uint32(a[4:]))]; ok {
				f.outbox = append(f.outbox, delivery{to, append([]byte(nil), p.Data...)})
			}
		}
	}
}

// expect begins to count: hosts of the crowd are complete when they have been given rules with the bits of need.
func (f *fakeSwitch) expect(hosts int, need byte, onDone func(host int)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got, f.need, f.onDone = make([]byte, hosts), need, onDone
	f.done.Store(0)
}

// missing returns the hosts that are not complete.
func (f *fakeSwitch) missing() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var l []int
	for h, got := range f.got {
		if got&f.need != f.need {
			l = append(l, h)
		}
	}
	return l
}

// given notes that a rule of a host of the crowd was installed.
func (f *fakeSwitch) given(mac []byte, bit byte) {
	if int(binary.BigEndian.Uint16(mac[2:])) != f.number {
		f.remote.Add(1)
		return
	}
	h := int(binary.BigEndian.Uint16(mac[4:]))
	if h >= len(f.got) {
		return
	}
	before := f.got[h]
	f.got[h] |= bit
	if before&f.need != f.need && f.got[h]&f.need == f.need {
		f.done.Add(1)
		if f.onDone != nil {
			f.onDone(h)
		}
	}
}
