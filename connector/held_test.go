package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

// nth hits the n-th PATCH of an incident from now on.
func (r *rig) nth(n int, kind simulator.Kind) {
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: kind, Nth: n, Times: 1})
}

// The bridge's own work notes, sent before an update, are no person's changes.
func TestOwnNotesMakeNoDoubtOfAnUpdate(t *testing.T) {
	for notes := range 3 {
		t.Run(fmt.Sprint(notes, " notes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.with("owner: { state: mmd }", "owner: { state: itsm }")
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				time.Sleep(20 * time.Minute)
				r.rest()
				ticket := r.ticketOf(incident).ID
				for i := range notes {
					r.world.MMD.AddNote(ticket, "vera@vendor.example", fmt.Sprintf("Step %d.", i))
					time.Sleep(time.Second)
				}
				r.nth(notes+1, simulator.ResetBefore)
				r.world.MMD.SetState(ticket, "resolved")
				r.cycles(60)
				op := r.lastOf(plan.RecordUpdate)
				if row := r.world.ITSM.Row("incident", incident); row["state"] != "6" || op.State != plan.Done {
					t.Errorf("nobody but the bridge touched it; state %s, the update is %s: %s\n%s", row["state"], op.State, op.Reason, r.story())
				}
			})
		})
	}
}

// A desk that does not take the state, and an answer that is lost.
func TestAFieldThatTheDeskIgnoredIsSaidAlsoAfterALostAnswer(t *testing.T) {
	for _, note := range []bool{false, true} {
		t.Run(fmt.Sprint("a note before ", note), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				time.Sleep(20 * time.Minute)
				r.rest()
				ticket, n := r.ticketOf(incident).ID, 1
				if note {
					r.world.MMD.AddNote(ticket, "vera@vendor.example", "It was the battery.")
					n = 2
				}
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = map[string]bool{"incident.state": true} })
				r.nth(n, simulator.LostAfter)
				r.world.MMD.SetState(ticket, "resolved")
				r.cycles(60)
				c, row := r.counts(), r.world.ITSM.Row("incident", incident)
				if row["state"] == "6" {
					t.Fatal("it was taken")
				}
				if c.Parked+c.Doubt+c.Held+c.Noticed == 0 {
					t.Errorf("the desk did not take the state (%s, %q), and nothing says so: %+v\n%s", row["state"], row["close_notes"], c, r.story())
				}
			})
		})
	}
}

// While the state is held, nothing of the turn that resolves is set.
func TestWhatIsHeldSetsNoCloseNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.with("owner: { state: mmd }", "owner: { state: hold }")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(10 * time.Second)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		time.Sleep(10 * time.Second)
		r.rest()
		row := r.world.ITSM.Row("incident", incident)
		if said := strings.Join(r.said(incident), "\n"); strings.Contains(said, "nothing is set until they agree") && row["close_notes"] != "" {
			t.Errorf("the record was told %q, is in state %s, and got close_notes %q", said, row["state"], row["close_notes"])
		}
	})
}

// A notice about something else survives that both sides agree again, or a turn.
func TestATurnDoesNotTakeANoticeOfLostCommentsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		time.Sleep(2 * time.Second)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "First, now that you have it back.")
		time.Sleep(2 * time.Second)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Second.")
		r.rest()
		if r.linkOf(incident).Notice == "" {
			t.Fatal("no notice to begin with")
		}
		r.world.MMD.SetState(ticket, "resolved")
		time.Sleep(time.Minute)
		r.rest()
		if link := r.linkOf(incident); link.Notice == "" {
			t.Errorf("nobody has seen it, and the notice of a comment that was not passed on is gone: told %q", r.told(ticket))
		}
	})
}

// The operator answers a held field by giving it an owner.
func TestAFieldThatWasHeldIsSetWhenItsOwnerIsMMDFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.with("owner: { state: mmd }", "owner: { state: hold }")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(10 * time.Second)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		time.Sleep(10 * time.Second)
		r.rest()
		if r.linkOf(incident).Notice == "" {
			t.Fatal("not held")
		}
		r.with("owner: { state: mmd }", "owner: { state: mmd }")
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"priority": "1", "impact": "1", "urgency": "1"})
		r.rest()
		r.scanned()
		row, link := r.world.ITSM.Row("incident", incident), r.linkOf(incident)
		if row["state"] != "6" && (link.Notice != "" || len(link.Held) > 0) {
			t.Errorf("nothing holds it any more, it is in state %s, notice %q, held %v", row["state"], link.Notice, link.Held)
		}
	})
}
