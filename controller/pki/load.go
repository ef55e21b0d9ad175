// Package pki keeps the certificates that the program shows and the authorities that it believes: it reads them from PEM files,
// reads them again when they have changed, and makes of them the settings of TLS for OpenFlow and for HTTP.
package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Paths are the PEM files of one side of the program.
type Paths struct {
	// Section is what the config calls them, for messages: "openflow.tls". A client has none.
	Section string
	// Cert holds a certificate, with those between it and its authority after it, and Key its private key. A client may have
	// neither.
	Cert, Key string
	// CA holds the authorities from one of which certificates of peers must come; empty: peers show none.
	CA string
}

// FileError says which of the files cannot be used, and why. It unwraps to the reason.
type FileError struct {
	// Key is what the config calls the file: "http.tls.key".
	Key string
	Err error
}

// Error names the key; the reason names the file.
func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Key, e.Err) }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Missing reports that there is no such file, or that it may not be read by who runs the program.
func (e *FileError) Missing() bool {
	return errors.Is(e.Err, fs.ErrNotExist) || errors.Is(e.Err, fs.ErrPermission)
}

// Material is what the files hold.
type Material struct {
	// Cert is the certificate with its chain and key. Leaf is set, if there is one.
	Cert tls.Certificate
	// Authorities are the certificates of the CA file.
	Authorities []*x509.Certificate
	// Chain is every certificate of the file of the certificate, its own first.
	Chain []*x509.Certificate

	// Pool is the Authorities; nil without a CA file.
	Pool *x509.CertPool
}

// Expires is when the first of the certificates ends.
func (m *Material) Expires() (at time.Time) {
	for _, c := range slices.Concat(m.Chain, m.Authorities) {
		if at.IsZero() || c.NotAfter.Before(at) {
			at = c.NotAfter
		}
	}
	return at
}

// maxFile bounds what is read of a file.
const maxFile = 4 << 20

// Load reads the files and checks that they fit together. The error joins a FileError for every file with a fault.
func Load(p Paths) (*Material, error) {
	var faults []error
	fault := func(key string, err error) {
		faults = append(faults, &FileError{Key: strings.TrimPrefix(p.Section+"."+key, "."), Err: err})
	}
	read := func(key, path string) []byte {
		if path == "" {
			return nil
		}
		text, err := readFile(path)
		if err != nil {
			fault(key, err)
		}
		return text
	}
	m := &Material{}
	cert, key := read("cert", p.Cert), read("key", p.Key)
	if cert != nil {
		var err error
		if m.Chain, err = certificates(p.Cert, cert); err != nil {
			fault("cert", err)
			cert = nil
		}
	}
	if key != nil {
		if err := privateKey(p.Key, key); err != nil {
			fault("key", err)
			key = nil
		}
	}
	if cert != nil && key != nil {
		var err error
		if m.Cert, err = tls.X509KeyPair(cert, key); err != nil {
			fault("key", fmt.Errorf("%s is not the key of the certificate in %s: %w", p.Key, p.Cert, err))
		}
	}
	if text := read("ca", p.CA); text != nil {
		var err error
		if m.Authorities, err = certificates(p.CA, text); err != nil {
			fault("ca", err)
		}
		m.Pool = x509.NewCertPool()
		for _, c := range m.Authorities {
			m.Pool.AddCert(c)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return m, nil
}

// readFile reads a file of a sensible size.
func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path) // opening a pipe would wait
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// certificates reads every certificate of a PEM file, which holds one at least. Text between them is left alone: ovs-pki writes
// some.
func certificates(path string, text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(list)+1, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate: none begins with -----BEGIN CERTIFICATE-----", path)
	}
	return list, nil
}

// privateKey looks whether a PEM file has a private key that can be used as it is. What is wrong inside is found later.
func privateKey(path string, text []byte) error {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return fmt.Errorf("%s holds no private key", path)
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
			return fmt.Errorf("%s is encrypted with a passphrase, for which nobody could be asked: write it out with `openssl pkey -in FILE -out FILE`", path)
		case bytes.HasSuffix([]byte(block.Type), []byte("PRIVATE KEY")):
			return nil
		}
	}
}
