package ovsdbwatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/openflow"
)

// fakeServer plays an OVSDB server: each connection is served by talk, in virtual time.
type fakeServer struct {
	mu          sync.Mutex
	talk        func(nc net.Conn) // nil: connections are refused
	refusal     error
	connections atomic.Int64
	open        sync.WaitGroup
}

var errRefused = errors.New("connection refused")

func (d *fakeServer) connect(context.Context, config.Endpoint) (net.Conn, error) {
	d.connections.Add(1)
	d.mu.Lock()
	talk := d.talk
	d.mu.Unlock()
	if talk == nil {
		return nil, d.refusal
	}
	a, b := net.Pipe()
	d.open.Go(func() { defer b.Close(); talk(b) }) // ends with the connection
	return a, nil
}

func (d *fakeServer) become(talk func(nc net.Conn)) {
	d.mu.Lock()
	d.talk = talk
	d.mu.Unlock()
}

// telling reads requests and answers the first with a bridge in a fail mode. Whatever comes from change goes out as it
// is.
func telling(mode string, change <-chan string) func(net.Conn) {
	return func(nc net.Conn) {
		buf := make([]byte, 4096)
		if _, err := nc.Read(buf); err != nil {
			return
		}
		if _, err := fmt.Fprint(nc, `{"id":1,"error":null,"result":{"Bridge":{`+bridgeRow(mode)+`}}}`); err != nil {
			return
		}
		gone := make(chan struct{})
		go func() { // ends with the connection
			defer close(gone)
			for {
				n, err := nc.Read(buf)
				if err != nil {
					return
				}
				if strings.Contains(string(buf[:n]), `"echo"`) {
					fmt.Fprint(nc, `{"id":2,"error":null,"result":[]}`)
				}
			}
		}()
		for {
			select {
			case text := <-change:
				if text == "" {
					return
				}
				fmt.Fprint(nc, text)
			case <-gone:
				return
			}
		}
	}
}

// bridgeRow is a bridge with datapath id 7.
func bridgeRow(mode string) string {
	return `"11d9bdea-dc9a-492e-b10e-a56b42627f2b":{"new":{"name":"br0","datapath_id":"0000000000000007","fail_mode":"` + mode + `","protocols":["set",[]],"controller":["set",[]]}}`
}

func bridgeUpdate(mode string) string {
	return `{"id":null,"method":"update","params":["eosin",{"Bridge":{` + bridgeRow(mode) + `}}]}`
}

const removed = `{"id":null,"method":"update","params":["eosin",{"Bridge":{"11d9bdea-dc9a-492e-b10e-a56b42627f2b":{"old":{}}}}]}`

// rig is a watcher that runs, with the events that it emits.
type rig struct {
	t      *testing.T
	config atomic.Pointer[config.Config]
	w      *Watcher

	mu      sync.Mutex
	emitted []event.Event
}

func (r *rig) emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitted = append(r.emitted, e)
}

// configure makes a config the running one.
func (r *rig) configure(cfg *config.Config) {
	r.config.Store(cfg)
	r.w.Wake()
}

// watch runs a watcher in virtual time, with a switch of datapath id 7.
func watch(t *testing.T, cfg *config.Config, talk func(net.Conn), f func(r *rig, d *fakeServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, d := &rig{t: t}, &fakeServer{talk: talk, refusal: errRefused}
		if len(cfg.OVSDB.Connect) == 0 { // a machine without Open vSwitch
			d.refusal = fs.ErrNotExist
		}
		r.config.Store(cfg)
		r.w = New(Options{
			Config: r.config.Load, Emit: r.emit, Dial: d.connect, TLS: func() *pki.Files { return nil },
			Switches: func() map[openflow.DatapathID]string { return map[openflow.DatapathID]string{7: "host1"} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.w.Run(ctx) }() // ends with ctx
		f(r, d)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		d.open.Wait()
	})
}

// withServer runs a watcher on one server. A goroutine that is left over fails the test.
func withServer(t *testing.T, talk func(net.Conn), f func(r *rig, d *fakeServer)) {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte("ovsdb: {connect: [\"tcp:192.0.2.7:6640\"]}"))
	if err != nil {
		t.Fatal(err)
	}
	watch(t, cfg, talk, f)
}

