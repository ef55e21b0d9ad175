package events

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps/event"
)

var (
	descEvents = prometheus.NewDesc("eosin_events_total",
		"Events by type and level.", []string{"type", "level"}, nil)
	descSuppressed = prometheus.NewDesc("eosin_events_suppressed_total",
		"Events that were neither logged nor streamed, since there were too many of their type.", []string{"type"}, nil)
)

// Describe sends what Collect sends.
func (s *Sink) Describe(ch chan<- *prometheus.Desc) { ch <- descEvents; ch <- descSuppressed }

// Collect sends how many events of each type there were.
func (s *Sink) Collect(ch chan<- prometheus.Metric) {
	for _, t := range event.Types() {
		s.mu.Lock()
		a := *s.types[t]
		s.mu.Unlock()
		counter := func(d *prometheus.Desc, n uint64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
		}
		counter(descEvents, a.emitted, t.String(), string(t.Level()))
		counter(descSuppressed, a.suppressed, t.String())
	}
}
