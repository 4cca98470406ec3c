//go:build known

package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
	"bridge/simulator/mmd"
)

// These fail: each is a defect that docs/known.md names. One that is mended goes to the
// tests of what it is about.

			})
		})
	}
}

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
