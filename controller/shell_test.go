package controller

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/ovsdbwatch"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// shell is a controller that runs, with what it logs.
type shell struct {
	t    *testing.T
	c    *Controller
	log  syncBuffer
	addr string // where it listens on TCP
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// newShell returns a controller that does not run yet.
func newShell(t *testing.T, cfg *config.Config) *shell {
	t.Helper()
	s := &shell{t: t}
	log := logrus.New()
	log.SetOutput(&s.log)
	s.c = New(cfg, Options{Log: log, Events: api.NewEventLog(1000, time.Now())})
	// A machine on which tests run may have an Open vSwitch of its own, which is none of their business.
	s.c.ovsdb = ovsdbwatch.New(ovsdbwatch.Options{
		Config: s.c.Config, Emit: s.c.events.Emit, TLS: s.c.status.tls.Load,
		Switches: switchNames(s.c.Config, s.c.registry),
		Dial:     func(context.Context, config.Endpoint) (net.Conn, error) { return nil, fs.ErrNotExist },
	})
	return s
}

// run runs a controller with a config until the test ends. LISTEN in it is an address on loopback.
func run(t *testing.T, yaml string) *shell {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := newShell(t, parse(t, strings.ReplaceAll(yaml, "LISTEN", addr)))
	s.addr = addr
	s.start(t.Context())
	s.logged("listening on")
	return s
}

// start runs the controller until ctx ends, which it checks.
func (s *shell) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.c.Run(ctx) }() // ends with ctx
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
}

