package controller

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/eosin-sdn/eosin/config"
)

// tlsFiles keeps the certificate, key and CA of the OpenFlow side, and reads them again when a file has changed: new
// connections use the new ones, those that are up stay.
type tlsFiles struct {
	paths config.TLS

	mu      sync.Mutex
	stamp   [3]time.Time
	cert    tls.Certificate
	cas     *x509.CertPool
	expires time.Time // when the first of certificate and CA ends
}

// newTLSFiles reads the files once, so that a mistake is found at the start.
func newTLSFiles(paths config.TLS) (*tlsFiles, error) {
	f := &tlsFiles{paths: paths}
	return f, f.refresh()
}

// refresh reads the files if one of them has changed. After an error what was read before stays in use.
func (f *tlsFiles) refresh() error {
	var stamp [3]time.Time
	for i, p := range []string{f.paths.Cert, f.paths.Key, f.paths.CA} {
		st, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("openflow.tls: %w", err)
		}
		stamp[i] = st.ModTime()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if stamp == f.stamp {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(f.paths.Cert, f.paths.Key)
	if err != nil {
		return fmt.Errorf("openflow.tls: certificate %s with key %s: %w", f.paths.Cert, f.paths.Key, err)
	}
	text, err := os.ReadFile(f.paths.CA)
	if err != nil {
		return fmt.Errorf("openflow.tls: %w", err)
	}
	cas, expires := x509.NewCertPool(), cert.Leaf.NotAfter
	found := false
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("openflow.tls: %s: %w", f.paths.CA, err)
		}
		cas.AddCert(ca)
		found = true
		if ca.NotAfter.Before(expires) {
			expires = ca.NotAfter
		}
	}
	if !found {
		return fmt.Errorf("openflow.tls: %s holds no certificate", f.paths.CA)
	}
	f.stamp, f.cert, f.cas, f.expires = stamp, cert, cas, expires
	return nil
}

// expiry returns when the first of the certificates in use ends.
func (f *tlsFiles) expiry() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.expires
}

// config returns the settings for one connection, with the files as they are now. Both ends show certificates: that of a peer
// must come from the CA, for whatever purpose and host name, since ovs-pki's certificates name neither.
func (f *tlsFiles) config(log func(error)) *tls.Config {
	if err := f.refresh(); err != nil {
		log(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	cas := f.cas
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{f.cert},
		ClientAuth:   tls.RequireAnyClientCert,
		// Verification is done below for both directions.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return fmt.Errorf("the peer shows no certificate")
			}
			others := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				others.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: cas, Intermediates: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			return err
		},
	}
}

// server wraps accepted connections; client wraps dialled ones.
func (f *tlsFiles) server(nc net.Conn, log func(error)) net.Conn {
	return tls.Server(nc, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.config(log), nil },
	})
}

func (f *tlsFiles) client(nc net.Conn, log func(error)) net.Conn {
	return tls.Client(nc, f.config(log))
}

// certificateName returns the common name of the peer's certificate, "" without TLS. The handshake must be done.
func certificateName(nc net.Conn) string {
	if t, ok := nc.(*tls.Conn); ok {
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
			return certs[0].Subject.CommonName
		}
	}
	return ""
}
