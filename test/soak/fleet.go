package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Ports of a fake switch.
const (
	residentsPort openflow.PortNo = 1 // and the next: hosts that are known in every calm state
	otherPort     openflow.PortNo = 2
	uplink        openflow.PortNo = 3
	downlink      openflow.PortNo = 4
	visitorsPort  openflow.PortNo = 5 // hosts that come and go
)

const (
	residents  = 6 // hosts of a fake switch
	lineLength = 4 // fake switches that are wired in a line
	firstFake  = 0xfa0000
)

// A fleet is fake switches that connect, learn hosts, flap ports, restart and disconnect.
type fleet struct {
	address string
	fakes   []*fake
	wires   int
}

// A fake is one of them. Its methods are for one goroutine.
type fake struct {
	*oftest.Switch
	number  int
	rand    *rand.Rand
	skew    atomic.Int64 // its clock is so many ns ahead
	address string

	cancel context.CancelFunc // nil while it does not want to be connected
	gone   chan struct{}      // closed when the connecting goroutine has ended
	moved  bool               // a host has moved since the last calm state: one that moves too often would be frozen
}

// newFleet makes switches that are not connected. Every fifth of the lines is wired, at least one if there are enough.
func newFleet(n int, address string, seed uint64) (*fleet, error) {
	fl := &fleet{address: address}
	for i := range n {
		f := &fake{number: i, rand: rand.New(rand.NewPCG(seed, uint64(firstFake+i))), address: address}
		var ports []oftest.Port
		for no := residentsPort; no <= visitorsPort; no++ {
			ports = append(ports, f.port(no))
		}
		f.Switch = oftest.New(oftest.Options{
			DatapathID: openflow.DatapathID(firstFake + i),
			Now:        func() time.Time { return time.Now().Add(time.Duration(f.skew.Load())) },
			Desc:       openflow.SwitchDesc{Manufacturer: "soak", Hardware: "fake switch"},
		}, ports...)
		fl.fakes = append(fl.fakes, f)
	}
	for first := 0; first+lineLength <= n; first += 5 * lineLength {
		for i := first; i < first+lineLength-1; i++ {
			if err := oftest.Wire(fl.fakes[i].Switch, downlink, fl.fakes[i+1].Switch, uplink); err != nil {
				return nil, err
			}
			fl.wires++
		}
	}
	return fl, nil
}

func (f *fake) port(no openflow.PortNo) oftest.Port {
	return oftest.Port{
		No: no, Name: fmt.Sprintf("p%d", no),
		MAC: [6]byte{0x0e, 0xfa, byte(f.number >> 8), byte(f.number), 0, byte(no)},
	}
}

// hosts is how many are known when the fleet is settled.
func (fl *fleet) hosts() int { return len(fl.fakes) * residents }

// each does something with all switches at once and waits.
func (fl *fleet) each(do func(*fake)) {
	var wg sync.WaitGroup
	for _, f := range fl.fakes {
		wg.Go(func() { do(f) })
	}
	wg.Wait()
}

// churn has every switch misbehave in its own rhythm until the context ends.
func (fl *fleet) churn(ctx context.Context) {
	fl.each(func(f *fake) {
		for sleep(ctx, between(f.rand, 200*time.Millisecond, 4*time.Second)) {
			f.act(ctx)
		}
	})
}

// settle brings all switches back to what they are in a calm state. Hosts have yet to say something: see speak.
func (fl *fleet) settle() {
	fl.each(func(f *fake) {
		f.online()
		f.moved = false
		for no := residentsPort; no <= visitorsPort; no++ {
			f.SetPort(f.port(no))
		}
	})
}

// sendAway has all visitors leave: a port that goes down takes its hosts with it, if the controller is there to be
// told.
func (fl *fleet) sendAway() {
	fl.each(func(f *fake) {
		f.cut(visitorsPort)
		f.SetPort(f.port(visitorsPort))
	})
}

// speak has every resident send a frame at its own port. Known ones are forwarded; the others are learned.
func (fl *fleet) speak() {
	fl.each((*fake).speak)
}

// close ends all connections and waits for them.
func (fl *fleet) close() {
	fl.each((*fake).offline)
}

// dump is what the switches hold.
func (fl *fleet) dump() []string {
	dumps := make([][]string, len(fl.fakes))
	fl.each(func(f *fake) {
		for line := range strings.Lines(f.Dump() + "\n" + f.DumpGroups()) {
			dumps[f.number] = append(dumps[f.number], fmt.Sprintf("switch %d %s", f.number, strings.TrimSpace(line)))
		}
	})
	return slices.Concat(dumps...)
}

// connected is how many have a session.
func (fl *fleet) connected() (n int) {
	for _, f := range fl.fakes {
		n += min(1, f.Sessions())
	}
	return n
}

func home(host int) openflow.PortNo {
	if host%2 == 0 {
		return residentsPort
	}
	return otherPort
}

// cut takes a port down.
func (f *fake) cut(no openflow.PortNo) {
	p := f.port(no)
	p.Down = true
	f.SetPort(p)
}

// speak has every resident send a frame.
func (f *fake) speak() {
	for h := range residents {
		f.Inject(home(h), f.frame(h))
	}
}

// act does one of the things that switches and their hosts do.
func (f *fake) act(ctx context.Context) {
	switch f.rand.IntN(12) {
	case 0, 1, 2: // visitors
		for range 1 + f.rand.IntN(8) {
			f.Inject(visitorsPort, f.frame(100+f.rand.IntN(100)))
		}
	case 3, 4: // residents
		f.speak()
	case 5, 6, 7: // a port flaps
		no := residentsPort + openflow.PortNo(f.rand.IntN(int(visitorsPort)))
		f.cut(no)
		sleep(ctx, between(f.rand, 10*time.Millisecond, 500*time.Millisecond))
		f.SetPort(f.port(no))
	case 8: // a host moves to the other port, and back when all is calm
		if !f.moved {
			f.moved = true
			f.Inject(otherPort, f.frame(0))
		}
	case 9: // the connection breaks
		f.Disconnect()
	case 10: // the switch restarts, or is away for a while
		if f.rand.IntN(2) == 0 {
			f.Restart()
			return
		}
		f.offline()
		sleep(ctx, between(f.rand, 100*time.Millisecond, 3*time.Second))
		f.online()
	case 11: // nobody has spoken for long
		f.skew.Add(int64(10 * time.Minute))
		f.Expire()
	}
}

// online connects, again and again.
func (f *fake) online() {
	if f.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.gone = cancel, make(chan struct{})
	// Owned by f; ends when offline cancels it.
	go func(gone chan struct{}) {
		defer close(gone)
		_ = f.Connect(ctx, "tcp", f.address, time.Second) // it ends as the context says
	}(f.gone)
}

// offline disconnects for good.
func (f *fake) offline() {
	if f.cancel == nil {
		return
	}
	f.cancel()
	<-f.gone
	f.cancel = nil
}

// frame is a gratuitous ARP request of a host.
func (f *fake) frame(host int) []byte {
	mac := packet.MAC{0x02, 0xfa, byte(f.number >> 8), byte(f.number), byte(host >> 8), byte(host)}
	ip := netip.AddrFrom4([4]byte{10, 9, byte(host >> 8), byte(host)})
	b := packet.AppendEthernet(nil, packet.Broadcast, mac, packet.EtherTypeARP)
	b = packet.AppendARPRequest(b, mac, ip, ip)
	return append(b, make([]byte, 60-len(b))...)
}

// sleep reports whether the time was over before the context.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
