package controller

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// ssl is a config that listens with files.
func ssl(files *pkitest.Files) string {
	return "openflow: {listen: ['ssl:LISTEN'], tls: " + files.YAML(true) + "}\n"
}

// dial makes a connection to the controller.
func (s *shell) dial() net.Conn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// dialTLS connects with a certificate, or without.
func (s *shell) dialTLS(certs ...tls.Certificate) *tls.Conn {
	s.t.Helper()
	return tls.Client(s.dial(), &tls.Config{Certificates: certs, InsecureSkipVerify: true})
}

// gauge reads a metric without labels.
func (s *shell) gauge(name string) float64 {
	s.t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(s.c.metrics)
	families, err := r.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

func TestTLS(t *testing.T) {
	ca, other := pkitest.New(t, "switch CA"), pkitest.New(t, "other CA")
	tomorrow, yesterday := pkitest.Tomorrow(), pkitest.Yesterday()
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", tomorrow), ca)
	s := run(t, ssl(files)+`
switches:
  bound: {datapath_id: "0000000000000005", certificate: br5}
`)
	good := testSwitch(1)
	s.serve(good, s.dialTLS(ca.Issue("br1", tomorrow)))
	s.awaitReady(1)
	s.learns(good, 1)

	for _, c := range []struct {
		name   string
		certs  []tls.Certificate
		id     openflow.DatapathID
		reason []string
	}{
		{"wrong CA", []tls.Certificate{other.Issue("br2", tomorrow)}, 2, []string{
			"switch_refused", "from ssl:127.0.0.1:", "certificate", "br2", "other CA", "unknown authority",
			"openflow.tls.ca",
		}},
		{"no certificate", nil, 3, []string{
			"switch_refused", "from ssl:127.0.0.1:", "shows no certificate", "ovs-vsctl set-ssl",
		}},
		{"expired", []tls.Certificate{ca.Issue("br4", yesterday)}, 4, []string{
			"switch_refused", "certificate", "br4", "serial", "expired", "set-ssl",
		}},
		{"bound to another", []tls.Certificate{ca.Issue("br6", tomorrow)}, 5, []string{
			"refused", "0000000000000005", "bound to the certificate", "br5", "br6",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sw := testSwitch(c.id)
			select {
			case err := <-s.serve(sw, s.dialTLS(c.certs...)):
				if err == nil {
					t.Error("ended without a reason")
				}
			case <-time.After(5 * time.Second):
				t.Fatal("not refused")
			}
			s.logged(c.reason...)
			if sw.FlowCount() != 0 {
				t.Error("it got flows")
			}
		})
	}
	bound := testSwitch(5)
	s.serve(bound, s.dialTLS(ca.Issue("br5", tomorrow)))
	s.awaitReady(5)

	// Replaced files are used for new connections, and sessions stay.
	next := pkitest.New(t, "next CA")
	replaced := next.Issue("controller of tomorrow", tomorrow)
	files.Write(replaced, next)
	late := s.dialTLS(next.Issue("br9", tomorrow))
	newcomer := testSwitch(9)
	s.serve(newcomer, late)
	s.awaitReady(9)
	if got := late.ConnectionState().PeerCertificates[0]; got.Subject.CommonName != "controller of tomorrow" {
		t.Errorf("the controller shows %s", got.Subject)
	}
	s.learns(good, 2)
	if good.Sessions() != 1 {
		t.Error("the first session was dropped")
	}
	if got := s.gauge("eosin_openflow_tls_expiry_timestamp_seconds"); got != float64(tomorrow.Unix()) {
		t.Errorf("expiry %v, want %v", got, tomorrow.Unix())
	}
	if s.gauge("eosin_openflow_tls_last_reload_successful") != 1 {
		t.Error("good files count as broken")
	}
	s.logged("openflow.tls", "read again", "controller of tomorrow")

	// Files that cannot be used: what was read before stays in use, and the log says so.
	files.Write(replaced)
	s.serve(testSwitch(10), s.dialTLS(next.Issue("br10", tomorrow)))
	s.awaitReady(10)
	s.logged("openflow.tls.ca", "holds no certificate", "stay in use")
	if s.gauge("eosin_openflow_tls_last_reload_successful") != 0 {
		t.Error("broken files count as good")
	}

	// What the API tells of the session.
	list, err := s.c.Backend().Switches(t.Context())
	if err != nil || list[0].TLS == nil || list[0].TLS.Certificate != "br1" || list[0].TLS.Version != "TLS 1.3" {
		t.Errorf("the API says %+v of the first switch, %v", list[0], err)
	}
}

// The connection that the controller makes is held to the same.
func TestTLSConnect(t *testing.T) {
	ca, other := pkitest.New(t, "CA"), pkitest.New(t, "other CA")
	tomorrow := pkitest.Tomorrow()
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", tomorrow), ca)
	bridge := func(cert tls.Certificate) net.Listener {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, ClientCAs: ca.Pool(),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	right, wrong := bridge(ca.Issue("br1", tomorrow)), bridge(other.Issue("br2", tomorrow))
	s := run(t, fmt.Sprintf("openflow: {listen: ['tcp:LISTEN'], connect: ['ssl:%s', 'ssl:%s'], tls: %s}\n",
		right.Addr(), wrong.Addr(), files.YAML(true)))
	sw := testSwitch(1)
	nc, err := right.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.serve(sw, nc)
	s.awaitReady(1)
	nc, err = wrong.Accept()
	if err != nil {
		t.Fatal(err)
	}
	impostor := testSwitch(2)
	s.serve(impostor, nc)
	s.logged("refused", wrong.Addr().String(), "unknown authority")
	if impostor.FlowCount() != 0 {
		t.Error("the impostor got flows")
	}
}

// What is spoken where it does not belong is refused at once, and the reason says so.
func TestSpokenElsewhere(t *testing.T) {
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", pkitest.Tomorrow()), ca)
	mine := ca.Issue("br1", pkitest.Tomorrow())
	secure, plain := run(t, ssl(files)), run(t, listening)

	refused := func(s *shell, first []byte, reason ...string) {
		t.Helper()
		nc := s.dial()
		if _, err := nc.Write(first); err != nil {
			t.Fatal(err)
		}
		ends(t, nc)
		s.logged(append(reason, "switch_refused")...)
	}
	hello := openflow.AppendHello(nil, 1)
	http := []byte("GET /metrics HTTP/1.1\r\n\r\n")
	refused(secure, hello, "plain OpenFlow where TLS is spoken", "ssl:HOST:PORT")
	refused(secure, append([]byte{1}, hello[1:]...), "plain OpenFlow")
	refused(secure, http, "speaks HTTP where TLS is spoken")
	refused(secure, []byte("\x00\x00\x00\x00\x00\x00"), "something else where TLS is spoken")
	refused(plain, http, "speaks HTTP where OpenFlow is spoken")
	refused(plain, []byte("SSH-2.0-x\r\n"), "speaks SSH")

	nc := plain.dial()
	anyone := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{mine}}
	if err := tls.Client(nc, anyone).Handshake(); err == nil {
		t.Error("TLS at a tcp: listener")
	}
	plain.logged("switch_refused", "speaks TLS where OpenFlow is spoken without TLS", "tcp:HOST:PORT")

	// The switch does not believe us.
	wrongCA := &tls.Config{
		RootCAs: pkitest.New(t, "other CA").Pool(), ServerName: "x", Certificates: []tls.Certificate{mine},
	}
	if err := tls.Client(secure.dial(), wrongCA).Handshake(); err == nil {
		t.Error("a certificate of an unknown authority was believed")
	}
	secure.logged("switch_refused", "it does not accept our certificate", "get-ssl")

	// Versions of TLS: 1.1 is too old, 1.2 is not.
	for version, ok := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		err := tls.Client(secure.dial(), &tls.Config{
			MinVersion: version, MaxVersion: version, InsecureSkipVerify: true, Certificates: []tls.Certificate{mine},
		}).Handshake()
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	eventually(t, "both old versions are refused", 5*time.Second, func() bool {
		return strings.Count(secure.log.String(), "unsupported versions") == 2
	})

	// Whoever only looks whether the port is open is not told of.
	before := secure.c.server.Refused()
	_ = secure.dial().Close()
	secure.serve(testSwitch(2), secure.dialTLS(ca.Issue("br2", pkitest.Tomorrow())))
	secure.awaitReady(2)
	if n := secure.c.server.Refused(); n != before {
		t.Errorf("%d refusals of a connection that said nothing", n-before)
	}
}

// ends waits until the other side has closed a connection.
func ends(t *testing.T, nc net.Conn) {
	t.Helper()
	if err := nc.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		if _, err := nc.Read(b); err != nil {
			var netErr net.Error
			if errors.As(err, &netErr) && netErr.Timeout() {
				t.Error("not closed")
			}
			return
		}
	}
}

