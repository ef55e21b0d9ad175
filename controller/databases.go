package controller

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

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/ovsdb"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// databases reads the OVSDB servers of the config and tells what is wrong with bridges of ours. One goroutine decides and tells; one
// for each server reads it and posts what it knows.
type databases struct {
	c       *Controller
	connect func(context.Context, config.Endpoint) (net.Conn, error)
	wake    chan struct{}
	report  atomic.Pointer[map[openflow.DatapathID]ovsdb.SwitchMode]

	mu      sync.Mutex // guards servers
	servers []*database
}

const (
	judgeEvery = time.Second            // switches come and go without a word to this goroutine
	judgeAfter = 100 * time.Millisecond // changes that come together are judged together
	// keepLost is how long what a server told is taken to be still so when it cannot be read.
	keepLost = time.Minute
)

// Findings are told up to findingsAtOnce in a row and then findingsPerSecond: a database must not fill the log.
const (
	findingsPerSecond = 1
	findingsAtOnce    = 50
)

func newDatabases(c *Controller) *databases {
	d := &databases{c: c, connect: c.dialDatabase, wake: make(chan struct{}, 1)}
	d.report.Store(&map[openflow.DatapathID]ovsdb.SwitchMode{})
	return d
}

// dialDatabase connects to a server, and does the handshake of TLS with one of ssl:, all within a deadline.
func (c *Controller) dialDatabase(ctx context.Context, e config.Endpoint) (net.Conn, error) {
	files := c.tls.Load()
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
		return nil, databaseTLSReason(err)
	}
	return t, nil
}

// databaseTLSReason turns what ended a handshake with a server into what an operator can act on.
func databaseTLSReason(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no handshake of TLS within %s", redialMost)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("it ended the handshake of TLS; if it listens without TLS (ptcp:, not pssl:), write tcp: here")
	case errors.As(err, &record):
		what := ofconn.Protocol(record.RecordHeader[:])
		if what == "" {
			what = "something else"
		}
		return fmt.Errorf("it speaks %s where TLS is spoken", what)
	}
	return err
}

// poke has run look at the config and the servers.
func (d *databases) poke() {
	select {
	case d.wake <- struct{}{}:
	default: // it will
	}
}

// modes returns what is known of switches. It must not be changed.
func (d *databases) modes() map[openflow.DatapathID]ovsdb.SwitchMode { return *d.report.Load() }

// run reads and tells until ctx ends. A changed list of servers is taken up when it is poked.
func (d *databases) run(ctx context.Context) error {
	defer d.close()
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	limit := rate.NewLimiter(findingsPerSecond, findingsAtOnce)
	var tracker ovsdb.FindingTracker
	for {
		d.follow(ctx)
		now := time.Now()
		for _, s := range d.list() {
			d.tellServer(now, s)
		}
		r := d.judge(now)
		d.report.Store(&r.Modes)
		for _, n := range tracker.Next(r, limit.Allow) {
			d.c.sink.Emit(n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(judgeAfter):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
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

// follow begins to read servers that are new in the config and ends the reading of those that it no longer names.
func (d *databases) follow(ctx context.Context) {
	want, implicit := wanted(d.c.Config())
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := make([]*database, 0, len(want))
	for _, s := range d.servers {
		if s.implicit == implicit && slices.Contains(want, s.endpoint) {
			kept = append(kept, s)
		} else {
			s.stop()
		}
	}
	for _, e := range want {
		if slices.ContainsFunc(kept, func(s *database) bool { return s.endpoint == e }) {
			continue
		}
		s := newDatabase(d, e, implicit)
		var own context.Context
		own, s.cancel = context.WithCancel(ctx)
		// The reader of a server ends with ctx or with stop, which waits for it.
		go func() {
			defer close(s.ended)
			s.run(own)
		}()
		kept = append(kept, s)
	}
	slices.SortFunc(kept, func(a, b *database) int {
		return cmp.Compare(slices.Index(want, a.endpoint), slices.Index(want, b.endpoint))
	})
	d.servers = kept
}

func (d *databases) list() []*database {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.servers)
}

func (d *databases) close() {
	for _, s := range d.list() {
		s.stop()
	}
}

// judge looks at all that is known.
func (d *databases) judge(now time.Time) ovsdb.Report {
	cfg := d.c.Config()
	var servers []ovsdb.Server
	for _, s := range d.list() {
		if bridges := s.known(now); len(bridges) > 0 {
			servers = append(servers, ovsdb.Server{Address: s.endpoint.String(), Vsctl: vsctl(cfg, s.endpoint), Bridges: bridges})
		}
	}
	if len(servers) == 0 {
		return ovsdb.Check(nil, ovsdb.Local{})
	}
	return ovsdb.Check(servers, ovsdb.Local{Switches: d.c.switchNames(), Target: targets(cfg)})
}

// switchNames returns the switches that are or were connected, and those that the config names.
func (c *Controller) switchNames() map[openflow.DatapathID]string {
	names := map[openflow.DatapathID]string{}
	for _, sw := range c.Config().Switches {
		names[sw.DatapathID] = sw.Name
	}
	for _, s := range c.list() {
		names[s.id] = s.name()
	}
	return names
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
	switch {
	case e.Kind == config.Unix && (e.Address == config.DefaultOVSDBSocket || "/var"+e.Address == config.DefaultOVSDBSocket):
		return []string{"ovs-vsctl"}
	case e.Kind == config.SSL:
		t := cfg.OpenFlow.TLS
		return []string{"ovs-vsctl", "--db=" + e.String(), "--private-key=" + absolute(t.Key), "--certificate=" + absolute(t.Cert), "--ca-cert=" + absolute(t.CA)}
	}
	return []string{"ovs-vsctl", "--db=" + e.String()}
}

// absolute is a file's name that holds in every folder.
func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// tellServer tells when a server cannot be read, and when it can again.
func (d *databases) tellServer(now time.Time, s *database) {
	up, err := s.state()
	switch {
	case up && s.told != toldUp:
		if s.limit.AllowN(now, 1) {
			s.told = toldUp
			d.c.sink.Emit(event.Event{Type: event.OVSDBConnected, Message: "OVSDB " + s.endpoint.String() + ": what it says of bridges is being read"})
		}
	case !up && err != nil && s.told != toldLost:
		if s.limit.AllowN(now, 1) {
			s.told = toldLost
			d.c.sink.Emit(event.Event{
				Type:    event.OVSDBLost,
				Message: fmt.Sprintf("OVSDB %s cannot be read: %v; trying again every %s or so", s.endpoint, err, redialMost),
			})
		}
	}
}

// collect sends the series that OVSDB gives.
func (d *databases) collect(gauge func(*prometheus.Desc, float64, ...string)) {
	names := d.c.switchNames()
	for id, m := range d.modes() {
		if name, known := names[id]; known {
			gauge(descFailMode, truth(m.Secure), name, id.String())
		}
	}
	for _, s := range d.list() {
		up, err := s.state()
		if up || err != nil {
			gauge(descOVSDB, truth(up), s.endpoint.String())
		}
	}
}
