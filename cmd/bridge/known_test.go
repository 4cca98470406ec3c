//go:build known

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// These fail: each is a defect that docs/known.md names.

func TestARuleCanBeEndedAfterACrash(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: -1})
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(4, "run", "--once")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	l, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + files[0], Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	for op, err := range l.Ops(t.Context(), plan.OpQuery{Owed: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Begin(t.Context(), op, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil { // it is killed here
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.env["BRIDGE_MAPPINGS"] = filepath.Join(t.TempDir(), "mappings.yaml")
	if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(strings.Replace(string(rules), "- name: incident", "- name: trouble", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.says(2, "bridge end-rule incident", "run", "--once")
	code, out, errs := s.run("end-rule", "incident", "--reason", "contract")
	if code != 0 {
		t.Errorf("run wants it, no worker is there, and it is refused: %d %s%s", code, out, errs)
	}
}
