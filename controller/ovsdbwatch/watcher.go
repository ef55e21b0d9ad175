// Package ovsdbwatch reads the OVSDB servers of the config and reports what is wrong with bridges of ours.
package ovsdbwatch

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/ovsdb"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// Options are what a watcher needs of the rest of the controller.
type Options struct {
	Config func() *config.Config // the running one
	// Switches returns the names of the switches that are or were connected, and of those that the config names.
	Switches func() map[openflow.DatapathID]string
	Emit     func(event.Event)
	// TLS returns the files for ssl: servers, nil without openflow.tls at the start.
	TLS func() *pki.Files
	// Dial connects to a server; nil dials it as the config says.
	Dial func(context.Context, config.Endpoint) (net.Conn, error)
}

// Watcher reads OVSDB servers: one goroutine checks and reports, and one for each server reads it.
type Watcher struct {
	o      Options
	wakeCh chan struct{} // capacity 1
	modes  atomic.Pointer[map[openflow.DatapathID]ovsdb.SwitchMode]

	mu      sync.Mutex // guards servers
	servers []*server
}

const (
	checkEvery = time.Second            // switches come and go without a word to this goroutine
	checkAfter = 100 * time.Millisecond // changes that come together are checked together
	// keepLost is how long what a server told is taken to be still so when it cannot be read.
	keepLost = time.Minute
)

// Findings are told up to findingsAtOnce in a row and then findingsPerSecond: a database must not fill the log.
const (
	findingsPerSecond = 1
	findingsAtOnce    = 50
)

// New returns a watcher. It starts nothing.
func New(o Options) *Watcher {
	w := &Watcher{o: o, wakeCh: make(chan struct{}, 1)}
	if w.o.Dial == nil {
		w.o.Dial = w.dial
	}
	w.modes.Store(&map[openflow.DatapathID]ovsdb.SwitchMode{})
	return w
}

// dial connects to a server, and does the handshake of TLS with one of ssl:, all within a deadline.
func (w *Watcher) dial(ctx context.Context, e config.Endpoint) (net.Conn, error) {
	files := w.o.TLS()
	if e.Kind == config.SSL && files == nil {
		return nil, errors.New("openflow.tls is read at the start only: eosin must be started again")
	}
	ctx, cancel := context.WithTimeout(ctx, redialMost)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, e.Network(), e.Address)
	if err != nil || e.Kind != config.SSL {
		return nc, err
	}
	t := files.Connect(nc)
	if err := t.HandshakeContext(ctx); err != nil { // it has closed the connection
		return nil, tlsReason(err)
	}
	return t, nil
}

// tlsReason turns what ended a handshake with a server into what an operator can act on.
func tlsReason(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no handshake of TLS within %s", redialMost)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("it ended the handshake of TLS; if it listens without TLS (ptcp:, not pssl:), " +
			"write tcp: here")
	case errors.As(err, &record):
		what := cmp.Or(ofconn.Protocol(record.RecordHeader[:]), "something else")
		return fmt.Errorf("it speaks %s where TLS is spoken", what)
	}
	return err
}

// Wake has Run look at the config and the servers.
func (w *Watcher) Wake() {
	select {
	case w.wakeCh <- struct{}{}:
	default: // it will
	}
}

// Modes returns what is known of switches. It must not be changed.
func (w *Watcher) Modes() map[openflow.DatapathID]ovsdb.SwitchMode { return *w.modes.Load() }

// Run reads and reports until ctx ends. A changed list of servers is taken up when it is woken.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.close()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	limit := rate.NewLimiter(findingsPerSecond, findingsAtOnce)
	var tracker ovsdb.FindingTracker
	for {
		w.updateServers(ctx)
		now := time.Now()
		for _, s := range w.list() {
			w.emitServer(now, s)
		}
		r := w.check(now)
		w.modes.Store(&r.Modes)
		for _, n := range tracker.Next(r, limit.Allow) {
			w.o.Emit(n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkAfter):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wakeCh:
		case <-tick.C:
		}
	}
}

// wanted returns the servers of the config, or the local one.
func wanted(cfg *config.Config) (list []config.Endpoint, implicit bool) {
	if len(cfg.OVSDB.Connect) > 0 {
		return cfg.OVSDB.Connect, false
	}
	return []config.Endpoint{{Kind: config.Unix, Address: config.DefaultOVSDBSocket}}, true
}

