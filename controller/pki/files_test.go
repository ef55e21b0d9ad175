package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
)

// testLog records log lines.
type testLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *testLog) add(level, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, level+" "+fmt.Sprintf(format, args...))
}
func (l *testLog) Infof(format string, args ...any)  { l.add("info", format, args...) }
func (l *testLog) Errorf(format string, args ...any) { l.add("error", format, args...) }

// take returns the lines since the last call.
func (l *testLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func paths(f *pkitest.Files) pki.Paths {
	return pki.Paths{Section: "openflow.tls", Cert: f.Cert(), Key: f.Key(), CA: f.CA()}
}

func TestLoad(t *testing.T) {
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", pkitest.Tomorrow()), ca)
	other := pkitest.NewFiles(t)
	other.Write(ca.Issue("other", pkitest.Tomorrow()), ca)
	good := paths(files)
	m, err := pki.Load(good)
	if err != nil {
		t.Fatal(err)
	}
	if m.Cert.Leaf.Subject.CommonName != "controller" || len(m.Authorities) != 1 || len(m.Chain) != 1 ||
		m.Expires().Sub(pkitest.Tomorrow()).Abs() > time.Minute {
		t.Errorf("%+v", m)
	}
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("rubbish")}))
	}
	at := func(change func(*pki.Paths)) pki.Paths {
		p := good
		change(&p)
		return p
	}
	for _, c := range []struct {
		paths   pki.Paths
		missing bool
		want    []string // one part of a line for each fault
	}{
		{
			at(func(p *pki.Paths) { p.Cert = "/none.pem" }), true,
			[]string{"openflow.tls.cert: stat /none.pem: no such file"},
		},
		{
			at(func(p *pki.Paths) { p.Cert, p.Key, p.CA = "/a", "/b", "/c" }), true,
			[]string{"openflow.tls.cert: stat /a", "openflow.tls.key: stat /b", "openflow.tls.ca: stat /c"},
		},
		{
			at(func(p *pki.Paths) { p.Cert = good.Key }), false,
			[]string{"openflow.tls.cert: " + good.Key + " holds no certificate"},
		},
		{
			at(func(p *pki.Paths) { p.Key = good.Cert }), false,
			[]string{"openflow.tls.key: " + good.Cert + " holds no private key"},
		},
		{
			at(func(p *pki.Paths) { p.CA = good.Key }), false,
			[]string{"openflow.tls.ca: " + good.Key + " holds no certificate"},
		},
		{
			at(func(p *pki.Paths) { p.Key = other.Key() }), false,
			[]string{"openflow.tls.key: " + other.Key() + " is not the key of the certificate in " + good.Cert},
		},
		{
			at(func(p *pki.Paths) { p.Key = write("k", block("PRIVATE KEY")) }), false,
			[]string{"failed to parse private key"},
		},
		{
			at(func(p *pki.Paths) { p.Key = write("k", block("ENCRYPTED PRIVATE KEY")) }), false,
			[]string{"encrypted with a passphrase"},
		},
		{at(func(p *pki.Paths) { p.CA = write("c", block("CERTIFICATE")) }), false, []string{"certificate 1: x509: "}},
		{at(func(p *pki.Paths) { p.CA = write("c", "") }), false, []string{"holds no certificate"}},
		{at(func(p *pki.Paths) { p.CA = t.TempDir() }), false, []string{"is not a file"}},
		{at(func(p *pki.Paths) { p.CA = "/dev/zero" }), false, []string{"is not a file"}},
	} {
		_, err := pki.Load(c.paths)
		if err == nil {
			t.Errorf("%+v: no error", c.paths)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(c.want) {
			t.Errorf("%+v: %v", c.paths, err)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%q does not say %q", lines[i], want)
			}
		}
		var file *pki.FileError
		if !errors.As(err, &file) || file.Missing() != c.missing {
			t.Errorf("%v: missing is not %v", err, c.missing)
		}
	}
	if _, err := pki.Load(at(func(p *pki.Paths) { p.CA = "" })); err != nil {
		t.Errorf("without authorities: %v", err)
	}
}

