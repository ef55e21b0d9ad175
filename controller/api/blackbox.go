package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

const blackboxPath = "/probe"

// scrapeSlack is what is left of a scrape's timeout for everything but the probe.
const scrapeSlack = 500 * time.Millisecond

// blackboxInput is the query of /probe. Source and target are checked by hand, as their problem says more.
type blackboxInput struct {
	Source string `query:"source" doc:"Name of a host, an IP, a MAC, or SWITCH:PORT" example:"vm1"`
	Target string `query:"target" doc:"As source, or any IP" example:"vm2"`
	Module string `query:"module" default:"icmp" doc:"Type of the probe, as in POST probes" example:"icmp"`
	Debug  bool   `query:"debug" doc:"Answer with the course of the probe as text before the metrics" example:"false"`
	Scrape string `header:"X-Prometheus-Scrape-Timeout-Seconds" doc:"As Prometheus sends it: the probe ends half a second before" example:"10"`
}

// registerBlackbox adds GET /probe.
func (s *Server) registerBlackbox() {
	huma.Register(s.api, s.operation(http.MethodGet, blackboxPath, "blackbox-probe", "metrics",
		"Run one probe and answer with metrics, as blackbox_exporter does",
		"A probe that is lost or cannot be run answers with probe_success 0, so that a scrape of it succeeds. "+
			"A request that can never succeed (source or target missing, unknown module) is a problem.",
		content{metricsType: textMedia("# HELP probe_success Displays whether or not the probe was a success\n" +
			"# TYPE probe_success gauge\nprobe_success 1\n")}),
		func(_ context.Context, in *blackboxInput) (*huma.StreamResponse, error) {
			return raw(func(w http.ResponseWriter, r *http.Request) { s.serveBlackbox(w, r, *in) })
		})
	for _, p := range s.api.OpenAPI().Paths[blackboxPath].Get.Parameters {
		p.Required = p.Name == "source" || p.Name == "target"
	}
}

// request turns the query into a request for one probe.
func (in blackboxInput) request() (probespec.Request, *Problem) {
	var errs []FieldError
	request := probespec.Request{Source: in.Source, Destination: in.Target, Count: 1}
	if err := request.Type.UnmarshalText([]byte(in.Module)); err != nil {
		errs = append(errs, FieldError{Location: "query.module", Message: err.Error()})
	}
	request = request.WithDefaults()
	if seconds, err := strconv.ParseFloat(in.Scrape, 64); err == nil && seconds > 0 &&
		seconds < probespec.MaxTimeout.Seconds() {
		left := time.Duration(seconds*float64(time.Second)) - scrapeSlack
		request.Timeout = min(probespec.Duration(max(left, probespec.MinTimeout)), request.Timeout)
	}
	names := map[string]string{"source": "query.source", "destination": "query.target"}
	for _, wrong := range request.Check() {
		errs = append(errs, FieldError{Location: names[wrong.Field], Message: wrong.Text})
	}
	if len(errs) == 0 {
		return request, nil
	}
	problem := invalid(errs...)
	problem.Status, problem.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
	return request, problem
}

// serveBlackbox serves GET /probe.
func (s *Server) serveBlackbox(w http.ResponseWriter, r *http.Request, in blackboxInput) {
	request, problem := in.request()
	if problem != nil {
		s.refuse(w, r, problem)
		return
	}
	if !s.probes.TryAcquire(1) {
		s.refuse(w, r, s.tooManyProbes())
		return
	}
	defer s.probes.Release(1)
	ctx, cancel := s.longRunning(r)
	defer cancel()
	began := time.Now()
	result, err := s.Backend.Probe(ctx, request, nil)
	took := time.Since(began)
	var reason *Problem
	if err != nil {
		if reason = s.problemFor(ctx, r, err); reason == nil {
			return
		}
		if reason.Status >= http.StatusInternalServerError || reason.Status == http.StatusTooManyRequests {
			reason.write(w) // says nothing about the target
			return
		}
	}
	if in.Debug {
		writeDebug(w, request, result, reason, took)
	}
	promhttp.HandlerFor(blackboxMetrics(result, reason, took),
		promhttp.HandlerOpts{DisableCompression: in.Debug}).ServeHTTP(w, r)
}

// blackboxMetrics are the metrics of one probe, under blackbox_exporter's names. reason is nil when the probe was run.
func blackboxMetrics(result probespec.Result, reason *Problem, took time.Duration) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, value float64, labels prometheus.Labels) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
		g.Set(value)
		registry.MustRegister(g)
	}
	success := 0.0
	if reason == nil && result.Verdict == probespec.Reachable {
		success = 1
	}
	gauge("probe_success", "Displays whether or not the probe was a success", success, nil)
	gauge("probe_duration_seconds", "Returns how long the probe took to complete in seconds", took.Seconds(), nil)
	if result.RTT != nil {
		gauge("probe_icmp_duration_seconds", "Duration of icmp request by phase", result.RTT.Avg.Seconds(),
			prometheus.Labels{"phase": "rtt"})
	}
	stage := ""
	switch {
	case reason != nil:
		stage = reason.Stage
		def(&stage, string(reason.Code))
	case result.Loss != nil:
		stage = string(result.Loss.Stage)
	}
	if success == 0 && stage != "" {
		gauge("probe_failure_info", "The stage at which the probe was lost or could not be run", 1,
			prometheus.Labels{"stage": stage})
	}
	return registry
}

// writeDebug says in words how the probe went.
func writeDebug(w http.ResponseWriter, request probespec.Request, result probespec.Result, reason *Problem,
	took time.Duration,
) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Probe of type %s from %s to %s, timeout %v, took %v\n", request.Type, request.Source,
		request.Destination, request.Timeout, took)
	if reason != nil {
		fmt.Fprintf(w, "It could not be run: %s\n", reason.Detail)
	} else {
		fmt.Fprintf(w, "Verdict %s: %d sent, %d received\n", result.Verdict, result.Sent, result.Received)
	}
	if result.Loss != nil {
		fmt.Fprintf(w, "Lost: %s: %s\n", result.Loss.Stage, result.Loss.Reason)
		for _, line := range result.Loss.Evidence {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	fmt.Fprintln(w, "\nMetrics that would have been returned:")
}
