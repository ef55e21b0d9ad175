package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report checks the trends of every life, prints all that was found, and records what must not be.
func (s *soak) report(interrupted bool) {
	for life, samples := range s.lives {
		s.checkTrends(life, samples)
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nIN CALM STATES\tSAMPLES\tFIRST THIRD\tLAST THIRD\tFITTED RISE\tBOUND\t")
	for life, samples := range s.lives {
		for i, f := range figures {
			row := fmt.Sprintf("life %d: %s", life+1, f.name)
			tr, ok := trendOf(f, column(samples, i))
			switch {
			case ok:
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t\n", row, tr.samples, f.number(tr.first), f.number(tr.last),
					f.number(tr.drift), f.number(tr.bound))
			case len(samples) > 0:
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t\t\ttoo few to tell a trend\n", row, len(samples),
					f.number(samples[0][i]), f.number(samples[len(samples)-1][i]))
			}
		}
	}
	l := s.led
	l.mu.Lock()
	defer l.mu.Unlock()
	type tally struct {
		n, lost, probes int
		slowest         time.Duration
	}
	kinds := map[kind]tally{}
	for _, w := range l.windows {
		k := kinds[w.kind]
		kinds[w.kind] = tally{k.n + 1, k.lost + w.lost, k.probes + w.probesLost, max(k.slowest, w.slowest)}
	}
	fmt.Fprintln(t, "\nDISTURBANCE\tTIMES\tPINGS LOST\tPROBES LOST\tLAST PING LOST AFTER ITS END\t\t")
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.1f s\t\t\n", k, kinds[k].n, kinds[k].lost, kinds[k].probes,
			kinds[k].slowest.Seconds())
	}
	_ = t.Flush() // to memory
	fmt.Fprintf(&b, "\npings: %d sent, %d lost, of which %d unexplained, %d answered twice; "+
		"%d across networks, none may be answered\n",
		l.pings, l.pingsLost, l.unexplained, l.doubles, l.across)
	fmt.Fprintf(&b, "probes: %d sent, %d lost %s; %d by the command line, %d not as wanted\n", l.probes, l.probesLost,
		stagesText(l.stages), l.oneOff, l.oneOffLost)
	fmt.Fprintf(&b, "drifts found: %d; HTTP requests: %d; tables compared in %d states\n", l.drifts, s.asked.Load(),
		len(s.tables)-1)
	if l.stoodFor > 0 {
		fmt.Fprintf(&b, "the machine was busy with other things: this stood still for %.1f s in %d pieces; "+
			"what is lost then and 2 s after is shown above, but is no violation\n",
			l.stoodFor.Seconds(), kinds[machineBusy].n)
	}
	if interrupted {
		fmt.Fprintln(&b, "interrupted: only what was seen until then was checked")
	}
	if len(l.violations) == 0 {
		fmt.Fprintf(&b, "all is as it should be (seed %d)\n", s.seed)
	} else {
		fmt.Fprintf(&b, "%d violations (seed %d):\n%s\n", len(l.violations), s.seed, strings.Join(l.violations, "\n"))
	}
	s.say(b.String())
}

// checkTrends checks that the figures of one life do not grow, and that those that do not fluctuate return to what they
// were.
func (s *soak) checkTrends(life int, samples []sample) {
	for i, f := range figures {
		values := column(samples, i)
		if t, ok := trendOf(f, values); ok && t.grows() {
			s.led.violate("life %d: %s grows from %s to %s (fitted: %s), more than %s", life+1, f.name,
				f.number(t.first), f.number(t.last), f.number(t.drift), f.number(t.bound))
		}
		if f.unit == "" && len(s.lives[0]) > 0 && len(values) > 0 {
			// Equal states have equal counts, also in different lives.
			if base, now := s.lives[0][0][i], medianOf(values); now > base+f.slack || now < base-f.slack {
				s.led.violate("life %d: %s: %s, in the first calm state %s", life+1, f.name, f.number(now),
					f.number(base))
			}
		}
	}
}

func column(samples []sample, i int) (values []float64) {
	for _, v := range samples {
		values = append(values, v[i])
	}
	return values
}

func stagesText(stages map[string]int) string {
	var parts []string
	for _, k := range sortedKeys(stages) {
		parts = append(parts, fmt.Sprintf("%s %d", k, stages[k]))
	}
	if parts == nil {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
