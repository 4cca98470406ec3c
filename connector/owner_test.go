package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// Records are read before tickets, and a write can be refused for long: what a person
// moved meanwhile is its owner's still.
func TestWhoOwnsAFieldThatBothSidesMove(t *testing.T) {
	for _, owner := range []string{"itsm", "hold"} {
		for _, refused := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, refused %t", owner, refused), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.rule("owner: { state: mmd }", "owner: { state: "+owner+" }")
					incident := r.world.Incident(r.users, "Laptop does not start", nil)
					r.rest()
					ticket := r.ticketOf(incident).ID
					if refused {
						r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
						r.world.MMD.SetState(ticket, "resolved")
						r.cycles(4)
						r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
						r.cycles(4)
						r.world.Faults.Clear()
					} else {
						r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
						r.world.MMD.SetState(ticket, "resolved")
					}
					time.Sleep(15 * time.Minute)
					r.rest()
					row := r.world.ITSM.Row("incident", incident)
					if row["state"] != "3" {
						t.Errorf("both sides moved, the owner is %s, and a person's On Hold was set to %s\n%s", owner, row["state"], r.story())
					}
					if said := strings.Join(r.said(incident), "\n"); owner == "hold" && !strings.Contains(said, "both sides moved") {
						t.Errorf("the record was told %q, notice %q\n%s", said, r.linkOf(incident).Notice, r.story())
					}
				})
			})
		}
	}
}

// What is left of an update to a person is said, and the rest of it is not sent.
func TestAnUpdateThatIsLeftToAPersonIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("owner: { state: mmd }", "owner: { state: hold }")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.cycles(6)
		time.Sleep(5 * time.Minute)
		r.world.Faults.Clear()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.between()
		r.rest()
		r.scanned()
		row, link := r.world.ITSM.Row("incident", incident), r.linkOf(incident)
		said := strings.Join(r.said(incident), "\n")
		if row["state"] != "3" || !strings.Contains(said, "both sides moved") || link.Notice == "" {
			t.Errorf("state %s, close_notes %q; the record was told %q, notice %q\n%s", row["state"], row["close_notes"], said, link.Notice, r.story())
		}
	})
}

// An update is done, its answer is lost, and a person is faster than the look for it.
func TestAnUpdateThatWasDoneDoesNotOverwriteAPersonsNewerState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.undone(incident)
		time.Sleep(10 * time.Minute)
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
			t.Errorf("a person opened it again, and it was set back to %s\n%s", row["state"], r.story())
		}
	})
}

// The same where nothing of the update names its ticket: nobody can tell, so a person is asked.
func TestAnUpdateThatAPersonMayHaveUndoneIsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule(`        value: "Resolved by Microsoft on ticket {{ ticket.id }}"`, `        value: Resolved`)
		for _, rule := range r.rules.Tickets {
			rule.Owner["state"] = "hold"
		}
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.undone(incident)
		r.cycles(40)
		row, op := r.world.ITSM.Row("incident", incident), r.lastOf(plan.RecordUpdate)
		if row["state"] != "2" || op.State != plan.Doubt || r.counts().Doubt != 1 {
			t.Errorf("a person opened it again, and it is in state %s\n%s", row["state"], r.story())
		}
	})
}

// What leaves its rule is nobody's here to set: it is said, and nothing more.
func TestTheStateOfARecordThatIsWithAnotherGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.rest()
		said := strings.Join(r.said(incident), "\n")
		if row := r.world.ITSM.Row("incident", incident); row["state"] == "6" || !strings.Contains(said, "Nothing is set here") {
			t.Errorf("an incident of another group is in state %s, and was told %q\n%s", row["state"], said, r.story())
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "6" || !strings.Contains(row["close_notes"], "Resolved by Microsoft") {
			t.Errorf("it is back, and in state %s, %q\n%s", row["state"], row["close_notes"], r.story())
		}
	})
}
