package main

import (
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// TestExplain: a loss is explained by a disturbance on its own path, from shortly before its begin until it has had
// time to heal, and by nothing else.
func TestExplain(t *testing.T) {
	t.Parallel()
	cut := &window{
		step: step{kind: tunnelCut}, began: at(10), ended: at(14),
		traffic: scope{between: [2][]string{{"a"}, {"b"}}},
	}
	flap := &window{step: step{kind: portFlap}, began: at(30), ended: at(31), traffic: scope{guests: []string{"c"}}}
	kill := &window{step: step{kind: controllerKill}, began: at(50), ended: at(51), probes: scope{all: true}}
	open := &window{step: step{kind: vswitchdKill}, began: at(70), traffic: scope{guests: []string{"a"}}}
	windows := []*window{cut, flap, kill, open}
	for _, test := range []struct {
		pair         pair
		at           float64
		pings, probe *window
	}{
		{pair{"a", "b"}, 9.5, nil, nil},
		{pair{"a", "b"}, 9.9, cut, cut},
		{pair{"b", "a"}, 12, cut, cut},
		{pair{"a", "b"}, 18.9, cut, cut},
		{pair{"a", "b"}, 19.1, nil, cut}, // probes may take longer
		{pair{"a", "b"}, 21.1, nil, nil},
		{pair{"a", "c"}, 12, nil, nil}, // another path
		{pair{"a", "c"}, 30.5, flap, flap},
		{pair{"c", "b"}, 33.9, flap, flap},
		{pair{"a", "b"}, 30.5, nil, nil},
		{pair{"a", "b"}, 50.5, nil, kill}, // guests do not notice
		{pair{"a", "b"}, 99, open, open},
		{pair{"b", "c"}, 99, nil, nil},
	} {
		if w := explainPing(windows, test.pair, at(test.at)); w != test.pings {
			t.Errorf("ping %s at %v: %+v", test.pair, test.at, w)
		}
		if w := explainProbe(windows, test.pair, at(test.at), at(test.at), 1); w != test.probe {
			t.Errorf("probe %s at %v: %+v", test.pair, test.at, w)
		}
	}
	if cut.lost != 3 || cut.slowest != 4900*time.Millisecond || flap.lost != 2 {
		t.Errorf("counted %+v and %+v", cut, flap)
	}
	busy := &window{step: step{kind: machineBusy}, began: at(12), ended: at(13), traffic: scope{all: true}}
	windows = append(windows, busy)
	if explainPing(windows, pair{"a", "b"}, at(12.5)) != cut || explainPing(windows, pair{"a", "c"}, at(12.5)) != busy {
		t.Error("a busy machine explains what something else does, or not what nothing does")
	}
	for _, k := range []kind{
		controllerFreeze, controllerRestart, controllerKill, managementCut, configReload,
		configBroken,
	} {
		if heal[k] != 0 {
			t.Errorf("%s has %v to heal, but must lose nothing", k, heal[k])
		}
	}
}

// TestLedger: what nothing explains is a violation, and says what was before.
func TestLedger(t *testing.T) {
	t.Parallel()
	var said []string
	led := func() *ledger {
		said = nil
		l := newLedger(t0, func(text string) { said = append(said, text) })
		l.windows = []*window{
			{
				step: step{kind: guestMove, guest: "a", to: "host2"}, began: at(10), ended: at(11),
				traffic: scope{guests: []string{"a"}},
			},
			{step: step{kind: flowsDeleted, host: "host1"}, began: at(40), ended: at(40), drift: "host1"},
		}
		return l
	}
	series := func(metric, of string) string { return metric + "{" + of + "}" }
	ofPair := `destination="b",probe="blue",source="a",stage="no_reply"`
	poll := func(from float64, before, after scrape) func(*ledger) {
		return func(l *ledger) { l.polled(poll{at(from), at(from + 2), before, after}, []string{"blue"}) }
	}
	for name, test := range map[string]struct {
		do   func(*ledger)
		want string // "": no violation
	}{
		"ping in a window": {func(l *ledger) {
			l.pinged(pair{"a", "b"}, at(9), at(13), 20, 0,
				[]time.Time{at(12)})
		}, ""},
		"ping outside": {
			func(l *ledger) {
				l.pinged(pair{"a", "b"}, at(19), at(23), 20, 0,
					[]time.Time{at(20)})
			},
			"a > b: 1 pings lost that nothing explains, sent at 00:20.0; the disturbance before: guest move a to host2",
		},
		"ping of others": {func(l *ledger) {
			l.pinged(pair{"b", "c"}, at(9), at(13), 20, 0,
				[]time.Time{at(12)})
		}, "1 pings lost"},
		"answered twice": {
			func(l *ledger) { l.pinged(pair{"b", "c"}, at(9), at(13), 20, 1, nil) },
			"answered twice",
		},
		"answered twice, moving": {func(l *ledger) { l.pinged(pair{"a", "c"}, at(9), at(13), 20, 1, nil) }, ""},
		"across networks":        {func(l *ledger) { l.crossed(pair{"a", "b"}, 20, 1) }, "from one network to another"},
		"silence across":         {func(l *ledger) { l.crossed(pair{"a", "b"}, 20, 0) }, ""},
		"command in a window": {
			func(l *ledger) { l.oneOffProbe(pair{"a", "b"}, at(12), at(13), false, "lost") },
			"",
		},
		"command outside": {
			func(l *ledger) { l.oneOffProbe(pair{"a", "b"}, at(22), at(23), false, "lost") },
			"eosin probe a b",
		},
		"probe in a window": {poll(12, scrape{series("eosin_probe_lost_total", ofPair): 3},
			scrape{series("eosin_probe_lost_total", ofPair): 4}), ""},
		"probe outside": {poll(22, scrape{series("eosin_probe_lost_total", ofPair): 3},
			scrape{series("eosin_probe_lost_total", ofPair): 5}), "a > b: 2 lost that nothing explains (no_reply)"},
		"probe lost long ago": {poll(22, scrape{series("eosin_probe_lost_total", ofPair): 3},
			scrape{series("eosin_probe_lost_total", ofPair): 3}), ""},
		"drift of ours": {poll(41, nil, scrape{series("eosin_flow_drifts_total", `switch="host1"`): 1}), ""},
		"drift elsewhere": {
			poll(41, nil, scrape{series("eosin_flow_drifts_total", `switch="host2"`): 1}),
			"switch host2: 1 drifts",
		},
		"drift much later": {
			poll(60, nil, scrape{series("eosin_flow_drifts_total", `switch="host1"`): 1}),
			"switch host1: 1 drifts",
		},
		"error": {
			poll(41, nil, scrape{series("eosin_switch_errors_total", `switch="host1"`): 2}),
			"sent 2 errors",
		},
		"isolation": {
			poll(12, nil, scrape{series("eosin_isolation_violations_total", ofPair): 1}),
			"isolation was broken",
		},
	} {
		l := led()
		test.do(l)
		if got := strings.Join(said, "\n"); (got == "") != (test.want == "") || !strings.Contains(got, test.want) ||
			len(said) != len(l.violations) {
			t.Errorf("%s: said %q, want %q", name, got, test.want)
		}
	}
}
