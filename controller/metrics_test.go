package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
)

// Metrics may be read while the controller starts.
func TestCollectDuringStart(t *testing.T) {
	ca := pkitest.New(t, "switch CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("controller", pkitest.Tomorrow()), ca)
	s := newShell(t, parse(t, strings.ReplaceAll(ssl(files), "LISTEN", "127.0.0.1:0")))
	done := make(chan struct{})
	go func() { // ends with the loop
		defer close(done)
		for range 500 {
			ch := make(chan prometheus.Metric, 100)
			s.c.metrics.Collect(ch)
		}
	}()
	s.start(t.Context())
	<-done
}

// What a switch sends without being asked is counted.
func TestUnsolicitedMetric(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shell) {
		nc, _ := s.pipe(t.Context())
		sw := testSwitch(7)
		s.serve(sw, nc)
		s.awaitReady(7)
		err := s.c.registry.Get(7).Step(func(now time.Time, m *datapath.Machine, _ switches.State) error {
			return m.Receive(now, openflow.AppendBarrierReply(nil, 0xdead))
		})
		if err != nil {
			t.Fatal(err)
		}
		const name = "eosin_openflow_unsolicited_messages_total"
		want := "# HELP " + name + " OpenFlow messages that the switch sent without being asked for them.\n" +
			"# TYPE " + name + " counter\n" + name + "{switch=\"0000000000000007\"} 1\n"
		if err := testutil.GatherAndCompare(gatherer(s), strings.NewReader(want), name); err != nil {
			t.Error(err)
		}
		sw.Close()
	})
}

func gatherer(s *shell) prometheus.Gatherer {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s.c.metrics)
	return r
}
