// Package controller puts the parts of the controller together and starts them. Decisions are made elsewhere.
package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/events"
	"github.com/eosin-sdn/eosin/controller/fabric"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/lockorder"
	"github.com/eosin-sdn/eosin/controller/ovsdbwatch"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
)

// Options are what a controller is made of besides its config.
type Options struct {
	Log    *logrus.Logger // whoever writes a line waits for it: see asynclog
	Events *api.EventLog
}

// Controller controls the switches that connect to it. It wires the parts and hands each what it needs; none knows it.
type Controller struct {
	log      *logrus.Logger
	status   *status
	events   *events.Sink
	registry *switches.Registry
	finder   *location.Finder
	fabric   *fabric.Fabric
	prober   *prober.Engine
	ovsdb    *ovsdbwatch.Watcher
	server   *southbound.Server
	backend  *backend
	metrics  *collector
	reload   lockorder.Mutex[lockorder.Reload] // one Configure at a time
}

// New returns a controller for a config. It starts nothing.
func New(cfg *config.Config, o Options) *Controller {
	c := &Controller{
		log: o.Log, status: &status{}, events: events.NewSink(o.Log, o.Events), registry: switches.NewRegistry(),
	}
	running, emit := c.status.config.Load, c.events.Emit
	c.status.config.Store(cfg)
	c.finder = location.NewFinder(c.registry)
	hosts := &proberFabric{config: running, registry: c.registry, finder: c.finder}
	c.prober = prober.New(hosts, prober.Options{Emit: emit})
	c.fabric = fabric.New(fabric.Options{
		Switches: c.registry, Emit: emit, GraphChanged: c.prober.HostsChanged,
		NetworkName: func(vlan uint16) string { return networkName(running(), vlan) },
	})
	c.ovsdb = ovsdbwatch.New(ovsdbwatch.Options{
		Config: running, Emit: emit, TLS: c.status.tls.Load, Switches: switchNames(running, c.registry),
	})
	probeKey := probe.NewKey()
	sessions := switches.NewSessions(c.registry, switches.Deps{
		Keys:   datapath.Keys{Hellos: discovery.NewSigner(time.Now()), Probes: &probeKey},
		Intent: func(id openflow.DatapathID) datapath.Intent { return intentFor(running(), id) },
		Fabric: c.fabric, Prober: c.prober, AddAddress: c.finder.AddAddress, Emit: emit,
	})
	c.server = southbound.NewServer(southbound.Options{
		Log: o.Log, Config: running, Session: sessions.Serve, Emit: emit,
	})
	c.backend = &backend{
		EventLog: o.Events, status: c.status, registry: c.registry, finder: c.finder, fabric: c.fabric,
		prober: c.prober, modes: c.ovsdb.Modes,
	}
	c.metrics = &collector{
		status: c.status, registry: c.registry, finder: c.finder, fabric: c.fabric, sessions: sessions,
		server: c.server, parts: []prometheus.Collector{c.events, c.ovsdb},
	}
	c.Configure(cfg)
	return c
}

// Run serves until ctx ends. It binds the listeners first.
func (c *Controller) Run(ctx context.Context) error {
	if err := pipeline.Check(); err != nil {
		return err
	}
	cfg := c.Config().OpenFlow
	files, err := openTLS(cfg.TLS, c.log)
	if err != nil {
		return err
	}
	if err := c.server.Listen(cfg, files); err != nil {
		return err
	}
	c.status.start(files)
	defer c.status.stop()

	g, ctx := errgroup.WithContext(ctx) // all of these end with ctx
	if files != nil {
		g.Go(func() error { return files.Watch(ctx) })
	}
	g.Go(func() error { return c.server.Run(ctx) })
	g.Go(func() error { return c.fabric.Run(ctx) })
	g.Go(func() error { return c.prober.Run(ctx) })
	g.Go(func() error { return c.ovsdb.Run(ctx) })
	g.Go(func() error { return c.registry.RunPruning(ctx, c.named, c.finder.Sweep) })
	return g.Wait()
}

// openTLS reads the files of openflow.tls; nil without.
func openTLS(t config.TLS, log *logrus.Logger) (*pki.Files, error) {
	if t.IsZero() {
		return nil, nil
	}
	return pki.Open(pki.Paths{Section: "openflow.tls", Cert: t.Cert, Key: t.Key, CA: t.CA}, log)
}

// named reports whether the config names a switch.
func (c *Controller) named(id openflow.DatapathID) bool {
	_, ok := c.Config().Switches.ByDatapathID(id)
	return ok
}

// Config returns the running config.
func (c *Controller) Config() *config.Config { return c.status.config.Load() }

// Configure makes a config the running one. Each switch gets its difference and no more; listeners stay as they are.
func (c *Controller) Configure(cfg *config.Config) {
	c.reload.Lock()
	defer c.reload.Unlock()
	c.status.reloaded(cfg)
	c.fabric.SetMoves(cfg.Settings.Moves)
	for _, s := range c.registry.List() {
		s.Configure(intentFor(cfg, s.ID()))
	}
	c.prober.SetRate(cfg.Settings.Probes)
	c.prober.Configure(cfg.Probes)
	c.ovsdb.Wake()
}

// ReloadFailed notes that a new config was refused: the running one stays.
func (c *Controller) ReloadFailed(err error) {
	c.status.reloadFailed(err)
	c.events.Emit(event.Event{
		Type: event.ConfigRefused, Message: fmt.Sprintf("the new config is refused and the running one stays: %v", err),
	})
}

// Backend returns what the API serves.
func (c *Controller) Backend() api.Backend { return c.backend }

// Collectors return the controller's metrics, to be registered once.
func (c *Controller) Collectors() []prometheus.Collector {
	return []prometheus.Collector{c.metrics, c.prober}
}

// switchNames returns a func that returns the names of the switches that are or were connected, and of those that the
// config names.
func switchNames(running func() *config.Config, r *switches.Registry) func() map[openflow.DatapathID]string {
	return func() map[openflow.DatapathID]string {
		names := map[openflow.DatapathID]string{}
		for _, sw := range running().Switches {
			names[sw.DatapathID] = sw.Name
		}
		for _, s := range r.List() {
			names[s.ID()] = s.Name()
		}
		return names
	}
}
