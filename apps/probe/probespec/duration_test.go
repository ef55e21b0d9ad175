package probespec

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "0.2": 200 * time.Millisecond, "5": 5 * time.Second, "1m30s": 90 * time.Second,
		"1e-3": time.Millisecond, "-1": -time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || time.Duration(got) != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "1 s", "NaN", "Inf", "1e300", "0x10", "1_000", "s"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

// TestSeconds: what is written reads back, and is written as a float64 is.
func TestSeconds(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0": 0, "1": time.Second, "0.000412": 412 * time.Microsecond, "1e-9": 1, "86400.000000001": 24*time.Hour + 1,
	} {
		text, err := json.Marshal(Seconds(d))
		var again Seconds
		if err != nil || string(text) != want || json.Unmarshal(text, &again) != nil || time.Duration(again) != d {
			t.Errorf("%v: %s, %v, back as %v", d, text, err, again)
		}
	}
	var s Seconds
	if err := json.Unmarshal([]byte(`"1s"`), &s); err == nil {
		t.Errorf("a text is taken as %v", s)
	}
}
