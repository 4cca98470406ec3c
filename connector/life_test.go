package connector_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

// rule starts over with mappings.yaml in which one text stands for another.
func (r *rig) rule(old, text string) {
	r.Helper()
	src, err := os.ReadFile("../mappings.yaml")
	if err != nil {
		r.Fatal(err)
	}
	changed := strings.Replace(string(src), old, text, 1)
	if !strings.Contains(string(src), old) {
		r.Fatalf("mappings.yaml has no %q", old)
	}
	rules, problems := mapping.Load("mappings.yaml", []byte(changed), nil)
	if len(problems) > 0 {
		r.Fatal(problems)
	}
	r.rules = rules
	r.start()
}

// linkOf gives the link of a record.
func (r *rig) linkOf(record string) plan.Link {
	r.Helper()
	for link, err := range r.ledger.Links(r.Context(), plan.LinkQuery{Records: []string{record}}) {
		if err != nil {
			r.Fatal(err)
		}
		return link
	}
	r.Fatalf("no link of %s", record)
	return plan.Link{}
}

// told gives the notes of a ticket without their first lines.
func (r *rig) told(ticket string) []string {
	r.Helper()
	var out []string
	for _, n := range r.world.MMD.Notes(ticket) {
		_, text, _ := strings.Cut(n.Text, "<br>")
		out = append(out, text)
	}
	return out
}

// said gives the work notes of a record without their first lines.
func (r *rig) said(record string) []string {
	r.Helper()
	var out []string
	for _, n := range r.world.ITSM.Journal(record, "work_notes") {
		_, text, _ := strings.Cut(n.Text, "\n")
		out = append(out, text)
	}
	return out
}

// ended makes a link that was resolved and closed, and then was quiet for a week.
func (r *rig) ended() (incident string) {
	r.Helper()
	incident = r.world.Incident(r.users, "Laptop does not start", nil)
	r.endOf(incident)
	return incident
}

// endOf has an incident resolved and closed, and waits for a quiet week.
func (r *rig) endOf(incident string) {
	r.Helper()
	r.rest()
	r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
	r.rest()
	r.world.ITSM.Set("incident", incident, map[string]string{"state": "7"})
	r.rest()
	if ended := r.linkOf(incident).Ended; !ended.IsZero() {
		r.Fatal("the link ended at once")
	}
	for range 8 {
		time.Sleep(24 * time.Hour)
		r.cycle()
	}
	if link := r.linkOf(incident); link.Ended.IsZero() || !strings.Contains(link.EndedBy, "quiet") {
		r.Fatalf("after a quiet week the link is open: %+v", link)
	}
}

func TestAQuietLinkEndsAndARecordThatOpensAgainFollowsItsRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reopen  string
		tickets int
		ended   bool
		told    []string // on the first ticket
		said    string   // the last work note
	}{
		{"note", 1, false, []string{
			"State: Closed, was Resolved", "INC0010001 was opened again (matches query and when (mappings.yaml:14)).", "Once more, please.", "State: In Progress, was Closed",
		}, ""},
		{"new", 2, false, []string{"State: Closed, was Resolved"}, ""},
		{"hold", 1, true, []string{"State: Closed, was Resolved"}, "a person decides"},
	} {
		t.Run("reopen: "+tt.reopen, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("reopen: note", "reopen: "+tt.reopen)
				incident := r.ended()
				first := r.linkOf(incident).MMD
				r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Once more, please.")
				r.rest()
				link := r.linkOf(incident)
				if n := len(r.world.MMD.Tickets()); n != tt.tickets || link.Ended.IsZero() == tt.ended || (link.MMD != first) != (tt.tickets == 2) {
					t.Errorf("%d tickets, want %d; the link: %+v\n%s", n, tt.tickets, link, r.story())
				}
				if diff := cmp.Diff(tt.told, r.told(first)); diff != "" {
					t.Errorf("the first ticket was told (-want +got):\n%s", diff)
				}
				if told := r.told(link.MMD); tt.tickets == 2 && !slices.Equal(told, []string{"Once more, please."}) {
					t.Errorf("the second ticket was told %q", told)
				}
				if said := r.said(incident); tt.said != "" && (len(said) == 0 || !strings.Contains(said[len(said)-1], tt.said)) {
					t.Errorf("the record was told %q", said)
				}
			})
		})
	}
}

func TestALinkThatAPersonEndedIsNotOpenedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		link := r.linkOf(incident)
		link.Ended, link.EndedBy, link.ByHand = time.Now(), "moved to another vendor", true
		if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		r.world.ITSM.Set("incident", incident, map[string]string{"priority": "1"})
		r.cycles(3)
		if told := r.told(link.MMD); len(told) != 0 || r.linkOf(incident).Ended.IsZero() {
			t.Errorf("told %q, %+v", told, r.linkOf(incident))
		}
	})
}

