package connector_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

// A vendor who does not show an old ticket any more keeps no record from its next one.
func TestARecordThatOpensAgainGetsItsTicketThoughTheOldOneIsNotShown(t *testing.T) {
	for _, status := range []int{403, 404, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("reopen: note", "reopen: new")
				incident := r.ended()
				first := r.linkOf(incident).MMD
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: first + "')$", Kind: simulator.Answer, Status: status, Body: "{}", Times: -1})
				r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
				r.cycles(240)
				if link := r.linkOf(incident); link.MMD == first {
					t.Errorf("two hours after it was opened again it has no new ticket: %q", r.report.Unread)
				}
			})
		})
	}
}

// A desk that shows comments as text, and hides work notes.
func TestAWorkNoteOfADeskThatHidesWorkNotesAsTextIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.Journals, s.HiddenFields = "refuse", map[string]bool{"incident.work_notes": true}
		})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.rest()
		time.Sleep(10 * time.Minute)
		r.rest()
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Try this.")
		done := false
		r.world.Faults.Watch(func(q simulator.Request) {
			if !done && q.Side == simulator.SideITSM && q.Method == http.MethodPatch {
				done = true
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
			}
		}, nil)
		r.cycles(40)
		if said := r.said(incident); len(said) != 1 || r.lastOf(plan.RecordNote).State != plan.Done {
			t.Errorf("it is on the record %d times: %q\n%s", len(said), said, r.story())
		}
	})
}

// second has a record with a second ticket that has no notes yet, after a first one that has some.
func second(r *rig) (incident, ticket string) {
	r.Helper()
	r.rule("reopen: note", "reopen: new")
	incident = r.world.Incident(r.users, "Laptop does not start", nil)
	r.rest()
	first := r.ticketOf(incident).ID
	r.world.ITSM.Comment("incident", incident, "ada.byron", "To the first.")
	r.rest()
	r.endOf(incident)
	r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
	r.rest()
	if ticket = r.linkOf(incident).MMD; ticket == first {
		r.Fatal("no second ticket")
	}
	return incident, ticket
}

// A second ticket without notes hides none.
func TestACommentForASecondTicketAfterARestart(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			incident, ticket := second(r)
			time.Sleep(time.Minute)
			if restart { // what is said while it is down
				r.start()
			}
			r.world.ITSM.Comment("incident", incident, "ada.byron", "To the second.")
			time.Sleep(time.Minute)
			r.cycles(240)
			if told := r.told(ticket); !slices.Contains(told, "To the second.") {
				t.Errorf("restart %t: two hours later the second ticket was told %q; %+v\n%s", restart, told, r.counts(), r.story())
			}
		})
	}
}

// The first note of a second ticket, whose request breaks.
func TestTheFirstNoteOfASecondTicketThatBreaksIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident, ticket := second(r)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.ResetBefore})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "To the second.")
		r.cycles(240)
		if told := r.told(ticket); !slices.Contains(told, "To the second.") {
			t.Errorf("two hours later the second ticket was told %q; %+v\n%s", told, r.counts(), r.story())
		}
	})
}

// The vendor deletes the only note of a ticket, and the request of the next one breaks: that does not wait for ever without a word.
func TestALookThatNeverSeesIsAPersonsToDecideInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.MMD.AddNote(ticket, "vera@vendor.example", "Wrong ticket, sorry.")
		r.rest()
		r.world.MMD.RemoveNote(ticket, 0)
		time.Sleep(time.Hour)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.ResetBefore})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		r.cycles(20)
		for range 30 {
			time.Sleep(24 * time.Hour)
			r.cycle()
		}
		c := r.counts()
		if told := r.told(ticket); !slices.Contains(told, "Hello?") && c.Doubt+c.Parked+c.Held+c.Noticed == 0 {
			t.Errorf("a month later the ticket was told %q, and nobody is asked: %+v\n%s", told, c, r.story())
		}
	})
}
