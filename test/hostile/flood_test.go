package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// floodFor is how long a flood lasts.
const floodFor = 2 * time.Second

// flood has peers send batches, made by make, as fast as they can, and looks at the program meanwhile.
func (s *suite) flood(t *testing.T, peers int, batch func(peer, n int) []byte) {
	t.Helper()
	var wg sync.WaitGroup
	var batches atomic.Int64
	stop := make(chan struct{})
	for i := range peers {
		p := s.mustJoin(t)
		wg.Go(func() { // ends with stop, or with the connection
			defer p.close()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if p.send(batch(i, n)) != nil {
					return
				}
				batches.Add(1)
			}
		})
	}
	s.during(t, floodFor)
	close(stop)
	wg.Wait()
	if n := batches.Load(); n < int64(peers) {
		t.Errorf("%d batches were sent: there was no flood", n)
	}
}

// echoFlood asks whether the controller lives, very often, with short and with long messages.
func echoFlood(t *testing.T, s *suite) {
	short := bytes.Repeat(openflow.AppendEchoRequest(nil, 1, nil), 1000)
	long := openflow.AppendEchoRequest(nil, 1, make([]byte, 65_000))
	s.flood(t, 2, func(peer, _ int) []byte {
		if peer == 0 {
			return short
		}
		return long
	})
}

// deafSwitch asks and does not read the answers: it is hung up on and not remembered for ever.
func deafSwitch(t *testing.T, s *suite) {
	_, mark := s.log.since(0)
	p := s.dial(t)
	defer p.close()
	id := s.id()
	if err := p.send(openflow.AppendHello(nil, 1), featuresReply(2, id)); err != nil {
		t.Fatal(err)
	}
	long := openflow.AppendEchoRequest(nil, 1, make([]byte, 65_000))
	began := time.Now()
	for time.Since(began) < 15*time.Second && p.send(long) == nil {
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("not hung up on after %s", took)
	}
	if text := s.log.waitFor(mark, "peer does not read"); text != "" {
		t.Errorf("the log does not say why:\n%s", text)
	}
}

// errorFlood refuses what was never sent.
func errorFlood(t *testing.T, s *suite) {
	_, mark := s.log.since(0)
	refused := openflow.AppendFlowMod(nil, 7, openflow.FlowAdd,
		&openflow.FlowMod{Cookie: learnCookie, TableID: pipeline.Number("learn")})
	var b []byte
	for i := range 1000 {
		b = openflow.AppendError(b, uint32(i), openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull,
			refused[:min(64, len(refused))])
	}
	s.flood(t, 2, func(int, int) []byte { return b })
	if _, now := s.log.since(0); now-mark > 4<<20 {
		t.Errorf("%d bytes of log for one flood", now-mark)
	}
}

// portFlood has very many ports, which come and go.
func portFlood(t *testing.T, s *suite) {
	var add, flap []byte
	for no := range uint32(65_000) {
		d := port(no + 1)
		add = openflow.AppendPortStatus(add, 0, &openflow.PortStatus{Reason: openflow.PortAdd, Desc: d})
	}
	for i := range 500 {
		d := port(1)
		if i%2 == 0 {
			d.State = openflow.PortStateLinkDown
		}
		flap = openflow.AppendPortStatus(flap, 0, &openflow.PortStatus{Reason: openflow.PortModify, Desc: d})
	}
	_, mark := s.log.since(0)
	s.flood(t, 2, func(peer, n int) []byte {
		if n == 0 {
			return add
		}
		return flap
	})
	if _, now := s.log.since(0); now-mark > 8<<20 {
		t.Errorf("%d bytes of log for one flood", now-mark)
	}
}

// flowRemovedFlood says that flows are gone, which are not.
func flowRemovedFlood(t *testing.T, s *suite) {
	miss := flow.Match{}
	var b []byte
	for i := range 1000 {
		f := openflow.FlowRemoved{
			Cookie: learnCookie, TableID: pipeline.Number("learn"),
			Reason: openflow.FlowRemovedReason(i % 4), Match: miss.Bytes(),
		}
		if i%2 == 0 {
			m := flow.Match{}.InPort(1).VLAN(1).EthSrc(packet.MACFromUint64(uint64(i)))
			f.Cookie, f.Priority, f.Match = flow.Cookie(apps.OwnerHosts, uint64(i)), 10, m.Bytes()
		}
		b = openflow.AppendFlowRemoved(b, 0, &f)
	}
	s.flood(t, 2, func(int, int) []byte { return b })
}

