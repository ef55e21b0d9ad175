package southbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// A switch that the config binds to a certificate must show it; others may show any, or none.
func TestCertificateBinding(t *testing.T) {
	cfg, err := config.Parse("test.yaml", []byte(`
switches:
  one: {datapath_id: "0000000000000001", certificate: host1}
  two: {datapath_id: "0000000000000002"}
openflow: {listen: ['ssl:127.0.0.1:0'], tls: {cert: c, key: k, ca: a}}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{Config: func() *config.Config { return cfg }})
	for _, c := range []struct {
		id   openflow.DatapathID
		name string
		ok   bool
	}{
		{1, "host1", true},
		{1, "host2", false},
		{1, "", false},
		{1, "HOST1", false},
		{2, "host1", true},
		{2, "", true},
		{3, "host1", true},
		{3, "", true},
	} {
		err := s.checkCertificate(c.id, c.name)
		if (err == nil) != c.ok {
			t.Errorf("switch %s with certificate %q: %v", c.id, c.name, err)
		}
		if err != nil && !(strings.Contains(err.Error(), `"host1"`) && strings.Contains(err.Error(), c.id.String())) {
			t.Errorf("the reason %q names neither the switch nor the certificate", err)
		}
	}
}

// The name of a switch's certificate is that of the TLS handshake; without TLS there is none.
func TestCertificateName(t *testing.T) {
	ca := pkitest.New(t, "CA")
	a, b := net.Pipe()
	if name := certificateName(a); name != "" {
		t.Errorf("without TLS it is %q", name)
	}
	server := tls.Server(a, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue("controller", pkitest.Tomorrow(), "controller")},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
	})
	client := tls.Client(b, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue("host1", pkitest.Tomorrow())},
		RootCAs:      ca.Pool(), ServerName: "controller",
	})
	done := make(chan error, 1)
	go func() { // ends with the handshake
		err := client.Handshake()
		_, _ = client.Read(make([]byte, 1)) // the tickets of TLS 1.3
		done <- err
	}()
	if err := tlsHandshake(t.Context(), server, pkitest.Tomorrow()); err != nil {
		t.Fatal(err)
	}
	if name := certificateName(server); name != "host1" {
		t.Errorf("the certificate is that of %q", name)
	}
	if cert, state := PeerCertificate(server); cert == nil || state.Version != tls.VersionTLS13 {
		t.Errorf("certificate %v, TLS %+v", cert, state)
	}
	_ = b.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whatever ends a handshake of TLS, the reason says what to do about it.
func TestTLSReason(t *testing.T) {
	record := func(b ...byte) error {
		var e tls.RecordHeaderError
		copy(e.RecordHeader[:], b)
		return e
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{os.ErrDeadlineExceeded, errNoHandshake.Error()},
		{io.EOF, "handshake of TLS"},
		{record(4, 0, 0, 8), "ssl:HOST:PORT"},
		{record([]byte("GET /")...), "HTTP"},
		{record(0xff), "something else"},
		{pki.ErrNoCertificate, "ovs-vsctl set-ssl"},
		{errors.New("tls: client didn't provide a certificate"), "ovs-vsctl set-ssl"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: unknown certificate authority")}, "ovs-vsctl get-ssl"},
		{&net.OpError{Op: "local error", Err: errors.New("tls: bad record MAC")}, "most likely"},
		{errors.New("as it is"), "as it is"},
	} {
		if got := tlsReason(c.err); !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: %q does not say %q", c.err, got, c.want)
		}
	}
	if err := tlsReason(io.EOF); !errors.Is(err, ofconn.ErrPeerClosed) {
		t.Errorf("%v is counted as a refusal", err)
	}
	certificateRequired := &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
	if err := tlsReason(certificateRequired); strings.Contains(err.Error(), "get-ssl") {
		t.Errorf("an alert about the peer's own certificate: %v", err)
	}
}

// Listeners and dialed bridges are those of one config, also if another becomes the running one meanwhile.
func TestListenKeepsItsConfig(t *testing.T) {
	s := NewServer(Options{})
	cfg := config.OpenFlow{Connect: []config.Endpoint{{Kind: config.TCP, Address: "127.0.0.1:1"}}}
	if err := s.Listen(cfg, nil); err != nil || len(s.connect) != 1 || len(s.listeners) != 0 {
		t.Errorf("%v: %d bridges, %d listeners", err, len(s.connect), len(s.listeners))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil { // it asks no running config
		t.Error(err)
	}
}