// events are the types and levels of what was emitted.
func (r *rig) events() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.emitted {
		list = append(list, e.Type.String()+" "+string(e.Type.Level()))
	}
	return list
}

// wantMessage checks that an event's message has a text.
func (r *rig) wantMessage(of *event.Type, sw string, text string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.emitted, func(e event.Event) bool {
		return e.Type == of && e.Switch == sw && strings.Contains(e.Message, text)
	}) {
		r.t.Errorf("no %s of %q with %q among %v", of, sw, text, r.emitted)
	}
}

// gauges reads the metric of fail modes and that of servers; -1 is absent.
func (s *rig) gauges() (secure, connected float64) {
	s.t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s.w)
	families, err := r.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	secure, connected = -1, -1
	for _, f := range families {
		switch f.GetName() {
		case "eosin_switch_fail_mode_secure":
			secure = f.GetMetric()[0].GetGauge().GetValue()
		case "eosin_ovsdb_connected":
			connected = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return secure, connected
}

// TestFailMode: from the warning to its end, through all that may become of the server meanwhile.
func TestFailMode(t *testing.T) {
	t.Parallel()
	withServer(t, nil, func(s *rig, d *fakeServer) {
		time.Sleep(checkEvery) // it is away at first
		change := make(chan string)
		d.become(telling("standalone", change))
		time.Sleep(redialMost)
		expect := func(what string, secure, connected float64, mode string, events ...string) {
			t.Helper()
			time.Sleep(2 * checkEvery)
			synctest.Wait()
			if a, b := s.gauges(); a != secure || b != connected {
				t.Errorf("%s: secure %v, connected %v, want %v and %v", what, a, b, secure, connected)
			}
			m, known := s.w.Modes()[7]
			if known != (mode != "") || known && (m.FailMode() != mode || m.Bridge != "br0" || (m.Warning != "") != (mode == "standalone")) {
				t.Errorf("%s: mode %+v", what, m)
			}
			if got := s.events(); !slices.Equal(got, events) {
				t.Errorf("%s: events %q, want %q", what, got, events)
			}
		}
		told := []string{"ovsdb_lost warning", "ovsdb_connected info", "fail_mode warning"}
		expect("standalone", 0, 1, "standalone", told...)
		s.wantMessage(event.FailMode, "host1", "ovs-vsctl --db=tcp:192.0.2.7:6640 set-fail-mode br0 secure")

		tried := d.connections.Load()
		time.Sleep(10 * time.Minute) // of silence: echoes keep the connection
		expect("later", 0, 1, "standalone", told...)
		if n := d.connections.Load(); n != tried {
			t.Errorf("%d connections where one was enough", n-tried+1)
		}

		change <- bridgeUpdate("secure")
		told = append(told, "fail_mode_fixed info")
		expect("fixed", 1, 1, "secure", told...)
		change <- bridgeUpdate("standalone")
		told = append(told, "fail_mode warning")
		expect("and back", 0, 1, "standalone", told...)

		d.become(nil) // it restarts
		change <- ""
		told = append(told, "ovsdb_lost warning")
		expect("away", 0, 0, "standalone", told...)
		d.become(telling("standalone", change))
		time.Sleep(2 * redialMost)
		told = append(told, "ovsdb_connected info")
		expect("there again", 0, 1, "standalone", told...)

		change <- removed
		expect("removed", -1, 1, "", told...)
		change <- bridgeUpdate("standalone")
		told = append(told, "fail_mode warning")
		expect("made again", 0, 1, "standalone", told...)

		d.become(nil)
		change <- ""
		told = append(told, "ovsdb_lost warning")
		time.Sleep(keepLost + redialMost)
		expect("away for long", -1, 0, "", told...)
	})
}

// TestOVSDBReload: the list of servers is that of the config that runs.
func TestOVSDBReload(t *testing.T) {
	t.Parallel()
	withServer(t, telling("secure", nil), func(s *rig, d *fakeServer) {
		time.Sleep(2 * checkEvery)
		if secure, _ := s.gauges(); secure != 1 {
			t.Fatalf("secure %v", secure)
		}
		was := s.config.Load()
		s.configure(was) // no change
		time.Sleep(2 * checkEvery)
		if n := d.connections.Load(); n != 1 {
			t.Errorf("%d connections after a reload without change", n)
		}
		next := *was
		next.OVSDB.Connect = append(slices.Clone(was.OVSDB.Connect), config.Endpoint{Kind: config.Unix, Address: "/run/other.sock"})
		s.configure(&next)
		time.Sleep(2 * checkEvery)
		if n := d.connections.Load(); n != 2 || len(s.w.list()) != 2 {
			t.Errorf("%d connections to %d servers after one was added", n, len(s.w.list()))
		}
		none := *was
		none.OVSDB.Connect = nil
		d.become(nil)
		s.configure(&none)
		time.Sleep(2 * checkEvery)
		d.open.Wait() // the connections are closed
		if secure, _ := s.gauges(); secure != -1 {
			t.Errorf("secure %v after the servers were removed", secure)
		}
	})
}

// TestHostileServers: whatever a server does, it is told once, is tried again and again in peace, and nothing of it
// stays.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	const answer = `{"id":1,"result":{},"error":null}`
	flood := func(first, text string) func(net.Conn) {
		return func(nc net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, nc) }() // ends with the connection
			fmt.Fprint(nc, first)
			for block := []byte(strings.Repeat(text, 1+(16<<10)/len(text))); ; {
				if _, err := nc.Write(block); err != nil {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		name string
		talk func(net.Conn)
		says string // "": it is read
	}{
		{"refuses", nil, "connection refused"},
		{"closes", func(net.Conn) {}, "closed"},
		{"closes after the request", func(nc net.Conn) { _, _ = nc.Read(make([]byte, 4096)) }, "it closed the connection"},
		{"garbage", func(nc net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, nc) }()
			_, _ = nc.Write([]byte("\x16\x03\x01\x00garbage"))
		}, "not a stream of JSON"},
		{"never reads", func(net.Conn) { time.Sleep(time.Minute) }, "i/o timeout"},
		{"never answers", func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }, "no answer within 10s"},
		{"drips", func(nc net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, nc) }()
			for {
				if _, err := nc.Write([]byte(" ")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, "no answer within 10s"},
		{"an endless message", flood(`{"id":1,"result":"`, "a"), "longer than 1024 KiB"},
		{"endless values", flood(`{"id":1,"result":[`, "1,"), "more than 65536 values"},
		{"endless updates", flood(answer, bridgeUpdate("standalone")), ""},
		{"endless echoes", flood(answer, `{"id":"echo","method":"echo","params":[]}`), ""},
		{"answers and closes", func(nc net.Conn) {
			_, _ = nc.Read(make([]byte, 4096))
			fmt.Fprint(nc, answer)
		}, "it closed the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			withServer(t, c.talk, func(s *rig, d *fakeServer) {
				if c.says == "" {
					time.Sleep(15 * time.Second)
				} else {
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				lost := 0
				for _, e := range s.emitted {
					if e.Type == event.OVSDBLost {
						lost++
						if !strings.Contains(e.Message, "OVSDB tcp:192.0.2.7:6640 cannot be read: ") || !strings.Contains(e.Message, c.says) {
							t.Errorf("told %q, want %q", e.Message, c.says)
						}
					}
				}
				n := d.connections.Load()
				switch {
				case c.says == "":
					if _, connected := s.gauges(); lost != 0 || n != 1 || connected != 1 {
						t.Errorf("%d connections, told %d times of their end", n, lost)
					}
				case c.name == "answers and closes":
					if lost < 1 || lost > 8 {
						t.Errorf("told %d times of an end in a minute", lost)
					}
				case lost != 1:
					t.Errorf("told %d times: %q", lost, s.events())
				}
				if c.says != "" && (n < 3 || n > 40) {
					t.Errorf("%d attempts in a minute", n)
				}
			})
		})
	}
}

