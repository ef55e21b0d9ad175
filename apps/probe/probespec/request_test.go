package probespec

import (
	"fmt"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

func TestDefaultsAreValid(t *testing.T) {
	r := Request{Source: "a", Destination: "b"}.WithDefaults()
	if wrong := r.Check(); len(wrong) > 0 {
		t.Errorf("%+v: %v", r, wrong)
	}
	if r.Type != probe.ICMP || r.Longest() != 5*time.Second {
		t.Errorf("%+v takes %v", r, r.Longest())
	}
	s := NewSpec()
	if s.Type != probe.ICMP || s.Interval < MinRoundInterval || s.Timeout > MaxTimeout || s.Count > MaxRound ||
		s.Size != 56 || s.Expect != Reachable {
		t.Errorf("%+v", s)
	}
}

// TestLimits: each limit is inclusive, and what is beyond it is named.
func TestLimits(t *testing.T) {
	for field, change := range map[string][2]func(r *Request){
		"count": {
			func(r *Request) { r.Count, r.Interval = MaxCount, Duration(MinInterval) },
			func(r *Request) { r.Count = MaxCount + 1 },
		},
		"interval": {
			func(r *Request) { r.Interval, r.Count = Duration(MaxInterval), 1 },
			func(r *Request) { r.Interval = Duration(MaxInterval + 1) },
		},
		"timeout": {
			func(r *Request) { r.Timeout = Duration(MaxTimeout) },
			func(r *Request) { r.Timeout = Duration(MaxTimeout + 1) },
		},
		"color": {func(r *Request) { r.Color = MaxColor }, func(r *Request) { r.Color = MaxColor + 1 }},
		"size":  {func(r *Request) { r.Size = MaxSize }, func(r *Request) { r.Size = MaxSize + 1 }},
		"source": {
			func(r *Request) { r.Source = fmt.Sprintf("%*s", MaxName, "x") },
			func(r *Request) { r.Source = fmt.Sprintf("%*s", MaxName+1, "x") },
		},
	} {
		good := Request{Source: "a", Destination: "b"}.WithDefaults()
		bad := good
		change[0](&good)
		if wrong := good.Check(); len(wrong) > 0 {
			t.Errorf("%s at its limit: %v", field, wrong)
		}
		change[1](&bad)
		if wrong := bad.Check(); len(wrong) != 1 || wrong[0].Field != field {
			t.Errorf("%s beyond its limit: %v", field, wrong)
		}
	}
}

func TestLongest(t *testing.T) {
	for _, c := range []struct {
		count             int
		interval, timeout time.Duration
		want              time.Duration
	}{
		{1, time.Hour, time.Second, time.Second},
		{3, time.Second, 500 * time.Millisecond, 2500 * time.Millisecond},
		{86401, time.Second, time.Second, MaxDuration + time.Second},
		{1 << 40, MaxInterval, time.Second, 2 * MaxDuration},
		{-1, -time.Second, -time.Second, 0},
	} {
		r := Request{Count: c.count, Interval: Duration(c.interval), Timeout: Duration(c.timeout)}
		if got := r.Longest(); got != c.want {
			t.Errorf("%+v: %v, want %v", c, got, c.want)
		}
	}
	r := Request{Source: "a", Destination: "b", Count: 86401, Interval: Duration(time.Second)}.WithDefaults()
	if wrong := r.Check(); len(wrong) != 1 || wrong[0].Field != "count" {
		t.Errorf("longer than a day: %v", wrong)
	}
}
