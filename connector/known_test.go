//go:build known

package connector_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// These fail: each is a defect that docs/known.md names. One that is mended goes to the
// tests of what it is about.

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
