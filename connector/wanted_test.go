package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// end does what bridge end-link does with a link.
func (r *rig) end(link plan.Link) {
	r.Helper()
	_, err := r.ledger.Revise(r.Context(), link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
		return plan.EndByHand(story, "contract", time.Now())
	})
	if err != nil {
		r.Fatal(err)
	}
}

// TestAnElevationThatNobodyWantsIsClosedWithoutItsRule ends the link of an elevation
// request whose answer was lost, and takes its rule away: it is there, and its rights.
func TestAnElevationThatNobodyWantsIsClosedWithoutItsRule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests", Kind: simulator.LostAfter})
		task, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycle()
		if op := r.opOf(plan.ElevationCreate); op.State != plan.Unknown {
			t.Fatalf("%s: %s", op.State, op.Reason)
		}
		r.elevation(true)
		r.end(r.elevationLinkOf(task))
		r.rules.Elevations = nil
		r.start()
		r.rest()
		r.elevation(false)
	})
}
