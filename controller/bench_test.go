package controller

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// benchVLAN is the network of all ports without a config.
const benchVLAN = 1

// star is a controller with switches that are wired to the first of them. Port 1 of each is for hosts.
type star struct {
	c        *Controller
	switches []*oftest.Switch
	rules    atomic.Int64 // forward rules installed for hosts whose address begins with 02
	stop     func()       // ends all, once
}

// learnCookie is the cookie of the rule that copies frames of unknown sources.
var learnCookie = flow.Cookie(apps.OwnerL2, 1)

// newStar connects n switches, wired if links is set, and waits until all are ready and all links known.
func newStar(tb testing.TB, n int, links bool) *star {
	tb.Helper()
	cfg := config.Default()
	cfg.OpenFlow.Listen = nil
	cfg.Settings = intent.Settings{HostTimeout: cfg.Settings.HostTimeout}
	log := logrus.New()
	log.SetOutput(io.Discard)
	st := &star{c: New(cfg, Options{Log: log, Events: api.NewEventLog(1000, time.Now())})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- st.c.Run(ctx) }() // ends with ctx
	for i := range n {
		ports := []oftest.Port{{No: 1, Name: "host", MAC: [6]byte{0x0e, byte(i >> 8), byte(i), 0, 0, 1}}}
		if links {
			ports = append(ports, oftest.Port{No: 2, Name: "up", MAC: [6]byte{0x0e, byte(i >> 8), byte(i), 0, 0, 2}})
		}
		for j := 1; links && i == 0 && j < n; j++ {
			ports = append(ports, oftest.Port{
				No: openflow.PortNo(10 + j), Name: fmt.Sprintf("down%d", j),
				MAC: [6]byte{0x0e, 0, 0, 1, byte(j >> 8), byte(j)},
			})
		}
		st.switches = append(st.switches, oftest.New(oftest.Options{
			DatapathID: openflow.DatapathID(i + 1),
			FilterFlowMod: func(m *openflow.FlowMod) bool {
				st.flowMod(m)
				return links
			},
		}, ports...))
	}
	for j := 1; links && j < n; j++ {
		if err := oftest.Wire(st.switches[0], openflow.PortNo(10+j), st.switches[j], 2); err != nil {
			tb.Fatal(err)
		}
	}
	done := make(chan struct{}, 2*n)
	for _, sw := range st.switches {
		a, b := net.Pipe()
		go func() { st.c.server.Serve(ctx, a, "pipe"); done <- struct{}{} }() // ends with ctx
		go func() { _ = sw.Serve(b); done <- struct{}{} }()                   // ends with its connection
	}
	st.stop = sync.OnceFunc(func() {
		cancel()
		for _, sw := range st.switches {
			sw.Close()
		}
		for range 2 * n {
			<-done
		}
		if err := <-ended; err != nil {
			tb.Error(err)
		}
		// A timer would keep its switch in memory until it fires.
		st.c.registry.Prune(time.Now().Add(24*time.Hour), func(openflow.DatapathID) bool { return false })
	})
	tb.Cleanup(st.stop)
	st.until(tb, "switches are ready", func() bool {
		return !slices.ContainsFunc(st.switches, func(sw *oftest.Switch) bool {
			s := st.c.registry.Get(sw.DatapathID())
			return s == nil || phase(s) != datapath.Ready
		})
	})
	if links {
		st.until(tb, "links are known", func() bool {
			g := st.c.fabric.Snapshot()
			notUp := func(l topology.LinkState) bool { return l.State != topology.Up }
			return len(g.Members(1)) == n && !slices.ContainsFunc(g.Links(), notUp)
		})
	}
	return st
}

// flowMod counts the forward rules of hosts.
func (st *star) flowMod(m *openflow.FlowMod) {
	match, err := flow.Canonical(m.Match)
	if err != nil || m.TableID != pipeline.Number("forward") || m.Command != openflow.FlowAdd {
		return
	}
	if mac, ok := match.GetEthDst(); ok && mac[0] == 0x02 {
		st.rules.Add(1)
	}
}