// logged waits until the log has a line with all texts.
func (s *shell) logged(texts ...string) {
	s.t.Helper()
	has := func() bool {
		for line := range strings.Lines(s.log.String()) {
			found := true
			for _, text := range texts {
				found = found && strings.Contains(line, text)
			}
			if found {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(5 * time.Second); !has(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no line with %q in the log:\n%s", texts, s.log.String())
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// testSwitch returns a switch with ports vif1 and vif2.
func testSwitch(id openflow.DatapathID) *oftest.Switch {
	return oftest.New(oftest.Options{DatapathID: id}, vif(1), vif(2))
}

func vif(no openflow.PortNo) oftest.Port {
	return oftest.Port{No: no, Name: fmt.Sprintf("vif%d", no), MAC: [6]byte{2, 1, 0, 0, 0, byte(no)}}
}

// connect has a switch connect from an address of loopback, once, and returns a channel with the end of the connection.
func (s *shell) connect(sw *oftest.Switch, from string) <-chan error {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.serve(sw, nc)
}

// serve runs a switch over a connection to the controller.
func (s *shell) serve(sw *oftest.Switch, nc net.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- sw.Serve(nc) }() // ends with the connection, at the end of the test at the latest
	s.t.Cleanup(func() { _ = nc.Close() })
	return ended
}

// phaseOf returns how far a switch's session has come.
func (s *shell) phaseOf(id openflow.DatapathID) datapath.Phase {
	if sw := s.c.registry.Get(id); sw != nil {
		return phase(sw)
	}
	return datapath.Offline
}

// awaitReady waits until a switch has its flows.
func (s *shell) awaitReady(id openflow.DatapathID) {
	s.t.Helper()
	what := fmt.Sprintf("switch %s is ready", id)
	eventually(s.t, what, 5*time.Second, func() bool { return s.phaseOf(id) == datapath.Ready })
}

// learns has a new host appear at a switch and returns how long it took to get its rules.
func (s *shell) learns(sw *oftest.Switch, n int) time.Duration {
	s.t.Helper()
	before, began := sw.FlowCount(), time.Now()
	broadcast, src := packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, packet.MACFromUint64(0x5254_0000_0000|uint64(n))
	sw.Inject(1, append(packet.AppendEthernet(nil, broadcast, src, 0x88b5), make([]byte, 46)...))
	eventually(s.t, "the host has its rules", 2*time.Second, func() bool { return sw.FlowCount() >= before+2 })
	return time.Since(began)
}

const listening = "openflow: {listen: ['tcp:LISTEN']}\n"

// A switch that answers keeps its datapath id, whoever else claims it.
func TestDuplicateOfTheLiving(t *testing.T) {
	for _, from := range []string{"127.0.0.2", "127.0.0.1"} {
		t.Run(from, func(t *testing.T) {
			s := run(t, listening)
			first, second := testSwitch(7), testSwitch(7)
			s.connect(first, "127.0.0.1")
			s.awaitReady(7)
			select {
			case <-s.connect(second, from):
			case <-time.After(5 * time.Second):
				t.Fatal("the newcomer was not refused")
			}
			s.logged("refused", "0000000000000007", "belongs to the switch connected from tcp:127.0.0.1",
				"other-config:datapath-id")
			s.learns(first, 1)
			if second.FlowCount() != 0 || first.Sessions() != 1 {
				t.Errorf("%d flows at the newcomer, %d sessions at the first", second.FlowCount(), first.Sessions())
			}
			if s.c.server.Refused() != 1 {
				t.Errorf("%d refusals counted", s.c.server.Refused())
			}
		})
	}
}

// A connection whose switch no longer answers is superseded by a new one.
func TestDuplicateOfTheDead(t *testing.T) {
	for _, c := range []struct {
		from   string
		within time.Duration
	}{{"127.0.0.1", 500*time.Millisecond + time.Second}, {"127.0.0.2", 2*time.Second + time.Second}} {
		t.Run(c.from, func(t *testing.T) {
			s := run(t, listening)
			dead, next := testSwitch(7), testSwitch(7)
			gone := s.connect(dead, "127.0.0.1")
			s.awaitReady(7)
			dead.SetFaults(oftest.Faults{StallReading: true})
			// The fault takes effect after the read that is under way.
			disturb(t, s.c.registry.Get(7), dead)
			s.connect(next, c.from)
			eventually(t, "the new connection is served", c.within, func() bool { return next.FlowCount() > 0 })
			dead.SetFaults(oftest.Faults{}) // now it reads that it is out
			select {
			case <-gone:
			case <-time.After(5 * time.Second):
				t.Error("the old connection was not closed")
			}
			s.logged("disconnected", "connected anew")
			s.learns(next, 1)
		})
	}
}

// disturb sends the switch something that wants no answer.
func disturb(t *testing.T, s *switches.Switch, sw *oftest.Switch) {
	t.Helper()
	before := sw.Received(openflow.TypeEchoReply)
	if err := s.Step(func(_ time.Time, m *datapath.Machine, _ switches.State) error {
		m.Out.Wire = openflow.AppendEchoReply(m.Out.Wire, 0, nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the switch has read it", 2*time.Second, func() bool {
		return sw.Received(openflow.TypeEchoReply) > before
	})
}

// Two that claim the id of a dead one at the same time: one gets it, and the other does not wait for ever.
func TestDuplicatesAtTheSameTime(t *testing.T) {
	s := run(t, listening)
	dead := testSwitch(7)
	s.connect(dead, "127.0.0.1")
	s.awaitReady(7)
	dead.SetFaults(oftest.Faults{StallReading: true})
	disturb(t, s.c.registry.Get(7), dead)
	const n = 8
	ends := make(chan error, n)
	for i := range n {
		end := s.connect(testSwitch(7), fmt.Sprintf("127.0.0.%d", i+2))
		go func() { ends <- <-end }() // ends with the connection
	}
	for range n - 1 {
		select {
		case <-ends:
		case <-time.After(2*time.Second + 3*time.Second):
			t.Fatal("more than one of them is served, or waits")
		}
	}
	s.awaitReady(7)
}

// Pending connections that say nothing do not keep a switch out, however many they are.
func TestManyUnidentified(t *testing.T) {
	s := run(t, listening)
	for range 2 * 256 {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	s.connect(testSwitch(7), "127.0.0.1")
	eventually(t, "the switch is ready", 3*time.Second, func() bool { return s.phaseOf(7) == datapath.Ready })
}

// inBubble runs f with a controller in virtual time.
func inBubble(t *testing.T, f func(t *testing.T, s *shell)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		cfg.OpenFlow.Listen = nil
		s := newShell(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.c.Run(ctx) }() // ends with ctx
		f(t, s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// pipe serves one end of a pipe and returns the other, with a channel that is closed when the controller has ended it.
func (s *shell) pipe(ctx context.Context) (net.Conn, <-chan struct{}) {
	a, b := net.Pipe()
	ended := make(chan struct{})
	go func() { s.c.server.Serve(ctx, a, "pipe"); close(ended) }() // ends with the connection
	return b, ended
}

func TestHandshakeTime(t *testing.T) {
	hello := openflow.AppendHello(nil, 1)
	echo := openflow.AppendEchoRequest(nil, 1, nil)
	for name, talk := range map[string]func(nc net.Conn){
		"nothing": func(net.Conn) {},
		"slow loris": func(nc net.Conn) {
			for i := range hello {
				if _, err := nc.Write(hello[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
		"echoes without end": func(nc net.Conn) {
			for b := hello; ; b = echo {
				if _, err := nc.Write(b); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *shell) {
				nc, ended := s.pipe(t.Context())
				var wg sync.WaitGroup
				defer wg.Wait()
				wg.Go(func() { // ends with the connection
					b := make([]byte, 1024)
					for {
						if _, err := nc.Read(b); err != nil {
							return
						}
					}
				})
				began := time.Now()
				wg.Go(func() { talk(nc) }) // ends with the connection
				<-ended
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("ended after %s", took)
				}
				synctest.Wait()
				if log := s.log.String(); !strings.Contains(log, "no OpenFlow handshake within 10s") {
					t.Errorf("log:\n%s", log)
				}
				_ = nc.Close()
			})
		})
	}
}

// On a TLS listener the time includes the handshake of TLS. (crypto/tls waits for a mutex, so this takes real time.)
func TestHandshakeTimeTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	cfg := config.Default()
	cfg.OpenFlow.Listen = nil
	for name, first := range map[string][]byte{"nothing": {}, "half a record": {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, cfg)
			a, b := net.Pipe()
			defer b.Close()
			ended := make(chan struct{})
			began := time.Now()
			go func() { // ends with the connection
				s.c.server.Serve(t.Context(), tls.Server(a, &tls.Config{}), "pipe")
				close(ended)
			}()
			if _, err := b.Write(first); err != nil {
				t.Fatal(err)
			}
			<-ended
			if took := time.Since(began); took < 10*time.Second || took > 10*time.Second+2*time.Second {
				t.Errorf("ended after %s", took)
			}
			if log := s.log.String(); !strings.Contains(log, "no OpenFlow handshake within 10s") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// A half-open connection: the peer is gone and nobody has said so.
func TestHalfOpenSession(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shell) {
		nc, ended := s.pipe(t.Context())
		sw := testSwitch(7)
		served := make(chan error, 1)
		go func() { served <- sw.Serve(nc) }() // ends with the connection
		time.Sleep(3 * time.Second)
		if s.phaseOf(7) != datapath.Ready {
			t.Fatalf("phase %s", s.phaseOf(7))
		}
		sw.SetFaults(oftest.Faults{StallReading: true})
		began := time.Now()
		<-ended
		if took := time.Since(began); took < 5*time.Second || took > 16*time.Second {
			t.Errorf("ended after %s", took)
		}
		synctest.Wait()
		log := s.log.String()
		if !strings.Contains(log, "nothing heard for 10s") && !strings.Contains(log, "peer does not read") {
			t.Errorf("log:\n%s", log)
		}
		sw.Close()
		<-served
	})
}

// A switch that asks and does not read is disconnected, and others do not wait for it.
func TestSwitchThatDoesNotRead(t *testing.T) {
	s := run(t, listening)
	good := testSwitch(1)
	s.connect(good, "127.0.0.1")
	s.awaitReady(1)
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	features := &openflow.FeaturesReply{DatapathID: 66, NTables: 254}
	hello := openflow.AppendFeaturesReply(openflow.AppendHello(nil, 1), 2, features)
	if _, err := nc.Write(hello); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends when the controller hangs up
		defer close(ended)
		echo := openflow.AppendEchoRequest(nil, 1, make([]byte, 60_000))
		for {
			if _, err := nc.Write(echo); err != nil {
				return
			}
		}
	}()
	for n := range 20 {
		if took := s.learns(good, n); took > 500*time.Millisecond {
			t.Errorf("a good switch waited for %s", took)
		}
	}
	select {
	case <-ended:
	case <-time.After(8 * time.Second):
		t.Fatal("not disconnected")
	}
	s.logged("0000000000000042", "peer does not read")
}

// A reload sends each switch its difference and no more.
func TestConfigure(t *testing.T) {
	const yaml = listening + `
networks: {blue: {vlan: 10}, red: {vlan: 11}}
defaults: {network: blue}
switches:
  one: {datapath_id: "0000000000000001", ports: {vif1: {access: NET}}}
  NAME: {datapath_id: "0000000000000002"}
`
	with := func(net, name string) string {
		return strings.NewReplacer("NET", net, "NAME", name).Replace(yaml)
	}
	s := run(t, with("blue", "two"))
	var mu sync.Mutex
	var mods []string
	fakes := map[openflow.DatapathID]*oftest.Switch{}
	for id := openflow.DatapathID(1); id <= 2; id++ {
		fakes[id] = oftest.New(oftest.Options{DatapathID: id, FilterFlowMod: func(m *openflow.FlowMod) bool {
			mu.Lock()
			defer mu.Unlock()
			table := pipeline.Layout.Name(m.TableID)
			mods = append(mods, fmt.Sprintf("%d: table %s cookie %#x command %d", id, table, m.Cookie, m.Command))
			return true
		}}, vif(1), vif(2))
		s.connect(fakes[id], "127.0.0.1")
		s.awaitReady(id)
		s.learns(fakes[id], int(id))
	}
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		m := mods
		mods = nil
		return m
	}
	settled := func() []string { // what comes within a moment after all that is under way
		for _, sw := range s.c.registry.List() {
			if err := sw.Barrier(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return take()
	}
	eventually(t, "the ports have settled", 5*time.Second, func() bool {
		all := true
		for _, sw := range s.c.registry.List() {
			sw.Read(func(m *datapath.Machine, _ switches.State) {
				m.Ports(func(p *apps.Port, _ *openflow.PortStats) { all = all && p.Settled })
			})
		}
		return all
	})
	settled()
	take()
	reload := func(yaml string) {
		s.c.Configure(parse(t, strings.ReplaceAll(yaml, "LISTEN", s.addr)))
	}
	reload(with("blue", "two"))
	if got := settled(); len(got) != 0 {
		t.Errorf("the same config sends %q", got)
	}
	reload(with("blue", "deux"))
	if got := settled(); len(got) != 0 {
		t.Errorf("another name sends %q", got)
	}
	if s.c.registry.ByName("deux") == nil || s.c.registry.ByName("two") != nil {
		t.Error("the switch has not got its name")
	}
	reload(with("red", "deux"))
	got := settled()
	if len(got) == 0 {
		t.Fatal("nothing was sent")
	}
	for _, m := range got {
		otherPort := strings.Contains(m, "classify") && !strings.Contains(m, "cookie 0xe052000000000001")
		if otherPort || strings.HasPrefix(m, "2:") || strings.Contains(m, "admit") {
			t.Errorf("not a part of the difference: %s", m)
		}
	}
	// A config that is refused changes nothing and is counted.
	s.c.ReloadFailed(fmt.Errorf("test.yaml:3: no such network"))
	s.logged("refused", "no such network")
	if got := settled(); len(got) != 0 || s.c.status.refused.Load() == nil {
		t.Errorf("a refused config sends %q", got)
	}
	if s.c.Config().Switches[1].Name != "deux" {
		t.Error("the running config is another")
	}
}

func TestUnixListener(t *testing.T) {
	dir := t.TempDir()
	listen := func(cfg *config.Config) error {
		return southbound.NewServer(southbound.Options{}).Listen(cfg.OpenFlow, nil)
	}
	endpoint := func(path string) *config.Config {
		cfg := config.Default()
		cfg.OpenFlow.Listen = []config.Endpoint{{Kind: config.Unix, Address: path}}
		return cfg
	}
	path := filepath.Join(dir, "of.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}

	s := newShell(t, endpoint(path)) // a socket that nobody listens on is removed
	s.start(t.Context())
	s.logged("listening on unix:" + path)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	sw := testSwitch(7)
	s.serve(sw, nc)
	s.awaitReady(7)
	s.learns(sw, 1)

	if err := listen(endpoint(path)); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("a socket in use: %v", err)
	}
	s.learns(sw, 2) // it still works

	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := listen(endpoint(plain)); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if b, err := os.ReadFile(plain); err != nil || string(b) != "mine" {
		t.Errorf("the file is now %q, %v", b, err)
	}
	if err := listen(endpoint(filepath.Join(dir, "none", "of.sock"))); err == nil {
		t.Error("a folder that is not there is accepted")
	}
}

// Datapath ids that come and go are bounded.
func TestStaleSwitchesAreBounded(t *testing.T) {
	s := run(t, listening)
	for id := range openflow.DatapathID(3 * switches.MaxStale) {
		ignore := func(*openflow.FlowMod) bool { return false }
		sw := oftest.New(oftest.Options{DatapathID: id + 1, FilterFlowMod: ignore})
		end := s.connect(sw, "127.0.0.1")
		s.awaitReady(id + 1)
		sw.Close()
		<-end
	}
	eventually(t, "stale switches are removed", 10*time.Second, func() bool {
		return len(s.c.registry.List()) <= switches.MaxStale
	})
}

// The metrics are consistent whatever has happened, and the collector can be asked at any time.
func TestCollect(t *testing.T) {
	s := run(t, listening)
	sw := testSwitch(7)
	end := s.connect(sw, "127.0.0.1")
	s.awaitReady(7)
	s.learns(sw, 1)
	sw.Close()
	<-end
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s.c.metrics)
	eventually(t, "the metrics show the end", 5*time.Second, func() bool {
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "eosin_switch_connected" {
				return f.GetMetric()[0].GetGauge().GetValue() == 0
			}
		}
		return false
	})
}
