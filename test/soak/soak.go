package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// options of a run.
type options struct {
	binary   string
	total    time.Duration
	seed     uint64
	switches int // fake ones
	visitors int // clients of the HTTP API
	cycle    time.Duration
	calm     time.Duration // of a cycle, without disturbances
	every    time.Duration // between two lines of progress
	only     []kind        // disturbances; empty: all
	lab      string        // its name
	evidence string        // file for what switches hold while packets are lost; empty: none
}

// A soak is one run.
type soak struct {
	options
	out     io.Writer
	outMu   sync.Mutex
	led     *ledger
	site    *site
	fleet   *fleet
	scraper *scraper
	command command
	asked   atomic.Int64 // by visitors

	mu     sync.Mutex
	latest scrape    // of the poller
	seen   time.Time // when

	life    int                 // of the controller, from 0
	lives   [][]sample          // samples of each life
	tables  map[string][]string // the first dumps, by where the guests were
	planned [][]step
	looked  map[pair]bool // whose losses were looked into; guarded by mu
}

// run soaks a controller in an empty lab, prints a report, and returns what it has found. An error means that it could
// not be run to its end.
func run(ctx context.Context, l *lab.Lab, o options, out io.Writer) (*ledger, error) {
	s := &soak{options: o, out: out, lives: make([][]sample, 1), tables: map[string][]string{}, looked: map[pair]bool{}}
	s.led = newLedger(time.Now(), s.say)
	movers := map[string]string{}
	var names []string
	for _, g := range guests {
		names = append(names, g.name)
		if g.moves {
			movers[g.name] = g.home
		}
	}
	s.planned = plan(o.seed, o.total, shape{
		hosts: hostNames, guests: names, movers: movers, cycle: o.cycle, calm: o.calm, only: o.only,
	})
	s.say(fmt.Sprintf("seed %d: %v in %d cycles, %d hosts, %d guests, %d fake switches, %d HTTP clients",
		o.seed, o.total, len(s.planned), len(hostNames), len(guests), o.switches, o.visitors))
	var played error
	if err := l.Try(func() { played = s.play(ctx, l) }); err != nil {
		return s.led, err
	}
	if played != nil {
		return s.led, played
	}
	s.report(ctx.Err() != nil)
	return s.led, nil
}

func (s *soak) say(text string) {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	fmt.Fprintln(s.out, text)
}

// play is the whole run. Whatever it starts has ended when it returns; the lab is the caller's.
func (s *soak) play(ctx context.Context, l *lab.Lab) error {
	s.site = newSite(l, s.binary, s.led)
	s.scraper = newScraper(s.site.ctl.URL)
	s.command = command{s.binary, s.site.ctl.URL, l.Dir()}
	address := strings.TrimPrefix(l.ControllerTarget(), "tcp:")
	fl, err := newFleet(s.switches, address, s.seed)
	if err != nil {
		return err
	}
	s.fleet = fl
	defer fl.close()
	fl.settle()
	if !s.becomeCalm(ctx, true) {
		return cmp.Or(ctx.Err(), fmt.Errorf("the lab did not become calm: %v", s.led.violations))
	}

	// From here on nothing may be lost without a reason.
	background, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, t := range slices.Concat(s.site.talks(false), s.site.talks(true)) {
		wg.Go(func() { t.run(background, s.led, s.look) })
	}
	wg.Go(func() { s.poll(background) })
	wg.Go(func() { s.progress(background) })
	wg.Go(func() { watchStalls(background, s.led) })

	began := time.Now()
	for i, steps := range s.planned {
		start := began.Add(time.Duration(i) * s.cycle)
		if late := time.Since(start); late > 0 {
			start = start.Add(late)
		}
		if i > 0 && time.Since(began) > s.total-s.cycle/2 || !sleep(ctx, time.Until(start)) {
			break
		}
		s.disturb(ctx, steps)
		if last := i == len(s.planned)-1 || time.Since(began) > s.total-s.cycle/2; last && ctx.Err() == nil {
			s.goHome()
		}
		s.becomeCalm(ctx, false)
	}
	stop()
	wg.Wait()
	return nil
}

