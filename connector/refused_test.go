package connector_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/mapping"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

// One ticket whose notes are refused is nobody else's trouble.
func TestOneTicketThatIsRefusedStopsNoOther(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		path string
		do   func(r *rig, bad, good string)
		want func(r *rig, good string) bool
	}{
		"its notes are refused, and another is resolved": {"/notes", func(r *rig, bad, good string) {
			r.world.MMD.SetState(r.ticketOf(bad).ID, "resolved")
			r.world.MMD.SetState(r.ticketOf(good).ID, "resolved")
		}, func(r *rig, good string) bool { return r.world.ITSM.Row("incident", good)["state"] == "6" }},
		"it left the list and is refused, and another is resolved": {"$", func(r *rig, bad, good string) {
			r.world.MMD.SetState(r.ticketOf(good).ID, "resolved")
		}, func(r *rig, good string) bool { return r.world.ITSM.Row("incident", good)["state"] == "6" }},
		"its notes are refused, and another has one": {"/notes", func(r *rig, _, good string) {
			r.world.MMD.AddNote(r.ticketOf(good).ID, "vera@vendor.example", "On it.")
		}, func(r *rig, good string) bool { return slices.Contains(r.said(good), "On it.") }},
		"it is resolved and refused, and another has a note": {"$", func(r *rig, bad, good string) {
			r.world.MMD.AddNote(r.ticketOf(good).ID, "vera@vendor.example", "On it.")
		}, func(r *rig, good string) bool { return slices.Contains(r.said(good), "On it.") }},
	}
	for name, tt := range cases {
		for _, status := range []int{403, 410, 500} {
			t.Run(fmt.Sprintf("%s, %d", name, status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					bad := r.world.Incident(r.users, "A bad one", nil)
					good := r.world.Incident(r.users, "A good one", nil)
					r.rest()
					if strings.HasPrefix(name, "it is resolved") {
						r.world.MMD.SetState(r.ticketOf(bad).ID, "resolved")
						r.rest()
					}
					r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: r.ticketOf(bad).ID + "')" + tt.path, Kind: simulator.Answer, Status: status, Body: `{"error":{"code":"x","message":"no"}}`, Times: -1})
					if strings.HasPrefix(name, "it left") {
						r.world.MMD.SetState(r.ticketOf(bad).ID, "resolved")
					}
					tt.do(r, bad, good)
					r.cycles(240)
					if !tt.want(r, good) {
						t.Errorf("two hours later the other one has nothing: %q\n%s", r.report.Unread, r.story())
					}
				})
			})
		}
	}
}

// One record whose correlation_id the vendor does not like.
func TestOneForeignCorrelationIDStopsNoOtherRecord(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "JIRA", Kind: simulator.Answer, Status: status, Body: `{"error":{"code":"x","message":"no"}}`, Times: -1})
				r.world.Incident(r.users, "Another integration's", map[string]string{"correlation_id": "JIRA-123"})
				good := r.world.Incident(r.users, "Laptop does not start", nil)
				r.cycles(240)
				if n := len(r.world.MMD.Tickets()); n != 1 {
					t.Fatalf("two hours later there are %d tickets: %q", n, r.report.Unread)
				}
				r.ticketOf(good)
			})
		})
	}
}

// A look that fails once is no decision: the record is read again, though it does not move.
func TestARecordThatCouldNotBeDecidedOnIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "JIRA", Kind: simulator.Answer, Status: 500, Body: `{"error":{"code":"x","message":"no"}}`, Times: -1})
		r.world.Incident(r.users, "Another integration's", map[string]string{"correlation_id": "JIRA-123"})
		for i := range 5 {
			r.cycle()
			if len(r.report.Unread) == 0 {
				t.Fatalf("cycle %d says nothing", i)
			}
			time.Sleep(30 * time.Second)
		}
		r.world.Faults.Clear()
		r.cycles(2)
		if c := r.counts(); c.Parked != 1 || len(r.report.Unread) > 0 {
			t.Errorf("it is not decided on: %+v, %q", c, r.report.Unread)
		}
	})
}

// A rule that is renamed while it is held.
func TestARuleThatIsRenamedWhileItIsHeldStaysHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 2
		r.start()
		for range 5 {
			r.world.Incident(r.users, "Storm", nil)
		}
		r.cycles(2)
		if c := r.counts(); c.Held != 1 || len(r.world.MMD.Tickets()) != 0 {
			t.Fatalf("%+v", c)
		}
		src, err := os.ReadFile("../mappings.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(src), "- name: incident", "- name: trouble\n    was: [incident]", 1)
		rules, problems := mapping.Load("mappings.yaml", []byte(text), nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		r.rules = rules
		r.start()
		r.cycles(4)
		if n := len(r.world.MMD.Tickets()); n != 0 {
			t.Errorf("%d tickets of a rule that is held: %+v\n%s", n, r.counts(), r.story())
		}
	})
}

// N5: elevations that cannot be opened hold their rule, and those that are open.
func TestAHeldRuleClosesWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.Answer, Status: 400, Body: `{"error":{"code":"400","message":"The Category field is not allowed."}}`, Times: -1})
		for range 4 {
			_, item := r.world.Task(r.users, "")
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
			r.cycles(2)
		}
		holds, err := r.ledger.Holds(t.Context())
		if err != nil || len(holds) == 0 {
			t.Fatalf("holds %v, %v\n%s", holds, err, r.story())
		}
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		time.Sleep(10 * time.Hour)
		r.cycles(10)
		r.elevation(false)
	})
}

// The desk answers 200 and leaves the field out: while somebody works on the record, its revision tells nothing.
func TestAWorkNoteThatTheDeskIgnoresIsSaid(t *testing.T) {
	for name, moved := range map[string]bool{"quiet": false, "somebody works on it": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				time.Sleep(10 * time.Minute)
				r.rest()
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = map[string]bool{"incident.work_notes": true} })
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Please restart it.")
				for i := range 40 {
					if moved && i < 35 { // somebody works on it
						r.world.ITSM.Set("incident", incident, map[string]string{"description": fmt.Sprintf("It is step %d.", i)})
					}
					r.cycles(1)
				}
				if c := r.counts(); len(r.world.ITSM.Journal(incident, "work_notes")) == 0 && c.Parked+c.Doubt+c.Owed+c.Vanished == 0 {
					t.Errorf("the note is not on the record, and nobody says so: %+v\n%s", c, r.story())
				}
			})
		})
	}
}
