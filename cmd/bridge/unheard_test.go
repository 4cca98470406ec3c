package main_test

import (
	"strings"
	"testing"

	"bridge/simulator/itsm"
)

func TestStatusSaysWhoseCommentsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	s.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
	s.must(0, "run", "--once")
	s.world.ITSM.Switch(func(w *itsm.Switches) { w.Journals = "refuse" })
	s.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
	for range 3 { // as long as it is so, and not only when it is found
		s.says(3, " unheard=1 ", "run", "--once")
	}
	s.says(3, "1 whose comments are not passed on: bridge status says which", "run", "--once")
	if out := s.must(0, "status"); !strings.Contains(out, "unheard  INC0010001") || !strings.Contains(out, "sys_journal_field") {
		t.Errorf("status says:\n%s", out)
	}
	s.says(1, "is not held, and status says nothing of it", "resume", "INC0010009")
	s.says(0, "taken as seen", "resume", "INC0010001")
	if out := s.must(0, "status"); strings.Contains(out, "unheard") {
		t.Errorf("it was seen, and status says:\n%s", out)
	}
}
