package main_test

import (
	"strings"
	"testing"
)

// TestStatusNamesTheTwinOfALinkThatEnded closes an elevation, and lets a late one of the
// same task be opened.
func TestStatusNamesTheTwinOfALinkThatEnded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, item := s.world.Task(s.users, "")
	s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	s.must(0, "run", "--once")
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
	s.must(0, "run", "--once")
	open := s.world.MMD.Elevations()
	if len(open) != 1 || open[0].Open {
		t.Fatalf("elevation requests: %+v, want one that is closed", open)
	}
	twin := s.world.MMD.CopyElevation(open[0].ID)
	s.must(3, "run", "--once")
	if out := s.must(0, "status"); !strings.Contains(out, "elevation request "+twin+" carries its mark beside "+open[0].ID) {
		t.Errorf("status says:\n%s", out)
	}
}