// updateServers begins to read servers that are new in the config and ends the reading of those that it no longer
// names.
func (w *Watcher) updateServers(ctx context.Context) {
	want, implicit := wanted(w.o.Config())
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := make([]*server, 0, len(want))
	for _, s := range w.servers {
		if s.implicit == implicit && slices.Contains(want, s.endpoint) {
			kept = append(kept, s)
		} else {
			s.stop()
		}
	}
	for _, e := range want {
		if slices.ContainsFunc(kept, func(s *server) bool { return s.endpoint == e }) {
			continue
		}
		s := w.newServer(e, implicit)
		var own context.Context
		own, s.cancel = context.WithCancel(ctx)
		// The reader of a server ends with ctx or with stop, which waits for it.
		go func() {
			defer close(s.ended)
			s.run(own)
		}()
		kept = append(kept, s)
	}
	slices.SortFunc(kept, func(a, b *server) int {
		return cmp.Compare(slices.Index(want, a.endpoint), slices.Index(want, b.endpoint))
	})
	w.servers = kept
}

func (w *Watcher) list() []*server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.servers)
}

func (w *Watcher) close() {
	for _, s := range w.list() {
		s.stop()
	}
}

// check looks at all that is known.
func (w *Watcher) check(now time.Time) ovsdb.Report {
	cfg := w.o.Config()
	var servers []ovsdb.Server
	for _, s := range w.list() {
		if bridges := s.known(now); len(bridges) > 0 {
			servers = append(servers, ovsdb.Server{
				Address: s.endpoint.String(), Vsctl: vsctl(cfg, s.endpoint), Bridges: bridges,
			})
		}
	}
	if len(servers) == 0 {
		return ovsdb.Check(nil, ovsdb.Local{})
	}
	return ovsdb.Check(servers, ovsdb.Local{Switches: w.o.Switches(), Target: targets(cfg)})
}

// targets returns a test for targets that lead here.
func targets(cfg *config.Config) func(string) bool {
	listen := make([]string, len(cfg.OpenFlow.Listen))
	for i, e := range cfg.OpenFlow.Listen {
		listen[i] = e.String()
	}
	local := sync.OnceValue(func() (ips []netip.Addr) {
		addrs, _ := net.InterfaceAddrs() // without them an unspecified address leads nowhere
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				ips = append(ips, p.Addr())
			}
		}
		return ips
	})
	return func(target string) bool { return ovsdb.MatchesTarget(target, listen, local()) }
}

// vsctl is the command that changes what a server has, on its own host for the local socket and on this one for others.
func vsctl(cfg *config.Config, e config.Endpoint) []string {
	const local = config.DefaultOVSDBSocket
	command := []string{"ovs-vsctl"}
	if e.Kind != config.Unix || e.Address != local && "/var"+e.Address != local {
		command = append(command, "--db="+e.String())
	}
	if t := cfg.OpenFlow.TLS; e.Kind == config.SSL {
		command = append(command, "--private-key="+absolute(t.Key), "--certificate="+absolute(t.Cert),
			"--ca-cert="+absolute(t.CA))
	}
	return command
}

// absolute is a file's name that holds in every folder.
func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// emitServer reports when a server cannot be read, and when it can again.
func (w *Watcher) emitServer(now time.Time, s *server) {
	up, err := s.state()
	is, e := reportedLost, event.Event{Type: event.OVSDBLost, Message: fmt.Sprintf(
		"OVSDB %s cannot be read: %v; trying again every %s or so", s.endpoint, err, redialMost)}
	if up {
		is, e = reportedUp, event.Event{Type: event.OVSDBConnected, Message: fmt.Sprintf(
			"OVSDB %s: what it says of bridges is being read", s.endpoint)}
	}
	if (up || err != nil) && s.reported != is && s.limit.AllowN(now, 1) {
		s.reported = is
		w.o.Emit(e)
	}
}

var (
	descFailMode = prometheus.NewDesc("eosin_switch_fail_mode_secure",
		"Whether the switch's bridge is in fail mode secure (1) or turns into a plain switch when the controller is "+
			"away (0). Absent where no OVSDB tells.", []string{"switch", "datapath_id"}, nil)
	descConnected = prometheus.NewDesc("eosin_ovsdb_connected",
		"Whether the OVSDB server is being read (1) or not (0).", []string{"server"}, nil)
)

// Describe sends nothing: which series exist depends on the servers.
func (*Watcher) Describe(chan<- *prometheus.Desc) {}

// Collect sends the series that OVSDB gives.
func (w *Watcher) Collect(ch chan<- prometheus.Metric) {
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	names := w.o.Switches()
	for id, m := range w.Modes() {
		if name, known := names[id]; known {
			ch <- prometheus.MustNewConstMetric(descFailMode, prometheus.GaugeValue, truth(m.Secure), name,
				id.String())
		}
	}
	for _, s := range w.list() {
		up, err := s.state()
		if up || err != nil {
			ch <- prometheus.MustNewConstMetric(descConnected, prometheus.GaugeValue, truth(up),
				s.endpoint.String())
		}
	}
}