// goHome moves the guests back to where they began.
func (s *soak) goHome() {
	for _, g := range guests {
		if g.moves && s.site.VM(g.name).Bridge.Host.Name != g.home {
			s.act(step{kind: guestMove, guest: g.name, to: g.home}, map[step]*window{}, true)
		}
	}
}

// disturb plays the steps of a cycle while everything else comes and goes. When it returns all has been undone, also if
// the context has ended.
func (s *soak) disturb(ctx context.Context, steps []step) {
	background, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	random := func(n int) *rand.Rand {
		return rand.New(rand.NewPCG(s.seed, uint64(n)<<32|uint64(time.Since(s.led.began))))
	}
	wg.Go(func() { s.fleet.churn(background) })
	for i := range s.visitors {
		wg.Go(func() { apiClient{s.site.ctl.URL, random(i), &s.asked}.run(background) })
	}
	wg.Go(func() { invalidPeer(background, s.fleet.address, random(1000)) })
	wg.Go(func() { probeOnce(background, s.command, s.led, random(1001), pairs(false), pairs(true)) })

	type half struct {
		at    time.Duration
		step  step
		begin bool
	}
	var halves []half
	for _, d := range steps {
		halves = append(halves, half{d.begin, d, true}, half{d.end, d, false})
	}
	slices.SortStableFunc(halves, func(a, b half) int { return cmp.Compare(a.at, b.at) })
	began, open := time.Now(), map[step]*window{}
	for _, h := range halves {
		if !sleep(ctx, time.Until(began.Add(h.at))) {
			break
		}
		before := time.Now()
		s.act(h.step, open, h.begin)
		began = began.Add(time.Since(before)) // what follows keeps its distance
	}
	for _, d := range steps { // after an interrupt
		if open[d] != nil {
			s.act(d, open, false)
		}
	}
	sleep(ctx, time.Second)
}

// act does one half of a step.
func (s *soak) act(d step, open map[step]*window, begin bool) {
	if begin {
		w := s.site.windowOf(d)
		open[d] = w
		s.led.begin(w)
		if d.kind == controllerRestart || d.kind == controllerKill {
			s.life++
			s.lives = append(s.lives, nil)
		}
		s.site.begin(d)
		if d.end > d.begin {
			return
		}
	}
	if w := open[d]; w != nil {
		s.site.end(d)
		s.led.end(w)
		delete(open, d)
	}
}

// becomeCalm waits until all that was disturbed is as it should be, takes a sample, and compares the tables with those
// of the same state before. It reports whether it became calm in time; if not that is a violation.
func (s *soak) becomeCalm(ctx context.Context, first bool) bool {
	const patience = 40 * time.Second
	s.fleet.settle()
	deadline := time.Now().Add(patience)
	for {
		s.fleet.speak()
		m, err := s.scraper.read(ctx)
		problem := s.unrest(m)
		if err != nil {
			problem = err.Error()
		}
		if problem == "" {
			problem = s.wrongView(ctx)
		}
		if problem == "" {
			break
		}
		if err == nil && m[lobbyHosts] > float64(s.fleet.hosts()) {
			s.fleet.sendAway()
		}
		if time.Now().After(deadline) {
			s.led.violate("not calm after %v: %s", patience, problem)
			return false
		}
		if !sleep(ctx, 300*time.Millisecond) {
			return false
		}
	}
	if !sleep(ctx, time.Second) {
		return false
	}
	v, err := s.sample(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.led.violate("sample: %v", err)
		}
		return false
	}
	s.lives[s.life] = append(s.lives[s.life], v)
	s.compareTables(ctx)
	return true
}

const lobbyHosts = `eosin_hosts{network="lobby"}`