// packetInFlood is frames of hosts that are known, and of no rule, as fast as they can be sent.
func packetInFlood(t *testing.T, s *suite) {
	known := bytes.Repeat(packetIn(learnCookie, 1, hostFrame(0x525400000001)), 500)
	foreign := bytes.Repeat(packetIn(^uint64(0), 1,
		append(packet.AppendEthernet(nil, broadcast, packet.MACFromUint64(0x525400000002), 0x88b5),
			make([]byte, 46)...)), 500)
	unowned := bytes.Repeat(packetIn(0xe05f000000000001, 1, hostFrame(0x525400000003)), 500)
	s.flood(t, 3, func(peer, _ int) []byte { return [][]byte{known, foreign, unowned}[peer] })
}

// macFlood is frames of ever new hosts, and of one host that is everywhere.
func macFlood(t *testing.T, s *suite) {
	const limited = `eosin_packet_ins_dropped_total{reason="hosts_per_port"`
	before := s.sum(t, limited)
	s.flood(t, 3, func(peer, n int) []byte {
		var b []byte
		for i := range uint64(500) {
			mac := uint64(0x5254_3000_0000) + uint64(peer)<<24 + uint64(n)*500 + i
			switch peer {
			case 1:
				mac = 0x525440000000 + i%20 // twenty hosts that move all the time
			case 2:
				mac = rand.Uint64() >> 16 // multicast ones too
			}
			b = append(b, packetIn(learnCookie, uint32(1+i%2), hostFrame(mac))...)
		}
		return b
	})
	if after := s.sum(t, limited); after <= before {
		t.Errorf("%v packets were dropped at the limit of hosts, before the flood %v", after, before)
	}
}

// addressFlood is hosts that claim ever new addresses.
func addressFlood(t *testing.T, s *suite) {
	s.flood(t, 2, func(peer, n int) []byte {
		var b []byte
		for i := range uint32(500) {
			var ip [4]byte
			binary.BigEndian.PutUint32(ip[:], 0x0a000000|uint32(peer)<<22|(uint32(n)*500+i)&0x3fffff)
			b = append(b, packetIn(arpCookie, 1, arpFrame(0x525450000000+uint64(i%100), netip.AddrFrom4(ip)))...)
		}
		return b
	})
}

// churn connects and hangs up as fast as it can, with and without a farewell, at every stage.
func churn(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	end := time.Now().Add(floodFor)
	var mu sync.Mutex
	count := 0
	for w := range 2 * runtime.NumCPU() {
		wg.Go(func() { // ends after floodFor
			for n := w; time.Now().Before(end); n++ {
				p := s.dial(t)
				switch n % 4 {
				case 1:
					_ = p.send([]byte{4})
				case 2:
					_ = p.send(openflow.AppendHello(nil, 1))
				case 3:
					_ = p.send(openflow.AppendHello(nil, 1), featuresReply(2, 0xdeadbeef))
				}
				if n%8 < 4 {
					p.reset()
				} else {
					p.close()
				}
				mu.Lock()
				count++
				mu.Unlock()
			}
		})
	}
	s.during(t, floodFor)
	wg.Wait()
	if count < 100 {
		t.Errorf("%d connections: there was no churn", count)
	}
}

// churnOfSwitches joins as ever new switches.
func churnOfSwitches(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	end := time.Now().Add(floodFor)
	first := openflow.DatapathID(0xc000_0000)
	var mu sync.Mutex
	for range 2 {
		wg.Go(func() { // ends after floodFor
			for time.Now().Before(end) {
				mu.Lock()
				first++
				id := first
				mu.Unlock()
				p := s.dial(t)
				if err := p.join(id, s.joinWithin); err != nil {
					t.Errorf("switch %s: %v", id, err)
					return
				}
				p.close()
			}
		})
	}
	wg.Wait()
	if first-0xc000_0000 < 10 {
		t.Errorf("%d switches: there was no churn", first-0xc000_0000)
	}
	began := time.Now()
	body, err := s.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(body, "eosin_switch_connected{"); n > 2000 {
		t.Errorf("%d switches in the metrics, which took %s", n, time.Since(began))
	}
}

