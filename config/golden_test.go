package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens")

// TestBadFiles compares every line that is said about each bad file with testdata/bad/*.errors.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse("eosin.yaml", data)
			var errs Errors
			if !errors.As(err, &errs) || c != nil {
				t.Fatalf("got config %v and error %v, want Errors", c, err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".errors"
			got := errs.Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for i, e := range errs {
				if i > 0 && e.Line < errs[i-1].Line {
					t.Errorf("line %d comes after line %d", e.Line, errs[i-1].Line)
				}
				if e.Line < 1 || e.Line > strings.Count(string(data), "\n")+1 {
					t.Errorf("line %d is not in the file", e.Line)
				}
			}
		})
	}
}
