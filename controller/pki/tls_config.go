package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// ErrNoCertificate means that a peer has sent no certificate although one is required.
var ErrNoCertificate = errors.New("it shows no certificate")

// CertificateError is the rejection of a peer's certificate. It unwraps to an error of crypto/x509.
type CertificateError struct {
	Cert *x509.Certificate
	Err  error
}

// Error names the certificate.
func (e *CertificateError) Error() string {
	return fmt.Sprintf("%s, issued by %q: %v", Name(e.Cert), e.Cert.Issuer.CommonName, e.Err)
}

// Unwrap returns the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// mutual returns the TLS configuration of an OpenFlow connection, where both ends send certificates. A peer's
// certificate is valid for any purpose and host name, since certificates of ovs-pki name neither.
func (m *KeyMaterial) mutual() *tls.Config {
	authorities := m.Pool
	if authorities == nil {
		authorities = x509.NewCertPool() // trust nobody: nil would be the system roots
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{m.Cert},
		ClientAuth:   tls.RequireAnyClientCert,
		// Each connection is checked against the present authorities.
		SessionTicketsDisabled: true,
		// VerifyConnection does the verification in both directions.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return ErrNoCertificate
			}
			intermediates := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: authorities, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			if err != nil {
				return &CertificateError{s.PeerCertificates[0], err}
			}
			return nil
		},
	}
}

// Accept wraps a connection from a switch; hello is called when the ClientHello has arrived. The caller does the
// handshake.
func (f *Files) Accept(nc net.Conn, hello func()) *tls.Conn {
	return tls.Server(nc, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			hello()
			return f.Current().mutual(), nil
		},
	})
}

// Connect wraps a connection to a bridge. The caller does the handshake.
func (f *Files) Connect(nc net.Conn) *tls.Conn { return tls.Client(nc, f.Current().mutual()) }

// Listen wraps the listener of the HTTP server. With authorities, a client needs a certificate that they have issued
// and that is not limited to other purposes. HTTP/2 is not offered, since the server's connection limits assume
// HTTP/1.1.
func (f *Files) Listen(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m := f.Current()
			c := &tls.Config{
				MinVersion:   tls.VersionTLS12,
				Certificates: []tls.Certificate{m.Cert},
				NextProtos:   []string{"http/1.1"},
				// A session ticket would outlive a replaced authority.
				SessionTicketsDisabled: true,
			}
			if m.Pool != nil {
				c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, m.Pool
			}
			return c, nil
		},
	})
}