// unrest says what is not yet as it should be; empty if all is.
func (s *soak) unrest(m scrape) string {
	for _, c := range []struct {
		what string
		have float64
		want int
	}{
		{"switches connected", m.sum("eosin_switch_connected"), s.switches + len(hostNames)},
		{"fake switches connected", float64(s.fleet.connected()), s.switches},
		{"hosts in lobby", m[lobbyHosts], s.fleet.hosts()},
		{"hosts in blue", m[`eosin_hosts{network="blue"}`], 4},
		{"hosts in red", m[`eosin_hosts{network="red"}`], 3},
		{"tunnels up", m[`eosin_links{kind="tunnel"}`], len(tunnels)},
		{"wires up", m[`eosin_links{kind="wire"}`], s.fleet.wires},
		{"config reloads successful", m["eosin_config_last_reload_successful"], 1},
		{"pairs as expected", m.sum("eosin_probe_success"), 4*3 + 3*2 + 4*3},
	} {
		if c.have != float64(c.want) {
			return fmt.Sprintf("%s: %.0f, want %d", c.what, c.have, c.want)
		}
	}
	return ""
}

// wrongView says what "eosin get" does not say as it is.
func (s *soak) wrongView(ctx context.Context) string {
	var hosts []api.Host
	var links []api.Link
	var mesh []probespec.MeshEntry
	for kind, into := range map[string]any{"hosts": &hosts, "links": &links, "mesh": &mesh} {
		out, exit := s.command.run(ctx, "get", kind, "-o", "json")
		if exit != 0 {
			return fmt.Sprintf("eosin get %s: exit %d: %s", kind, exit, out)
		}
		if err := json.Unmarshal([]byte(out), into); err != nil {
			return fmt.Sprintf("eosin get %s: %v", kind, err)
		}
	}
	for _, v := range s.site.VMs() {
		want := v.Bridge.Host.Name + ":" + v.Port
		there := func(h api.Host) bool { return h.Name == v.Name && h.Switch+":"+h.Port == want }
		if !slices.ContainsFunc(hosts, there) {
			return fmt.Sprintf("eosin get hosts: %s is not said to be at %s", v.Name, want)
		}
	}
	for _, t := range tunnels {
		if !slices.ContainsFunc(links, func(k api.Link) bool { return k.Up && k.A.Port == t[2] && k.B.Port == t[2] }) {
			return fmt.Sprintf("eosin get links: %s is not said to be up", t[2])
		}
	}
	for _, m := range mesh {
		if !m.OK {
			return fmt.Sprintf("eosin get mesh: %s, %s > %s: %s, want %s", m.Probe, m.Source, m.Destination, m.Verdict,
				m.Expect)
		}
	}
	return ""
}

// sample reads the figures after two garbage collections, to which the scrapes themselves contribute. Of what
// fluctuates it takes the least: what leaks is there all the time.
func (s *soak) sample(ctx context.Context) (sample, error) {
	m, err := s.scraper.read(ctx)
	if err != nil {
		return sample{}, err
	}
	v, collections := m.sample(), m.collections()
	for range 40 {
		if !sleep(ctx, 50*time.Millisecond) {
			break
		}
		if m, err = s.scraper.read(ctx); err != nil {
			return sample{}, err
		}
		now := m.sample()
		for i := range v {
			v[i] = min(v[i], now[i])
		}
		v[0], v[1] = now[0], now[1] // memory is that of the last collection
		if m.collections() >= collections+2 {
			break
		}
	}
	return v, nil
}

