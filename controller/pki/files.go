package pki

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// Watch looks at the files so often.
const watchEvery = 5 * time.Second

// Files keeps what some files hold, and reads them again when one has changed: connections that are made later use the new
// ones, those that are up stay. While a replacement cannot be used what was read before stays in use.
type Files struct {
	paths Paths
	tell  Tell

	mu     sync.Mutex
	stamps [3]stamp
	now    *Material
	fault  string // of the replacement that cannot be used; "" for none
}

// Tell hears what an operator wants to know of the files. A fault is told once, until it changes or has gone.
type Tell interface {
	Infof(format string, args ...any)
	Errorf(format string, args ...any)
}

// stamp tells whether a file is still the one that was read.
type stamp struct{ info os.FileInfo }

func (s stamp) equal(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size()
}

// Open reads the files, so that a mistake is found at the start.
func Open(p Paths, tell Tell) (*Files, error) {
	f := &Files{paths: p, tell: tell}
	f.stamps = f.look()
	m, err := Load(p)
	if err != nil {
		return nil, err
	}
	f.now = m
	return f, nil
}

// look returns the stamps of the files as they are. One that is not there has none.
func (f *Files) look() (stamps [3]stamp) {
	for i, path := range []string{f.paths.Cert, f.paths.Key, f.paths.CA} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			stamps[i] = stamp{info}
		}
	}
	return stamps
}

// Current returns what the files hold now, or held when they could last be used.
func (f *Files) Current() *Material {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps := f.look() // before reading: a change meanwhile is seen the next time
	same := true
	for i := range stamps {
		same = same && stamps[i].equal(f.stamps[i])
	}
	if same && f.fault == "" {
		return f.now
	}
	m, err := Load(f.paths)
	if err != nil {
		if text := oneLine(err); text != f.fault {
			f.fault = text
			f.tell.Errorf("%s; the certificates read before stay in use", text)
		}
		return f.now
	}
	if !same || f.fault != "" {
		f.tell.Infof("%s: the files have changed and were read again: %s", f.paths.Section, m.describe())
	}
	f.stamps, f.now, f.fault = stamps, m, ""
	return m
}

// Sound reports that the files as they are can be used.
func (f *Files) Sound() bool {
	f.Current()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault == ""
}

// Watch looks at the files from time to time until ctx ends, so that a replacement that cannot be used is told of before
// somebody connects.
func (f *Files) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
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

// describe is a line about the certificate.
func (m *Material) describe() string {
	text := fmt.Sprintf("%s, until %s", Name(m.Cert.Leaf), m.Cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	if n := len(m.Authorities); n > 0 {
		text += fmt.Sprintf(", authorities: %d", n)
	}
	return text
}

// Name is how messages call a certificate.
func Name(c *x509.Certificate) string {
	return fmt.Sprintf("certificate %q (serial %X)", c.Subject.CommonName, c.SerialNumber)
}

// oneLine joins what errors.Join puts on lines.
func oneLine(err error) string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err.Error()
	}
	var parts []string
	for _, e := range joined.Unwrap() {
		parts = append(parts, e.Error())
	}
	return strings.Join(parts, "; ")
}
