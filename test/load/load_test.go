package main

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/openflow"
)

// served runs eosin in this process.
func served(t *testing.T) *process {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	var s subject
	for _, s = range subjects(&options{}, t.TempDir()) {
		if s.name == "eosin" {
			break
		}
	}
	args, err := s.command(port)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(args[len(args)-1])
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	c := controller.New(cfg, controller.Options{Log: log, Events: api.NewEventLog(100, time.Now())})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := awaitListener(port, ended); err != nil {
		t.Fatal(err)
	}
	return &process{subject: s, address: cfg.OpenFlow.Listen[0].Address, log: filepath.Join(t.TempDir(), "none")}
}

func joined(t *testing.T, p *process, n int, wired bool) *fleet {
	t.Helper()
	fl, err := join(p, n, wired)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fl.close)
	return fl
}

// TestPacketIn holds the fake switch against Open vSwitch 3.1: with eosin's flows, this is what it sent for such a
// frame (ovs-ofctl snoop), but for the frame's own length.
func TestPacketIn(t *testing.T) {
	f := joined(t, served(t), 1, false).switches[0]
	msg, explicit := f.template(hostPort)
	if !explicit {
		t.Fatal("no rule sends frames of new hosts to the controller")
	}
	want := strings.Join([]string{
		// no buffer, 64 bytes, no_match, table, cookie
		"040a006a00000000", "ffffffff", "0040", "00", "05", "e054000000000001",
		"0001000c8000000400000002", "00000000", "0000", // in_port=2
		"02cd00000000", "02cc00000000", "81000001", "0800", // the network's tag
	}, "")
	if got := hex.EncodeToString(msg); !strings.HasPrefix(got, want) {
		t.Errorf("packet-in\n%s, want\n%s…", got, want)
	}
}

// TestCrowd runs each workload of the crowd on a small scale: every host gets its rules, also at another port.
func TestCrowd(t *testing.T) {
	fl := joined(t, served(t), 3, false)
	if err := fl.settle(); err != nil {
		t.Fatal(err)
	}
	o := &options{hosts: 100, duration: 20 * time.Millisecond}
	for _, step := range []struct {
		name string
		run  func() (int, time.Duration, error)
	}{
		{"flash crowd", func() (int, time.Duration, error) { return fl.all(hostPort, o) }},
		{"known hosts", func() (int, time.Duration, error) { return fl.known(o) }},
		{"moves", func() (int, time.Duration, error) { return fl.all(movedPort, o) }},
	} {
		n, took, err := step.run()
		if err != nil || n < len(fl.switches)*o.hosts || took <= 0 {
			t.Errorf("%s: %d in %s, %v", step.name, n, took, err)
		}
		for _, f := range fl.switches {
			if l := f.missing(); len(l) > 0 || f.Received(openflow.TypeError) > 0 {
				t.Errorf("%s: switch %d: %d hosts without rules, %d errors", step.name, f.number, len(l),
					f.Received(openflow.TypeError))
			}
		}
	}
}

// TestFabric has a host known on every switch of a line.
func TestFabric(t *testing.T) {
	figures, err := fabric(served(t), &options{fabric: 5})
	if err != nil || figures[fabricAll] <= 0 {
		t.Errorf("%v, %v", figures, err)
	}
}

// TestStub checks that the stub answers, with rules for the host that has sent.
func TestStub(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serveStub(l) }() // ends with the listener
	t.Cleanup(func() { _ = l.Close(); <-ended })
	p := &process{
		subject: subject{name: "stub", need: gotSource | gotDestination}, address: l.Addr().String(),
		log: os.DevNull,
	}
	figures, err := latency(p, &options{samples: 50})
	if err != nil || figures[latencyP50] <= 0 || figures[latencyP99] < figures[latencyP50] {
		t.Errorf("%v, %v", figures, err)
	}
}

// TestHalfOpen has 500 connections that say nothing: a good switch comes in all the same, within 3 seconds.
func TestHalfOpen(t *testing.T) {
	p := served(t)
	for range 500 {
		nc, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	begin := time.Now()
	joined(t, p, 1, false)
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("a good switch was ready after %s, want 3 s at most", d)
	}
}
