package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
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
		for range 200 {
			ch := make(chan prometheus.Metric, 100)
			s.c.metrics.Collect(ch)
			time.Sleep(100 * time.Microsecond)
		}
	}()
	s.start(t.Context())
	<-done
}
