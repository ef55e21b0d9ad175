package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// ErrNoCertificate means that a peer has shown no certificate where one is demanded.
var ErrNoCertificate = errors.New("it shows no certificate")

// CertificateError is a peer's certificate that is not believed. It unwraps to the reason, which is one of crypto/x509.
type CertificateError struct {
	Cert *x509.Certificate
	Err  error
}

// Error names the certificate.
func (e *CertificateError) Error() string {
	return fmt.Sprintf("%s, issued by %q: %v", Name(e.Cert), e.Cert.Issuer.CommonName, e.Err)
}

// Unwrap returns the reason.
func (e *CertificateError) Unwrap() error { return e.Err }

// peer is the settings of one OpenFlow connection. Both ends show certificates: that of a peer must come from the authorities,
// for whatever purpose and host name, since ovs-pki's certificates name neither.
func (m *Material) peer() *tls.Config {
	authorities := m.Pool
	if authorities == nil {
		authorities = x509.NewCertPool() // nobody: nil would stand for those of the system
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{m.Cert},
		ClientAuth:   tls.RequireAnyClientCert,
		// Each connection is held to the authorities of its own time.
		SessionTicketsDisabled: true,
		// Verification is done below for both directions.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return ErrNoCertificate
			}
			others := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				others.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: authorities, Intermediates: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			if err != nil {
				return &CertificateError{s.PeerCertificates[0], err}
			}
			return nil
		},
	}
}

// Accept wraps a connection that a switch has made. hello is called when it has begun to speak TLS. The handshake is left to the
// caller.
func (f *Files) Accept(nc net.Conn, hello func()) *tls.Conn {
	return tls.Server(nc, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			hello()
			return f.Current().peer(), nil
		},
	})
}

// Connect wraps a connection that was made to a bridge. The handshake is left to the caller.
func (f *Files) Connect(nc net.Conn) *tls.Conn { return tls.Client(nc, f.Current().peer()) }

// Listen wraps the listener of the HTTP server. With authorities a client must show a certificate that comes from them and is
// meant for clients, if it says what it is meant for.
//
// HTTP/2 is not offered: the limits that keep clients from holding what others need are those of HTTP/1.1 connections.
func (f *Files) Listen(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m := f.Current()
			c := &tls.Config{
				MinVersion:   tls.VersionTLS12,
				Certificates: []tls.Certificate{m.Cert},
				NextProtos:   []string{"http/1.1"},
				// A ticket would outlive a replaced authority.
				SessionTicketsDisabled: true,
			}
			if m.Pool != nil {
				c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, m.Pool
			}
			return c, nil
		},
	})
}