// compareTables compares what all switches hold with what they held when the guests were first at the same places. An
// inquiry into a lost probe has rules of its own for as long as it lasts, so that a difference counts only if it stays.
func (s *soak) compareTables(ctx context.Context) {
	place := s.site.placement()
	compare := func(key string, dump func() []string) {
		for deadline := time.Now().Add(15 * time.Second); ; {
			now := dump()
			before, known := s.tables[key]
			if !known {
				s.tables[key] = now
				return
			}
			d := difference(before, now)
			if len(d) == 0 {
				return
			}
			if time.Now().After(deadline) {
				s.led.violate("%s: the tables are not what they were:\n  %s", key,
					strings.Join(d[:min(len(d), 10)], "\n  "))
				return
			}
			if !sleep(ctx, 500*time.Millisecond) {
				return
			}
		}
	}
	compare(place, s.site.dump)
	compare("fake switches", s.fleet.dump)
}

// look writes down what guests and switches hold while packets of a pair are being lost that nothing explains, once for
// a pair.
func (s *soak) look(p pair) {
	s.mu.Lock()
	done := s.looked[p]
	s.looked[p] = true
	s.mu.Unlock()
	if done || s.evidence == "" {
		return
	}
	text := fmt.Sprintf("##### %s %s: what was seen after pings were lost\n%s", clock(time.Since(s.led.began)), p,
		s.site.Dump())
	s.outMu.Lock()
	defer s.outMu.Unlock()
	f, err := os.OpenFile(s.evidence, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(s.out, "evidence:", err)
		return
	}
	_, _ = f.WriteString(text)
	_ = f.Close()
	fmt.Fprintf(s.out, "what guests and switches held then is in %s\n", s.evidence)
}

// poll reads the metrics as a Prometheus server does, and passes the difference to the ledger.
func (s *soak) poll(ctx context.Context) {
	const every = 2 * time.Second
	reader := newScraper(s.site.ctl.URL)
	var before scrape
	from := time.Now()
	for sleep(ctx, every) {
		m, err := reader.read(ctx)
		if err != nil {
			continue // it is away, or frozen
		}
		now := time.Now()
		const born = "process_start_time_seconds"
		switch {
		case before == nil:
		case before[born] != m[born]:
			s.led.polled(poll{time.UnixMilli(int64(1000 * m[born])), now, scrape{}, m}, networks)
		default:
			s.led.polled(poll{from, now, before, m}, networks)
		}
		before, from = m, now
		s.mu.Lock()
		s.latest, s.seen = m, now
		s.mu.Unlock()
	}
}

// watchStalls notes when this process does not run although it could: on a machine that others keep busy the daemons
// under test do not run either, and time out.
func watchStalls(ctx context.Context, led *ledger) {
	const every, much = 50 * time.Millisecond, 250 * time.Millisecond
	for from := time.Now(); sleep(ctx, every); from = time.Now() {
		if now := time.Now(); now.Sub(from) > every+much {
			led.stood(from, now)
		}
	}
}

// progress prints a line from time to time.
func (s *soak) progress(ctx context.Context) {
	for sleep(ctx, s.every) {
		s.mu.Lock()
		m, seen := s.latest, s.seen
		s.mu.Unlock()
		if m == nil {
			continue
		}
		s.led.mu.Lock()
		l := s.led
		doing := "calm"
		for w := range latest(l.windows) {
			if w.kind != machineBusy && (w.ended.IsZero() || time.Since(w.ended) < pause) {
				doing = w.String()
			}
			break
		}
		line := fmt.Sprintf("%s  rss %s  heap %s  goroutines %.0f  files %.0f  switches %.0f  hosts %.0f  "+
			"pings %d lost %d (%d unexplained)  probes %d lost %d  %s",
			clock(time.Since(l.began)), figures[0].number(m["process_resident_memory_bytes"]),
			figures[1].number(m.liveHeap()),
			m["go_goroutines"], m["process_open_fds"], m.sum("eosin_switch_connected"), m.sum("eosin_hosts"),
			l.pings, l.pingsLost, l.unexplained, l.probes, l.probesLost, doing)
		s.led.mu.Unlock()
		if age := time.Since(seen); age > 5*time.Second {
			line += fmt.Sprintf("  (figures of %.0f s ago)", age.Seconds())
		}
		s.say(line)
	}
}
