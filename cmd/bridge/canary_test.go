package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bridge/simulator"
)

// leaks says which of the secrets show where.
func leaks(secrets []string, shown map[string]string) []string {
	var out []string
	for where, text := range shown {
		for i, secret := range secrets {
			if len(secret) >= 8 && strings.Contains(text, secret) {
				out = append(out, where+" shows secret "+string(rune('A'+i%26)))
			}
		}
	}
	return out
}

// written reads all files under a folder, but for those that hold a secret by right.
func written(t *testing.T, dir string, shown map[string]string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".secret") {
			return err
		}
		content, err := os.ReadFile(path)
		shown["file "+filepath.Base(path)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoSecretShowsAnywhere runs every command that speaks to a side, in good days and
// under faults, and looks for all that the simulators handed out and were given, in
// what is printed, logged and written.
func TestNoSecretShowsAnywhere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	shown := map[string]string{}
	run := func(args ...string) {
		t.Helper()
		_, out, errs := s.run(args...)
		shown["bridge "+strings.Join(args, " ")] += out + errs
	}
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	task, item := s.world.Task(s.users, incident)
	s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	all := [][]string{
		{"check"},
		{"plan"},
		{"run", "--once"},
		{"run", "--once"}, // the elevation waits for the ticket of its parent
		{"status"},
		{"status", "-o", "json"},
		{"mmd", "tickets"},
		{"mmd", "elevations", "-o", "json"},
		{"mmd", "elevation-details", "MMD-03690457680"},
		{"mmd", "elevation-details", "MMD-03690457680", "-o", "yaml"},
		{"mmd", "devices"},
		{"itsm", "list", "incident"},
		{"itsm", "get", "sc_task", task, "-o", "json"},
		{"backup", filepath.Join(filepath.Dir(s.config), "copy.db")},
	}
	for _, args := range all {
		run(args...)
	}
	asked := s.must(0, "mmd", "elevation-details", "MMD-03690457680", "--reveal")
	if len(leaks(s.world.Secrets(), map[string]string{"--reveal": asked})) == 0 {
		t.Error("the elevation's password is none of the secrets that are looked for")
	}
	for _, kind := range simulator.Kinds() {
		for _, side := range []string{simulator.SideMMD, simulator.SideAuthority} {
			s.world.Faults.Add(simulator.Rule{Side: side, Kind: kind, Status: 400, Body: `{"error":{"code":"x","message":"y"}}`, Times: -1})
		}
		run("run", "--once")
		run("mmd", "elevation-details", "MMD-03690457680")
		s.world.Faults.Clear()
		if testing.Short() {
			break
		}
	}
	s.world.Authority.Revoke()
	run("mmd", "tickets")
	written(t, filepath.Dir(s.config), shown)
	secrets := s.world.Secrets()
	if len(secrets) < 5 {
		t.Fatalf("the simulators handed out %d secrets: there is nothing to look for", len(secrets))
	}
	for _, leak := range leaks(secrets, shown) {
		t.Error(leak)
	}
	t.Run("a secret that shows is found", func(t *testing.T) {
		planted := map[string]string{"planted": "before " + simulator.Password + " behind"}
		if len(leaks(secrets, planted)) == 0 {
			t.Error("it was not found: the test proves nothing")
		}
	})
}
