package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Options of a lab. The zero value is what a test wants.
type Options struct {
	// Progress receives one line per thing made, with the time it took.
	Progress io.Writer
	// Detached labs outlive the process that made them: [Sweep] leaves them alone.
	Detached bool
	// Fatal is called with the reason when a step fails and must not return. Default: a panic for [Lab.Try].
	Fatal func(error)
}

// A Lab is one set of hosts, guests and wires. Its methods may be called from one goroutine at a time.
type Lab struct {
	Name string

	opts  Options
	dir   string
	state *state

	root        *Namespace
	fabric      *Namespace
	hosts       []*Host
	vms         []*VM
	controllers []*Controller
	names       map[string]bool
	dpids       uint64

	underlayOnce bool
	progressMu   sync.Mutex
}

// A name of a lab has no hyphen, so that no lab's prefix is the prefix of another's.
var labName = regexp.MustCompile(`^[a-z0-9]{1,40}$`)

// Namespace names of members: what is left of a readable name.
var memberName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// New makes an empty lab after removing what a previous run of the same name left behind.
// It fails when a live process owns a lab of that name, without root, or with tools missing.
func New(name string, opts Options) (*Lab, error) {
	if !labName.MatchString(name) {
		return nil, fmt.Errorf("lab name %q: want 1 to 40 of a-z and 0-9", name)
	}
	if err := Available(); err != nil {
		return nil, err
	}
	l := &Lab{Name: name, opts: opts, dir: filepath.Join(runRoot, name), names: map[string]bool{}}
	var err error
	if l.state, err = claim(name, opts.Detached); err != nil {
		return nil, err
	}
	err = l.Try(func() {
		l.root = &Namespace{lab: l, Name: "root", fd: -1}
		l.buildFabric()
	})
	if err != nil {
		return nil, errors.Join(err, Destroy(name))
	}
	return l, nil
}

// failure carries an error through a panic from the failing step to Try.
type failure struct{ err error }

// Try runs a part of a lab's script and returns the error of the step that failed.
func (l *Lab) Try(script func()) (err error) {
	fatal := l.opts.Fatal
	l.opts.Fatal = nil
	defer func() {
		l.opts.Fatal = fatal
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.err
		default:
			panic(r)
		}
	}()
	script()
	return nil
}

// fatal ends the script.
func (l *Lab) fatal(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if l.opts.Fatal != nil {
		l.opts.Fatal(err)
	}
	panic(failure{err})
}

// check ends the script if err is not nil; what says which step it was.
func (l *Lab) check(err error, format string, args ...any) {
	if err != nil {
		l.fatal("%s: %w", fmt.Sprintf(format, args...), err)
	}
}

// progress writes one line; since is when the thing was begun.
func (l *Lab) progress(since time.Time, format string, args ...any) {
	if l.opts.Progress == nil {
		return
	}
	l.progressMu.Lock()
	defer l.progressMu.Unlock()
	fmt.Fprintf(l.opts.Progress, "%s (%d ms)\n", fmt.Sprintf(format, args...), time.Since(since).Milliseconds())
}

// Dir is the lab's run directory, removed with the lab.
func (l *Lab) Dir() string { return l.dir }

// File writes a file into the run directory and returns its path.
func (l *Lab) File(name, content string) string {
	path := filepath.Join(l.dir, name)
	l.check(os.WriteFile(path, []byte(content), 0o644), "write %s", name)
	return path
}

// Root is the namespace the process itself runs in.
func (l *Lab) Root() *Namespace { return l.root }

// Fabric is the namespace that joins the hosts: Linux bridges "mgmt" and "underlay".
func (l *Lab) Fabric() *Namespace { return l.fabric }

// Hosts in the order they were added.
func (l *Lab) Hosts() []*Host { return l.hosts }

// VMs in the order they were added.
func (l *Lab) VMs() []*VM { return l.vms }

// Host by name; nil if there is none.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// VM by name; nil if there is none.
func (l *Lab) VM(name string) *VM {
	for _, v := range l.vms {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// ControllerIP is the root namespace's address in the management network: every host reaches it.
func (l *Lab) ControllerIP() string { return managementIP(l.state.Number, 1) }

// ControllerTarget is the target for set-controller of a controller that [Lab.StartController] runs.
func (l *Lab) ControllerTarget() string { return "tcp:" + l.ControllerIP() + ":6653" }

// ControllerSocket is the unix socket that the same controller listens on. Bridges reach it by
// [Host.ControllerUnixTarget].
func (l *Lab) ControllerSocket() string { return filepath.Join(l.dir, "of.sock") }

// HTTPListen is where the API of [Lab.StartController] listens: a loopback address that no other lab uses.
func (l *Lab) HTTPListen() string { return loopbackIP(l.state.Number, 1) + ":9653" }

// Destroy removes the lab and reports what could not be removed.
func (l *Lab) Destroy() error {
	since := time.Now()
	l.closeNamespaces()
	if err := Destroy(l.Name); err != nil {
		return err
	}
	l.progress(since, "lab %s: removed", l.Name)
	return nil
}

// claimName ends the script when a host's or guest's name is malformed or taken.
func (l *Lab) claimName(name string) {
	switch {
	case !memberName.MatchString(name):
		l.fatal("name %q: want a-z, 0-9 and hyphens, at most 31", name)
	case l.names[name]:
		l.fatal("name %q: already in lab %s", name, l.Name)
	}
	l.names[name] = true
}
