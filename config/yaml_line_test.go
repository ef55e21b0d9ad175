package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSlipsAreReportedWhereTheyAre makes each slip in each line of the example. Where that is an error, it is reported
// on that line. It is none where the text is part of a plain scalar, or where more spaces follow the colon.
func TestSlipsAreReportedWhereTheyAre(t *testing.T) {
	data, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	comment := regexp.MustCompile(`\s+#.*$`)
	add := func(end string) func(string) string { return func(s string) string { return s + end } }
	for name, slip := range map[string]struct {
		change func(string) string
		says   string // in most messages
		fine   int    // lines where the change is no error
	}{
		"no colon":       {func(s string) string { return strings.Replace(s, ":", "", 1) }, "needs a colon", 0},
		"no space":       {func(s string) string { return strings.Replace(s, ": ", ":", 1) }, "a space must follow", 4},
		"brace":          {add("}"), `a "}" that nothing opens`, 4},
		"bracket":        {add("]"), `a "]" that nothing opens`, 4},
		"quote":          {add(`"`), "a quote on this line does not end", 4},
		"single":         {add("'"), "", 4},
		"no first quote": {func(s string) string { return strings.Replace(s, `"`, "", 1) }, "", 1},
		"no last quote": {func(s string) string {
			i := max(strings.LastIndex(s, `"`), 0)
			return s[:i] + strings.TrimPrefix(s[i:], `"`)
		}, "does not end", 0},
	} {
		for _, newline := range []string{"\n", "\r\n"} {
			fine, said := 0, 0
			for i, line := range lines {
				text := comment.ReplaceAllString(line, "")
				changed := slip.change(text)
				if changed == text {
					continue
				}
				broken := append([]string(nil), lines...)
				broken[i] = changed
				_, err := Parse("f", []byte(strings.Join(broken, newline)))
				var errs Errors
				switch {
				case err == nil:
					fine++
				case !errors.As(err, &errs) || errs[0].Line != i+1:
					t.Errorf("%s, line %d: %q: %v", name, i+1, changed, err)
				case strings.Contains(errs[0].Message, slip.says):
					said++
				}
			}
			if fine != slip.fine || said < 2 {
				t.Errorf("%s: %d lines are no error, want %d; %d say %q", name, fine, slip.fine, said, slip.says)
			}
		}
	}
}

func TestFindSlip(t *testing.T) {
	for _, test := range []struct {
		text     string
		reported int
		line     int
		says     string
	}{
		{"networks\n  blue: {}", 2, 1, `the key "networks" needs a colon`},
		{"networks # all\n\n  # more\n  blue: {}", 4, 1, `the key "networks" needs a colon`},
		{"id:\"x\"\nb: 1", 2, 1, `a space must follow the colon of "id"`},
		{"id:{\"a\": 1}\nb: 1", 2, 1, `a space must follow the colon of "id"`},
		{"a: {}\nb", 2, 2, `the key "b" needs a colon`},
		{"- name x\n  b: 1", 2, 1, `the key "name" needs a colon`},
		{"a: {}}\nb 'x'\nc: 1", 3, 1, `a "}" that nothing opens`},
		{"a: 'it''s'\nb: \"x\\\"y\"\"\nc: 1", 3, 2, "a quote on this line does not end"},
		{"a: 'x\nb: 1", 2, 1, "the quoted scalar that begins here does not end"},
		{"a: \"x\nb: \"y\"\nc: 1", 3, 1, "a quote on this line does not end"},
		// The parser's own line stands.
		{"a: [tcp:1]\nb: @", 2, 0, ""},
		{"- tcp:1\n- b: @", 2, 0, ""},
		{"l:\n  - x\n  b: 1", 3, 0, ""},
		{"a: it's # \"}]\nb: @", 2, 0, ""},
		{"a: \"x\n  ]y\"\nb: @", 3, 0, ""},
		{"a: [x,\n  y]\nb: @", 3, 0, ""},
		{"a: \"x#}\"\nb: @", 2, 0, ""},
		{"---\nb: @", 2, 0, ""},
		{"a:\t1\nb: @", 2, 0, ""},
	} {
		var lines [][]byte
		for line := range strings.SplitSeq(test.text, "\n") {
			lines = append(lines, []byte(line))
		}
		line, says := findSlip(lines, test.reported)
		if says == "" {
			line = 0
		}
		if line != test.line || !strings.Contains(says, test.says) || (says == "") != (test.says == "") {
			t.Errorf("%q: line %d, %q; want %d, %q", test.text, line, says, test.line, test.says)
		}
	}
}
