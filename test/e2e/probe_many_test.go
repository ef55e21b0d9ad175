package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/lab"
)

// post sends a body to the API and returns status, headers and body of the answer. It may be called by several
// goroutines at once.
func (s *site) post(path, body string) (status int, header http.Header, answer []byte, err error) {
	response, err := http.Post(s.ctl.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, answer, err
}

// TestManyProbes: many at once do not mix up, a color is one probe's alone for its time, and hosts have many names.
func TestManyProbes(t *testing.T) {
	t.Parallel()
	const guests, atOnceProbes, each = 8, 50, 10
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vif3: {access: blue}", "vif4: {access: blue}",
			"twin: {access: red}", "vx0: {tunnel: true}"),
		bridgeConf(2, "vif5: {access: blue}", "vif6: {access: blue}", "vif7: {access: blue}", "vif8: {access: blue}",
			"vx0: {tunnel: true}"),
	)+named(guests))
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	var vms []*lab.VM
	for i := 1; i <= guests; i++ {
		vms = append(vms, s.vm(map[bool]*lab.Bridge{true: a, false: b}[i <= guests/2], fmt.Sprintf("vm%d", i)))
	}
	s.waitLinks(1)
	s.met(vms...)
	for _, from := range vms {
		s.reach(from, slices.DeleteFunc(slices.Clone(vms), func(to *lab.VM) bool { return to == from })...)
	}

	firstUse := s.oneColorAtATime(vms[0], vms[4])

	listeners := s.listen("icmp", vms...)
	type pair struct{ from, to int }
	results := map[pair]*probespec.Result{}
	var pairs []pair
	for from := range vms {
		for to := range vms {
			if from != to && len(pairs) < atOnceProbes {
				pairs = append(pairs, pair{from, to})
				results[pair{from, to}] = &probespec.Result{}
			}
		}
	}
	const request = `{"source": "vm%d", "destination": "vm%d", "count": %d, "interval": "50ms", "timeout": "5s"}`
	var all sync.WaitGroup
	for _, p := range pairs {
		all.Go(func() {
			body := fmt.Sprintf(request, p.from+1, p.to+1, each)
			status, _, answer, err := s.post("/api/v1/probes", body)
			if err == nil && status == http.StatusOK {
				err = json.Unmarshal(answer, results[p])
			}
			if err != nil || status != http.StatusOK {
				t.Errorf("vm%d to vm%d: %v, status %d: %s", p.from+1, p.to+1, err, status, answer)
			}
		})
	}
	all.Wait()

	colors := map[int]pair{}
	for _, p := range pairs {
		r := results[p]
		if r.Sent != each || r.Received != each || r.Verdict != probespec.Reachable {
			t.Errorf("vm%d to vm%d: %+v", p.from+1, p.to+1, r)
		}
		seen := map[int]bool{}
		for _, reply := range r.Replies {
			seen[reply.Seq] = true
		}
		if len(r.Replies) != each || len(seen) != each {
			t.Errorf("vm%d to vm%d: replies %+v", p.from+1, p.to+1, r.Replies)
		}
		if other, taken := colors[r.Color]; taken {
			t.Errorf("vm%d to vm%d has the color %d of vm%d to vm%d", p.from+1, p.to+1, r.Color, other.from+1,
				other.to+1)
		}
		colors[r.Color] = p
	}
	for to, e := range listeners {
		requests := map[pair]int{}
		for _, x := range echoes(e.Stop()) {
			p, known := colors[x.id]
			switch {
			case !known:
				t.Errorf("vm%d sees an echo of nobody's: %+v", to+1, x)
			case p.to != to || x.request && (x.src != vms[p.from].IP() || x.dst != vms[to].IP()):
				t.Errorf("vm%d sees an echo of the probe from vm%d to vm%d: %+v", to+1, p.from+1, p.to+1, x)
			case x.request:
				requests[p]++
			}
		}
		for _, p := range pairs {
			if n := requests[p]; p.to == to && n != each {
				t.Errorf("vm%d gets %d requests of vm%d, want %d", to+1, n, p.from+1, each)
			}
		}
	}

	s.namesOfHosts(a, vms[0], vms[4])

	const quarantine = 30 * time.Second
	var last lab.CommandResult
	s.eventually(quarantine+patience, "color free again", func() bool {
		last = s.ctl.Eosin("probe", "vm2", "vm3", "-c", "1", "--color", fmt.Sprint(color))
		return last.Exit == 0
	})
	if after := time.Since(firstUse); after < quarantine-2*time.Second {
		t.Errorf("the color was given out again after %v", after)
	}
}

