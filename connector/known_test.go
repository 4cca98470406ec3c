//go:build known

package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
)

// These fail: each is a defect that docs/known.md names. One that is mended goes to the
// tests of what it is about.

func TestACloseThatWasDroppedIsNotTheLast(t *testing.T) {
	for name, happens := range map[string]func(r *rig, task string){
		"the task is closed": func(r *rig, task string) { r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"}) },
		"close_after":        func(*rig, string) { time.Sleep(9 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item := r.world.Task(r.users, "")
				r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				r.elevation(true)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.TooMany, Times: -1})
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"}) // by mistake
				r.cycles(3)
				op, err := plan.Dropped(r.opOf(plan.ElevationClose), "asked for by mistake", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
				if _, err := r.ledger.Settle(t.Context(), op, plan.Promise{At: time.Now()}); err != nil {
					t.Fatal(err)
				}
				r.world.Faults.Clear()
				r.cycles(4)
				r.elevation(true)
				happens(r, task)
				r.cycles(20)
				r.elevation(false)
			})
		})
	}
}

func TestARowThatIsRejectedClosesTheElevation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item := r.world.Task(r.users, "")
		row := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4)
		r.elevation(true)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "rejected"})
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		r.cycles(10)
		r.elevation(false)
	})
}

func TestTheBrakeHoldsElevationsToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 2
		r.start()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
		for range 5 {
			_, item := r.world.Task(r.users, "")
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		}
		r.cycles(4)
		if n := len(r.world.MMD.Elevations()); n > 2 || r.counts().Held == 0 {
			t.Errorf("%d elevation requests under a limit of 2, %+v", n, r.counts())
		}
	})
}

func TestAnElevationThatAPersonEndedIsNotOpenedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.end(r.elevationLinkOf(task))
		r.rest()
		r.elevation(false)
		time.Sleep(time.Hour)
		item := r.world.ITSM.Row("sc_task", task)["request_item"]
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"})
		r.cycles(3)
		r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		r.rest()
		r.elevation(false)
	})
}
