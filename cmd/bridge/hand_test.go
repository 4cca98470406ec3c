package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// says runs a command and wants its exit code and these words.
func (s *stage) says(code int, words string, args ...string) {
	s.Helper()
	if out := s.must(code, args...); !strings.Contains(out, words) {
		s.Errorf("bridge %s says\n%s\nwant %q", strings.Join(args, " "), out, words)
	}
}

// settled runs once and again until nothing waits: what was said around the loss is
// looked for first, and sent when its absence counts.
func (s *stage) settled() {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if code, _, _ := s.run("run", "--once"); code == 0 {
			return
		}
	}
	s.Fatalf("not settled in a minute:\n%s", s.must(0, "status"))
}

func TestAnOperatorsHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	parked := s.world.Incident(s.users, "No caller", map[string]string{"caller_id": ""})
	linked := s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(3, "run", "--once")
	number := func(id string) string { return s.world.ITSM.Row("incident", id)["number"] }

	s.says(2, "--reason says why", "drop", number(parked))
	s.says(1, "no such write", "drop", "INC9999999", "--reason", "typo")
	s.says(0, "dropped: solved by phone", "drop", number(parked), "--reason", "solved by phone")
	s.says(1, "owed", "drop", number(parked), "--reason", "twice")
	s.must(0, "run", "--once")
	s.world.ITSM.Set("incident", parked, map[string]string{"caller_id": s.users.Ada})
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets: what a person dropped was sent", n)
	}

	s.says(1, "bridge end-link ends that", "skip", number(linked), "--reason", "no")
	s.says(1, "no record INC9999999", "skip", "INC9999999", "--reason", "typo")
	skipped := s.world.Incident(s.users, "Sent by hand", nil)
	s.says(0, "never become a ticket", "skip", number(skipped), "--reason", "was sent by hand")
	s.must(0, "run", "--once")
	s.world.ITSM.Comment("incident", skipped, "ada.byron", "Any news?")
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets: a record that a person skipped was sent", n)
	}

	s.says(1, "no link of INC9999999", "end-link", "INC9999999", "--reason", "typo")
	s.says(0, "is not linked", "end-link", number(linked), "--reason", "another vendor")
	s.world.ITSM.Comment("incident", linked, "ada.byron", "Any news?")
	s.must(0, "run", "--once")
	if told := s.world.MMD.Notes(s.world.MMD.Tickets()[0].ID); len(told) != 0 {
		t.Errorf("a link that a person ended goes on: %v", told)
	}
	s.says(1, "no open links", "end-rule", "another", "--reason", "contract")
	s.world.Incident(s.users, "One more", nil)
	s.must(0, "run", "--once")
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	renamed := strings.Replace(string(rules), "- name: incident", "- name: trouble", 1)
	s.env["BRIDGE_MAPPINGS"] = filepath.Join(t.TempDir(), "mappings.yaml")
	if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(renamed), 0o600); err != nil {
		t.Fatal(err)
	}
	s.says(2, "bridge end-rule incident", "run", "--once")
	s.says(0, "is not linked", "end-rule", "incident", "--reason", "contract")
	s.must(0, "run", "--once")
}

func TestALostLedgerSendsNothingUntilItIsRelinked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(0, "run", "--once")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no ledger beside %s: %v", s.config, err)
	}
	s.says(1, "knows links", "relink")
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	s.says(1, "bridge relink rebuilds it", "run", "--once")
	s.says(0, "linked again: 1 tickets", "relink")
	s.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks.")
	s.settled()
	tickets := s.world.MMD.Tickets()
	if len(tickets) != 1 || len(s.world.MMD.Notes(tickets[0].ID)) != 1 {
		t.Errorf("%d tickets, notes %v", len(tickets), s.world.MMD.Notes(tickets[0].ID))
	}
}

func TestAValueThatMeetsNoMapEntryIsToldAndCounted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 2 {
		s.world.Incident(s.users, "Something else", map[string]string{"category": "network"})
	}
	s.says(0, `? rule incident, category: "network" met no entry of its map (line 22)`, "plan")
	s.says(0, "← ", "plan")
	s.says(0, `rule incident, category: "network" met no entry of its map (line 22), 2×`, "run", "--once")
	if out := s.must(0, "run", "--once"); strings.Contains(out, "met no entry") {
		t.Errorf("told again: %s", out)
	}
}

// TestEndRuleEndsTheLinksOfARenamedRule: they keep the name that it had.
func TestEndRuleEndsTheLinksOfARenamedRule(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} {
		s := newStage(t)
		s.world.Incident(s.users, "Laptop does not start", nil)
		s.must(0, "run", "--once")
		rules, err := os.ReadFile("../../mappings.yaml")
		if err != nil {
			t.Fatal(err)
		}
		s.env["BRIDGE_MAPPINGS"] = filepath.Join(s.TempDir(), "mappings.yaml")
		if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(strings.Replace(string(rules), "- name: incident", "- name: trouble\n    was: [incident]", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if other {
			s.world.Incident(s.users, "Another one", nil)
		}
		s.must(0, "run", "--once")
		code, out, errs := s.run("end-rule", "trouble", "--reason", "contract")
		status := s.must(0, "status")
		if !strings.Contains(status, "links  0 open") {
			t.Errorf("end-rule ended with %d: %s%s\n%s", code, out, errs, status)
		}
	}
}