// silentFlood opens 5,000 connections a second that say nothing and stay open for a while.
func silentFlood(t *testing.T, s *suite) {
	stop := make(chan struct{})
	done := make(chan int)
	go func() { // ends with stop
		var open []*peer
		n := 0
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				for _, p := range open {
					p.reset()
				}
				done <- n
				return
			case <-tick.C:
			}
			for range 10 {
				p := s.dial(t)
				n++
				open = append(open, p)
			}
			for len(open) > 1000 {
				open[0].reset()
				open = open[1:]
			}
		}
	}()
	s.during(t, floodFor)
	close(stop)
	if n := <-done; n < 500 {
		t.Errorf("%d connections: there was no flood", n)
	}
}

// mutations is valid sessions in which bits, bytes, lengths and whole messages are changed at random.
func mutations(t *testing.T, s *suite) {
	end := time.Now().Add(s.rounds)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sessions := 0
	for w := range 8 { // most of the time they wait
		base := openflow.DatapathID(0xf000_0000 + w<<20)
		wg.Go(func() { // ends after s.rounds
			for n := 0; time.Now().Before(end); n++ {
				p := s.dial(t)
				// One source for the protocol and one for what comes after it: they run at the same time.
				r, after := rand.New(rand.NewPCG(uint64(s.seed), uint64(w<<32|n))),
					rand.New(rand.NewPCG(uint64(s.seed)+1, uint64(w<<32|n)))
				sent := 0
				p.alter = func(msg []byte) []byte {
					sent++
					if sent > 100 {
						return nil
					}
					return mutate(r, msg)
				}
				go p.serve(base + openflow.DatapathID(n%1000))
				select {
				case <-p.ended:
				case <-p.ready:
					msgs := everyMessage()
					for _, name := range slices.Sorted(maps.Keys(msgs)) {
						_ = p.send(mutate(after, msgs[name]))
					}
					_, _ = p.ping(50 * time.Millisecond)
				case <-time.After(50 * time.Millisecond): // it waits for the rest of something
				}
				p.close()
				<-p.ended
				mu.Lock()
				sessions++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d sessions, seed %d", sessions, s.seed)
	if sessions < 100 {
		t.Errorf("only %d sessions with mutations", sessions)
	}
}

// mutate changes a message a little, or not at all.
func mutate(r *rand.Rand, msg []byte) []byte {
	b := bytes.Clone(msg)
	switch r.IntN(12) {
	case 0: // bits
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	case 1: // a byte of the header
		b[r.IntN(8)] = byte(r.Uint32())
	case 2: // the length
		binary.BigEndian.PutUint16(b[2:], uint16(r.IntN(2*len(b))))
	case 3: // another length, with a header that agrees
		b = withLength(b, openflow.HeaderLen+r.IntN(2*len(b)))
	case 4: // twice
		b = append(b, b...)
	case 5: // a 16-bit field somewhere, which may be a length
		at := r.IntN(len(b) - 1)
		binary.BigEndian.PutUint16(b[at:], []uint16{0, 1, 3, 7, 8, 0x7fff, 0xffff, uint16(r.Uint32())}[r.IntN(8)])
	}
	return b
}

// The mutations are the same for the same seed.
func TestMutationsAreSeeded(t *testing.T) {
	run := func() string {
		r := rand.New(rand.NewPCG(7, 7))
		var s strings.Builder
		for i := range 100 {
			fmt.Fprintf(&s, "%x ", mutate(r, openflow.AppendEchoRequest(nil, uint32(i), []byte("abcdef"))))
		}
		return s.String()
	}
	if a, b := run(), run(); a != b {
		t.Error("two runs differ")
	}
}
