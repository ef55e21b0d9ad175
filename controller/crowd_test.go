package controller

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// tape is the switch's end of a connection in memory. It plays packet-ins as fast as they are read. The switch answers
// all that is written, but flow-mods for hosts are only counted: what is measured is to be the controller.
type tape struct {
	id openflow.DatapathID

	mu      sync.Mutex
	more    *sync.Cond
	sw      *oftest.Switch
	session *oftest.Session
	reply   []byte // answers to what was written
	play    []byte // packet-ins that are still to be read
	partial []byte // the beginning of a message that was written
	rules   int    // flows of hosts that were added
	want    int
	echoes  uint64 // replies that were noticed
	closed  bool
}

func newTape(id openflow.DatapathID) *tape {
	t := &tape{id: id}
	t.more = sync.NewCond(&t.mu)
	var ports []oftest.Port
	for no := openflow.PortNo(1); no <= 2; no++ {
		ports = append(ports, oftest.Port{No: no, Name: no.String(), MAC: [6]byte{0x0e, 0, 0, 0, 0, byte(no)}})
	}
	ignore := func(*openflow.FlowMod) bool { return false }
	t.sw = oftest.New(oftest.Options{DatapathID: id, FilterFlowMod: ignore}, ports...)
	t.session = t.sw.Open()
	t.step(nil)
	return t
}

// step gives the switch messages and keeps its answers for Read.
func (t *tape) step(b []byte) {
	out, err := t.session.Step(time.Now(), b)
	if err != nil {
		panic(err) // the controller has broken the protocol
	}
	t.reply = append(t.reply, out...)
}

// Read gives answers first, and then up to 64 KiB of packet-ins.
func (t *tape) Read(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.reply)+len(t.play) == 0 && !t.closed {
		t.more.Wait()
	}
	if t.closed {
		return 0, io.EOF
	}
	if n := copy(b, t.reply); n > 0 {
		t.reply = t.reply[:copy(t.reply, t.reply[n:])]
		return n, nil
	}
	n := copy(b, t.play[:min(len(t.play), 64<<10)])
	t.play = t.play[n:]
	return n, nil
}

// Write takes whole messages and the parts of some.
func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	if len(t.partial) > 0 {
		b = append(t.partial, b...)
	}
	for len(b) >= openflow.HeaderLen && len(b) >= int(binary.BigEndian.Uint16(b[2:])) {
		size := binary.BigEndian.Uint16(b[2:])
		if isHostFlow(b[:size]) {
			t.rules++
		} else {
			t.step(b[:size])
		}
		b = b[size:]
	}
	t.partial = append([]byte(nil), b...)
	if t.sw.Received(openflow.TypeEchoReply) > t.echoes {
		t.echoes++
		t.want = 0 // all that was played has been read
	}
	t.more.Broadcast()
	return n, nil
}

// isHostFlow reports whether a message adds a flow of a host.
func isHostFlow(msg []byte) bool {
	return openflow.Type(msg[1]) == openflow.TypeFlowMod && msg[25] == openflow.FlowAdd &&
		binary.BigEndian.Uint64(msg[8:])>>48&0xf == uint64(apps.OwnerHosts)
}

// start plays packet-ins. Playing has ended when so many rules of hosts were installed, or, if that is 0, when all was
// read.
func (t *tape) start(packetIns []byte, rules int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.play, t.rules, t.want = packetIns, 0, rules
	if rules == 0 {
		t.want = 1
		t.play = openflow.AppendEchoRequest(packetIns, 1, nil)
	}
	t.more.Broadcast()
}

func (t *tape) await() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.rules < t.want && !t.closed {
		t.more.Wait()
	}
}

// Close ends the connection.
func (t *tape) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.more.Broadcast()
	return nil
}

// LocalAddr and the others are what net.Conn asks for besides.
func (*tape) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (*tape) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (*tape) SetDeadline(time.Time) error      { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }

// crowdOf returns the packet-ins of the first frames of hosts at a port.
func crowdOf(hosts int, port openflow.PortNo) (b []byte) {
	for h := range hosts {
		frame := hostFrame(packet.MACFromUint64(0x02_0000000000 | uint64(h)))
		b = openflow.AppendPacketIn(b, 0, &openflow.PacketIn{
			BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)),
			TableID: pipeline.Number("learn"), Cookie: learnCookie,
			InPort: port, Data: frame,
		})
	}
	return b
}

// crowd runs a controller with 16 switches in memory; each plays packet-ins to the session's real reader.
func crowd(b *testing.B, known bool) {
	const switches, hosts = 16, 8000
	first := crowdOf(hosts, 1)
	var took, used time.Duration
	var allocs uint64
	played := func(tapes []*tape, packetIns []byte, rules int) {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin, cpu := time.Now(), processorTime()
		for _, t := range tapes {
			t.start(packetIns, rules)
		}
		for _, t := range tapes {
			t.await()
		}
		took += time.Since(begin)
		used += processorTime() - cpu
		runtime.ReadMemStats(&after)
		allocs += after.Mallocs - before.Mallocs
	}
	n := 0
	for b.Loop() {
		st := newTapes(b, switches)
		played(st.tapes, first, 2*hosts)
		n += switches * hosts
		if known {
			took, used, allocs, n = 0, 0, 0, 0
			const rounds = 10
			for range rounds {
				played(st.tapes, first, 0)
			}
			n += rounds * switches * hosts
		}
		st.stop()
	}
	b.ReportMetric(float64(n)/took.Seconds(), "packet-ins/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(n), "cpu-ns/packet-in")
	b.ReportMetric(float64(allocs)/float64(n), "allocs/packet-in")
}

// processorTime is what the process has used: it tells the cost on a machine that others use as well.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tapes is a controller with switches in memory.
type tapes struct {
	tapes []*tape
	stop  func()
}

func newTapes(b testing.TB, n int) *tapes {
	st := newStar(b, 0, false)
	ts := &tapes{}
	ended := make(chan struct{}, n)
	for i := range n {
		t := newTape(openflow.DatapathID(i + 1))
		ts.tapes = append(ts.tapes, t)
		go func() { st.c.server.Serve(b.Context(), t, "memory"); ended <- struct{}{} }() // ends with the tape
	}
	ts.stop = func() {
		for _, t := range ts.tapes {
			_ = t.Close()
		}
		for range n {
			<-ended
		}
		st.stop()
	}
	for _, t := range ts.tapes {
		st.until(b, "switches are ready", func() bool {
			s := st.c.registry.Get(t.id)
			return s != nil && phase(s) == datapath.Ready
		})
	}
	return ts
}

// TestTapes: the switches of the benchmarks join and get the rules of their hosts, so that the benchmarks cannot rot
// unseen.
func TestTapes(t *testing.T) {
	st := newTapes(t, 2)
	defer st.stop()
	for _, tape := range st.tapes {
		tape.start(crowdOf(10, 1), 2*10)
	}
	for _, tape := range st.tapes {
		tape.await()
		if tape.rules != 2*10 {
			t.Errorf("switch %s has %d rules of hosts", tape.id, tape.rules)
		}
	}
}

// BenchmarkCrowd is the flash crowd without a network: 16 switches, 8,000 new hosts each. Run it with -cpu 1,2 to see
// how it scales: the switches have nothing in common but the memory.
func BenchmarkCrowd(b *testing.B) { crowd(b, false) }

// BenchmarkKnownHosts plays the packet-ins of hosts that are known already.
func BenchmarkKnownHosts(b *testing.B) { crowd(b, true) }
