package main

import (
	"fmt"
	"math"
	"slices"
)

// A figure is what is sampled in calm states and must not grow.
type figure struct {
	name  string
	unit  string
	scale float64 // of the sampled value to the unit
	// share and slack bound the growth over a life of the controller: a share of the first third's median, plus a
	// constant in sampled units.
	share, slack float64
}

const mib = 1 << 20

// figures are checked for their trend. A leak of one buffer for each session, request or probe of a run is far above
// these bounds; what a garbage collector and a busy machine add is below.
var figures = []figure{
	{"resident memory", "MiB", 1.0 / mib, 0.10, 8 * mib},
	{"live heap", "MiB", 1.0 / mib, 0.08, 2 * mib},
	{"goroutines", "", 1, 0, 4},
	{"open files", "", 1, 0, 4},
}

// A sample is the value of each figure in one calm state.
type sample [4]float64

// A trend compares the first third of a life with its last.
type trend struct {
	samples     int
	first, last float64 // medians of the thirds
	drift       float64 // how far the fitted line rises from the first sample to the last
	bound       float64
}

const (
	// enough samples tell a trend.
	enough = 6
	// warmup samples of a life are left out if there are enough without them: caches and pools fill.
	warmup = 2
)

// trendOf fits the samples of one life. ok is false if there are too few.
func trendOf(f figure, values []float64) (t trend, ok bool) {
	if len(values) >= enough+warmup {
		values = values[warmup:]
	}
	if len(values) < enough {
		return trend{samples: len(values)}, false
	}
	third := len(values) / 3
	t = trend{samples: len(values), first: medianOf(values[:third]), last: medianOf(values[len(values)-third:])}
	t.drift = slope(values) * float64(len(values)-1)
	t.bound = f.share*t.first + f.slack
	return t, true
}

// grows reports whether both the medians and the fitted line rise more than the bound: one outlier moves neither.
func (t trend) grows() bool { return t.last-t.first > t.bound || t.drift > 1.5*t.bound }

// slope is the Theil-Sen estimator: the median of the slopes between all pairs.
func slope(values []float64) float64 {
	var slopes []float64
	for i := range values {
		for j := i + 1; j < len(values); j++ {
			slopes = append(slopes, (values[j]-values[i])/float64(j-i))
		}
	}
	return medianOf(slopes)
}

func medianOf(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// number prints a value of a figure in its unit.
func (f figure) number(v float64) string {
	if f.unit == "" {
		return fmt.Sprintf("%.0f", v*f.scale)
	}
	return fmt.Sprintf("%.1f %s", v*f.scale, f.unit)
}
