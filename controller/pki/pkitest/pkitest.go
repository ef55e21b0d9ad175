// Package pkitest creates certificates and their files for tests.
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	t    testing.TB
	key  *ecdsa.PrivateKey
}

var serials atomic.Int64

// Tomorrow is an end of validity in the future.
func Tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// Yesterday is an end of validity in the past.
func Yesterday() time.Time { return time.Now().Add(-24 * time.Hour) }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(0x1000 + serials.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
	}
}

// New creates an authority that is valid for three days.
func New(t testing.TB, name string) *Authority {
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
	return &Authority{cert, t, key}
}

// Issue issues a certificate without extended key usage, as ovs-pki does, for the given host names and addresses.
func (a *Authority) Issue(name string, until time.Time, hosts ...string) tls.Certificate {
	return a.IssueFor(nil, name, until, hosts...)
}

// IssueRSA issues a certificate with an RSA key, as ovs-pki does.
func (a *Authority) IssueRSA(name string, until time.Time, hosts ...string) tls.Certificate {
	a.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(key, nil, name, until, hosts)
}

// IssueFor issues a certificate with extended key usages.
func (a *Authority) IssueFor(purposes []x509.ExtKeyUsage, name string, until time.Time,
	hosts ...string,
) tls.Certificate {
	a.t.Helper()
	return a.sign(newKey(a.t), purposes, name, until, hosts)
}

func (a *Authority) sign(key crypto.Signer, purposes []x509.ExtKeyUsage, name string, until time.Time,
	hosts []string,
) tls.Certificate {
	a.t.Helper()
	tmpl := template(name, until)
	tmpl.ExtKeyUsage = purposes
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.Cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Pool returns a pool of this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Cert)
	return pool
}

// Files are the PEM files cert.pem, key.pem and ca.pem in one directory.
type Files struct {
	Dir string
	t   testing.TB
	n   int
}

// NewFiles returns files in a temporary directory, which Write creates.
func NewFiles(t testing.TB) *Files { return &Files{Dir: t.TempDir(), t: t} }

// Cert is the path of the certificate.
func (f *Files) Cert() string { return filepath.Join(f.Dir, "cert.pem") }

// Key is the path of its private key.
func (f *Files) Key() string { return filepath.Join(f.Dir, "key.pem") }

// CA is the path of the authorities.
func (f *Files) CA() string { return filepath.Join(f.Dir, "ca.pem") }

// Write creates or replaces the files, with a new modification time. Without authorities ca.pem is empty.
func (f *Files) Write(cert tls.Certificate, cas ...*Authority) {
	f.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		f.t.Fatal(err)
	}
	var ca []byte
	for _, a := range cas {
		ca = append(ca, encode("CERTIFICATE", a.Cert.Raw)...)
	}
	f.n++
	f.put(f.Cert(), encode("CERTIFICATE", cert.Certificate[0]))
	f.put(f.Key(), encode("PRIVATE KEY", key))
	f.put(f.CA(), ca)
}

// Break replaces the content of one of the files.
func (f *Files) Break(path, text string) {
	f.t.Helper()
	f.n++
	f.put(path, []byte(text))
}

func (f *Files) put(path string, text []byte) {
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	at := time.Now().Add(time.Duration(f.n) * time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		f.t.Fatal(err)
	}
}

// YAML returns the config of the files, with or without the authorities.
func (f *Files) YAML(mutual bool) string {
	if mutual {
		return fmt.Sprintf("{cert: %s, key: %s, ca: %s}", f.Cert(), f.Key(), f.CA())
	}
	return fmt.Sprintf("{cert: %s, key: %s}", f.Cert(), f.Key())
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
