package probespec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span that reads from JSON as a string with a unit ("200ms") or as a number of seconds (0.2), and
// is written as a string.
type Duration time.Duration

// errDuration says what a duration looks like.
var errDuration = errors.New(
	`is not a duration: write a string with a unit such as "200ms" or "1s", or a number of seconds`)

// ParseDuration reads "200ms", "1s", or a plain number of seconds such as "0.2".
func ParseDuration(text string) (Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return Duration(d), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xXpP_") {
		return 0, fmt.Errorf("%q %w", text, errDuration)
	}
	ns := seconds * float64(time.Second)
	if math.IsNaN(ns) || math.Abs(ns) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q %w", text, errDuration)
	}
	return Duration(math.Round(ns)), nil
}

// String returns it as [time.Duration] does.
func (d Duration) String() string { return time.Duration(d).String() }

// Seconds returns it in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

// MarshalText writes a string with a unit.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}

// UnmarshalJSON reads a string with a unit, or a number of seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	text := string(data)
	switch {
	case text == "null":
		return nil
	case data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	return d.UnmarshalText([]byte(text))
}

// Seconds is a time span that is a number of seconds in JSON.
type Seconds time.Duration

// Seconds returns the number.
func (s Seconds) Seconds() float64 { return time.Duration(s).Seconds() }

// String returns it as [time.Duration] does.
func (s Seconds) String() string { return time.Duration(s).String() }

// MarshalJSON writes a number.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(s.Seconds()) }

// UnmarshalJSON reads a number.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	var number float64
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	*s = Seconds(math.Round(number * float64(time.Second)))
	return nil
}