// The first of certificate, chain and authorities that ends counts.
func TestExpires(t *testing.T) {
	ca := pkitest.New(t, "CA") // three days
	files := pkitest.NewFiles(t)
	week := time.Now().Add(7 * 24 * time.Hour)
	files.Write(ca.Issue("controller", week), ca)
	m, err := pki.Load(paths(files))
	if err != nil || !m.Expires().Equal(ca.Cert.NotAfter) {
		t.Errorf("%v, %v", m, err)
	}
	p := paths(files)
	p.CA = ""
	if m, err = pki.Load(p); err != nil || !m.Expires().Equal(m.Cert.Leaf.NotAfter) {
		t.Errorf("%v, %v", m, err)
	}
}

func TestReplaced(t *testing.T) {
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("first", pkitest.Tomorrow()), ca)
	var log testLog
	f, err := pki.Open(paths(files), &log)
	if err != nil {
		t.Fatal(err)
	}
	first := f.Current()
	if f.Current() != first || !f.Healthy() || len(log.take()) != 0 {
		t.Error("files that have not changed were read again")
	}
	files.Write(ca.Issue("second", pkitest.Tomorrow()), ca)
	second := f.Current()
	if second.Cert.Leaf.Subject.CommonName != "second" {
		t.Errorf("%s is in use", second.Cert.Leaf.Subject)
	}
	if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "info openflow.tls") ||
		!strings.Contains(got[0], `"second"`) ||
		!strings.Contains(got[0], fmt.Sprintf("serial %X", second.Cert.Leaf.SerialNumber)) {
		t.Errorf("logged: %q", got)
	}

	// A fault is told once, another one again.
	files.Break(files.Key(), "rubbish")
	for range 3 {
		if f.Current() != second || f.Healthy() {
			t.Error("broken files are in use")
		}
	}
	if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "error openflow.tls.key: ") ||
		!strings.Contains(got[0], "holds no private key; the certificates read before stay in use") {
		t.Errorf("logged: %q", got)
	}
	if err := os.Remove(files.CA()); err != nil {
		t.Fatal(err)
	}
	f.Current()
	if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "holds no private key; openflow.tls.ca: stat") ||
		strings.Contains(got[0], "\n") {
		t.Errorf("logged: %q", got)
	}

	// The same files as before, one of which was away for a while, are right again; so is a replacement of the same
	// time and size.
	files.Write(ca.Issue("third!", pkitest.Tomorrow()), ca)
	third := f.Current()
	if third.Cert.Leaf.Subject.CommonName != "third!" || !f.Healthy() || len(log.take()) != 1 {
		t.Errorf("%s is in use", third.Cert.Leaf.Subject)
	}
	info, err := os.Stat(files.Cert())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{files.Cert(), files.Key(), files.CA()} {
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
	}
	files.Write(ca.Issue("fourth", pkitest.Tomorrow()), ca)
	for _, path := range []string{files.Cert(), files.Key(), files.CA()} {
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Current().Cert.Leaf.Subject.CommonName; got != "fourth" {
		t.Errorf("%s is in use", got)
	}
}

// At the start there is nothing that could stay in use.
func TestOpenRefusesWhatIsBroken(t *testing.T) {
	if _, err := pki.Open(pki.Paths{Section: "http.tls", Cert: "/none", Key: "/none"}, &testLog{}); err == nil ||
		!strings.Contains(err.Error(), "http.tls.cert: ") {
		t.Errorf("error %v", err)
	}
}

// web serves files on loopback: one handshake and one byte for each connection.
func web(t *testing.T, f *pki.Files) string {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := f.Listen(plain)
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the client
				defer nc.Close()
				if _, err := nc.Write([]byte{1}); err == nil {
					_, _ = io.Copy(io.Discard, nc)
				}
			}()
		}
	}()
	return plain.Addr().String()
}

