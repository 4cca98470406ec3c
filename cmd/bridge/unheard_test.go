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
	s.must(4, "run", "--once")
	if out := s.must(0, "status"); !strings.Contains(out, "unheard  INC0010001") || !strings.Contains(out, "sys_journal_field") {
		t.Errorf("status says:\n%s", out)
	}
}
