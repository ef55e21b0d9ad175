package prober

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// pairLabels name a pair of a configured probe. Single probes have no series: their pairs are not bounded.
var pairLabels = []string{"probe", "source", "destination"}

var (
	descSuccess = prometheus.NewDesc("eosin_probe_success",
		"Whether the newest verdict on the pair is the expected one. A pair that cannot be tested is not.",
		pairLabels, nil)
	descReachable = prometheus.NewDesc("eosin_probe_reachable",
		"Whether all requests of the pair's newest round were answered.", pairLabels, nil)
	descSent = prometheus.NewDesc("eosin_probe_sent_total",
		"Requests that were answered or given up; those on their way are not counted.", pairLabels, nil)
	descReceived = prometheus.NewDesc("eosin_probe_received_total", "Requests that were answered in time.",
		pairLabels, nil)
	descLost = prometheus.NewDesc("eosin_probe_lost_total",
		"Requests that were not answered in time, by where they were lost as far as it can be told.",
		[]string{"probe", "source", "destination", "stage"}, nil)
	descViolations = prometheus.NewDesc("eosin_isolation_violations_total",
		"Rounds in which a pair that must be isolated was not.", pairLabels, nil)
	descLate = prometheus.NewDesc("eosin_probe_late_total",
		"Answers of configured probes that came after their timeout.", []string{"probe"}, nil)
	descDuplicates = prometheus.NewDesc("eosin_probe_duplicates_total",
		"Further answers to what was answered already, of configured probes.", []string{"probe"}, nil)
	descRejected = prometheus.NewDesc("eosin_probe_replies_rejected_total",
		"Frames that a trap brought and that are no answer to a running probe, by reason.", []string{"reason"}, nil)
	descColors = prometheus.NewDesc("eosin_probe_colours_in_use", "Colors held by running probes.", nil, nil)
)

func newRTTHistograms() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "eosin_probe_rtt_seconds",
		Help: "Round trip time of answered requests, " +
			"from before the request is written to the switch until its answer is read.",
		Buckets: []float64{
			50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3,
			500e-3, 1, 2.5,
		},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
	}, pairLabels)
}

// Describe implements prometheus.Collector.
func (e *Engine) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descSuccess, descReachable, descSent, descReceived, descLost, descViolations, descLate, descDuplicates,
		descRejected, descColors,
	} {
		ch <- d
	}
	e.rtt.Describe(ch)
}

// Collect implements prometheus.Collector. The series of a pair exist until it is removed, and but for the histogram
// from its first verdict on.
func (e *Engine) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	f := e.figures()
	for i := range f.pairs {
		p := &f.pairs[i]
		gauge(descSuccess, truth(p.ok), p.labels...)
		gauge(descReachable, truth(p.verdict == probespec.Reachable), p.labels...)
		counter(descSent, p.sent, p.labels...)
		counter(descReceived, p.received, p.labels...)
		for stage, n := range p.lost {
			counter(descLost, n, append(p.labels, string(stage))...)
		}
		if p.isolation {
			counter(descViolations, p.violations, p.labels...)
		}
	}
	for _, g := range f.probes {
		counter(descLate, g.late, g.name)
		counter(descDuplicates, g.duplicates, g.name)
	}
	for _, r := range probe.Reasons() {
		counter(descRejected, f.rejected[r], r.String())
	}
	gauge(descColors, float64(f.colors))
	e.rtt.Collect(ch)
}

// figures are what the metrics say, copied so that the lock is held for a short time only.
type figures struct {
	pairs    []pairFigures
	probes   []probeFigures
	rejected map[probe.Reason]uint64
	colors   int
}

type pairFigures struct {
	labels                     []string
	ok, isolation              bool
	verdict                    probespec.Verdict
	sent, received, violations uint64
	lost                       map[probespec.Stage]uint64
}

type probeFigures struct {
	name             string
	late, duplicates uint64
}

func (e *Engine) figures() figures {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := figures{rejected: maps.Clone(e.rejected), colors: e.colors.InUse()}
	for _, g := range e.probes {
		f.probes = append(f.probes, probeFigures{g.spec.Name, g.late, g.duplicates})
		for _, p := range g.pairs {
			if p.decided {
				f.pairs = append(f.pairs, pairFigures{
					labels: p.labels(), ok: p.ok, isolation: p.unreachable(), verdict: p.verdict, sent: p.sent,
					received: p.received, violations: p.violations, lost: maps.Clone(p.lost),
				})
			}
		}
	}
	return f
}

// labels are the values of pairLabels.
func (p *pair) labels() []string { return []string{p.probe.spec.Name, p.key.Source, p.key.Destination} }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
