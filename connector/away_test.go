package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// A record is seen to be away only by the update itself, and is back before the next poll.
func TestAnUpdateThatWasNotSetIsSetWhenTheRecordIsBackBeforeThePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.cycles(6)
		time.Sleep(5 * time.Minute)
		r.world.Faults.Clear()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.between()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		r.rest()
		r.scanned()
		time.Sleep(time.Hour)
		r.rest()
		row, link := r.world.ITSM.Row("incident", incident), r.linkOf(incident)
		if row["state"] != "6" {
			t.Errorf("its ticket is resolved, it is with the group, and in state %s; untold %v, notice %q, said %q\n%s", row["state"], link.Untold, link.Notice, r.said(incident), r.story())
		}
	})
}

// The same by two polls: the record moves between the feed of records and that of tickets.
func TestARecordThatIsAwayForTheTicketsFeedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		done := false
		r.world.Faults.Watch(func(q simulator.Request) {
			if !done && q.Side == simulator.SideMMD && strings.HasSuffix(q.Path, "tickets") {
				done = true
				r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
			}
		}, nil)
		r.cycle()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		time.Sleep(30 * time.Second)
		r.rest()
		r.scanned()
		row, link := r.world.ITSM.Row("incident", incident), r.linkOf(incident)
		if row["state"] != "6" {
			t.Errorf("state %s; untold %v, said %q\n%s", row["state"], link.Untold, r.said(incident), r.story())
		}
	})
}

// What was untold when a link ended is no news when its record, that was opened again, moves
// away and back.
func TestWhatWasUntoldBeforeALinkEndedClosesNoRecordThatWasOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done by us."})
		r.rest()
		for range 9 {
			time.Sleep(24 * time.Hour)
			r.cycle()
		}
		if r.linkOf(incident).Ended.IsZero() {
			t.Fatalf("the link is open %+v", r.linkOf(incident))
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2", "assignment_group": r.users.Group})
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
			t.Errorf("opened again, and set to %s at once", row["state"])
		}
		time.Sleep(time.Hour)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		time.Sleep(time.Hour)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
			t.Errorf("the ticket has not moved since, and the incident was set to %s\n%s", row["state"], r.story())
		}
	})
}

// The notice of comments that are not passed on is kept although the ticket moved.
func TestTheNoticeOfCommentsThatAreNotPassedOnIsKept(t *testing.T) {
	for _, moves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			incident := r.world.Incident(r.users, "Laptop does not start", nil)
			r.rest()
			ticket := r.ticketOf(incident).ID
			r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
			r.rest()
			if moves {
				r.world.MMD.SetState(ticket, "resolved")
				r.rest()
			}
			time.Sleep(time.Hour)
			r.rest()
			r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
			time.Sleep(2 * time.Second)
			r.world.ITSM.Comment("incident", incident, "ada.byron", "First, now that you have it back.")
			time.Sleep(2 * time.Second)
			r.world.ITSM.Comment("incident", incident, "ada.byron", "Second.")
			r.cycle()
			time.Sleep(30 * time.Second)
			r.cycle()
			told := strings.Join(r.told(ticket), "\n")
			if link := r.linkOf(incident); !strings.Contains(told, "First,") && link.Notice == "" {
				t.Errorf("ticket moved %t: a comment is not passed on, and nothing says so: told %q, %+v", moves, told, r.counts())
			}
		})
	}
}

// The first update is refused; the record is given away, and its ticket is resolved.
func TestARecordThatWasNeverToldAndIsAwayIsNotResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycles(4)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.cycles(4)
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.cycles(4)
		r.world.Faults.Clear()
		time.Sleep(time.Hour)
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] == "6" {
			t.Errorf("an incident of another group was resolved: %s\n%s", row["close_notes"], r.story())
		}
	})
}

// An update of an older turn is due within send.fresh, and its ticket went back.
func TestAnUpdateOfAnOlderTurnIsNotSentWhileItIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(ticket, "resolved")
		for range 3 {
			r.cycle()
			if op := r.lastOf(plan.RecordUpdate); !op.State.Ended() {
				break
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Second)
		r.world.MMD.SetState(ticket, "active")
		r.world.Faults.Clear()
		r.cycle()
		time.Sleep(time.Minute)
		r.rest()
		time.Sleep(2 * time.Hour)
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] == "6" {
			t.Errorf("the ticket is active, its incident was resolved and stays so\n%s", r.story())
		}
	})
}
