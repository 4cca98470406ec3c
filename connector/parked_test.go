package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator/itsm"
)

// A field that is told from now on is told the first time that it changes.
func TestAFieldThatIsToldFromNowOnIsToldTheFirstTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		r.with("tell_ticket: [state, priority]", "tell_ticket: [state, priority, category]")
		r.rest()
		r.scanned()
		r.scanned()
		r.world.ITSM.Set("incident", incident, map[string]string{"category": "software"})
		r.rest()
		r.scanned()
		if told := strings.Join(r.told(r.ticketOf(incident).ID), "\n"); !strings.Contains(told, "Category:") {
			t.Errorf("hours after the rule was changed a person changed the category, and the ticket was told %q", told)
		}
	})
}

// A parked update is planned again when its record changes.
func TestAParkedUpdateIsPlannedAgainWhenItsRecordChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.Abort = func(_ string, fields map[string]string) string {
				if fields["state"] == "6" {
					return "Fill in the category first"
				}
				return ""
			}
		})
		time.Sleep(time.Minute)
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.cycles(4)
		if op := r.lastOf(plan.RecordUpdate); op.State != plan.Parked {
			t.Fatalf("the update is %s: %s", op.State, op.Reason)
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Abort = nil })
		r.world.ITSM.Set("incident", incident, map[string]string{"category": "software"})
		r.rest2(40)
		r.scannedQuietly()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "6" {
			t.Errorf("what it was parked for is there, and it is in state %s\n%s", row["state"], r.story())
		}
	})
}

func (r *rig) rest2(n int) { r.cycles(n) }

func (r *rig) scannedQuietly() {
	time.Sleep(time.Hour)
	r.cycles(4)
}

// An update that was parked long ago does not make a person's old move a new one.
func TestAParkedUpdateDoesNotMakeAnOldMoveNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.with("owner: { state: mmd }", "owner: { state: itsm }")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Incident(r.users, "Another", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.ITSM.Switch(func(s *itsm.Switches) {
			s.Abort = func(_ string, fields map[string]string) string {
				if fields["state"] == "6" {
					return "Not today"
				}
				return ""
			}
		})
		time.Sleep(time.Minute)
		r.world.MMD.SetState(ticket, "resolved")
		r.cycles(4)
		if op := r.lastOf(plan.RecordUpdate); op.State != plan.Parked {
			t.Fatalf("the update is %s: %s", op.State, op.Reason)
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Abort = nil })
		r.world.MMD.SetState(ticket, "active")
		r.cycles(4)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.cycles(4)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.cycles(4)
		for range 30 {
			time.Sleep(24 * time.Hour)
			r.cycle()
		}
		r.world.MMD.SetState(ticket, "resolved")
		r.cycles(10)
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "6" {
			t.Errorf("a person moved it a month before its ticket was resolved, and it is in state %s\n%s", row["state"], r.story())
		}
	})
}
