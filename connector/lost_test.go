package connector_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
	"bridge/simulator/itsm"
)

// undone has an incident resolved by an update whose answer is lost; a person opens it
// again before that is looked for.
func (r *rig) undone(incident string) {
	r.Helper()
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.LostAfter})
	r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
	for range 10 {
		r.cycle()
		if r.world.ITSM.Row("incident", incident)["state"] == "6" {
			break
		}
		time.Sleep(30 * time.Second)
	}
	r.start() // it dies here
	time.Sleep(time.Minute)
	r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
}

// lostResolve has that looked for, too.
func (r *rig) lostResolve(incident string) {
	r.Helper()
	r.undone(incident)
	time.Sleep(10 * time.Minute)
	r.rest()
	r.scanned()
}

// An update is done and its answer lost, and a person opens the incident again: the vendor hears of it.
func TestAReopeningAfterALostAnswerIsTold(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				if lost {
					r.lostResolve(incident)
				} else {
					r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
					time.Sleep(time.Minute)
					r.rest()
					r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
					r.rest()
				}
				if state := r.world.ITSM.Row("incident", incident)["state"]; state != "2" {
					t.Fatalf("state %s", state)
				}
				if told := strings.Join(r.told(r.ticketOf(incident).ID), "\n"); !strings.Contains(told, "State: In Progress") {
					t.Errorf("a person opened it again, and the ticket, which is resolved, was told %q\n%s", told, r.story())
				}
			})
		})
	}
}

// The same, and then another field of the ticket moves: the person's state is left.
func TestAPersonsStateAfterALostAnswerIsLeftWhenAnotherFieldMoves(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.with("      close_code: ", "      u_severity: \"{{ ticket.severity }}\"\n      close_code: ")
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				ticket := r.ticketOf(incident).ID
				if lost {
					r.lostResolve(incident)
				} else {
					r.world.MMD.SetState(ticket, "resolved")
					time.Sleep(time.Minute)
					r.rest()
					r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
					r.rest()
					r.scanned()
				}
				r.world.MMD.SetSeverity(ticket, 1)
				time.Sleep(time.Minute)
				r.rest()
				r.scanned()
				if state := r.world.ITSM.Row("incident", incident)["state"]; state != "2" {
					t.Errorf("only the severity moved, and the state that a person set became %s\n%s", state, r.story())
				}
			})
		})
	}
}

// Three resolved tickets that the vendor does not show any more stop no notes of others.
func TestThreeResolvedTicketsThatAreRefusedStopNoOther(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var bad []string
				for i := range n {
					bad = append(bad, r.world.Incident(r.users, fmt.Sprintf("Bad %d", i), nil))
				}
				good := r.world.Incident(r.users, "A good one", nil)
				r.rest()
				for _, incident := range bad {
					r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
				}
				time.Sleep(time.Minute)
				r.rest()
				for _, incident := range bad {
					r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: r.ticketOf(incident).ID + "')$", Kind: simulator.Answer, Status: 410, Body: `{}`, Times: -1})
				}
				r.world.MMD.AddNote(r.ticketOf(good).ID, "vera@vendor.example", "On it.")
				r.cycles(240)
				if said := r.said(good); !slices.Contains(said, "On it.") {
					t.Errorf("two hours later a note of another ticket is not on its record: %q, %q", said, r.report.Unread)
				}
			})
		})
	}
}

// A right that is lost shows active as nothing: nobody gave the record away.
func TestCommentsWhileActiveIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.HiddenFields, s.HiddenAsEmpty, s.HiddenDrops = map[string]bool{"incident.active": true}, true, true
		})
		r.world.ITSM.Set("incident", incident, map[string]string{"urgency": "1"})
		time.Sleep(time.Minute)
		r.cycles(4)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.cycles(4)
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = nil })
		time.Sleep(time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		time.Sleep(time.Minute)
		r.rest()
		r.scanned()
		if told := strings.Join(r.told(r.ticketOf(incident).ID), "\n"); !strings.Contains(told, "Please help.") {
			t.Errorf("the ticket was told %q, notice %q", told, r.linkOf(incident).Notice)
		}
	})
}

// A ledger that is set back to when an update was owed, that was done and undone by a person since.
func TestASetBackLedgerDoesNotSetWhatItOwedOverAPersonsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		time.Sleep(time.Minute)
		r.cycles(4)
		backup := copyOf(t, r.ledger)
		r.world.Faults.Clear()
		time.Sleep(20 * time.Minute)
		r.rest()
		if state := r.world.ITSM.Row("incident", incident)["state"]; state != "6" {
			t.Fatal(state)
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It does not work.")
		time.Sleep(time.Minute)
		r.rest()
		r.world.Incident(r.users, "Another", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		r.setBack(backup)
		time.Sleep(20 * time.Minute)
		r.rest()
		r.scanned()
		if state := r.world.ITSM.Row("incident", incident)["state"]; state != "2" {
			t.Errorf("a person opened it again hours ago, and it was set to %s\n%s", state, r.story())
		}
	})
}
