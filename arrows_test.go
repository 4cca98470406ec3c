package bridge_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// module is what our own imports begin with.
const module = "bridge/"

// all says that a package may import any of ours: it wires them.
const all = "…"

// arrows draws who may import whom of our own. What is not drawn is forbidden; a
// package that is not here has no place yet. A name that ends in /… is a folder.
//
//	cmd/bridge ─┬─> connector ─┬─> plan ──> mapping
//	            │              └─> itsm, mmd ──> rest
//	            ├─> store ──────> plan
//	            ├─> console
//	            └─> simulator
func arrows() map[string][]string {
	return map[string][]string{
		"cmd/bridge":        {all},
		"cmd/bridge/config": {},
		"connector":         {"plan", "mapping", "itsm", "mmd", "rest"},
		"plan":              {"mapping"},
		"mapping":           {},
		"itsm":              {"rest"},
		"mmd":               {"rest"},
		"rest":              {},
		"store":             {"plan", "mapping"},
		"store/pgtest":      {},
		"console":           {},
		"simulator":         {"simulator/…"},
		"simulator/…":       {"simulator/…"},
	}
}

// homes says where each library lives: what is used in one place can be replaced in one.
func homes() map[string][]string {
	return map[string][]string{
		"github.com/go-resty/resty/v2":                               {"rest"},
		"github.com/hashicorp/go-retryablehttp":                      {"rest"},
		"github.com/AzureAD/microsoft-authentication-library-for-go": {"mmd"},
		"github.com/expr-lang/expr":                                  {"mapping"},
		"github.com/jackc/pgx/v5":                                    {"store", "store/pgtest"},
		"modernc.org/sqlite":                                         {"store"},
		"github.com/spf13/cobra":                                     {"cmd/bridge"},
		"gopkg.in/yaml.v3":                                           {"mapping", "cmd/bridge", "cmd/bridge/config"},
		"github.com/google/go-cmp":                                   {},
		"software.sslmate.com/src/go-pkcs12":                         {"mmd"},
		"golang.org/x/net":                                           {"plan", "connector", "mmd"},
		"golang.org/x/sync":                                          {"connector", "store", "itsm", "mmd", "rest"},
		"golang.org/x/sys":                                           {"store", "simulator", "cmd/bridge"},
	}
}

func TestEveryImportIsAnArrowOfTheDesign(t *testing.T) {
	t.Parallel()
	found, err := imports(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("only %d packages were read: %v", len(found), slices.Sorted(maps.Keys(found)))
	}
	for _, wrong := range judge(found) {
		t.Error(wrong)
	}
}

func TestAForbiddenArrowIsFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, source string
		want               []string
	}{
		{"an arrow that is drawn", "plan/a.go", `package plan; import _ "bridge/mapping"`, nil},
		{"the standard library is everybody's", "mapping/a.go", `package mapping; import _ "strings"`, nil},
		{"the command wires all", "cmd/bridge/a.go", `package main; import (_ "bridge/store"; _ "bridge/simulator/itsm"; _ "github.com/spf13/cobra")`, nil},
		{"tests may reach further", "plan/a_test.go", `package plan_test; import _ "bridge/store"`, nil},
		{"fixtures are not ours", "plan/testdata/a.go", `package x; import _ "bridge/store"`, nil},
		{"a simulator's part imports another", "simulator/mmd/a.go", `package mmd; import _ "bridge/simulator/fault"`, nil},
		{"the store calls no side", "store/a.go", `package store; import _ "bridge/itsm"`, []string{"store imports itsm (store/a.go): no such arrow is drawn"}},
		{"the plan keeps nothing", "plan/a.go", `package plan; import _ "bridge/store"`, []string{"plan imports store (plan/a.go): no such arrow is drawn"}},
		{"a client knows no rules", "mmd/token.go", `package mmd; import _ "bridge/mapping"`, []string{"mmd imports mapping (mmd/token.go): no such arrow is drawn"}},
		{"a stand-in shares nothing with a client", "simulator/mmd/a.go", `package mmd; import _ "bridge/mmd"`, []string{"simulator/mmd imports mmd (simulator/mmd/a.go): no such arrow is drawn"}},
		{"the command is nobody's", "connector/a.go", `package connector; import _ "bridge/cmd/bridge/config"`, []string{"connector imports cmd/bridge/config (connector/a.go): no such arrow is drawn"}},
		{"a package without a place", "util/a.go", `package util`, []string{"util has no place among the arrows"}},
		{"a library away from home", "connector/a.go", `package connector; import _ "github.com/jackc/pgx/v5/pgxpool"`, []string{"connector imports github.com/jackc/pgx/v5/pgxpool (connector/a.go): its home is store, store/pgtest"}},
		{"a library without a home", "plan/a.go", `package plan; import _ "github.com/pkg/errors"`, []string{"plan imports github.com/pkg/errors (plan/a.go): it has no home"}},
		{"a module of a like name", "rest/a.go", `package rest; import _ "github.com/go-resty/resty/v22"`, []string{"rest imports github.com/go-resty/resty/v22 (rest/a.go): it has no home"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found, err := imports(fstest.MapFS{tt.file: {Data: []byte(tt.source)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, judge(found)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// imported is one import, and the file that it stands in.
type imported struct{ file, path string }

// imports reads what each package imports, tests and fixtures left out.
func imports(tree fs.FS) (map[string][]imported, error) {
	found := map[string][]imported{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := path.Dir(name)
		found[from] = append(found[from], []imported{}...)
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[from] = append(found[from], imported{name, to})
		}
		return nil
	})
	return found, err
}

// judge says which imports no arrow allows.
func judge(found map[string][]imported) []string {
	var wrong []string
	for _, from := range slices.Sorted(maps.Keys(found)) {
		allowed, placed := rowOf(from)
		if !placed {
			wrong = append(wrong, from+" has no place among the arrows")
			continue
		}
		for _, i := range found[from] {
			if why := refused(from, i.path, allowed); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s imports %s (%s): %s", from, strings.TrimPrefix(i.path, module), i.file, why))
			}
		}
	}
	return wrong
}

// rowOf is the row of a package: its own, or that of the folder it is in.
func rowOf(name string) ([]string, bool) {
	if row, ok := arrows()[name]; ok {
		return row, true
	}
	row, ok := arrows()[path.Dir(name)+"/…"]
	return row, ok
}

// refused says why a package may not import a path; empty: it may.
func refused(from, to string, allowed []string) string {
	if ours, own := strings.CutPrefix(to, module); own {
		if slices.Contains(allowed, all) || slices.Contains(allowed, ours) || slices.Contains(allowed, path.Dir(ours)+"/…") {
			return ""
		}
		return "no such arrow is drawn"
	}
	if first, _, _ := strings.Cut(to, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for library, home := range homes() {
		if to == library || strings.HasPrefix(to, library+"/") {
			if slices.Contains(home, from) {
				return ""
			}
			return "its home is " + strings.Join(home, ", ")
		}
	}
	return "it has no home"
}
