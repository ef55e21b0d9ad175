package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// What a switch finds out is taken in the order in which it did: a hello that came in before its port went down makes no link of the
// port when it comes up again.
func TestPortListsDoNotOvertakeFacts(t *testing.T) {
	f := newShell(t, config.Default()).c.fabric
	take := func() {
		f.mu.Lock()
		posts := f.posts
		f.posts = nil
		clear(f.waiting)
		f.mu.Unlock()
		for i := range posts {
			f.take(time.Now(), &posts[i])
		}
	}
	ports := func(up bool) map[openflow.PortNo]topology.PortInfo {
		return map[openflow.PortNo]topology.PortInfo{1: {Up: up, VLANs: topology.AllVLANs()}}
	}
	here, there := topology.PortRef{Switch: 1, Port: 1}, topology.PortRef{Switch: 2, Port: 1}
	f.postConnected(1, true)
	f.postConnected(2, true)
	f.postPorts(2, ports(true))
	take()

	f.postPorts(1, ports(true))
	f.post(post{sw: 1, kind: postFact, fact: apps.Fact{Kind: apps.HelloSeen, Port: 1, Peer: there, Seq: 1, At: time.Now()}})
	f.postPorts(1, ports(false))
	take()
	f.postPorts(1, ports(true))
	take()
	if f.graph.Snapshot().Transit(here) {
		t.Error("the port is a link, and nobody has heard anything since it came up")
	}

	// Lists without anything in between are one.
	for range 1000 {
		f.postPorts(1, ports(false))
		f.postPorts(1, ports(true))
	}
	if n := len(f.posts); n != 1 {
		t.Errorf("%d lists wait", n)
	}
}

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
			s.c.Collector().Collect(ch)
			time.Sleep(100 * time.Microsecond)
		}
	}()
	s.start(t.Context())
	<-done
}

// Who looked a switch up before it was forgotten (a reload, a timer) does not bring it back to the fabric.
func TestForgottenSwitchTakesNoStep(t *testing.T) {
	c := newShell(t, config.Default()).c
	s := newSwitch(c, 1)
	c.switches[1] = s
	_ = s.step(func(now time.Time, m *datapath.Machine) error {
		m.Attach(now)
		return m.Receive(now, openflow.AppendPortStatus(nil, 0, &openflow.PortStatus{
			Reason: openflow.PortAdd, Desc: openflow.PortDesc{No: 1, Name: "p1", State: openflow.PortStateLive},
		}))
	})
	c.forget(1)
	before := len(c.fabric.posts)
	s.configure(intentFor(config.Default(), 1))
	s.tick()
	if err := s.step(func(time.Time, *datapath.Machine) error { t.Error("it took a step"); return nil }); !errors.Is(err, errOffline) {
		t.Errorf("error %v", err)
	}
	if n := len(c.fabric.posts); n != before {
		t.Errorf("%d posts for a switch that is forgotten", n-before)
	}
}
