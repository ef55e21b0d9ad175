package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/pki"
)

// tlsFlags are the help of the flags that name TLS files.
var tlsFlags = map[string]string{
	"ca": "file with the authority that the controller's certificate comes from (default $EOSIN_CA, else those of " +
		"the system)",
	"cert": "file with the certificate to show to the controller (default $EOSIN_CERT)",
	"key":  "file with the key of --cert (default $EOSIN_KEY)",
}

// source is a file name and the flag or environment variable that gave it.
type source struct{ name, path string }

// sources returns the TLS files that were given, by flag.
func (a *app) sources() map[string]source {
	files := map[string]source{}
	for flag := range tlsFlags {
		variable := "EOSIN_" + strings.ToUpper(flag)
		if path := *a.tlsFiles[flag]; path != "" {
			files[flag] = source{"--" + flag, path}
		} else if path = a.env(variable); path != "" {
			files[flag] = source{variable, path}
		}
	}
	return files
}

// clientTLS returns the TLS settings for a URL scheme; nil for http.
func (a *app) clientTLS(scheme string, files map[string]source) (*tls.Config, error) {
	if scheme == "http" {
		for _, key := range []string{"ca", "cert", "key"} {
			if f := files[key]; strings.HasPrefix(f.name, "--") {
				return nil, usageErrorf(
					"%s is for servers that speak HTTPS; write https:// in --server or EOSIN_SERVER", f.name)
			}
		}
		return nil, nil
	}
	cert, key := files["cert"], files["key"]
	if (cert.path == "") != (key.path == "") {
		return nil, usageErrorf("a certificate needs its key: give both --cert and --key, or EOSIN_CERT and EOSIN_KEY")
	}
	m, err := pki.Load(pki.Paths{Cert: cert.path, Key: key.path, CA: files["ca"].path})
	if err != nil {
		var file *pki.FileError
		if errors.As(err, &file) {
			err = fmt.Errorf("%s: %w", files[file.Key].name, file.Err)
		}
		return nil, failf("%w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.Pool}
	if m.Cert.Leaf != nil {
		// Sent even if the server names other authorities, so that the server can say what is wrong with it.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &m.Cert, nil }
	}
	return c, nil
}

// httpsExpected is what net/http answers to plain HTTP on a TLS port.
const httpsExpected = "HTTP request to an HTTPS server"

// explainTLS turns a TLS error into one that says what to do. It returns nil for errors that have nothing to do with
// TLS.
func (c *client) explainTLS(err error, now time.Time) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var remote *net.OpError
	ca, cert := c.files["ca"], c.files["cert"]
	https := strings.HasPrefix(c.base, "https:")
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the server at %s speaks HTTP, not HTTPS: write http://%s, if that is meant", c.base,
			strings.TrimPrefix(c.base, "https://"))
	case errors.As(err, &record):
		return fmt.Errorf("what answers at %s does not speak HTTPS", c.base)
	case errors.As(err, &unknown) && ca.path == "":
		return fmt.Errorf("the certificate of %s comes from an authority that this system does not know%s: give the "+
			"authority's certificate with --ca or EOSIN_CA", c.base, issuer(unknown.Cert))
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of %s does not come from the authority in %s (%s)%s", c.base, ca.path,
			ca.name, issuer(unknown.Cert))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
		return fmt.Errorf("the certificate of %s is not valid before %s, and here it is %s", c.base,
			when(invalid.Cert.NotBefore), when(now))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the certificate of %s has expired on %s (%s)", c.base, when(invalid.Cert.NotAfter),
			pki.Name(invalid.Cert))
	case errors.As(err, &host):
		return fmt.Errorf("the certificate of %s is not for %s but for %s: use a name that is in it, or make one that "+
			"has this name as subjectAltName", c.base, host.Host, namesIn(host.Certificate))
	case errors.As(err, &invalid):
		return fmt.Errorf("the certificate of %s cannot be used: %w", c.base, err)
	case errors.As(err, &remote) && remote.Op == "remote error":
		return c.explainAlert(strings.TrimPrefix(remote.Err.Error(), "tls: "))
	case https && isDisconnect(err) && cert.path == "":
		return fmt.Errorf("the server at %s hung up (%w): it may demand a certificate of its clients, which "+
			"--cert and --key give", c.base, err)
	case https && isDisconnect(err):
		return fmt.Errorf("the server at %s hung up (%w): it may not accept the certificate in %s (%s)", c.base, err,
			cert.path, cert.name)
	}
	return nil
}

// isDisconnect reports a connection that broke. In TLS 1.3 the client finishes its handshake before the server rejects
// its certificate, so the alert may be lost.
func isDisconnect(err error) bool {
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE},
		func(target error) bool { return errors.Is(err, target) })
}

// explainAlert explains a TLS alert of the server.
func (c *client) explainAlert(alert string) error {
	cert := c.files["cert"]
	refused := strings.Contains(alert, "bad certificate") || strings.Contains(alert, "handshake failure")
	switch {
	case strings.Contains(alert, "certificate required"), cert.path == "" && refused:
		return fmt.Errorf("the controller at %s demands a certificate of its clients: give yours with --cert and "+
			"--key, or EOSIN_CERT and EOSIN_KEY", c.base)
	case cert.path != "" && strings.Contains(alert, "certificate"):
		return fmt.Errorf("the controller at %s does not accept the certificate in %s (%s): %s", c.base, cert.path,
			cert.name, alert)
	}
	return fmt.Errorf("the server at %s ended the TLS handshake: %s", c.base, alert)
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// issuer names the issuer of a certificate.
func issuer(c *x509.Certificate) string {
	if c == nil || c.Issuer.String() == "" {
		return ""
	}
	return fmt.Sprintf(" (issued by %s)", spelling.Printable(c.Issuer.String()))
}

// namesIn lists the subject alternative names of a certificate.
func namesIn(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return spelling.Printable(strings.Join(names, ", "))
}
