package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Ports of a fake switch. In the fabric the last two are the ends of wires.
const (
	serverPort openflow.PortNo = 1 // where the known destination lives
	hostPort   openflow.PortNo = 2 // where the hosts appear
	movedPort  openflow.PortNo = 3 // where they move to
	uplink     openflow.PortNo = 3
	downlink   openflow.PortNo = 4
	lastPort   openflow.PortNo = 4
)

// Bits of what a host has been given: a rule that matches its address as source, and one as destination.
const (
	gotSource      = 1
	gotDestination = 2
)

// fakeSwitch is an oftest.Switch on one connection. Flow-mods for the hosts under load bypass it: they are counted as
// they arrive and kept nowhere, at a tenth of the cost of carrying them out.
type fakeSwitch struct {
	number int
	*oftest.Switch
	wires  map[openflow.PortNo]wireEnd
	remote *counter // of the fleet

	writing sync.Mutex // guards nc and keeps messages whole
	nc      net.Conn   // nil while disconnected

	stepping sync.Mutex // guards session and outbox; taken before writing
	session  *oftest.Session
	outbox   []delivery // frames on their way to other switches

	mu     sync.Mutex // guards all below
	need   byte       // bits that make a host complete
	got    []byte
	onDone func(host int) // called by the reader for each completed host, with the lock held
	done   atomic.Int64   // complete hosts

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
func newSwitch(number int, remote *counter) *fakeSwitch {
	f := &fakeSwitch{
		number: number, remote: remote, wires: map[openflow.PortNo]wireEnd{},
		progress: make(chan struct{}, 1), ended: make(chan error, 1),
	}
	var ports []oftest.Port
	for no := openflow.PortNo(1); no <= lastPort; no++ {
		ports = append(ports, oftest.Port{
			No: no, Name: fmt.Sprintf("p%d", no), MAC: [6]byte{0x0e, byte(number >> 8), byte(number), 0, 0, byte(no)},
		})
	}
	f.Switch = oftest.New(oftest.Options{
		DatapathID: openflow.DatapathID(number + 1),
		Desc:       openflow.SwitchDesc{Manufacturer: "load", Hardware: "fake switch"},
		FilterFlowMod: func(m *openflow.FlowMod) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return !f.count(m.Command, m.Match)
		},
	}, ports...)
	f.OnOutput(f.output)
	return f
}

// connect connects and reads until the connection ends.
func (f *fakeSwitch) connect(address string) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	f.writing.Lock()
	f.nc = nc
	f.writing.Unlock()
	f.stepping.Lock()
	f.session = f.Open()
	f.stepping.Unlock()
	go func() { f.ended <- f.read(nc) }() // ends with the connection, which close closes
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
		f.Disconnect()
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

func (f *fakeSwitch) read(nc net.Conn) error {
	conn := ofconn.New(nc, ofconn.Options{ReadBuffer: 256 << 10})
	var batch []byte
	err := f.step(nil) // says hello
	for {
		if err != nil {
			return err
		}
		if err := conn.Fill(); err != nil {
			return err
		}
		batch = batch[:0]
		f.mu.Lock()
		for msg, ok := conn.Next(); ok; msg, ok = conn.Next() {
			if !f.countMessage(msg) {
				batch = append(batch, msg...)
			}
		}
		f.mu.Unlock()
		if len(batch) > 0 {
			err = f.step(batch)
		}
		select {
		case f.progress <- struct{}{}:
		default:
		}
	}
}

// step gives the switch what its controller has sent, writes what it answers and delivers frames to its neighbors.
func (f *fakeSwitch) step(b []byte) error {
	f.stepping.Lock()
	answer, err := f.session.Step(time.Now(), b)
	if err == nil && len(answer) > 0 {
		err = f.write(answer)
	}
	frames := f.outbox
	f.outbox = nil
	f.stepping.Unlock()
	for _, d := range frames {
		d.to.peer.receive(d.to.port, d.frame)
	}
	return err
}

// output takes a frame that leaves by a port. Wires carry discovery frames only: the hosts' frames end at the
// packet-in.
func (f *fakeSwitch) output(o oftest.Out) {
	to, wired := f.wires[o.Port]
	if v, ok := packet.Parse(o.Frame); wired && ok && v.EtherType() == packet.EtherTypeLLDP {
		f.outbox = append(f.outbox, delivery{to, o.Frame})
	}
}

// receive takes a frame from a wire. That its connection has ended is the reader's to report.
func (f *fakeSwitch) receive(port openflow.PortNo, frame []byte) {
	f.stepping.Lock()
	connected := f.session != nil
	if connected {
		f.Inject(port, frame)
	}
	f.stepping.Unlock()
	if connected {
		_ = f.step(nil)
	}
}

// packetIn returns the packet-in that the flows send for a frame, nil if none. explicit is false where the first table
// is empty: then the packet-in is that of a plain generator.
func (f *fakeSwitch) packetIn(port openflow.PortNo, frame []byte) (msg []byte, explicit bool) {
	f.stepping.Lock()
	defer f.stepping.Unlock()
	if f.session == nil || !slices.ContainsFunc(f.Flows(), func(e openflow.FlowStats) bool { return e.TableID == 0 }) {
		return openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
			BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInNoMatch,
			Cookie: ^uint64(0), InPort: port, Data: frame,
		}), false
	}
	if waiting, err := f.session.Step(time.Now(), nil); err != nil || len(waiting) > 0 && f.write(waiting) != nil {
		return nil, false
	}
	f.Inject(port, frame)
	msg, err := f.session.Step(time.Now(), nil)
	if err != nil || len(msg) == 0 {
		return nil, false
	}
	n := binary.BigEndian.Uint16(msg[2:])
	return slices.Clone(msg[:n]), true
}

// countMessage is count for a message that is a flow-mod; mu is held.
func (f *fakeSwitch) countMessage(msg []byte) bool {
	const command, matchLen, match = 25, 50, 52 // OpenFlow 1.3.5 section 7.3.4.1
	if openflow.Type(msg[1]) != openflow.TypeFlowMod || len(msg) < match {
		return false
	}
	end := 48 + int(binary.BigEndian.Uint16(msg[matchLen:]))
	return end <= len(msg) && end >= match && f.count(msg[command], msg[match:end])
}

// count reports whether a flow-mod is for one of the hosts under load, and notes it if it adds a flow; mu is held.
func (f *fakeSwitch) count(command uint8, match []byte) (ours bool) {
	const ethDst, ethSrc = 0x80000606, 0x80000806 // OXM headers (OpenFlow 1.3.5 section 7.2.3.7)
	for b := match; len(b) >= 4 && len(b) >= 4+int(b[3]); b = b[4+int(b[3]):] {
		bit := byte(gotSource)
		switch binary.BigEndian.Uint32(b) {
		case ethDst:
			bit = gotDestination
		case ethSrc:
		default:
			continue
		}
		if [2]byte(b[4:]) == hostPrefix {
			ours = true
			if command == openflow.FlowAdd {
				f.given(b[4:10], bit)
			}
		}
	}
	return ours
}

// expect begins to count: hosts are complete when they have been given rules with the bits of need.
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

// given notes that a rule of a host was installed; mu is held.
func (f *fakeSwitch) given(mac []byte, bit byte) {
	if int(binary.BigEndian.Uint16(mac[2:])) != f.number {
		f.remote.add()
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
