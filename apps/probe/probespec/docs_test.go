package probespec

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

// TestLimitsAreDocumented holds the table in docs/operations.md to the constants.
func TestLimitsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	short := func(d time.Duration) string {
		text := strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
		if text == "" || d < time.Minute {
			return d.String()
		}
		return text
	}
	for what, values := range map[string][3]any{
		"requests of a single probe":                            {1, MaxCount, DefaultCount},
		"requests of one round of a continuous probe (`count`)": {1, MaxRound, DefaultRound},
		"interval of a single probe": {
			short(MinInterval), short(MaxInterval),
			short(DefaultInterval),
		},
		"interval of a continuous probe": {
			short(MinRoundInterval), short(MaxInterval),
			short(DefaultRoundInterval),
		},
		"timeout": {
			short(MinTimeout), short(MaxTimeout),
			short(DefaultTimeout),
		},
		"payload in bytes": {probe.MinSize, MaxSize, DefaultSize},
		"color":            {1, MaxColor, "a free one"},
	} {
		if row := fmt.Sprintf("\n| %s | %v | %v | %v |", what, values[0], values[1],
			values[2]); !strings.Contains(string(page), row) {
			t.Errorf("docs/operations.md has no row %s", row)
		}
	}
	if row := fmt.Sprintf("without a reply | | %s | |", short(MaxDuration)); !strings.Contains(string(page), row) {
		t.Errorf("docs/operations.md has no row %s", row)
	}
}
