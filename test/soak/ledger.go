package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ledger collects what was lost, and finds out why. It is safe for use by several goroutines.
type ledger struct {
	mu      sync.Mutex
	began   time.Time
	windows []*window

	pings, pingsLost, explained, unexplained int
	probes, probesLost, oneOff, oneOffLost   int
	across                                   int // pings across networks that must not be answered, all of them
	doubles                                  int
	drifts                                   int
	stoodFor                                 time.Duration  // the machine was too busy to run this
	stages                                   map[string]int // lost probes by stage

	violations []string
	timed      int          // of the violations: losses, which a busy machine may cause as well
	report     func(string) // prints a violation as it is found
}

func newLedger(now time.Time, report func(string)) *ledger {
	return &ledger{began: now, stages: map[string]int{}, report: report}
}

// violate records what must not be.
func (l *ledger) violate(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violateLocked(format, args...)
}

func (l *ledger) violateLocked(format string, args ...any) {
	text := fmt.Sprintf("%s %s", clock(time.Since(l.began)), fmt.Sprintf(format, args...))
	l.violations = append(l.violations, text)
	l.report("VIOLATION: " + text)
}

// unexplain records a loss that nothing explains.
func (l *ledger) unexplain(format string, args ...any) {
	l.timed++
	l.violateLocked(format, args...)
}

// begin opens the window of a disturbance that is about to begin.
func (l *ledger) begin(w *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.began = time.Now()
	l.windows = append(l.windows, w)
}

// end closes it: from now on it heals.
func (l *ledger) end(w *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.ended = time.Now()
}

// stood records that nothing of this process ran between two times: then nobody else was sure to, and what is lost says
// nothing.
func (l *ledger) stood(from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	busy := step{kind: machineBusy}
	l.windows = append(l.windows, &window{step: busy, began: from, ended: to, traffic: scope{all: true}})
	l.stoodFor += to.Sub(from)
}

// pinged takes the result of a round of pings between two guests of one network, and reports whether something explains
// all that was lost.
func (l *ledger) pinged(p pair, from, to time.Time, sent, doubles int, lost []time.Time) (explained bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pings += sent
	var strays []string
	for _, at := range lost {
		l.pingsLost++
		if explainPing(l.windows, p, at) != nil {
			l.explained++
			continue
		}
		l.unexplained++
		strays = append(strays, clock(at.Sub(l.began)))
	}
	if len(strays) > 0 {
		l.unexplain("%s: %d pings lost that nothing explains, sent at %s%s", p, len(strays),
			strings.Join(strays[:min(5, len(strays))], " "), l.nearest(p, lost))
	}
	if doubles > 0 {
		l.doubles += doubles
		if explainProbe(l.windows, p, from, to, 0) == nil {
			l.unexplain("%s: %d pings answered twice", p, doubles)
		}
	}
	return len(strays) == 0
}

// nearest names the last disturbance before a loss, for whoever looks into it.
func (l *ledger) nearest(p pair, lost []time.Time) string {
	for _, w := range slices.Backward(l.windows) {
		if w.began.After(lost[len(lost)-1]) || w.kind == machineBusy {
			continue
		}
		text := fmt.Sprintf("; the disturbance before: %s, begun at %s", w.step, clock(w.began.Sub(l.began)))
		if !w.ended.IsZero() {
			text += ", ended at " + clock(w.ended.Sub(l.began))
		}
		return text
	}
	return ""
}

// crossed takes the result of a round of pings between two networks.
func (l *ledger) crossed(p pair, sent, answered int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.across += sent
	if answered > 0 {
		l.violateLocked("%s: %d pings from one network to another were answered", p, answered)
	}
}

// oneOffProbe takes the outcome of a probe by the command line.
func (l *ledger) oneOffProbe(p pair, from, to time.Time, ok bool, said string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oneOff++
	if ok {
		return
	}
	l.oneOffLost++
	if explainProbe(l.windows, p, from, to, 1) == nil {
		l.unexplain("eosin probe %s %s between %s and %s: %s", p.from, p.to, clock(from.Sub(l.began)),
			clock(to.Sub(l.began)), said)
	}
}

// A poll is two scrapes of one life of the controller that follow each other.
type poll struct {
	from, to      time.Time
	before, after scrape
}

// grown calls f for each series of a counter that has grown.
func (p poll) grown(metric string, f func(labels map[string]string, by float64)) {
	for series, v := range p.after {
		if by := v - p.before[series]; v > 0 && by != 0 && strings.HasPrefix(series, metric+"{") {
			if by < 0 {
				by = v // the series is another one of the same name
			}
			scrape{series: by}.each(metric, f)
		}
	}
}

// probeTimeout is that of the continuous probes, and longestDecision how much later a loss may be counted.
const (
	probeTimeout    = time.Second
	longestDecision = time.Second
)

// polled takes what the controller says of its continuous probes and of its switches. meshes are the probes that must
// be answered.
func (l *ledger) polled(p poll, meshes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.grown("eosin_probe_sent_total", func(m map[string]string, by float64) { l.probes += int(by) })
	p.grown("eosin_probe_lost_total", func(m map[string]string, by float64) {
		if !slices.Contains(meshes, m["probe"]) {
			return
		}
		l.probesLost += int(by)
		l.stages[m["stage"]] += int(by)
		of := pair{m["source"], m["destination"]}
		// The loss may be counted only after it was diagnosed.
		if explainProbe(l.windows, of, p.from.Add(-probeTimeout-longestDecision), p.to, int(by)) == nil {
			l.unexplain("probe %s, %s: %.0f lost that nothing explains (%s); seen at %s%s", m["probe"], of, by,
				m["stage"], clock(p.to.Sub(l.began)), l.nearest(of, []time.Time{p.to}))
		}
	})
	p.grown("eosin_isolation_violations_total", func(m map[string]string, by float64) {
		l.violateLocked("probe %s, %s > %s: the isolation was broken %.0f times", m["probe"], m["source"],
			m["destination"], by)
	})
	p.grown("eosin_flow_drifts_total", func(m map[string]string, by float64) {
		l.drifts += int(by)
		if !explainDrift(l.windows, m["switch"], p.from, p.to) {
			l.violateLocked("switch %s: %.0f drifts that we did not cause; seen at %s", m["switch"], by,
				clock(p.to.Sub(l.began)))
		}
	})
	p.grown("eosin_switch_errors_total", func(m map[string]string, by float64) {
		l.violateLocked("switch %s sent %.0f errors", m["switch"], by)
	})
}

// clock prints a time since the begin: minutes, seconds and tenths.
func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}
