package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/asynclog"
	"github.com/eosin-sdn/eosin/controller/pki"
)

// eventsKept is how many events the controller remembers for who asks later.
const eventsKept = 1000

// serveOptions are the flags of serve.
type serveOptions struct {
	file           string
	openflowListen []string
	httpListen     string
	logFormat      string
	logLevel       string
	pprof          string
}

// serveCommand is the controller.
func (a *app) serveCommand() *cobra.Command {
	o := serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve [-c FILE]",
		Short: "Run the controller",
		Long: `Run the controller in the foreground. Without a file it serves OpenFlow on
tcp:0.0.0.0:6653 and HTTP on 127.0.0.1:9653, and all untagged ports share one network.

SIGHUP reloads the file: what has changed is applied and nothing else is touched; a file
with errors is refused and the running config stays. Listeners are not changed by a
reload. SIGTERM and SIGINT end the program; the switches go on forwarding.`,
		Example: `  eosin serve
  eosin serve -c /etc/eosin/eosin.yaml
  eosin serve --openflow-listen tcp:192.0.2.1:6653 --log-format json

  # on each host:
  ovs-vsctl set bridge br0 protocols=OpenFlow13 fail_mode=secure
  ovs-vsctl set-controller br0 tcp:192.0.2.1:6653`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(a.stderr, o.logFormat, o.logLevel)
			if err != nil {
				return usageErrorf("%v", err)
			}
			defer asynclog.Start(log)()
			cfg, err := o.load()
			if err != nil {
				return err
			}
			return withPprof(cmd.Context(), o.pprof, log, func(ctx context.Context) error {
				return serve(ctx, cfg, o.load, log)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "config", "c", "", "config file (YAML)")
	f.StringSliceVar(&o.openflowListen, "openflow-listen", nil, "where to listen for switches, instead of "+
		"openflow.listen: tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH")
	f.StringVar(&o.httpListen, "http-listen", "", "where to serve HTTP, instead of http.listen: ADDRESS:PORT")
	f.StringVar(&o.logFormat, "log-format", "text", "form of the log: text or json")
	f.StringVar(&o.logLevel, "log-level", "info", "least level that is logged: debug, info, warning or error")
	f.StringVar(&o.pprof, "pprof", "",
		"serve profiles, for go tool pprof, at this ADDRESS:PORT, which must be a loopback one")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	return cmd
}

// load reads the config and lets the flags override it.
func (o *serveOptions) load() (*config.Config, error) {
	cfg, err := config.Default(), error(nil)
	if o.file != "" {
		if cfg, err = config.Load(o.file); err != nil {
			return nil, err
		}
	}
	if len(o.openflowListen) > 0 {
		if cfg, err = cfg.WithOpenFlowListen(o.openflowListen...); err != nil {
			return nil, usageErrorf("--openflow-listen: %v", err)
		}
	}
	if o.httpListen != "" {
		if cfg, err = cfg.WithHTTPListen(o.httpListen); err != nil {
			return nil, usageErrorf("--http-listen: %v", err)
		}
	}
	return cfg, nil
}

// newLogger returns the program's log.
func newLogger(w io.Writer, format, level string) (*logrus.Logger, error) {
	log := logrus.New()
	log.SetOutput(w)
	l, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level must be debug, info, warning or error, is %q", level)
	}
	log.SetLevel(l)
	switch format {
	case "json":
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	case "text":
		log.SetFormatter(&logrus.TextFormatter{
			FullTimestamp: true, TimestampFormat: "2006-01-02 15:04:05.000", DisableColors: !isTerminal(w),
		})
	default:
		return nil, fmt.Errorf("--log-format must be text or json, is %q", format)
	}
	return log, nil
}

// serve runs the controller and its HTTP server until ctx ends. reload is asked for a new config on SIGHUP.
func serve(ctx context.Context, cfg *config.Config, reload func() (*config.Config, error), log *logrus.Logger) error {
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	if err := lookAtFiles(cfg, log); err != nil {
		return err
	}
	token, err := readToken(cfg.HTTP.TokenFile)
	if err != nil {
		return fmt.Errorf("http.token_file: %w", err)
	}
	var certs *pki.Files // nil: plain HTTP
	if t := cfg.HTTP.TLS; !t.IsZero() {
		if certs, err = pki.Open(httpPaths(t), log); err != nil {
			return err
		}
	}
	web, err := net.Listen("tcp", cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http.listen %s: %w", cfg.HTTP.Listen, err)
	}
	scheme, clients := "http", ""
	if certs != nil {
		scheme = "https"
	}
	if cfg.HTTP.TLS.CA != "" {
		clients = ", for clients with a certificate"
	}
	log.Infof("eosin %s: HTTP on %s://%s%s", programVersion(), scheme, web.Addr(), clients)

	c := controller.New(cfg, controller.Options{Log: log, Events: api.NewEventLog(eventsKept, time.Now())})
	server := api.New(api.Options{
		Backend: c.Backend(), Version: programVersion(), Token: token, Metrics: metricsHandler(c, certs), Log: log,
	})

	g, ctx := errgroup.WithContext(ctx)
	if certs != nil {
		web = certs.Listen(web)
		g.Go(func() error { return certs.Watch(ctx) }) // ends with ctx
	}
	g.Go(func() error { return c.Run(ctx) })             // ends with ctx
	g.Go(func() error { return server.Serve(ctx, web) }) // ends with ctx
	g.Go(func() error {                                  // ends with ctx
		return onHangup(ctx, func() { reloadConfig(c, server, cfg, reload, log) })
	})
	if err := g.Wait(); err != nil {
		return err
	}
	log.Info("eosin has ended; the switches go on forwarding")
	return nil
}

// lookAtFiles logs what is to be said of the files that the config names. Those that cannot be used are an error.
func lookAtFiles(cfg *config.Config, log *logrus.Logger) error {
	var faults config.Errors
	for _, f := range checkFiles(cfg, time.Now()) {
		switch f.severity {
		case warning:
			log.Warn(f.Error)
		case expired:
			log.Error(f.Error)
		default:
			faults = append(faults, f.Error)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// metricsHandler serves what Prometheus scrapes. certs are those of HTTPS, nil without.
func metricsHandler(c *controller.Controller, certs *pki.Files) http.Handler {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		opts := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}
		r.MustRegister(prometheus.NewGaugeFunc(opts, value))
	}
	gauge("eosin_build_info", "Always 1; the label tells the version.",
		prometheus.Labels{"version": programVersion()}, func() float64 { return 1 })
	if certs != nil {
		gauge("eosin_http_tls_expiry_timestamp_seconds",
			"When the first of the certificates in use for HTTP ends, in seconds since 1970.",
			nil, func() float64 { return float64(certs.Current().Expires().Unix()) })
		gauge("eosin_http_tls_last_reload_successful",
			"Whether the TLS files of HTTP can be used as they are (1), or what was read before stays in use (0).",
			nil, func() float64 {
				if certs.Healthy() {
					return 1
				}
				return 0
			})
	}
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(c.Collectors()...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
