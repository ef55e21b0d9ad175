package spelling

import (
	"slices"
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	known := []string{"access", "trunk", "to"}
	for name, want := range map[string]string{
		"acess": "access", "accses": "access", "trnuk": "trunk", "ot": "to", "x": "", "closed": "",
		strings.Repeat("access", 1000): "",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("%.20s: got %q, want %q", name, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	got := Nearest("vm2", []string{"gateway", "vm3", "vm2x", "VM2", "vm3"}, 3)
	if want := []string{"VM2", "vm2x", "vm3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Nearest("vm2", nil, 3); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "ab", 2},
		{"ab", "", 2},
		{"vm1", "vm1", 0},
		{"vm1", "vm2", 1},
		{"kitten", "sitting", 3},
		{"trnuk", "trunk", 1},
		{strings.Repeat("a", 2*maxCompared), strings.Repeat("a", maxCompared) + "b", 0},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%.20q and %.20q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if distance(c.a, c.b) != distance(c.b, c.a) {
			t.Errorf("%.20q and %.20q: not symmetric", c.a, c.b)
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"vm1": "vm1", "größe 1": "größe 1", "a\x1b[2Jb": "a?[2Jb", "a\nb": "a?b", "\xff\xfe": "?", "a\u200bb": "a?b",
		"\ufffd": "?", "": "",
	} {
		if got := Printable(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
		if got := IsPrintable(s); got != (s == want) {
			t.Errorf("%q: printable is %v", s, got)
		}
	}
}
