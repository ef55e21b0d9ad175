package eosin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/eosin-sdn/eosin"

// rule says what a package may import besides the standard library, and whether it is pure: no network, no operating system, no
// logger, no goroutine and no clock. What a pure package needs of those is given to it.
type rule struct {
	packages string   // pattern of path.Match, relative to the module
	imports  []string // patterns: packages of the module, relative, and modules of others
	pure     bool
	std      []string // exceptions to pure
	files    string   // pattern of the only files that may import from others; "" is all
}

const (
	prometheus = "github.com/prometheus/client_golang/prometheus"
	promhttp   = prometheus + "/promhttp"
	logrus     = "github.com/sirupsen/logrus"
	xsync      = "golang.org/x/sync/*"
	xtime      = "golang.org/x/time/*"
	xsys       = "golang.org/x/sys/unix"
	netlink    = "github.com/vishvananda/netlink"
	netns      = "github.com/vishvananda/netns"
	anything   = "*"
)

// rules are docs/architecture.md in a form that can be checked: imports go down only. The first rule that fits holds.
var rules = []rule{
	{packages: "apps/event", pure: true},
	{packages: "openflow", pure: true, imports: []string{"github.com/contiv/libOpenflow/*"}, files: "encode*.go"},
	{packages: "openflow/packet", pure: true},
	{packages: "openflow/oxm", pure: true, imports: []string{"openflow", "openflow/packet"}},
	{packages: "openflow/flow", pure: true, imports: []string{"openflow", "openflow/packet", "openflow/oxm"}},
	{packages: "openflow/oftext", pure: true, std: []string{"net"}, imports: []string{"openflow", "openflow/packet", "openflow/oxm"}},
	{packages: "openflow/ofconn", imports: []string{"openflow"}},
	{packages: "openflow/oftest", imports: []string{"openflow", "openflow/*"}},
	{packages: "apps/intent", pure: true},
	{packages: "config/spelling", pure: true},
	{packages: "topology", pure: true, imports: []string{"openflow", "openflow/packet"}},
	{packages: "config", pure: true, std: []string{"os", "net"}, imports: []string{"apps/probe", "apps/probe/probespec", "config/spelling", "apps/intent", "openflow", "openflow/packet", "go.yaml.in/yaml/v4"}},
	{packages: "apps", pure: true, imports: []string{"apps/event", "apps/intent", "openflow", "openflow/packet", "openflow/flow", "topology"}},
	{packages: "apps/probe/probespec", pure: true, imports: []string{"apps/probe"}},
	{packages: "apps/pipeline", pure: true, imports: []string{"apps/*", "apps", "openflow", "openflow/packet", "openflow/flow", "topology"}},
	{packages: "apps/*", pure: true, imports: []string{"apps/event", "apps", "apps/intent", "openflow", "openflow/packet", "openflow/flow", "topology"}},
	{packages: "controller/ratelimit", pure: true},
	{packages: "controller/datapath", pure: true, imports: []string{"config/spelling", "apps", "apps/*", "controller/ratelimit", "openflow", "openflow/packet", "openflow/flow", "topology"}},
	{packages: "controller/ovsdb", pure: true, imports: []string{"config/spelling", "apps/event", "openflow", "github.com/ovn-kubernetes/libovsdb/ovsdb"}, files: "encode.go"},
	{packages: "controller/prober", imports: []string{"controller/lockorder", "apps/event", "controller/ratelimit", "apps", "apps/probe", "apps/probe/probespec", "openflow", "openflow/packet", "openflow/flow", "topology", prometheus, xsync, xtime}},
	{packages: "controller/api", imports: []string{"apps/probe", "apps/probe/probespec", "config/spelling", "openflow", "topology", "github.com/danielgtaylor/huma/v2", "github.com/danielgtaylor/huma/v2/adapters/*", prometheus, promhttp, logrus, xsync, xtime}},
	{packages: "controller/api/apitest", imports: []string{"apps/probe/probespec", "controller/api"}},
	{packages: "controller/events", imports: []string{"apps/event", "controller/api", "controller/lockorder", prometheus, logrus, xtime}},
	{packages: "controller/asynclog", imports: []string{logrus}},
	{packages: "controller/pki"},
	{packages: "controller/pki/pkitest"},
	{packages: "controller/lockorder"},
	{packages: "controller/switches", imports: []string{
		"apps", "apps/l2", "apps/probe", "apps/event", "openflow", "openflow/ofconn", "topology", "controller/datapath", "controller/lockorder",
	}},
	{packages: "controller/fabric", imports: []string{"apps", "apps/event", "openflow", "topology", "controller/lockorder"}},
	{packages: "controller/location", imports: []string{
		"apps", "apps/l2", "config", "openflow", "openflow/packet", "topology", "controller/datapath", "controller/lockorder", "controller/switches",
	}},
	{packages: "controller/ovsdbwatch", imports: []string{
		"config", "apps/event", "openflow", "openflow/ofconn", "controller/ovsdb", "controller/pki", prometheus, xtime,
	}},
	{packages: "controller/southbound", imports: []string{
		"config", "apps/event", "openflow", "openflow/ofconn", "controller/datapath", "controller/pki", "controller/switches", logrus, xsync,
	}},
	{packages: "controller", imports: []string{
		"apps", "apps/*", "apps/probe/probespec", "config", "config/spelling", "topology", "openflow", "openflow/packet", "openflow/flow", "openflow/oftext",
		"controller/*", prometheus, logrus, xsync,
	}},
	{packages: "lab", imports: []string{"openflow/packet", netlink, netns, xsys}},
	{packages: "cmd/*", imports: []string{anything}},
	{packages: "test/*", imports: []string{anything}},
	{packages: "."}, // this test
}

