package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant takes one rule of the protocol away: a text of a file is replaced.
type mutant struct {
	name, rule, file, folder, tests, was, is string
}

// TestEachRuleOfTheProtocolIsProven takes rules away, one at a time, and wants the
// tests to find it. BRIDGE_MUTANTS=all tries every one and writes the table in
// docs/protocol.md; else three are tried in turn, by the day.
func TestEachRuleOfTheProtocolIsProven(t *testing.T) {
	if testing.Short() {
		t.Skip("left out of the short form: it builds the tests anew for each rule")
	}
	all := mutants(t)
	if len(all) < 12 {
		t.Fatalf("only %d mutants", len(all))
	}
	some := all
	if os.Getenv("BRIDGE_MUTANTS") != "all" {
		day := time.Now().YearDay() * 3
		some = nil
		for i := range 3 {
			some = append(some, all[(day+i)%len(all)])
		}
	}
	var table strings.Builder
	table.WriteString("| rule | taken away in | found by |\n|---|---|---|\n")
	for _, m := range some {
		t.Run(m.name, func(t *testing.T) {
			found := m.found(t)
			fmt.Fprintf(&table, "| %s | `%s` | %s |\n", m.rule, m.file, strings.ReplaceAll(found, "_", " "))
		})
	}
	if len(some) == len(all) && !t.Failed() {
		writeTable(t, table.String())
	}
}

func mutants(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob("testdata/mutants/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []mutant
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, blocks, ok1 := strings.Cut(string(text), "--- was\n")
		was, is, ok2 := strings.Cut(blocks, "\n--- is\n")
		m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".txt"), was: was, is: strings.TrimSuffix(is, "\n")}
		for line := range strings.Lines(head) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "rule":
				m.rule = value
			case "file":
				m.file = value
			case "run":
				m.folder, m.tests, _ = strings.Cut(value, " -run ")
			}
		}
		if !ok1 || !ok2 || m.rule == "" || m.file == "" || m.folder == "" {
			t.Fatalf("%s: rule, file, run, was and is are needed", file)
		}
		out = append(out, m)
	}
	return out
}

// found builds the tests with the rule taken away and gives the first that fails. A
// patch that does not apply, or does not compile, is no proof of anything.
func (m mutant) found(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.was); n != 1 {
		t.Fatalf("%s: the patch does not apply any more: its text is there %d times", m.file, n)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	whole, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {whole: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{changed: strings.Replace(string(src), m.was, m.is, 1), filepath.Join(dir, "overlay.json"): string(overlay)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "tests")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, m.folder).CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	args := []string{"-test.failfast", "-test.timeout=4m"}
	if m.tests != "" {
		args = append(args, "-test.run", m.tests)
	}
	run := exec.CommandContext(ctx, binary, args...)
	run.Dir = m.folder
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatalf("nothing fails without the rule: %s\n%s", m.rule, out)
	}
	first := ""
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			first, _, _ = strings.Cut(name, " ")
		}
	}
	if first == "" {
		t.Fatalf("it failed without a test that failed: %v\n%s", err, out)
	}
	return first
}

// The table in docs/protocol.md stands between these lines.
const (
	tableBegins = "<!-- made by make mutants -->\n"
	tableEnds   = "<!-- end -->\n"
)

func writeTable(t *testing.T, table string) {
	t.Helper()
	text, err := os.ReadFile("docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok1 || !ok2 {
		t.Fatal("docs/protocol.md has no place for the table")
	}
	if err := os.WriteFile("docs/protocol.md", []byte(before+tableBegins+table+tableEnds+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
