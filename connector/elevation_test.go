package connector_test

import (
	"testing"
	"testing/synctest"

	"bridge/simulator"
)

// approved is a task whose request item Bea has approved, with her row.
func (r *rig) approved() (task, item, row string) {
	task, item = r.world.Task(r.users, "")
	row = r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
	r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
	return task, item, row
}

// TestACloseWaitsForNoNote has the desk refuse, or lose, what its task is to be told first.
func TestACloseWaitsForNoNote(t *testing.T) {
	for name, fault := range map[string]simulator.Rule{
		"is refused":        {Kind: simulator.TooMany, Times: -1},
		"is lost":           {Kind: simulator.ResetBefore, Times: -1},
		"is not to be made": {Kind: simulator.Answer, Status: 400, Body: `{"error":{"message":"no"}}`, Times: -1},
	} {
		t.Run("the note "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, _, _ := r.approved()
				fault.Side, fault.Method, fault.Path = simulator.SideITSM, "PATCH", "sc_task"
				r.world.Faults.Add(fault)
				r.cycles(200)
				r.elevation(true)
				r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
				r.cycles(2)
				r.elevation(false)
			})
		})
	}
}
