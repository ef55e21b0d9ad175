package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/pki"
)

// severity of a finding about a file.
type severity int

const (
	warning  severity = iota // usable, but should be fixed
	missing                  // fatal where the controller runs, expected elsewhere
	expired                  // usable here, but peers will reject it
	unusable                 // the controller cannot start with it
)

// fileFinding is a finding about a file that the config names.
type fileFinding struct {
	config.Error
	severity severity
}

// expiresSoon is how early the end of a certificate is warned of.
const expiresSoon = 14 * 24 * time.Hour

// checkFiles checks the files that a config names: that they can be read, are well-formed, belong together, and have
// not expired. The findings are sorted by line.
func checkFiles(cfg *config.Config, now time.Time) []fileFinding {
	c := fileCheck{cfg: cfg, now: now}
	if t := cfg.OpenFlow.TLS; !t.IsZero() {
		c.tls(openflowPaths(t))
	}
	if t := cfg.HTTP.TLS; !t.IsZero() {
		if m := c.tls(httpPaths(t)); m != nil {
			c.web(m.Cert.Leaf)
		}
	}
	if cfg.HTTP.TokenFile != "" {
		if _, err := readToken(cfg.HTTP.TokenFile); err != nil {
			c.fault("http.token_file", err)
		} else {
			c.private("http.token_file", cfg.HTTP.TokenFile)
		}
	}
	slices.SortStableFunc(c.found, func(a, b fileFinding) int { return cmp.Compare(a.Line, b.Line) })
	return c.found
}

func openflowPaths(t config.TLS) pki.Paths {
	return pki.Paths{Section: "openflow.tls", Cert: t.Cert, Key: t.Key, CA: t.CA}
}

func httpPaths(t config.TLS) pki.Paths {
	return pki.Paths{Section: "http.tls", Cert: t.Cert, Key: t.Key, CA: t.CA}
}

// fileCheck collects findings.
type fileCheck struct {
	cfg   *config.Config
	now   time.Time
	found []fileFinding
}

// add adds a finding at the line that names the file.
func (c *fileCheck) add(s severity, key, format string, args ...any) {
	e := config.Error{File: c.cfg.File, Message: key + ": " + fmt.Sprintf(format, args...)}
	for _, f := range c.cfg.Files {
		if f.Key == key {
			e.Line = f.Line
		}
	}
	c.found = append(c.found, fileFinding{e, s})
}

// fault adds a finding about a file that is missing or unusable.
func (c *fileCheck) fault(key string, err error) {
	if (&pki.FileError{Err: err}).Missing() {
		c.add(missing, key, "%v", err)
		return
	}
	c.add(unusable, key, "%v", err)
}

// tls checks the TLS files of one section and returns their content if it can be used.
func (c *fileCheck) tls(p pki.Paths) *pki.KeyMaterial {
	m, err := pki.Load(p)
	if err != nil {
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			for _, e := range joined.Unwrap() {
				var file *pki.FileError
				if errors.As(e, &file) {
					c.fault(file.Key, file.Err)
				}
			}
		}
		return nil
	}
	c.private(p.Section+".key", p.Key)
	for i, cert := range m.Chain {
		c.dates(p.Section+".cert", p.Cert, cert, i == 0)
	}
	for _, cert := range m.Authorities {
		c.dates(p.Section+".ca", p.CA, cert, len(m.Authorities) == 1)
		// version 1 has no basicConstraints
		if v3 := cert.Version == 3 || cert.BasicConstraintsValid; v3 && !cert.IsCA {
			c.add(warning, p.Section+".ca", "%s: %s is not that of an authority: no other certificate can come from it",
				p.CA, pki.Name(cert))
		}
	}
	return m
}

// dates checks the validity of a certificate. One of several authorities may have expired, as after a rollover.
func (c *fileCheck) dates(key, path string, cert *x509.Certificate, needed bool) {
	w := warning
	if needed {
		w = expired
	}
	switch {
	case c.now.After(cert.NotAfter):
		c.add(w, key, "%s: %s has expired on %s; make a new one", path, pki.Name(cert), when(cert.NotAfter))
	case c.now.Before(cert.NotBefore):
		c.add(w, key, "%s: %s is not valid before %s; set the clock or make a new one", path, pki.Name(cert),
			when(cert.NotBefore))
	case c.now.Add(expiresSoon).After(cert.NotAfter):
		c.add(warning, key, "%s: %s expires on %s; make a new one in time", path, pki.Name(cert), when(cert.NotAfter))
	}
}

// web checks what HTTPS clients require of a certificate and switches do not.
func (c *fileCheck) web(cert *x509.Certificate) {
	name := func(s string) bool { return s != "" && !strings.ContainsAny(s, " :/") }
	if len(cert.IPAddresses) == 0 && !slices.ContainsFunc(cert.DNSNames, name) {
		c.add(warning, "http.tls.cert", "%s: %s names no host and no address that clients could look for; make one "+
			"with a subjectAltName, as DNS:eosin.example or IP:192.0.2.1 (those of ovs-pki have none)",
			c.cfg.HTTP.TLS.Cert, pki.Name(cert))
	}
	forServers := func(use x509.ExtKeyUsage) bool {
		return use == x509.ExtKeyUsageServerAuth || use == x509.ExtKeyUsageAny
	}
	if len(cert.ExtKeyUsage) > 0 && !slices.ContainsFunc(cert.ExtKeyUsage, forServers) {
		c.add(warning, "http.tls.cert", "%s: %s is not meant for servers; make one without extendedKeyUsage, or with "+
			"serverAuth", c.cfg.HTTP.TLS.Cert, pki.Name(cert))
	}
}

// private checks that a secret is not world-readable.
func (c *fileCheck) private(key, path string) {
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o004 != 0 {
		c.add(warning, key, "%s can be read by everybody on this machine; chmod 600 %s", path, path)
	}
}

// maxToken is the longest token in bytes; requests cannot carry more.
const maxToken = 4 << 10

// readToken reads the token that HTTP clients must show. The error names the file.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	switch {
	case token == "":
		return "", fmt.Errorf("%s is empty", path)
	case len(token) > maxToken:
		return "", fmt.Errorf("%s has %d bytes; a token has at most %d", path, len(token), maxToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", fmt.Errorf(
			"%s holds more than one word, or letters that HTTP does not carry; write one word of ASCII", path)
	}
	return token, nil
}