// goroutines are the packages that may start some; each has a comment that says how it ends.
var goroutines = []string{"controller/asynclog", "controller/ovsdbwatch", "controller/prober", "controller/southbound", "controller/api", "openflow/ofconn", "openflow/oftest", "lab", "cmd/*", "test/*"}

// impure are the packages of the standard library that reach out of the process. net/netip does not.
var impure = []string{
	"net", "net/*", "net/*/*", "os", "os/*", "log", "log/*", "syscall", "crypto/tls", "runtime", "runtime/*", "unsafe", "plugin",
}

// clock are the functions of package time that read the clock or wait.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) (list []listed) {
	t.Helper()
	// go list is another process, whose reads go test does not see: looking at the folders here has it run the test again when
	// a file has come or gone.
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name != "." && (name == "bin" || d.Name()[0] == '.') {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// relative is a package's path in the module; others' paths stay as they are.
func relative(importPath string) (rel string, own bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func fits(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, s)
		return ok && err == nil || p == anything
	})
}

func ruleFor(rel string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return fits([]string{r.packages}, rel) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// complaints returns what is wrong with a package's imports.
func (r rule) complaints(rel string, imports []string) (list []string) {
	complain := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, path := range imports {
		name, own := relative(path)
		switch {
		case own || strings.Contains(strings.Split(path, "/")[0], "."):
			if !fits(r.imports, name) {
				complain("%s must not import %s", rel, name)
			}
			if to, ok := ruleFor(name); own && r.pure && ok && !to.pure {
				complain("%s is pure and must not import %s, which is not", rel, name)
			}
			if forTests := []string{"lab", "test/*", "openflow/oftest", "controller/api/apitest", "controller/pki/pkitest"}; own && fits(forTests, name) && !fits([]string{"cmd/*", "test/*"}, rel) {
				complain("%s must not import %s, which is for labs and tests", rel, name)
			}
		case r.pure && path != "net/netip" && fits(impure, path) && !slices.Contains(r.std, path):
			complain("%s is pure and must not import %s", rel, path)
		}
	}
	return list
}

// TestImports holds every package to its rule.
func TestImports(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		rel, _ := relative(p.ImportPath)
		r, ok := ruleFor(rel)
		if !ok {
			t.Errorf("%s has no rule: say in imports_test.go what it may import, and in docs/architecture.md what it is for", rel)
			continue
		}
		seen++
		for _, c := range r.complaints(rel, p.Imports) {
			t.Error(c)
		}
	}
	if seen < 15 {
		t.Errorf("only %d packages seen", seen)
	}
}

