// Package controller is the shell around the machines of the switches: it listens, dials, reads and writes, owns the graph of
// the network, and answers what the API asks. Decisions are made elsewhere.
package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/events"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
)

// Options are what a controller is made of besides its config.
type Options struct {
	Log    *logrus.Logger
	Events *api.EventLog
}

// Controller controls the switches that connect to it.
type Controller struct {
	log    *logrus.Logger
	events *api.EventLog
	sink   *events.Sink
	keys   datapath.Keys
	fabric *fabric
	prober *prober.Engine
	ovsdb  *databases
	book   *addressBook
	tls    atomic.Pointer[pki.Files] // nil without openflow.tls

	config atomic.Pointer[config.Config]
	reload sync.Mutex // one Configure at a time

	mu       sync.RWMutex // guards switches
	switches map[openflow.DatapathID]*datapathSwitch

	room     *waitingRoom
	sessions sync.WaitGroup
	latency  packetInLatency
	counters counters
}

// counters are what no single switch accounts for.
type counters struct {
	accepted, refused, broken atomic.Uint64
	reloadOK                  atomic.Bool
	reloadAt                  atomic.Int64 // Unix seconds of the last successful one
}

// New returns a controller for a config. It starts nothing.
func New(cfg *config.Config, o Options) *Controller {
	c := &Controller{
		log: o.Log, events: o.Events, sink: events.NewSink(o.Log, o.Events), switches: map[openflow.DatapathID]*datapathSwitch{},
		book: newAddressBook(), room: newWaitingRoom(),
	}
	c.fabric = newFabric(c)
	c.ovsdb = newDatabases(c)
	c.prober = prober.New(&reach{c}, prober.Options{Emit: c.sink.Emit})
	probeKey := probe.NewKey()
	c.keys = datapath.Keys{Hellos: discovery.NewSigner(time.Now()), Probes: &probeKey}
	c.Configure(cfg)
	return c
}

// Run serves until ctx ends: listeners, connections to bridges that listen, the fabric and the probes.
func (c *Controller) Run(ctx context.Context) error {
	if err := pipeline.Check(); err != nil {
		return err
	}
	cfg := c.Config()
	if t := cfg.OpenFlow.TLS; !t.IsZero() {
		files, err := pki.Open(pki.Paths{Section: "openflow.tls", Cert: t.Cert, Key: t.Key, CA: t.CA}, c.log)
		if err != nil {
			return err
		}
		c.tls.Store(files)
	}
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	// The log is written until all else has ended.
	logged := make(chan struct{})
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(logged)
		c.sink.Run(logCtx)
	}()
	defer func() { stopLog(); <-logged }()
	g, ctx := errgroup.WithContext(ctx)
	if files := c.tls.Load(); files != nil {
		g.Go(func() error { return files.Watch(ctx) }) // ends with ctx
	}
	for _, l := range listeners {
		c.log.Infof("OpenFlow: listening on %s", l.endpoint)
		g.Go(func() error { return c.accept(ctx, l) }) // ends with ctx
	}
	for _, e := range cfg.OpenFlow.Connect {
		g.Go(func() error { return c.dial(ctx, e) }) // ends with ctx
	}
	g.Go(func() error { return c.fabric.run(ctx) }) // ends with ctx
	g.Go(func() error { return c.prober.Run(ctx) }) // ends with ctx
	g.Go(func() error { return c.ovsdb.run(ctx) })  // ends with ctx
	err = g.Wait()
	c.closeAll()
	c.sessions.Wait()
	return err
}

// Config returns the running config.
func (c *Controller) Config() *config.Config { return c.config.Load() }

// Configure makes a config the running one. Each switch gets its difference and no more; listeners stay as they are.
func (c *Controller) Configure(cfg *config.Config) {
	c.reload.Lock()
	defer c.reload.Unlock()
	c.config.Store(cfg)
	c.counters.reloadOK.Store(true)
	c.counters.reloadAt.Store(time.Now().Unix())
	c.fabric.setMoves(cfg.Limits.Moves)
	for _, s := range c.list() {
		s.configure(intentFor(cfg, s.id))
	}
	c.prober.SetRate(cfg.Limits.ProbesPerSecond)
	c.prober.Configure(cfg.Probes)
	c.ovsdb.poke()
}

// ReloadFailed notes that a new config was refused: the running one stays.
func (c *Controller) ReloadFailed(err error) {
	c.counters.reloadOK.Store(false)
	c.sink.Emit(event.Event{Type: event.ConfigRefused, Message: fmt.Sprintf("the new config is refused and the running one stays: %v", err)})
}

// list returns the switches, ascending by datapath id.
func (c *Controller) list() []*datapathSwitch {
	c.mu.RLock()
	l := make([]*datapathSwitch, 0, len(c.switches))
	for _, s := range c.switches {
		l = append(l, s)
	}
	c.mu.RUnlock()
	slices.SortFunc(l, func(a, b *datapathSwitch) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return l
}

// lookup returns a switch that is connected or was.
func (c *Controller) lookup(id openflow.DatapathID) *datapathSwitch {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.switches[id]
}

// byName returns the switch with a name, or with a datapath id in text form.
func (c *Controller) byName(name string) *datapathSwitch {
	for _, s := range c.list() {
		if s.name() == name || s.id.String() == name {
			return s
		}
	}
	return nil
}

func (c *Controller) closeAll() {
	for _, s := range c.list() {
		s.disconnect(errStopping)
	}
}
