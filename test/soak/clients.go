package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// An apiClient connects to the HTTP API and leaves again.
type apiClient struct {
	url   string
	rand  *rand.Rand
	asked *atomic.Int64
}

var lists = []string{"switches", "ports", "hosts", "links", "networks", "tunnels", "flows", "probes", "mesh"}

// run sends requests until the context ends. Answers do not matter, and neither does a controller that is away.
func (v apiClient) run(ctx context.Context) {
	for sleep(ctx, between(v.rand, 20*time.Millisecond, 1500*time.Millisecond)) {
		v.asked.Add(1)
		stay := between(v.rand, 50*time.Millisecond, 3*time.Second)
		switch v.rand.IntN(8) {
		case 0, 1, 2:
			v.get(ctx, "/api/v1/"+pick(v.rand, lists), 5*time.Second)
		case 3:
			v.get(ctx, "/probe?source=vm1&target=vm2&module=icmp", 5*time.Second)
		case 4, 5: // reads events, then goes without a word
			v.get(ctx, "/api/v1/events", stay)
		case 6: // asks for events and does not read them
			v.hold(ctx, "GET /api/v1/events HTTP/1.1\r\nHost: eosin\r\n\r\n", stay)
		case 7: // does not come to an end
			v.hold(ctx, "GET /api/v1/hosts HTTP/1.1\r\nHost:", stay)
		}
	}
}

// get asks for a path and reads until the end or the time is over.
func (v apiClient) get(ctx context.Context, path string, stay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, stay)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, http.NoBody)
	if err != nil {
		return
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// hold sends some bytes and keeps the connection for a while.
func (v apiClient) hold(ctx context.Context, send string, stay time.Duration) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(v.url, "http://"))
	if err != nil {
		return
	}
	defer func() { _ = nc.Close() }()
	_, _ = io.WriteString(nc, send)
	sleep(ctx, stay)
}

// invalidPeer connects to the OpenFlow port without being a switch.
func invalidPeer(ctx context.Context, address string, r *rand.Rand) {
	for sleep(ctx, between(r, 200*time.Millisecond, 3*time.Second)) {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		const hello = "\x04\x00\x00\x08\x00\x00\x00\x01"
		_, _ = io.WriteString(nc, pick(r, []string{"", hello, "GET / HTTP/1.1\r\n\r\n", hello[:3]}))
		sleep(ctx, between(r, 0, time.Second))
		_ = nc.Close()
	}
}

// A command runs the client's commands against a controller.
type command struct{ binary, server, dir string }

// run returns what a command printed and its exit status; -1 if it could not run.
func (c command) run(ctx context.Context, args ...string) (out string, exit int) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, args...)
	cmd.Env = append(os.Environ(), "EOSIN_SERVER="+c.server)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which then ends the command
	text, err := cmd.CombinedOutput()
	var status *exec.ExitError
	switch {
	case err == nil:
		return string(text), 0
	case errors.As(err, &status):
		return string(text), status.ExitCode()
	}
	return fmt.Sprintf("%v: %s", err, text), -1
}

// probeOnce probes pairs, one at a time, until the context ends.
func probeOnce(ctx context.Context, c command, led *ledger, r *rand.Rand, within, across []pair) {
	for sleep(ctx, between(r, 500*time.Millisecond, 2*time.Second)) {
		p, want := pick(r, within), 0
		if r.IntN(4) == 0 {
			p, want = pick(r, across), 1
		}
		from := time.Now()
		out, exit := c.run(ctx, "probe", p.from, p.to, "-c", "3", "-i", "100ms", "-W", "1s")
		if ctx.Err() != nil {
			return
		}
		said := fmt.Sprintf("exit %d, want %d: %s", exit, want, strings.Join(strings.Fields(out), " "))
		if want == 1 && exit == 0 {
			led.violate("eosin probe %s %s was answered across networks: %s", p.from, p.to, said)
			continue
		}
		led.oneOffProbe(p, from, time.Now(), exit == want, said)
	}
}
