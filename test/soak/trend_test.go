package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTrend: what leaks is found below the noise of a busy machine, and noise is no leak.
func TestTrend(t *testing.T) {
	t.Parallel()
	const n = 14
	memory, goroutines := figures[0], figures[2]
	series := func(start, each, noise float64, seed uint64) (values []float64) {
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range n {
			values = append(values, start+each*float64(i)+noise*r.NormFloat64())
		}
		return values
	}
	with := func(values []float64, i int, v float64) []float64 {
		values[i] = v
		return values
	}
	for seed := range uint64(50) {
		for _, test := range []struct {
			name   string
			f      figure
			values []float64
			grows  bool
		}{
			{"flat memory", memory, series(70*mib, 0, 3*mib, seed), false},
			{"an outlier at the end", memory, with(series(70*mib, 0, mib, seed), n-1, 150*mib), false},
			{"it warms up", memory, with(with(series(70*mib, 0, mib, seed), 0, 20*mib), 1, 40*mib), false},
			{"it shrinks", memory, series(90*mib, -2*mib, mib, seed), false},
			{"leaking memory", memory, series(70*mib, 4*mib, 3*mib, seed), true},
			{"equal goroutines", goroutines, series(440, 0, 0, seed), false},
			{"some come and go", goroutines, series(440, 0, 1, seed), false},
			{"one more each time", goroutines, series(440, 1, 0, seed), true},
		} {
			tr, ok := trendOf(test.f, test.values)
			if !ok || tr.grows() != test.grows {
				t.Errorf("%s, seed %d: %+v, grows %v, want %v", test.name, seed, tr, tr.grows(), test.grows)
			}
		}
	}
	if _, ok := trendOf(memory, series(1, 0, 0, 1)[:enough-1]); ok {
		t.Errorf("%d samples tell a trend", enough-1)
	}
	if !math.IsNaN(medianOf(nil)) || medianOf([]float64{3, 1}) != 2 || medianOf([]float64{3, 1, 2}) != 2 {
		t.Error("median")
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	if d := difference([]string{"a", "b", "c"}, []string{"c", "d", "a"}); !slices.Equal(d, []string{"- b", "+ d"}) {
		t.Errorf("%q", d)
	}
	if d := difference([]string{"a", "b"}, []string{"b", "a"}); d != nil {
		t.Errorf("equal but for the order: %q", d)
	}
	if d := difference([]string{"a"}, []string{"a", "a"}); len(d) != 1 {
		t.Errorf("one line more: %q", d)
	}
}

func TestParseScrape(t *testing.T) {
	t.Parallel()
	s, err := parseScrape([]byte("# HELP a b\na 1\nb{x=\"1\",y=\"two words\"} 2.5e+06\nb{x=\"2\"} 3\nbc{x=\"2\"} 9\n"))
	if err != nil || s["a"] != 1 || s.sum("b") != 2500003 {
		t.Errorf("%v %v", s, err)
	}
	s.each("b", func(m map[string]string, v float64) {
		if m["x"] == "1" && (m["y"] != "two words" || v != 2.5e6) {
			t.Errorf("labels %v of %v", m, v)
		}
	})
	if _, err := parseScrape([]byte("<html>\n")); err == nil {
		t.Error("a page is no metrics")
	}
}
