package pki

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// watchInterval is how often Watch checks the files.
const watchInterval = 5 * time.Second

// Files holds key material and reloads it when a file has changed. New connections use the new material, established
// ones stay. While the new files are invalid, the previous material stays in use.
type Files struct {
	paths Paths
	log   Logger

	mu     sync.Mutex
	infos  [3]os.FileInfo // of the files as they were read
	loaded *KeyMaterial
	fault  string // why the files as they are cannot be used; "" if they can
}

// Logger receives reloads and faults. A fault is logged once, until it changes or is fixed.
type Logger interface {
	Infof(format string, args ...any)
	Errorf(format string, args ...any)
}

// sameFile reports whether a file is unchanged; nil is a file that does not exist.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Open loads the files. It fails if they cannot be used.
func Open(p Paths, log Logger) (*Files, error) {
	infos := p.stat() // before reading, so that a change in between is seen the next time
	m, err := Load(p)
	if err != nil {
		return nil, err
	}
	return &Files{paths: p, log: log, infos: infos, loaded: m}, nil
}

// stat returns the state of the files on disk; nil for one that is not configured or does not exist.
func (p Paths) stat() (infos [3]os.FileInfo) {
	for i, path := range []string{p.Cert, p.Key, p.CA} {
		infos[i], _ = os.Stat(path)
	}
	return infos
}

// Current returns the key material of the files as they are, or of the last time that they were valid.
func (f *Files) Current() *KeyMaterial {
	f.mu.Lock()
	defer f.mu.Unlock()
	infos := f.paths.stat()
	if f.fault == "" && slices.EqualFunc(infos[:], f.infos[:], sameFile) {
		return f.loaded
	}
	m, err := Load(f.paths)
	if err != nil {
		if text := strings.ReplaceAll(err.Error(), "\n", "; "); text != f.fault { // one line for each file
			f.fault = text
			f.log.Errorf("%s; the certificates read before stay in use", text)
		}
		return f.loaded
	}
	f.log.Infof("%s: the files have changed and were read again: %s", f.paths.Section, m.describe())
	f.infos, f.loaded, f.fault = infos, m, ""
	return m
}

// Healthy reports whether the files as they are can be used.
func (f *Files) Healthy() bool {
	f.Current()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault == ""
}

// Watch checks the files periodically until ctx ends, so that invalid ones are logged before somebody connects.
func (f *Files) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.Current()
		}
	}
}

// describe summarizes the material for the log.
func (m *KeyMaterial) describe() string {
	text := fmt.Sprintf("%s, until %s", Name(m.Cert.Leaf), m.Cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	if n := len(m.Authorities); n > 0 {
		text += fmt.Sprintf(", authorities: %d", n)
	}
	return text
}

// Name returns how log lines and errors name a certificate.
func Name(c *x509.Certificate) string {
	return fmt.Sprintf("certificate %q (serial %X)", c.Subject.CommonName, c.SerialNumber)
}
