package main_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"bridge/store"
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
	ledger, err := store.Open(t.Context(), store.Config{URL: "sqlite:bridge.db", Dir: filepath.Dir(s.config)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.SetMeta(t.Context(), "lag", "1m30s"), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	if out := s.must(3, "run", "--once"); !strings.Contains(out, " doubt=0 twins=1 vanished=0 lag=1m30s ") {
		t.Errorf("the summary says:\n%s", out)
	}
	for _, want := range []string{"elevation request " + twin + " carries its mark beside " + open[0].ID, "was seen to lag by up to 1m30s"} {
		if out := s.must(0, "status"); !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
}
