package main_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneCommandAsksForThePassword and nothing else does: no other code reads the
// details of an elevation request, and none reveals what is in them.
func TestOneCommandAsksForThePassword(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, p := range ours(t) {
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				selected, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				method, ok := p.info.Uses[selected.Sel].(*types.Func)
				if !ok {
					return true
				}
				if name := method.FullName(); name == "(bridge/mmd.Secret).Reveal" || name == "(*bridge/mmd.Elevations).Details" {
					got[name] = append(got[name], p.path+"/"+filepath.Base(p.fset.Position(n.Pos()).Filename))
				}
				return true
			})
		}
	}
	want := map[string][]string{
		"(bridge/mmd.Secret).Reveal":       {"bridge/cmd/bridge/mmd_elevation.go"},
		"(*bridge/mmd.Elevations).Details": {"bridge/cmd/bridge/mmd_elevation.go"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
}

// typed is a package of ours with its types.
type typed struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// ours reads all packages of the module, tests left out, with their types.
func ours(t *testing.T) []typed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", `{{.ImportPath}}|{{.Export}}|{{.Dir}}|{{join .GoFiles " "}}`, "bridge/...")
	var errs bytes.Buffer
	list.Stderr = &errs
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	exports := map[string]string{}
	var packages []typed
	fset := token.NewFileSet()
	for line := range strings.Lines(string(out)) {
		part := strings.Split(strings.TrimSpace(line), "|")
		exports[part[0]] = part[1]
		if !strings.HasPrefix(part[0], "bridge/") {
			continue
		}
		p := typed{path: part[0], fset: fset}
		for name := range strings.FieldsSeq(part[3]) {
			file, err := parser.ParseFile(fset, filepath.Join(part[2], name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, file)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages were read", len(packages))
	}
	imports := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no types of %s", path)
		}
		return os.Open(exports[path])
	})}
	for i := range packages {
		packages[i].info = &types.Info{Uses: map[*ast.Ident]types.Object{}}
		if _, err := imports.Check(packages[i].path, fset, packages[i].files, packages[i].info); err != nil {
			t.Fatal(err)
		}
	}
	return packages
}
