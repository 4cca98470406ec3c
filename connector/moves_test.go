package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// Relink while the clocks of both sides are behind.
func TestRelinkOpensNoElevationOnAnOldApproval(t *testing.T) {
	underClocks(t, func(r *rig) {
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4)
		r.elevation(true)
		r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
		r.cycles(2)
		r.lose()
		if _, err := r.loop.Poller.Relink(r.Context()); err != nil {
			r.Fatal(err)
		}
		r.cycles(60)
		r.elevation(false)
	})
}

// The update of an older turn waits while the ticket goes back to active.
func TestAnUpdateOfAnOlderTurnIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		ticket := r.ticketOf(incident).ID
		r.world.MMD.SetState(ticket, "resolved")
		r.cycles(4)
		r.world.MMD.SetState(ticket, "active")
		r.cycles(10)
		r.world.Faults.Clear()
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		if state := r.world.ITSM.Row("incident", incident)["state"]; state == "6" {
			t.Errorf("the ticket is active, and its incident was resolved\n%s", r.story())
		}
	})
}

// A renamed elevation rule.
func TestAnElevationOfARenamedRuleIsClosedWithItsTask(t *testing.T) {
	for name, happens := range map[string]func(r *rig, task string){
		"closed":  func(r *rig, task string) { r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"}) },
		"deleted": func(r *rig, task string) { r.world.ITSM.Delete("sc_task", task) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, task := elevated(t)
				r.world.Task(r.users, "")
				r.rule("name: elevation\n", "name: admin_rights\n    was: [elevation]\n")
				r.rest()
				happens(r, task)
				time.Sleep(10 * time.Hour) // longer than close_after
				r.cycles(10)
				r.elevation(false)
			})
		})
	}
}

// A vendor's note in the comments is not sent back when a record opens again.
func TestAVendorsNoteIsNotSentBackToTheSecondTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: new")
		for _, rule := range r.rules.Tickets {
			rule.NotesTo.Field = "comments"
		}
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Replaced it.")
		r.rest()
		first := r.ticketOf(incident).ID
		if n := len(r.world.MMD.Notes(first)); n != 1 { // the vendor's own
			t.Fatalf("%d notes on the first ticket\n%s", n, r.story())
		}
		r.endOf(incident)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Once more, please.")
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		link := r.linkOf(incident)
		if link.MMD == first {
			t.Fatal("no second ticket")
		}
		if told := r.told(link.MMD); len(told) != 1 {
			t.Errorf("the second ticket was told %q\n%s", told, r.story())
		}
	})
}

// The second generation waits, its approval is taken back, and the first's is left.
func TestASpentApprovalOpensNoSecondElevation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4)
		r.elevation(true)
		r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
		r.cycles(2)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
		row := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		r.cycles(3)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "cancelled"})
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		r.cycles(3)
		r.world.Faults.Clear()
		time.Sleep(time.Hour)
		r.cycles(10)
		if all := r.world.MMD.Elevations(); len(all) != 1 {
			t.Errorf("%d elevation requests, want 1: %+v\n%s", len(all), all, r.story())
		}
	})
}

// worldOf is a world whose sides live by clocks of their own.
func worldOf(desk, vendor time.Duration) *simulator.World {
	w := simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(desk) }})
	w.MMD = mmd.New(mmd.Config{Tenant: w.Config.Tenant, Now: func() time.Time { return time.Now().Add(vendor) }, Who: func(token string) (string, bool) {
		who, ok := w.Authority.Who(token)
		if who == w.Config.ClientID {
			who = "app-" + who
		}
		return who, ok
	}})
	return w
}

// clocks are those that are to make no difference.
var clocks = [][2]time.Duration{
	{0, 0},
	{4 * time.Minute, 4 * time.Minute},
	{-4 * time.Minute, -4 * time.Minute},
	{0, 4 * time.Minute},
	{0, -4 * time.Minute},
	{4 * time.Minute, 0},
	{-4 * time.Minute, 0},
	{4 * time.Minute, -4 * time.Minute},
	{-4 * time.Minute, 4 * time.Minute},
}

func underClocks(t *testing.T, play func(r *rig)) {
	t.Helper()
	for _, c := range clocks {
		t.Run(fmt.Sprintf("desk %s, vendor %s", c[0], c[1]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(newRigOn(t, worldOf(c[0], c[1]))) })
		})
	}
}

// What a ticket that hides its notes was told before a ledger was set back.
func TestATicketThatHidesItsNotes(t *testing.T) {
	underClocks(t, func(r *rig) {
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		time.Sleep(time.Hour)
		r.rest()
		backup := copyOf(r.T, r.ledger)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.rest()
		r.blind("notes")
		r.setBack(backup)
		r.cycles(5)
		r.world.Faults.Clear()
		time.Sleep(time.Hour)
		r.rest()
		if n := r.says(r.ticketOf(incident).ID, "Any news?"); n != 1 {
			r.Errorf("it is on the ticket %d times\n%s", n, r.story())
		}
	})
}

// A relink tells the ticket once that its record left.
func TestARelinkTellsOnceThatARecordLeft(t *testing.T) {
	underClocks(t, func(r *rig) {
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.lose()
		if _, err := r.loop.Poller.Relink(r.Context()); err != nil {
			r.Fatal(err)
		}
		for range 4 {
			time.Sleep(20 * time.Minute)
			r.rest()
		}
		if n := r.says(r.ticketOf(incident).ID, "is not with Microsoft"); n != 1 {
			r.Errorf("it is told %d times\n%s", n, r.story())
		}
		if said := r.said(incident); len(said) != 0 {
			r.Errorf("the record was told %q", said)
		}
	})
}

