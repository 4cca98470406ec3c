package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
	"bridge/simulator/itsm"
)

// elevated is a rig with one open elevation request, and the task that it is for.
func elevated(t *testing.T) (r *rig, task string) {
	t.Helper()
	r = newRig(t)
	task, item := r.world.Task(r.users, "")
	r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
	r.rest()
	r.elevation(true)
	return r, task
}

// elevation wants the only elevation request to be open, or closed.
func (r *rig) elevation(open bool) {
	r.Helper()
	if all := r.world.MMD.Elevations(); len(all) != 1 || all[0].Open != open {
		r.Errorf("elevation requests: %+v, want one that is open: %t\n%s", all, open, r.story())
	}
}

func TestAnElevationWhoseTaskIsGoneIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Task(r.users, "") // the desk shows another one
		r.world.ITSM.Delete("sc_task", task)
		r.rest()
		r.elevation(false)
	})
}

func TestAnElevationWhoseTaskIsGoneAmongNoneIsClosedAfterAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.ITSM.Delete("sc_task", task)
		r.cycles(10)
		r.elevation(true)
		time.Sleep(time.Hour)
		r.rest()
		r.elevation(false)
	})
}

func TestAListWithoutTheTaskOfAnOpenElevationClosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		r.world.Task(r.users, "")
		for range 5 {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "GET", Path: "sc_task", Kind: simulator.EmptyList, Times: 2})
			r.cycles(2)
		}
		r.elevation(true)
	})
}

func TestARightToReadTasksThatIsLostForAWhileClosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(table, _ string) bool { return table == "sc_task" } })
		r.cycles(20)
		r.elevation(true)
		if link := r.linkOf(task); link.Notice == "" || link.Left.IsZero() {
			t.Errorf("nothing is said of it: %+v", link)
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = nil })
		r.rest()
		time.Sleep(2 * time.Hour)
		r.rest()
		r.elevation(true)
		if link := r.linkOf(task); link.Notice != "" || !link.Left.IsZero() {
			t.Errorf("it is still said: %+v", link)
		}
	})
}