// TestSource looks at what imports do not tell: goroutines, the clock, and which file imports a module.
func TestSource(t *testing.T) {
	for _, p := range packages(t) {
		rel, _ := relative(p.ImportPath)
		r, ok := ruleFor(rel)
		if !ok {
			continue // TestImports says so
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.source(rel, name, fset, f) {
				t.Error(c)
			}
		}
	}
}

// source returns what is wrong with one file.
func (r rule) source(rel, name string, fset *token.FileSet, f *ast.File) (list []string) {
	timeName := ""
	for _, i := range f.Imports {
		importPath, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return []string{err.Error()}
		}
		if importPath == "time" {
			timeName = "time"
			if i.Name != nil {
				timeName = i.Name.Name
			}
		}
		_, own := relative(importPath)
		others := !own && strings.Contains(strings.Split(importPath, "/")[0], ".")
		if others && r.files != "" && !fits([]string{r.files}, name) {
			list = append(list, fmt.Sprintf("%s/%s must not import %s: only %s may", rel, name, importPath, r.files))
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		at := func() string { return fmt.Sprintf("%s/%s:%d", rel, name, fset.Position(n.Pos()).Line) }
		switch n := n.(type) {
		case *ast.GoStmt:
			if !fits(goroutines, rel) {
				list = append(list, at()+": a goroutine, where none may be started")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && r.pure && timeName != "" && x.Name == timeName && slices.Contains(clock, n.Sel.Name) {
				list = append(list, at()+": time."+n.Sel.Name+" in a pure package: the time is given to it")
			}
		}
		return true
	})
	return list
}

// TestRulesCatch shows that the checks find what they look for.
func TestRulesCatch(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		bad           bool
	}{
		{"apps/l2", module + "/apps", false},
		{"apps/l2", module + "/apps/flood", true},
		{"apps/l2", module + "/controller/datapath", true},
		{"apps/l2", "net/netip", false},
		{"apps/l2", "net", true},
		{"apps/l2", "os/exec", true},
		{"apps/l2", "log", true},
		{"apps/l2", logrus, true},
		{"openflow", module + "/openflow/flow", true},
		{"openflow/flow", module + "/openflow/ofconn", true},
		{"config", "os", false},
		{"config", "log/slog", true},
		{"controller", module + "/openflow/oftest", true},
		{"controller", module + "/cmd/eosin", true},
		{"controller/api", module + "/controller", true},
		{"controller/ovsdb", "net", true},
		{"controller/ovsdb", "github.com/ovn-kubernetes/libovsdb/client", true},
		{"controller", "github.com/ovn-kubernetes/libovsdb/ovsdb", true},
		{"cmd/eosin", module + "/lab", false},
		{"controller", module + "/lab", true},
		{"lab", module + "/controller", true},
		{"test/e2e", module + "/openflow/oftest", false},
	} {
		r, ok := ruleFor(c.pkg)
		if !ok {
			t.Fatalf("%s has no rule", c.pkg)
		}
		if got := r.complaints(c.pkg, []string{c.imported}); (len(got) > 0) != c.bad {
			t.Errorf("%s imports %s: %q", c.pkg, c.imported, got)
		}
	}
	source := `package l2

import (
	"github.com/contiv/libOpenflow/util"
	clock "time"
)

func f() {
	go f()
	_ = clock.Now()
	_ = clock.Second
	util.NewBuffer(nil)
}
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for pkg, want := range map[string]int{"apps/l2": 2, "openflow": 3, "controller": 1, "openflow/oftest": 0, "config": 2} {
		r, _ := ruleFor(pkg)
		if got := r.source(pkg, "x.go", fset, f); len(got) != want {
			t.Errorf("%s: %d complaints, want %d: %q", pkg, len(got), want, got)
		}
	}
}