// shows has a client show its certificate whatever authorities the server names, as not every client does.
func shows(c *tls.Config, certs ...tls.Certificate) *tls.Config {
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certs) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certs[0], nil
	}
	return c
}

// reaches connects and reads the byte; with TLS 1.3 a client learns only then that its certificate was refused.
func reaches(addr string, c *tls.Config) (*tls.Conn, error) {
	nc, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return nc, nil
}

// TestListen: who is let in by the HTTP server's listener, and with which certificate it answers.
func TestListen(t *testing.T) {
	ca, other := pkitest.New(t, "CA"), pkitest.New(t, "other CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1"), ca)
	open := func(p pki.Paths) (*pki.Files, string) {
		f, err := pki.Open(p, &testLog{})
		if err != nil {
			t.Fatal(err)
		}
		return f, web(t, f)
	}
	_, mutual := open(paths(files))
	oneSided := paths(files)
	oneSided.CA = ""
	_, anybody := open(oneSided)
	client := ca.Issue("client", pkitest.Tomorrow())
	for _, c := range []struct {
		addr  string
		certs []tls.Certificate
		says  string // "" is let in
	}{
		{anybody, nil, ""},
		{anybody, []tls.Certificate{client}, ""},
		{mutual, []tls.Certificate{client}, ""},
		{
			mutual,
			[]tls.Certificate{ca.IssueFor([]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, "c", pkitest.Tomorrow())},
			"",
		},
		{mutual, nil, "certificate required"},
		{mutual, []tls.Certificate{other.Issue("client", pkitest.Tomorrow())}, "unknown certificate authority"},
		{mutual, []tls.Certificate{ca.Issue("client", pkitest.Yesterday())}, "expired certificate"},
		{
			mutual,
			[]tls.Certificate{ca.IssueFor([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, "a server",
				pkitest.Tomorrow())},
			"bad certificate",
		},
	} {
		nc, err := reaches(c.addr, shows(&tls.Config{RootCAs: ca.Pool(), NextProtos: []string{"h2", "http/1.1"}},
			c.certs...))
		if c.says == "" {
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			if p := nc.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
				t.Errorf("protocol %q", p)
			}
			_ = nc.Close()
		} else if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want %s", err, c.says)
		}
	}
	for version, ok := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true,
		tls.VersionTLS13: true,
	} {
		nc, err := reaches(anybody, &tls.Config{RootCAs: ca.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = nc.Close()
		}
	}
	nc, err := reaches(anybody, &tls.Config{RootCAs: ca.Pool()})
	if err != nil || nc.ConnectionState().Version != tls.VersionTLS13 {
		t.Errorf("TLS 1.3 is not preferred: %v", err)
	}

	// Replaced: the connection that is up stays, the next one meets the new certificate and authority. Nobody comes
	// back by a ticket that an old authority has vouched for.
	sessions := tls.NewLRUClientSessionCache(8)
	mine := shows(&tls.Config{RootCAs: ca.Pool(), ClientSessionCache: sessions}, client)
	up, err := reaches(mutual, mine)
	if err != nil {
		t.Fatal(err)
	}
	next := ca.Issue("eosin again", pkitest.Tomorrow(), "127.0.0.1")
	files.Write(next, other)
	if _, err := reaches(mutual, mine); err == nil || !strings.Contains(err.Error(), "unknown certificate authority") {
		t.Errorf("a client of the authority before: %v", err)
	}
	late, err := reaches(mutual, &tls.Config{
		RootCAs:      ca.Pool(),
		Certificates: []tls.Certificate{other.Issue("client", pkitest.Tomorrow())},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := late.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(next.Leaf.SerialNumber) != 0 {
		t.Errorf("certificate %X is shown, want %X", got, next.Leaf.SerialNumber)
	}
	if _, err := up.Write([]byte{1}); err != nil {
		t.Errorf("the connection that was up: %v", err)
	}
	if err := up.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var netErr net.Error
	if _, err := up.Read(make([]byte, 1)); !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Errorf("the connection that was up: %v", err)
	}
}
