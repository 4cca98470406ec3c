package main_test

import (
	"testing"

	"bridge/plan"
)

// found has the bridge find something about each of its links.
func (s *stage) found(what func(link *plan.Link)) {
	s.Helper()
	l := s.worker()
	for link, err := range l.Links(s.Context(), plan.LinkQuery{}) {
		if err != nil {
			s.Fatal(err)
		}
		what(&link)
		if _, err := l.Promise(s.Context(), plan.Promise{Links: []plan.Link{link}}); err != nil {
			s.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		s.Fatal(err)
	}
}

// TestAPersonWhoHasSeenATwinCanSaySo: else each run ends with 3 for ever. Another one is
// said all the same.
func TestAPersonWhoHasSeenATwinCanSaySo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, number := s.elevated()
	twin := func(id string) { s.found(func(link *plan.Link) { link.Twins = append(link.Twins, id) }) }
	twin("00000000-0000-4000-8000-00000000ffff") // closed by hand since
	s.must(3, "run", "--once")
	s.says(0, "00000000ffff", "resume", number)
	s.must(0, "run", "--once")
	s.says(1, "status says nothing of it", "resume", number)
	twin("00000000-0000-4000-8000-00000000eeee")
	s.must(3, "run", "--once")
	s.says(0, "00000000eeee", "status")
	s.must(0, "end-link", number, "--reason", "contract")
	s.run("run", "--once")
	s.says(3, "1 with a twin ticket", "run", "--once")
	s.must(0, "resume", number)
	s.must(0, "run", "--once")
}

// TestAPersonWhoHasSeenAVanishedNoteCanSaySo: else each run ends with 3 for ever.
func TestAPersonWhoHasSeenAVanishedNoteCanSaySo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	number := s.world.ITSM.Row("incident", incident)["number"]
	s.must(0, "run", "--once")
	s.found(func(link *plan.Link) { link.Vanished = []string{"b1-3mv-0000000000"} })
	s.must(3, "run", "--once")
	s.says(0, "b1-3mv-0000000000", "resume", number)
	s.must(0, "run", "--once")
}