// Handshakes of TLS that do not come to an end, many more than there is room for, keep no good switch out and disturb
// none that is in.
func TestSlowHandshakesTLS(t *testing.T) {
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", pkitest.Tomorrow()), ca)
	s := run(t, ssl(files))
	good := testSwitch(1)
	s.serve(good, s.dialTLS(ca.Issue("br1", pkitest.Tomorrow())))
	s.awaitReady(1)

	// One hello of TLS, as a client sends it, whose other half never comes; the first is not even whole.
	var hello bytes.Buffer
	_ = tls.Client(&recorder{&hello}, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if ofconn.Protocol(hello.Bytes()) != ofconn.TLS {
		t.Fatalf("% x", hello.Bytes())
	}
	for i := range 2 * 256 {
		nc := s.dial()
		if _, err := nc.Write(hello.Bytes()[:[]int{0, 3, hello.Len() / 2, hello.Len()}[i%4]]); err != nil {
			continue // it had to make place
		}
	}
	began := time.Now()
	late := testSwitch(2)
	s.serve(late, s.dialTLS(ca.Issue("br2", pkitest.Tomorrow())))
	eventually(t, "a good switch joins", 3*time.Second, func() bool { return late.FlowCount() > 0 })
	t.Logf("joined after %s", time.Since(began))
	s.learns(good, 1)
	if good.Sessions() != 1 {
		t.Error("the good switch was lost")
	}
}

// recorder is a connection that keeps what is written and has nothing to read.
type recorder struct{ sent *bytes.Buffer }

func (r *recorder) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (r *recorder) Write(b []byte) (int, error)      { return r.sent.Write(b) }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) LocalAddr() net.Addr              { return nil }
func (r *recorder) RemoteAddr() net.Addr             { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// A bridge that hangs up at once is told of, once, when it was the controller that connected.
func TestBridgeHangsUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := run(t, fmt.Sprintf("openflow: {listen: ['tcp:LISTEN'], connect: ['tcp:%s']}\n", l.Addr()))
	for range 3 {
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1024)); err != nil { // its hello: what is unread would reset the connection
			t.Fatal(err)
		}
		_ = nc.Close()
	}
	s.logged("level=warning", "openflow.connect tcp:"+l.Addr().String(), "hung up before it said who it is",
		"write ssl: here")
	if n := strings.Count(s.log.String(), "hung up"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
