package l2

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// wire is a switch's packet-ins as they come from the socket, taken through decoding to the bytes that answer them.
type wire struct {
	*rig
	msg []byte
	in  openflow.PacketIn
	p   apps.Packet
	buf []byte
}

const ports = 48

func newWire(t testing.TB) *wire {
	r := newRig(t)
	r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 0, 0
	for no := openflow.PortNo(10); no < 10+ports; no++ {
		r.sw.Ports[no] = access(no, blue)
		r.sw.Order = append(r.sw.Order, no)
	}
	r.refresh()
	r.drain()
	w := &wire{rig: r, buf: make([]byte, 0, 1<<16)}
	w.msg = openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: 64, Reason: openflow.PacketInNoMatch, TableID: apptest.Learn,
		Cookie: flow.Cookie(apps.OwnerL2, tagLearn), InPort: 10, Data: frame(mac(0), blue),
	})
	return w
}

// host makes the message one of a host with a number.
func (w *wire) host(n uint32) {
	data := w.msg[len(w.msg)-64:]
	binary.BigEndian.PutUint32(data[8:], n)
	binary.BigEndian.PutUint32(w.msg[36:], 10+n%ports)
}

// receive decodes the message, has the app answer it and appends what is to be sent.
func (w *wire) receive(now time.Time) {
	if err := w.in.Decode(w.msg); err != nil {
		w.Fatal(err)
	}
	f, ok := packet.Parse(w.in.Data)
	if !ok {
		w.Fatal("bad frame")
	}
	w.p = apps.Packet{In: &w.in, Frame: f, Port: w.sw.Ports[w.in.InPort], VLAN: f.VID(), Owner: apps.OwnerL2}
	w.app.PacketRcvd(now, &w.p, w.out)
	if w.out.Store.Pending() > 0 {
		w.buf = w.out.Store.Drain(w.buf, 1<<30, &w.out.Xid, nil)
		if len(w.buf) > 1<<15 {
			w.buf = w.buf[:0]
		}
	}
	w.out.Facts = w.out.Facts[:0]
}

func TestAllocations(t *testing.T) {
	w := newWire(t)
	fixed := w.out.Store.TableLen(apptest.Forward)
	w.receive(w.now)
	if n := testing.AllocsPerRun(1000, func() { w.receive(w.now) }); n != 0 || w.app.Len() != 1 {
		t.Errorf("%v allocations for a known host", n)
	}
	n := uint32(1)
	allocs := testing.AllocsPerRun(50_000, func() { w.host(n); w.receive(w.now); n++ })
	if allocs > 1 || w.app.Len() != int(n) {
		t.Errorf("%v allocations for a new host, %d hosts of %d", allocs, w.app.Len(), n)
	}
	if got := w.out.Store.TableLen(apptest.Forward); got != int(n)+fixed {
		t.Errorf("%d rules for %d hosts", got-fixed, n)
	}
}

// BenchmarkKnownHost is a packet-in of a host that is right where it is known: goal below 200 ns, 0 allocations.
func BenchmarkKnownHost(b *testing.B) {
	w := newWire(b)
	const hosts = 1000
	for n := range uint32(hosts) {
		w.host(n)
		w.receive(w.now)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.host(uint32(i) % hosts)
		w.receive(w.now)
	}
	if w.app.Len() != hosts || w.out.Store.Pending() != 0 {
		b.Error("something was learned")
	}
}

// BenchmarkLearnNewHost is a packet-in of a new host, up to the bytes of its two flow-mods: goal at most 2 µs and 1
// allocation.
func BenchmarkLearnNewHost(b *testing.B) {
	const hosts = 100_000 // as many as one switch may well have; more would measure the growth of maps only
	w := newWire(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i > 0 && i%hosts == 0 {
			b.StopTimer()
			w = newWire(b)
			b.StartTimer()
		}
		w.host(uint32(i % hosts))
		w.receive(w.now)
	}
	if w.app.Len() != (b.N-1)%hosts+1 {
		b.Error("not all were learned")
	}
}

// BenchmarkUnplugCrowd unplugs twice as many hosts as are remembered, at once.
func BenchmarkUnplugCrowd(b *testing.B) {
	for range b.N {
		b.StopTimer()
		r := newRig(b)
		r.sw.Settings.HostsPerPort, r.sw.Settings.HostsPerSwitch = 0, 0
		for i := range 2 * maxUnplugged {
			r.see(1, blue, packet.MACFromUint64(0x5254_0000_0000+uint64(i)))
		}
		r.sw.Ports[1].Up = false
		b.StartTimer()
		r.refresh()
	}
}
