package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mutant takes one rule of the protocol away: a text of a file is replaced.
type mutant struct {
	name, rule, file, folder, tests, was, is string
	// seeds is within how many seeds the simulation has to find it; 0: it is not asked to.
	seeds int
}

// TestEachRuleOfTheProtocolIsProven takes rules away, one at a time, and wants the
// tests to find it, and the simulation too. BRIDGE_MUTANTS=all tries every one and
// writes the table in docs/protocol.md, any other text those whose names hold it; else
// three are tried in turn, by the day.
func TestEachRuleOfTheProtocolIsProven(t *testing.T) {
	if testing.Short() {
		t.Skip("left out of the short form: it builds the tests anew for each rule")
	}
	all := mutants(t)
	if len(all) < 12 {
		t.Fatalf("only %d mutants", len(all))
	}
	which := os.Getenv("BRIDGE_MUTANTS")
	day := time.Now().YearDay() * 3
	played := 0
	var table strings.Builder
	table.WriteString("| rule | taken away in | found by | seeds until the simulation finds it |\n|---|---|---|---|\n")
	for i, m := range all {
		turn := (i-day%len(all)+len(all))%len(all) < 3
		if which == "" && !turn || which != "" && which != "all" && !strings.Contains(m.name, which) {
			continue
		}
		played++
		t.Run(m.name, func(t *testing.T) {
			found, seeds := m.found(t), m.simulated(t)
			fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", m.rule, m.file, strings.ReplaceAll(found, "_", " "), seeds)
		})
	}
	if played == 0 {
		t.Fatalf("no mutant is called %q", which)
	}
	if which == "all" && !t.Failed() {
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
			case "seeds":
				if m.seeds, err = strconv.Atoi(value); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
		}
		if !ok1 || !ok2 || m.rule == "" || m.file == "" || m.folder == "" {
			t.Fatalf("%s: rule, file, run, was and is are needed", file)
		}
		out = append(out, m)
	}
	return out
}

// build compiles the tests of a folder with the rule taken away. A patch that does not
// apply, or does not compile, is no proof of anything.
func (m mutant) build(t *testing.T, folder string) (binary string) {
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
	binary = filepath.Join(dir, "tests")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, folder)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	return binary
}

// simulated plays the simulation without the rule, and gives the first seed that fails.
func (m mutant) simulated(t *testing.T) string {
	t.Helper()
	if m.seeds == 0 {
		return "– (found by its own test alone)"
	}
	run := exec.CommandContext(t.Context(), m.build(t, "./connector"), "-test.failfast", "-test.timeout=10m", "-test.run", "^TestSimulation$")
	run.Dir = "connector"
	run.Env = append(os.Environ(), "BRIDGE_SEED=1", "BRIDGE_SEEDS="+strconv.Itoa(m.seeds), "BRIDGE_SIMULATE=")
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatalf("the simulation does not miss the rule in %d seeds: %s", m.seeds, m.rule)
	}
	first := m.seeds + 1
	for _, found := range regexp.MustCompile(`--- FAIL: \S+/seed_(\d+)`).FindAllStringSubmatch(string(out), -1) {
		if seed, err := strconv.Atoi(found[1]); err == nil {
			first = min(first, seed)
		}
	}
	if first > m.seeds {
		t.Fatalf("it failed without a seed that failed: %v\n%s", err, out)
	}
	return strconv.Itoa(first)
}

// found gives the first test that fails without the rule.
func (m mutant) found(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary := m.build(t, m.folder)
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
