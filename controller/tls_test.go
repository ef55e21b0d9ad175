package controller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/openflow"
)

func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// authority signs certificates, as ovs-pki does: they name no purpose and no host.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serials int64

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string, until time.Time) *x509.Certificate {
	serials++
	return &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
	}
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key := newKey(t)
	tmpl := template(name, time.Now().Add(72*time.Hour))
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key}
}

// issue returns a certificate with its key.
func (a *authority) issue(name string, until time.Time) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, template(name, until), a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// pki is the files of the controller.
type pki struct {
	t   *testing.T
	dir string
	n   int
}

// write replaces the files, each with a time of its own.
func (p *pki) write(cert tls.Certificate, cas ...*authority) {
	p.t.Helper()
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		p.t.Fatal(err)
	}
	var ca []byte
	for _, a := range cas {
		ca = append(ca, a.pem()...)
	}
	p.n++
	for name, b := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}),
		"ca.pem":   ca,
	} {
		path := filepath.Join(p.dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			p.t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(p.n) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *pki) config() string {
	return fmt.Sprintf("openflow: {listen: ['ssl:LISTEN'], tls: {cert: %[1]s/cert.pem, key: %[1]s/key.pem, ca: %[1]s/ca.pem}}\n", p.dir)
}

// dialTLS connects with a certificate, or without.
func (s *shell) dialTLS(certs ...tls.Certificate) *tls.Conn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Client(nc, &tls.Config{Certificates: certs, InsecureSkipVerify: true})
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t, "switch CA"), newAuthority(t, "other CA")
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)
	files := &pki{t: t, dir: t.TempDir()}
	files.write(ca.issue("controller", tomorrow), ca)
	s := run(t, files.config()+`
switches:
  bound: {datapath_id: "0000000000000005", certificate: br5}
`)
	good := testSwitch(1)
	s.serve(good, s.dialTLS(ca.issue("br1", tomorrow)))
	s.awaitReady(1)
	s.learns(good, 1)

	for _, c := range []struct {
		name   string
		certs  []tls.Certificate
		id     openflow.DatapathID
		reason []string
	}{
		{"wrong CA", []tls.Certificate{other.issue("br2", tomorrow)}, 2, []string{"refused", "unknown authority"}},
		{"no certificate", nil, 3, []string{"refused", "certificate"}},
		{"expired", []tls.Certificate{ca.issue("br4", yesterday)}, 4, []string{"refused", "expired"}},
		{"bound to another", []tls.Certificate{ca.issue("br6", tomorrow)}, 5, []string{"refused", "0000000000000005", "bound to the certificate", "br5", "br6"}},
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
	s.serve(bound, s.dialTLS(ca.issue("br5", tomorrow)))
	s.awaitReady(5)

	// Plain OpenFlow, and versions of TLS that are too old.
	plain := testSwitch(8)
	select {
	case <-s.connect(plain, "127.0.0.1"):
	case <-time.After(5 * time.Second):
		t.Error("plain OpenFlow was not refused")
	}
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := tls.Client(nc, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true, Certificates: []tls.Certificate{ca.issue("old", tomorrow)}}).Handshake(); err == nil {
		t.Error("TLS 1.1 was accepted")
	}

	// Replaced files are used for new connections, and sessions stay.
	next := newAuthority(t, "next CA")
	replaced := next.issue("controller of tomorrow", tomorrow)
	files.write(replaced, next)
	late := s.dialTLS(next.issue("br9", tomorrow))
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
	if got, want := s.c.tls.Load().expiry(), time.Now().Add(24*time.Hour); got.Sub(want).Abs() > time.Minute {
		t.Errorf("expiry %s, want %s", got, want)
	}

	// Files that cannot be used: what was read before stays in use, and the log says so.
	files.write(replaced)
	s.serve(testSwitch(10), s.dialTLS(next.issue("br10", tomorrow)))
	s.awaitReady(10)
	s.logged("holds no certificate", "stay in use")
}

func TestTLSFiles(t *testing.T) {
	ca := newAuthority(t, "CA")
	files := &pki{t: t, dir: t.TempDir()}
	files.write(ca.issue("controller", time.Now().Add(time.Hour)), ca)
	path := func(name string) string { return filepath.Join(files.dir, name) }
	good := config.TLS{Cert: path("cert.pem"), Key: path("key.pem"), CA: path("ca.pem")}
	if _, err := newTLSFiles(good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths config.TLS
		want  string
	}{
		{config.TLS{Cert: path("none.pem"), Key: good.Key, CA: good.CA}, "none.pem"},
		{config.TLS{Cert: good.Key, Key: good.Key, CA: good.CA}, "key.pem"},
		{config.TLS{Cert: good.Cert, Key: good.Key, CA: good.Key}, "holds no certificate"},
	} {
		if _, err := newTLSFiles(c.paths); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.paths, err)
		}
	}
}

// The connection that the controller makes is held to the same.
func TestTLSConnect(t *testing.T) {
	ca, other := newAuthority(t, "CA"), newAuthority(t, "other CA")
	tomorrow := time.Now().Add(24 * time.Hour)
	files := &pki{t: t, dir: t.TempDir()}
	files.write(ca.issue("controller", tomorrow), ca)
	bridge := func(cert tls.Certificate) net.Listener {
		pool := x509.NewCertPool()
		pool.AddCert(ca.cert)
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, ClientCAs: pool,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	right, wrong := bridge(ca.issue("br1", tomorrow)), bridge(other.issue("br2", tomorrow))
	s := run(t, fmt.Sprintf("openflow: {listen: ['tcp:LISTEN'], connect: ['ssl:%s', 'ssl:%s'], tls: {cert: %[3]s/cert.pem, key: %[3]s/key.pem, ca: %[3]s/ca.pem}}\n",
		right.Addr(), wrong.Addr(), files.dir))
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
