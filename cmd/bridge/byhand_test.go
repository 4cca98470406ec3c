package main_test

import (
	"path/filepath"
	"testing"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// TestWhatAPersonEndedIsHeldNoMore ends a link that was held: nothing is left to let go on.
func TestWhatAPersonEndedIsHeldNoMore(t *testing.T) {
	t.Parallel()
	for _, what := range []string{plan.HoldsNotes, plan.HoldsReopened} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			incident := s.world.Incident(s.users, "Laptop does not start", nil)
			number := s.world.ITSM.Row("incident", incident)["number"]
			s.must(0, "run", "--once")
			files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			l, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + files[0], Worker: true})
			if err != nil {
				t.Fatal(err)
			}
			for link, err := range l.Links(t.Context(), plan.LinkQuery{}) {
				if err != nil {
					t.Fatal(err)
				}
				if what == plan.HoldsReopened {
					link.Ended, link.EndedBy = time.Now(), "both sides were quiet"
				}
				if _, err := l.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, Holds: []plan.Hold{{Rule: link.ID, What: what, Since: time.Now(), Reason: "held"}}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			s.must(3, "run", "--once")
			s.must(0, "end-link", number, "--reason", "goes on with another vendor")
			if code, out, errs := s.run("run", "--once"); code != 0 {
				t.Errorf("it is ended, and still held: %d %s%s", code, out, errs)
				s.must(0, "resume", number)
				s.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				s.run("run", "--once")
				s.run("run", "--once")
				if told := s.world.MMD.Notes(s.world.MMD.Tickets()[0].ID); len(told) > 0 {
					t.Errorf("and to let go of the hold opens the link again: %v", told)
				}
			}
		})
	}
}

// TestATicketThatIsDroppedLeavesNothingWaiting drops a create by its key, or all of
// its record by the number: what was behind it ends with it, and an elevation goes on.
func TestATicketThatIsDroppedLeavesNothingWaiting(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"key", "number"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 1})
			incident := s.world.Incident(s.users, "Laptop does not start", nil)
			s.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
			s.must(4, "run", "--once")
			name := s.world.ITSM.Row("incident", incident)["number"]
			if by == "key" {
				name = "ticket.create/" + incident + "/1"
			}
			s.must(0, "drop", name, "--reason", "solved by phone")
			_, item := s.world.Task(s.users, incident)
			s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
			s.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
			var code int
			var out, errs string
			for range 24 { // B + 2D is three seconds here
				code, out, errs = s.run("run", "--once")
				time.Sleep(500 * time.Millisecond)
			}
			if code != 0 {
				t.Errorf("it ends with %d for ever: %s%s\n%s", code, out, errs, s.must(0, "status"))
			}
			if n := len(s.world.MMD.Elevations()); n != 1 {
				t.Errorf("%d elevation requests, and status says\n%s", n, s.must(0, "status"))
			}
		})
	}
}

// TestResumeDoesNotOpenWhatAPersonEnded: end-link was killed between its two steps.
func TestResumeDoesNotOpenWhatAPersonEnded(t *testing.T) {
	t.Parallel()
	for _, older := range []bool{false, true} { // an older bridge let go in a second step
		stays(t, older)
	}
}

func stays(t *testing.T, older bool) {
	t.Helper()
	s := newStage(t)
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	number := s.world.ITSM.Row("incident", incident)["number"]
	s.must(0, "run", "--once")
	l := s.worker()
	for link, err := range l.Links(t.Context(), plan.LinkQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		link.Ended, link.EndedBy = time.Now(), "both sides were quiet"
		held := plan.Hold{Rule: link.ID, What: plan.HoldsReopened, Since: time.Now(), Reason: "held"}
		if _, err := l.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, Holds: []plan.Hold{held}}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Revise(t.Context(), link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			return plan.EndByHand(story, "ended by hand: other vendor", time.Now())
		}); err != nil { // and here it is killed
			t.Fatal(err)
		}
		if older {
			if err := l.Hold(t.Context(), held); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !older {
		s.must(0, "run", "--once")
		s.says(1, "is not held", "resume", number)
	} else {
		s.must(3, "run", "--once")
		s.says(0, "was ended by hand", "resume", number)
	}
	s.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
	s.run("run", "--once")
	s.run("run", "--once")
	if told := s.world.MMD.Notes(s.world.MMD.Tickets()[0].ID); len(told) > 0 {
		t.Errorf("a person ended the link, and notes are passed on: %v", told)
	}
}
