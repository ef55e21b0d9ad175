package controller

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// No type has a field that leads to Controller: each part gets the few things that it needs.
func TestNobodyHoldsTheController(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	structs := 0
	for _, dir := range strings.Fields(string(out)) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			n, found := holders(f)
			structs += n
			for _, field := range found {
				t.Errorf("%s: a field leads to Controller", fset.Position(field.Pos()))
			}
		}
	}
	if structs < 20 {
		t.Errorf("only %d structs seen", structs)
	}
}

// holders returns how many structs a file has, and the fields of them whose types name Controller.
func holders(f *ast.File) (structs int, fields []*ast.Field) {
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		structs++
		for _, field := range s.Fields.List {
			ast.Inspect(field.Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == "Controller" {
					fields = append(fields, field)
				}
				return true
			})
		}
		return true
	})
	return structs, fields
}

func TestHolders(t *testing.T) {
	source := "package x\ntype a struct { c *Controller; n int }\n" +
		"type b struct { m map[int]func(*controller.Controller); d int }\n"
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if structs, fields := holders(f); structs != 2 || len(fields) != 2 {
		t.Errorf("%d structs, %d fields", structs, len(fields))
	}
}
