package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

// hide takes the right to read a field away; empty: it gives all of them back.
func (r *rig) hide(field string) {
	r.world.ITSM.Switch(func(s *itsm.Switches) {
		s.HiddenFields, s.HiddenDrops = map[string]bool{field: field != ""}, true
	})
}

func TestACreateThatCannotBeDecidedOnWaitsForTheRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.RefusedBefore, Times: -1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It is urgent.")
		r.cycles(6)
		r.hide("incident.active")
		time.Sleep(5 * time.Minute)
		r.cycles(20)
		if op := r.opOf(plan.TicketCreate); op.State != plan.Parked || !strings.Contains(op.Reason, "active was not readable") {
			t.Errorf("the create is %s: %s", op.State, op.Reason)
		}
		r.hide("")
		r.world.Faults.Clear()
		time.Sleep(time.Hour)
		r.rest()
		r.once(r.ticketOf(incident).ID, "It is urgent.")
	})
}

func TestAnElevationThatCannotBeDecidedOnWaitsForTheRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests", Kind: simulator.RefusedBefore, Times: -1})
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(3)
		r.hide("sc_task.active")
		time.Sleep(15 * time.Minute)
		r.cycles(20)
		if op := r.opOf(plan.ElevationCreate); op.State != plan.Parked || !strings.Contains(op.Reason, "active was not readable") {
			t.Errorf("the create is %s: %s", op.State, op.Reason)
		}
		r.hide("")
		r.world.Faults.Clear()
		r.cycles(4)
		r.elevation(true)
	})
}

// A right that is lost shows the group's name as nothing: nobody gave the record away.
func TestCommentsWhileTheGroupIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
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