// A ledger that lost one note that was passed on.
func TestALedgerThatLostOneNote(t *testing.T) {
	underClocks(t, func(r *rig) {
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		backup := copyOf(r.T, r.ledger)
		time.Sleep(time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.rest()
		r.setBack(backup)
		r.rest()
		if n := r.says(r.ticketOf(incident).ID, "Any news?"); n != 1 {
			r.Errorf("it is on the ticket %d times\n%s", n, r.story())
		}
	})
}

// What was said while a record was with another group is not told to its second ticket.
func TestWhatWasSaidElsewhereIsNotToldToTheSecondTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: new")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		group := r.world.ITSM.Row("incident", incident)["assignment_group"]
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Not for the vendor.")
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
		r.rest()
		first := r.ticketOf(incident).ID
		r.endOf(incident)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.rest()
		link := r.linkOf(incident)
		if link.MMD == first {
			t.Fatal("no second ticket")
		}
		if n := r.says(first, "Not for the vendor.") + r.says(link.MMD, "Not for the vendor."); n != 0 {
			t.Errorf("the vendor was told %q\n%s", r.told(link.MMD), r.story())
		}
	})
}

// Two elevation rules whose queries find one task.
func TestAnElevationIsClosedByItsOwnRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("    report: work_notes ", `    report: work_notes
  - name: other
    table: sc_task
    query: [active=true, short_descriptionLIKEadmin]
    approved: [approval]
    create:
      deviceName: "{{ cmdb_ci.name }}"
      title: "{{ number }}: {{ short_description }}"
      category: Devices
      subcategory: Elevation
      planOfAction: "{{ description }}"
    close: { when: 'state in ["3"]', actionsTaken: ["{{ close_notes }}", Closed with the task] }
    close_after: 1h
    #`)
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(10)
		r.elevation(true)
	})
}

// between sends what is due between two polls, as a service does.
func (r *rig) between() {
	r.Helper()
	if err := r.loop.Sender.Send(r.Context(), new(connector.Report)); err != nil {
		r.Fatal(err)
	}
}

// An update is lost, and a person closes the incident with a comment before it is looked for.
func TestACommentOfAPersonWhoWasFasterIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(10 * time.Minute)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.ResetBefore})
		r.world.MMD.SetState(ticket, "resolved")
		for range 20 {
			r.cycle()
			if r.counts().Owed > 0 {
				break
			}
			time.Sleep(30 * time.Second)
		}
		time.Sleep(2 * time.Second)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done.", "comments": "It works again, thanks."})
		time.Sleep(4 * time.Second)
		r.between()
		r.rest()
		r.scanned()
		told := strings.Join(r.told(ticket), "\n")
		if !strings.Contains(told, "It works again") || !strings.Contains(told, "State: Closed") {
			t.Errorf("the ticket was told %q\n%s", told, r.story())
		}
	})
}

// Without history, what is said while a ticket is owed is no history.
func TestWithoutHistoryACommentWhileTheTicketIsOwedIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, rule := range r.rules.Tickets {
			rule.History = false
		}
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.RefusedBefore, Times: -1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Before.")
		time.Sleep(10 * time.Second)
		r.cycles(6)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "After.")
		r.cycles(6)
		r.world.Faults.Clear()
		r.rest()
		r.scanned()
		told := strings.Join(r.told(r.ticketOf(incident).ID), "\n")
		if !strings.Contains(told, "After.") || strings.Contains(told, "Before.") {
			t.Errorf("the ticket was told %q\n%s", told, r.story())
		}
	})
}

// The right to read approvals is lost for a while, and shows them as empty.
func TestARightThatIsLostForAWhileMakesNoApprovalAnew(t *testing.T) {
	for name, closed := range map[string]bool{"open": false, "closed by the vendor": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, item := r.world.Task(r.users, "")
				r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				r.elevation(true)
				if closed {
					r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
					r.cycles(2)
				}
				r.world.ITSM.Switch(func(s *itsm.Switches) {
					s.HiddenFields, s.HiddenAsEmpty = map[string]bool{"sc_req_item.approval": true}, true
				})
				r.cycles(4)
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = nil })
				r.cycles(10)
				if all := r.world.MMD.Elevations(); len(all) != 1 {
					t.Errorf("one approval opened %d elevation requests: %+v\n%s", len(all), all, r.story())
				}
			})
		})
	}
}

func TestWithoutHistoryARelinkLosesNoComment(t *testing.T) {
	underClocks(t, func(r *rig) {
		for _, rule := range r.rules.Tickets {
			rule.History = false
		}
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Before.")
		time.Sleep(30 * time.Second)
		r.cycle()
		time.Sleep(time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "After.")
		r.lose()
		if _, err := r.loop.Poller.Relink(r.Context()); err != nil {
			r.Fatal(err)
		}
		r.rest()
		r.scanned()
		told := strings.Join(r.told(r.ticketOf(incident).ID), "\n")
		if !strings.Contains(told, "After.") || strings.Contains(told, "Before.") {
			r.Errorf("the ticket was told %q\n%s", told, r.story())
		}
	})
}