func (st *star) until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not so after 20 s", what)
		}
	}
}

// phase returns how far the switch's session has come.
func phase(s *switches.Switch) (p datapath.Phase) {
	s.Read(func(m *datapath.Machine, _ switches.State) { p = m.Phase() })
	return p
}

// hostFrame is a frame as it stands in a packet-in from the learn table: with the tag of its network.
func hostFrame(mac packet.MAC) []byte {
	b := packet.AppendEthernetVLAN(nil, packet.MAC{0x02, 0xff}, mac, benchVLAN, packet.EtherTypeIPv4)
	return append(b, make([]byte, 64-len(b))...)
}

func hostMAC(n int) packet.MAC { return packet.MACFromUint64(0x02_0000000000 | uint64(n)) }

// appear has a host send its first frame at a switch.
func appear(sw *oftest.Switch, n int) {
	frame := hostFrame(hostMAC(n))
	sw.SendPacketIn(&openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInNoMatch,
		TableID: pipeline.Number("learn"),
		Cookie:  learnCookie, InPort: 1, Data: frame,
	})
}

// forwards returns by which port a switch sends frames to a host, 0 if it has no rule for it.
func forwards(sw *oftest.Switch, mac packet.MAC) openflow.PortNo {
	for _, f := range sw.Flows() {
		match, err := flow.Canonical(f.Match)
		if err != nil || f.TableID != pipeline.Number("forward") {
			continue
		}
		dst, ok := match.GetEthDst()
		if vlan, ok2 := match.GetVLAN(); !ok || !ok2 || dst != mac || vlan != benchVLAN {
			continue
		}
		output := f.Instructions[len(f.Instructions)-16:] // the last action
		return openflow.PortNo(binary.BigEndian.Uint32(output[4:]))
	}
	return 0
}

// TestFabric100 learns a host at one of a hundred switches: every one gets the rule that leads to it.
func TestFabric100(t *testing.T) {
	const n = 100
	st := newStar(t, n, true)
	const home = 42
	appear(st.switches[home], 7)
	st.until(t, "every switch has the host's rule", func() bool { return st.rules.Load() >= n })
	for i, sw := range st.switches {
		want := openflow.PortNo(2) // towards the middle of the star
		switch i {
		case 0:
			want = 10 + home
		case home:
			want = 1
		}
		what := fmt.Sprintf("switch %d sends the host's frames out of port %d", i, want)
		st.until(t, what, func() bool { return forwards(sw, hostMAC(7)) == want })
	}
}

// BenchmarkFabric100 measures from the packet-in of a new host at one of a hundred switches until all hundred have its
// rule.
func BenchmarkFabric100(b *testing.B) {
	const n = 100
	st := newStar(b, n, true)
	host := 0
	for b.Loop() {
		host++
		want := st.rules.Load() + n
		appear(st.switches[host%n], host)
		for st.rules.Load() < want {
			runtime.Gosched()
		}
	}
	ms := float64(b.Elapsed().Microseconds()) / 1000 / float64(b.N)
	b.ReportMetric(ms, "ms/host")
	if ms >= 10 {
		b.Errorf("a host is known on %d switches after %.1f ms, want below 10", n, ms)
	}
}

// BenchmarkMemoryPerHost measures what a known host costs with its two rules on the switch where it lives, all that the
// controller keeps for it included.
func BenchmarkMemoryPerHost(b *testing.B) {
	const switches, hosts = 16, 8000
	for b.Loop() {
		st := newStar(b, switches, false)
		idle := heap()
		for h := range hosts {
			for _, sw := range st.switches {
				appear(sw, h)
			}
		}
		st.until(b, "all hosts have their rules", func() bool { return st.rules.Load() == switches*hosts })
		known := float64(heap()-idle) / (switches * hosts)
		b.ReportMetric(known, "B/host")
		b.ReportMetric(known/2, "B/rule")
		if known/2 >= 500 {
			b.Errorf("%.0f bytes for each known host and rule, want below 500", known/2)
		}
		st.stop()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
