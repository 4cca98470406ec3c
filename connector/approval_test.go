package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// TestAnApprovalCountsOnce opens an elevation on an approval, lets the vendor close it
// while its task is still open, and has something happen to the approval.
func TestAnApprovalCountsOnce(t *testing.T) {
	t.Parallel()
	// unknown takes from the ledger what the elevation was opened on, as a loss does.
	unknown := func(r *rig) {
		for link, err := range r.ledger.Links(r.Context(), plan.LinkQuery{Kind: plan.ElevationLink}) {
			if err != nil {
				r.Fatal(err)
			}
			delete(link.Base, "approval")
			if _, err := r.ledger.Promise(r.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
				r.Fatal(err)
			}
		}
	}
	// asked asks Bea once more, and gives her row.
	asked := func(r *rig, item string) string {
		return r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
	}
	cases := map[string]struct {
		happens func(r *rig, item, row string)
		opened  int
	}{
		"nothing happens": {func(*rig, string, string) {}, 1},
		"a word is written in its row": {func(r *rig, _, row string) {
			r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
		}, 1},
		"a word is written in its row, again and again": {func(r *rig, _, row string) {
			for i := range 3 {
				r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": fmt.Sprintf("203%d-01-01 00:00:00", i)})
				r.cycles(2)
			}
		}, 1},
		"another one is asked for and given": {func(r *rig, item, _ string) {
			asked(r, item)
			r.cycles(2)
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		}, 2},
		"it is withdrawn, and given again in the same row": {func(r *rig, item, row string) {
			r.world.ITSM.Withdraw(item)
			r.cycles(2)
			r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
			r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		}, 2},
		"the ledger is lost": {func(r *rig, _, _ string) { unknown(r) }, 1},
		"the ledger is lost, and a word is written in its row later": {func(r *rig, _, row string) {
			unknown(r)
			r.cycles(2)
			r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
		}, 1},
		"the ledger is lost, and another one is given": {func(r *rig, item, _ string) {
			unknown(r)
			time.Sleep(time.Minute)
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		}, 2},
	}
	for name, tt := range cases {
		for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
			t.Run(fmt.Sprintf("%s, the desk's clock is %s ahead", name, ahead), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRigOn(t, simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(ahead) }}))
					_, item := r.world.Task(r.users, "")
					row := asked(r, item)
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
					r.cycles(4)
					r.elevation(true)
					r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
					r.cycles(2)
					tt.happens(r, item, row)
					r.cycles(4)
					if all := r.world.MMD.Elevations(); len(all) != tt.opened {
						t.Errorf("%d elevation requests, want %d: %+v\n%s", len(all), tt.opened, all, r.story())
					}
				})
			})
		}
	}
}

// TestAnApprovalThatWasTooOldIsNoNewerWhenItIsTouched has it seen too late, or become too
// old while its elevation could not be sent, and then written to, or given anew.
func TestAnApprovalThatWasTooOldIsNoNewerWhenItIsTouched(t *testing.T) {
	t.Parallel()
	touch := func(r *rig, _, row string) {
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
	}
	anew := func(r *rig, item, _ string) { r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved") }
	again := func(r *rig, item, row string) {
		r.world.ITSM.Withdraw(item)
		r.cycles(2)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
	}
	seen := func(*rig) {}
	waited := func(r *rig) {
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
		r.cycles(2)
	}
	cases := map[string]struct {
		before  func(r *rig)
		happens func(r *rig, item, row string)
		opened  int
	}{
		"it was seen too late, and is touched":              {seen, touch, 0},
		"it was seen too late, and another one is given":    {seen, anew, 1},
		"it was seen too late, withdrawn and given again":   {seen, again, 1},
		"it waited for too long, and is touched":            {waited, touch, 0},
		"it waited for too long, and another one is given":  {waited, anew, 1},
		"it waited for too long, withdrawn and given again": {waited, again, 1},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, item := r.world.Task(r.users, "")
				row := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				tt.before(r)
				time.Sleep(25 * time.Hour)
				r.cycles(2)
				r.world.Faults.Clear()
				if n := len(r.world.MMD.Elevations()); n != 0 || r.opOf(plan.ElevationCreate).State != plan.Parked {
					t.Fatalf("%d elevation requests\n%s", n, r.story())
				}
				tt.happens(r, item, row)
				time.Sleep(time.Hour)
				r.cycles(4)
				if n := len(r.world.MMD.Elevations()); n != tt.opened {
					t.Errorf("%d elevation requests, want %d\n%s", n, tt.opened, r.story())
				}
			})
		})
	}
}

// TestAnApprovalThatIsTouchedWhileItsRequestWaitsIsNoNewer has it become too old meanwhile.
func TestAnApprovalThatIsTouchedWhileItsRequestWaitsIsNoNewer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item := r.world.Task(r.users, "")
		row := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
		r.cycles(3)
		time.Sleep(20 * time.Hour)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
		r.cycles(3)
		time.Sleep(10 * time.Hour)
		r.world.Faults.Clear()
		r.cycles(40)
		if n := len(r.world.MMD.Elevations()); n != 0 {
			t.Errorf("%d elevation requests on an approval that is 30 hours old\n%s", n, r.story())
		}
	})
}

// TestATaskWhoseParentOwesKeepsTheAgeOfItsApproval has its row touched while it waits, and
// within run out.
func TestATaskWhoseParentOwesKeepsTheAgeOfItsApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: -1})
		parent := r.world.Incident(r.users, "Laptop", nil)
		task, item := r.world.Task(r.users, parent)
		row := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4)
		time.Sleep(23 * time.Hour)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"}) // a word in its row
		time.Sleep(10 * time.Hour)
		r.world.Faults.Clear()
		r.cycles(60)
		for _, e := range r.world.MMD.Elevations() {
			t.Errorf("approved 33 hours ago, within is 24h, a row was touched while it waited, and rights were opened: %+v (task %s)", e, task)
		}
	})
}

// TestAnApprovalThatIsResetAndGivenAgain is a new one: what says no says so, also by "not requested".
func TestAnApprovalThatIsResetAndGivenAgain(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"requested", "not requested"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, item, row := r.approved()
				r.cycles(4)
				r.elevation(true)
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": to})
				r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "requested"})
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": to})
				r.cycles(4)
				r.elevation(false)
				r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
				r.cycles(4)
				if n := len(r.world.MMD.Elevations()); n != 2 {
					t.Errorf("it was taken back and given again: %d elevation requests\n%s", n, r.story())
				}
			})
		})
	}
}

// TestAnApprovedTaskThatGetsNothingIsNotSilent is opened again, and its approval was used.
func TestAnApprovedTaskThatGetsNothingIsNotSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(3)
		was := len(r.taskSaid(task))
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "1", "active": "true"})
		r.cycles(6)
		r.elevation(false)
		c := r.counts()
		if len(r.taskSaid(task)) == was && c.Owed+c.Noticed == 0 {
			t.Errorf("the task is approved and open, has no rights, and nobody is told: %s", strings.Join(r.taskSaid(task), "\n"))
		}
		r.cycles(20)
		if said := r.taskSaid(task); len(said) != was+1 || !strings.Contains(said[was], "it needs a new one") {
			t.Errorf("it was told %q", said)
		}
	})
}