// oneColorAtATime asks for a color that a running probe has, and again when it has just ended. It returns when that
// was.
func (s *site) oneColorAtATime(from, to *lab.VM) time.Time {
	s.t.Helper()
	first := make(chan lab.CommandResult)
	go func() {
		first <- s.ctl.Eosin("probe", from.Name, to.Name, "--color", fmt.Sprint(color), "-c", "20", "-i", "50ms")
	}()
	s.eventually(patience, "the first probe runs", func() bool { return s.metric("eosin_probe_colours_in_use") > 0 })
	refused := func(when string) {
		r := s.ctl.Eosin("probe", "vm2", "vm3", "--color", fmt.Sprint(color), "-c", "1")
		if r.Exit != 3 || !strings.Contains(r.Stderr, fmt.Sprintf("color %d", color)) ||
			!strings.Contains(r.Stderr, "in use") {
			s.t.Errorf("the color of a probe that %s: %v", when, r)
		}
	}
	refused("runs")
	if r := <-first; r.Exit != 0 {
		s.t.Errorf("the first probe: %v", r)
	}
	ended := time.Now()
	refused("has just ended")
	return ended
}

// namesOfHosts probes by every name that a host has, and by one that two hosts have.
func (s *site) namesOfHosts(br *lab.Bridge, from, to *lab.VM) {
	s.t.Helper()
	sources := []string{from.Name, from.IP(), from.MAC, strings.ToUpper(from.MAC), s.at(from)}
	for i, destination := range []string{to.Name, to.IP(), to.MAC, strings.ToUpper(to.MAC), s.at(to)} {
		r := s.probe(sources[i], destination, "-c", "1")
		if r.Verdict != probespec.Reachable || r.SourceEnd == nil || r.SourceEnd.Name != from.Name ||
			r.DestinationEnd == nil ||
			r.DestinationEnd.Name != to.Name || r.DestinationEnd.IP != to.IP() {
			s.t.Errorf("%s to %s: %+v, ends %+v and %+v", sources[i], destination, r, r.SourceEnd, r.DestinationEnd)
		}
	}
	twin := br.AddVM("twin", lab.VMOptions{Port: "twin", Addrs: []string{from.IP() + "/24"}})
	s.met(twin)
	r := s.ctl.Eosin("probe", from.IP(), to.Name, "-c", "1")
	if r.Exit != 3 || !strings.Contains(r.Stderr, "ambiguous") || !strings.Contains(r.Stderr, from.Name) ||
		!strings.Contains(r.Stderr, twin.MAC) {
		s.t.Errorf("a source's IP that two hosts have: %v", r)
	}
	// As a destination it is that of the source's network.
	if r := s.probe(to.Name, from.IP(), "-c", "1"); r.Verdict != probespec.Reachable ||
		r.DestinationEnd.Name != from.Name {
		s.t.Errorf("a destination's IP that two hosts have: %+v", r)
	}
	status, _, answer, err := s.post("/api/v1/probes", fmt.Sprintf(`{"source": %q, "destination": "vm2"}`, from.IP()))
	if err != nil || status != http.StatusUnprocessableEntity || !bytes.Contains(answer, []byte(`"ambiguous_name"`)) {
		s.t.Errorf("the API on an ambiguous source: %v, status %d: %s", err, status, answer)
	}
}