// TestLocalOVSDB: a config that names no server means the local one. Nobody is told that a machine has none.
func TestLocalOVSDB(t *testing.T) {
	t.Parallel()
	watch(t, config.Default(), nil, func(s *rig, d *fakeServer) {
		time.Sleep(time.Minute)
		if got := s.events(); len(got) != 0 {
			t.Errorf("events %q", got)
		}
		if _, connected := s.gauges(); connected != -1 {
			t.Errorf("connected %v", connected)
		}
	})
	withServer(t, nil, func(s *rig, d *fakeServer) {
		time.Sleep(checkEvery)
		next := *s.config.Load()
		next.OVSDB.Connect = nil
		d.become(telling("", nil))
		s.configure(&next)
		time.Sleep(2 * redialMost)
		s.wantMessage(event.FailMode, "host1", "at unix:/var/run/openvswitch/db.sock")
		s.wantMessage(event.FailMode, "host1", "run `ovs-vsctl set-fail-mode br0 secure`")
	})
}

// TestVsctl: the command finds the server from wherever it is run.
func TestVsctl(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse("test.yaml", []byte("openflow: {tls: {cert: /etc/c.pem, key: /etc/k.pem, ca: ca.pem}}\novsdb: {connect: [\"unix:/var/run/openvswitch/db.sock\", \"unix:/run/openvswitch/db.sock\", \"unix:/tmp/db.sock\", \"tcp:192.0.2.7:6640\", \"ssl:[2001:db8::7]:6640\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"ovs-vsctl", "ovs-vsctl", "ovs-vsctl --db=unix:/tmp/db.sock", "ovs-vsctl --db=tcp:192.0.2.7:6640",
		"ovs-vsctl --db=ssl:[2001:db8::7]:6640 --private-key=/etc/k.pem --certificate=/etc/c.pem --ca-cert=" + here + "/ca.pem",
	} {
		if got := strings.Join(vsctl(cfg, cfg.OVSDB.Connect[i]), " "); got != want {
			t.Errorf("%s: %s, want %s", cfg.OVSDB.Connect[i], got, want)
		}
	}
}

// TestDial connects to servers that should speak TLS, and do not.
func TestDial(t *testing.T) {
	t.Parallel()
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", pkitest.Tomorrow()), ca)
	log := logrus.New()
	log.SetOutput(io.Discard)
	opened, err := pki.Open(pki.Paths{Section: "openflow.tls", Cert: files.Cert(), Key: files.Key(), CA: files.CA()}, log)
	if err != nil {
		t.Fatal(err)
	}
	w := New(Options{TLS: func() *pki.Files { return opened }})
	for name, s := range map[string]struct {
		serve func(net.Conn)
		says  string
	}{
		"is silent":   {func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }, "no handshake of TLS within 5s"},
		"hangs up":    {func(nc net.Conn) { _, _ = nc.Read(make([]byte, 4096)); _ = nc.Close() }, "write tcp: here"},
		"speaks HTTP": {func(nc net.Conn) { fmt.Fprint(nc, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "it speaks HTTP where TLS is spoken"},
		"speaks OVSDB": {
			func(nc net.Conn) { fmt.Fprint(nc, `{"id":"echo","method":"echo","params":[]}`) }, "it speaks JSON, as OVSDB does, where TLS is spoken",
		},
		"speaks OpenFlow": {func(nc net.Conn) { _, _ = nc.Write([]byte{4, 0, 0, 8, 0, 0, 0, 1}) }, "it speaks something else where TLS is spoken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() { // ends with the connection, or the listener
				nc, err := l.Accept()
				if err != nil {
					return
				}
				s.serve(nc)
				_, _ = io.Copy(io.Discard, io.LimitReader(nc, 1)) // what was sent arrives before the end
				_ = nc.Close()
			}()
			nc, err := w.dial(t.Context(), config.Endpoint{Kind: config.SSL, Address: l.Addr().String()})
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), s.says) {
				t.Errorf("%v, want %q", err, s.says)
			}
		})
	}
}
