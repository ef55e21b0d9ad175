// Package pki loads certificates, private keys and trusted authorities from PEM files, reloads them when the files
// change, and makes TLS configurations of them for OpenFlow and HTTP.
package pki

import (
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

// Paths are the PEM files of one listener or client.
type Paths struct {
	// Section is their section in the config, for messages: "openflow.tls". A client has none.
	Section string
	// Cert holds a certificate followed by its intermediates, and Key its private key. A client may have neither.
	Cert, Key string
	// CA holds the trusted authorities for certificates of peers; empty: peers are not asked for one.
	CA string
}

// FileError is the reason why one of the files cannot be used. It unwraps to its cause.
type FileError struct {
	// Key is the config key of the file: "http.tls.key".
	Key string
	Err error
}

// Error names the config key; the cause names the file.
func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Missing reports whether the file does not exist or must not be read by this user.
func (e *FileError) Missing() bool {
	return errors.Is(e.Err, fs.ErrNotExist) || errors.Is(e.Err, fs.ErrPermission)
}

// KeyMaterial is the content of the files.
type KeyMaterial struct {
	// Cert is the certificate with its chain and key. Leaf is set if there is a certificate.
	Cert tls.Certificate
	// Authorities are the certificates of the CA file.
	Authorities []*x509.Certificate
	// Chain is every certificate of the Cert file, leaf first.
	Chain []*x509.Certificate
	// Pool holds the Authorities; nil without a CA file.
	Pool *x509.CertPool
}

// Expires returns the earliest end of validity of all certificates.
func (m *KeyMaterial) Expires() (at time.Time) {
	for _, c := range slices.Concat(m.Chain, m.Authorities) {
		if at.IsZero() || c.NotAfter.Before(at) {
			at = c.NotAfter
		}
	}
	return at
}

// maxFileSize is the maximum size of a file in bytes.
const maxFileSize = 4 << 20

// Load reads the files and checks that they belong together. The error joins one FileError per invalid file.
func Load(p Paths) (*KeyMaterial, error) {
	var faults []error
	fault := func(key string, err error) {
		faults = append(faults, &FileError{Key: strings.TrimPrefix(p.Section+"."+key, "."), Err: err})
	}
	read := func(key, path string, check func(path string, text []byte) error) []byte {
		if path == "" {
			return nil
		}
		text, err := readFile(path)
		if err == nil {
			err = check(path, text)
		}
		if err != nil {
			fault(key, err)
			return nil
		}
		return text
	}
	m := &KeyMaterial{}
	certificatesTo := func(list *[]*x509.Certificate) func(string, []byte) error {
		return func(path string, text []byte) (err error) {
			*list, err = certificates(path, text)
			return err
		}
	}
	cert, key := read("cert", p.Cert, certificatesTo(&m.Chain)), read("key", p.Key, privateKey)
	if cert != nil && key != nil {
		var err error
		if m.Cert, err = tls.X509KeyPair(cert, key); err != nil {
			fault("key", fmt.Errorf("%s is not the key of the certificate in %s: %w", p.Key, p.Cert, err))
		}
	}
	if read("ca", p.CA, certificatesTo(&m.Authorities)) != nil {
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

// readFile reads a regular file of limited size.
func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path) // opening a pipe would block
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFileSize {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, maxFileSize)
	}
	return os.ReadFile(path)
}

// certificates parses a PEM file of one or more certificates. Text between them is ignored: ovs-pki writes some.
func certificates(path string, text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
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

// privateKey checks that a PEM file has an unencrypted private key. tls.X509KeyPair parses it.
func privateKey(path string, text []byte) error {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
			return fmt.Errorf("%s is encrypted with a passphrase, for which nobody could be asked: "+
				"write it out with `openssl pkey -in FILE -out FILE`", path)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		}
	}
	return fmt.Errorf("%s holds no private key", path)
}
