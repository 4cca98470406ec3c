package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator/itsm"
)

// An update that names the ticket of another record, on a turn of the ticket.
func TestAnUpdateKnowsTheTicketOfAnotherRecordOnEachTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.with("      correlation_display: Microsoft Managed Desktop", `      correlation_display: ["{{ ticket_of(record.parent_incident) }}", none]`)
		parent := r.world.Incident(r.users, "The parent", nil)
		child := r.world.Incident(r.users, "The child", nil)
		r.rest()
		if got := r.world.ITSM.Row("incident", child)["correlation_display"]; got != "none" {
			t.Fatal(got)
		}
		r.world.ITSM.Set("incident", child, map[string]string{"parent_incident": parent})
		time.Sleep(time.Minute)
		r.rest()
		r.world.MMD.SetState(r.ticketOf(child).ID, "resolved")
		time.Sleep(time.Minute)
		r.rest()
		if row := r.world.ITSM.Row("incident", child); row["correlation_display"] != r.ticketOf(parent).ID || row["state"] != "6" {
			t.Errorf("state %s, correlation_display %q, the parent's ticket is %s", row["state"], row["correlation_display"], r.ticketOf(parent).ID)
		}
	})
}

// A link of an older ledger knows no group that its record was with.
func TestCommentsOfAnOlderLinkWhileTheGroupIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		if _, err := r.ledger.Revise(t.Context(), r.linkOf(incident).ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			delete(story.Link.Base, "record.assignment_group")
			return nil, plan.Promise{Links: []plan.Link{story.Link}, At: time.Now()}, nil
		}); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.scanned() // the new version runs for hours
		r.scanned()
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.HiddenFields, s.HiddenAsEmpty = map[string]bool{"sys_user_group.name": true}, true
		})
		r.world.ITSM.Set("incident", incident, map[string]string{"priority": "1", "impact": "1", "urgency": "1"})
		r.cycles(4)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.cycles(4)
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = nil })
		r.scanned()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		time.Sleep(time.Minute)
		r.rest()
		if told := strings.Join(r.told(r.ticketOf(incident).ID), "\n"); !strings.Contains(told, "Please help.") {
			t.Errorf("the ticket was told %q, notice %q", told, r.linkOf(incident).Notice)
		}
	})
}

// A record that is deleted while its ticket is open, and is resolved then.
func TestALinkWhoseRecordIsDeletedEndsOrIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Incident(r.users, "Another", nil)
		r.rest()
		r.world.ITSM.Delete("incident", incident)
		r.cycles(20)
		r.world.MMD.SetState(r.linkOf(incident).MMD, "resolved")
		for range 30 {
			time.Sleep(24 * time.Hour)
			r.cycle()
		}
		if link, c := r.linkOf(incident), r.counts(); link.Ended.IsZero() && link.Notice == "" && c.Noticed+c.Parked+c.Held == 0 {
			t.Errorf("a month after its record was deleted and its ticket resolved the link is open, and nothing says so: %+v, unread %q", c, r.report.Unread)
		}
	})
}

// What was untold under the first ticket is no news of the second.
func TestWhatWasUntoldOfTheFirstTicketIsNotToldOfTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: new")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		first := r.ticketOf(incident).ID
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.MMD.SetState(first, "resolved")
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done by us."})
		r.rest()
		for range 9 {
			time.Sleep(24 * time.Hour)
			r.cycle()
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2", "assignment_group": r.users.Group})
		r.rest()
		if r.linkOf(incident).MMD == first {
			t.Fatal("no second ticket")
		}
		r.world.MMD.AddNote(r.linkOf(incident).MMD, "vera@vendor.example", "On it.") // else a look at its notes sees nothing
		r.world.MMD.SetState(r.linkOf(incident).MMD, "resolved")
		time.Sleep(time.Minute)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"}) // a person opens it again
		time.Sleep(time.Hour)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		time.Sleep(time.Hour)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": r.users.Group})
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
			t.Errorf("no ticket has moved since a person opened it again, and it was set to %s\n%s", row["state"], r.story())
		}
	})
}
