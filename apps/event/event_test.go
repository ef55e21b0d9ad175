package event_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps/event"
)

var update = flag.Bool("update", false, "write the table of docs/operations.md")

func TestTypes(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range event.Types() {
		if name := typ.String(); seen[name] || name != strings.ToLower(name) || strings.ContainsAny(name, " -.") {
			t.Errorf("type %q is declared twice, or is no name in snake case", name)
		}
		seen[typ.String()] = true
		if l := typ.Level(); l != event.Info && l != event.Warning && l != event.Error {
			t.Errorf("%s: level %q", typ, l)
		}
		if typ.Help() == "" {
			t.Errorf("%s: no help", typ)
		}
	}
}

func TestSubject(t *testing.T) {
	e := event.Event{Switch: "switch", Port: "port", Host: "host", Network: "network", Link: "link", Probe: "probe"}
	for _, s := range []event.Subject{event.Switch, event.Port, event.Host, event.Network, event.Link, event.Probe} {
		if got := e.Subject(s); got != string(s) {
			t.Errorf("%s: %q", s, got)
		}
	}
	if got := e.Subject("other"); got != "" {
		t.Errorf("other: %q", got)
	}
}

// TestDocumented holds docs/operations.md to the declarations.
func TestDocumented(t *testing.T) {
	const doc, end = "../../docs/operations.md", "<!-- end of events -->\n"
	const begin = "<!-- events: go test ./apps/event -update -->\n"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no lines %q and %q", doc, begin, end)
	}
	table := "| event | level | subjects | when |\n|---|---|---|---|\n"
	for _, typ := range event.Types() {
		var subjects []string
		for _, s := range typ.Subjects() {
			subjects = append(subjects, string(s))
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", typ, typ.Level(), strings.Join(subjects, ", "), typ.Help())
	}
	if *update {
		if err := os.WriteFile(doc, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("%s does not list the declared events: run go test ./apps/event -update", doc)
	}
}

// TestEmitted looks at every event that the program makes: it names a declared type and all subjects of it and no
// others. Every declared type is emitted somewhere.
func TestEmitted(t *testing.T) {
	declared := declarations(t)
	named := map[string]bool{} // in other packages
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			filepath.Dir(path) == "../../apps/event" {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "event" {
					named[s.Sel.Name] = true
				}
			}
			if l, ok := n.(*ast.CompositeLit); ok && isEvent(l.Type) && len(l.Elts) > 0 {
				if complaint := checkLiteral(l, declared); complaint != "" {
					t.Errorf("%s: %s", fset.Position(l.Pos()), complaint)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range declared {
		if !named[name] {
			t.Errorf("nothing emits event.%s", name)
		}
	}
	if len(declared) != len(event.Types()) {
		t.Errorf("%d declarations are found, there are %d", len(declared), len(event.Types()))
	}
}

// declarations returns the subjects of each declared type, by the variable's name.
func declarations(t *testing.T) map[string][]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string][]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if call, ok := v.Values[0].(*ast.CallExpr); ok && len(call.Args) >= 3 {
			subjects := []string{}
			for _, a := range call.Args[3:] {
				subjects = append(subjects, a.(*ast.Ident).Name)
			}
			declared[v.Names[0].Name] = subjects
		}
		return true
	})
	return declared
}

func isEvent(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Event" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "event"
}

// checkLiteral returns what is wrong with an event. Where its type is a variable, the declared types of that package
// are looked at by its own tests.
func checkLiteral(l *ast.CompositeLit, declared map[string][]string) string {
	var subjects []string
	var of string
	message := false
	for _, e := range l.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return "fields of an event must be named"
		}
		switch name := kv.Key.(*ast.Ident).Name; name {
		case "Type":
			if s, ok := kv.Value.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "event" {
					of = s.Sel.Name
				}
			}
			if of == "" {
				return checkVariable(l)
			}
		case "Message":
			message = true
		default:
			subjects = append(subjects, name)
		}
	}
	want, ok := declared[of]
	slices.Sort(subjects)
	want = slices.Sorted(slices.Values(want))
	switch {
	case !ok:
		return fmt.Sprintf("event %q is not declared", of)
	case !message:
		return of + " has no message"
	case !slices.Equal(subjects, want):
		return fmt.Sprintf("%s is about %v, this has %v", of, want, subjects)
	}
	return ""
}

// checkVariable checks an event whose type is a variable: it is not empty at least.
func checkVariable(l *ast.CompositeLit) string {
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Message" {
			return ""
		}
	}
	return "an event without a message"
}

// TestLiteralsAreJudged shows that TestEmitted finds what it looks for.
func TestLiteralsAreJudged(t *testing.T) {
	declared := declarations(t)
	for source, bad := range map[string]bool{
		`event.Event{Type: event.PortUp, Switch: s, Port: p, Message: m}`: false,
		`event.Event{Type: event.PortUp, Switch: s, Message: m}`:          true,
		`event.Event{Type: event.Drift, Switch: s, Port: p, Message: m}`:  true,
		`event.Event{Type: event.Drift, Switch: s}`:                       true,
		`event.Event{Type: event.Nonsense, Switch: s, Message: m}`:        true,
		`event.Event{event.Drift, m}`:                                     true,
		`event.Event{Type: t, Link: l, Message: m}`:                       false,
		`event.Event{Type: t, Link: l}`:                                   true,
	} {
		e, err := parser.ParseExpr(source)
		if err != nil {
			t.Fatal(err)
		}
		l := e.(*ast.CompositeLit)
		if got := checkLiteral(l, declared); !isEvent(l.Type) || (got != "") != bad {
			t.Errorf("%s: %q", source, got)
		}
	}
}
