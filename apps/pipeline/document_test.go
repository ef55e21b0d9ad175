package pipeline

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocument holds docs/pipeline.md to the tables: one section for each, in order, with flows of this table only.
// The flows themselves are compared with those of a real switch by the end-to-end tests.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/pipeline.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## (\d+ \w+)`).FindAllSubmatchIndex(page, -1)
	if len(sections) != len(Tables) {
		t.Fatalf("%d sections of tables, want %d", len(sections), len(Tables))
	}
	for i, table := range Tables {
		end := len(page)
		if i+1 < len(sections) {
			end = sections[i+1][0]
		}
		text := string(page[sections[i][0]:end])
		number := table.number
		if want := fmt.Sprintf("## %d %s ", number-shift*min(number, 1), table.name); !strings.HasPrefix(text, want) {
			t.Errorf("section %.20q, want %q", text, want)
		}
		flows := regexp.MustCompile(`(?m)^table=(\d+), .*$`).FindAllStringSubmatch(text, -1)
		if len(flows) == 0 {
			t.Errorf("table %s: no flows", table.name)
		}
		for _, f := range flows {
			if f[1] != fmt.Sprint(number-shift*min(number, 1)) {
				t.Errorf("in the section of table %s: %s", table.name, f[0])
			}
		}
	}
}