func TestCommentsStopWhileARecordIsWithAnotherGroup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		leave string
		want  []string
	}{
		{"stop", []string{"Before.", "is not with Microsoft Managed Desktop any more", "is back", "After."}},
		{"go_on", []string{"Before.", "Between.", "After."}},
	} {
		t.Run("leave: "+tt.leave, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("leave: stop", "leave: "+tt.leave)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				group := r.world.ITSM.Row("incident", incident)["assignment_group"]
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Before.")
				r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
				r.rest()
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Between.")
				r.rest()
				r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
				r.rest()
				r.world.ITSM.Comment("incident", incident, "ada.byron", "After.")
				r.rest()
				told := r.told(r.ticketOf(incident).ID)
				if len(told) != len(tt.want) {
					t.Fatalf("the ticket was told %q, want %q", told, tt.want)
				}
				for i := range told {
					if !strings.Contains(told[i], tt.want[i]) {
						t.Errorf("note %d is %q, want %q in it", i+1, told[i], tt.want[i])
					}
				}
			})
		})
	}
}

func TestTwoIntegrationsThatAnswerEachOtherAreStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		for i := range 150 {
			r.world.ITSM.Comment("incident", incident, "robot", fmt.Sprintf("Answer %d.", i))
			time.Sleep(time.Second) // ties of one second have no order
			if i%10 == 9 {
				r.cycles(1)
			}
		}
		r.cycles(2)
		ticket := r.ticketOf(incident).ID
		stopped := len(r.told(ticket))
		holds, err := r.ledger.Holds(t.Context())
		if err != nil || len(holds) != 1 || holds[0].What != plan.HoldsNotes || stopped > 100 {
			t.Fatalf("%d notes were mirrored, holds %v, %v", stopped, holds, err)
		}
		link := r.linkOf(incident)
		link.Calmed = time.Now()
		if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := r.ledger.Release(t.Context(), plan.Hold{Rule: link.ID, What: plan.HoldsNotes}); err != nil {
			t.Fatal(err)
		}
		r.rest()
		if told := r.told(ticket); len(told) != 150 || told[149] != "Answer 149." {
			t.Errorf("%d notes after a person let them go on", len(told))
		}
	})
}

func TestARightThatIsLostPausesTheSideAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var incidents []string
		for i := range 6 {
			incidents = append(incidents, r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil))
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = map[string]bool{"incident": true} })
		r.cycle()
		if c := r.counts(); c.Parked > 0 || c.Owed != 6 {
			t.Errorf("while a right is missing: %+v\n%s", c, r.story())
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = nil })
		time.Sleep(2 * time.Minute)
		r.rest()
		for _, incident := range incidents {
			if id := r.world.ITSM.Row("incident", incident)["correlation_id"]; id == "" {
				t.Errorf("an incident was not updated\n%s", r.story())
			}
		}
	})
}

func TestARuleThatAPolicyRefusesAgainAndAgainIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 6 {
			r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil)
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.Abort = func(string, map[string]string) string { return "No bridge on Mondays" }
		})
		r.cycles(3)
		holds, err := r.ledger.Holds(t.Context())
		if err != nil || len(holds) != 1 || holds[0].Rule != "incident" || holds[0].What != plan.HoldsAll || !strings.Contains(holds[0].Reason, "No bridge on Mondays") {
			t.Fatalf("holds %+v, %v\n%s", holds, err, r.story())
		}
		if c := r.counts(); c.Parked < 3 || c.Parked > 6 {
			t.Errorf("%+v\n%s", c, r.story())
		}
	})
}

func TestACommentOfTheMoveIsPassedOnWhenItsJournalShowsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Before.")
		r.rest()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "With the move.")
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Path: "sys_journal_field", Kind: simulator.EmptyList})
		r.rest()
		if told := r.told(r.ticketOf(incident).ID); !slices.Contains(told, "With the move.") {
			t.Errorf("the ticket was told %q", told)
		}
	})
}

// TestACommentThatIsDeletedKeepsNoLinkOpen has the desk remove one for good.
func TestACommentThatIsDeletedKeepsNoLinkOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "My password is 1234.")
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It still does not start.")
		r.rest()
		time.Sleep(time.Hour)
		r.world.ITSM.Erase(incident, "My password is 1234.")
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		r.cycle()
		if !strings.Contains(strings.Join(r.report.Unread, "\n"), "did not show all comments") {
			t.Errorf("said %q", r.report.Unread)
		}
		for range 30 {
			time.Sleep(time.Hour)
			r.cycle()
		}
		if link := r.linkOf(incident); len(r.report.Unread) > 0 || !strings.Contains(link.Unheard, "1 of its comments") {
			t.Errorf("a day later it is said that %q, and by the link %q", r.report.Unread, link.Unheard)
		}
		r.world.ITSM.Comment("incident", incident, "ada.byron", "And now?")
		r.rest()
		if told := r.told(r.ticketOf(incident).ID); !strings.Contains(strings.Join(told, "\n"), "And now?") {
			t.Errorf("the ticket was told %q", told)
		}
		r.endOf(incident)
	})
}

func TestATicketThatIsOpenedAgainAfterItsLinkEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.ended()
		ticket := r.ticketOf(incident).ID
		r.world.MMD.SetState(ticket, "active")
		r.world.MMD.AddNote(ticket, "vera@vendor.example", "It was not solved after all.")
		r.rest()
		r.scanned()
		if link := r.linkOf(incident); len(r.said(incident)) == 0 && link.Notice == "" {
			t.Errorf("nobody hears of it: %+v\n%s", link, r.story())
		}
	})
}
