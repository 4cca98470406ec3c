package connector_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// TestANewApprovalAfterADroppedElevationOpensOne has a person drop a request that waits.
func TestANewApprovalAfterADroppedElevationOpensOne(t *testing.T) {
	t.Parallel()
	refused := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1}
	again := func(r *rig, item, row string) {
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
	}
	anew := func(r *rig, item, _ string) { r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved") }
	cases := map[string]struct {
		before  func(r *rig, item string)
		happens func(r *rig, item, row string)
		opened  int
	}{
		"nothing": {nil, func(*rig, string, string) {}, 0},
		"a word is written in its row": {nil, func(r *rig, _, row string) {
			r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
		}, 0},
		"another one is given": {nil, anew, 1},
		"it is withdrawn and given again": {nil, func(r *rig, item, row string) {
			r.world.ITSM.Withdraw(item)
			r.cycles(2)
			again(r, item, row)
		}, 1},
		"another one is given, dropped too": {nil, func(r *rig, item, row string) {
			r.world.Faults.Add(refused)
			anew(r, item, row)
			r.cycles(3)
			r.drop(r.lastOf(plan.ElevationCreate))
			r.world.Faults.Clear()
		}, 0},
		"another one is given, dropped too, and a third": {nil, func(r *rig, item, row string) {
			r.world.Faults.Add(refused)
			anew(r, item, row)
			r.cycles(3)
			r.drop(r.lastOf(plan.ElevationCreate))
			r.world.Faults.Clear()
			r.cycles(3)
			anew(r, item, row)
		}, 1},
		"its rows are to be read again": {hideRows, func(r *rig, _, _ string) { showRows(r) }, 0},
		"its rows are to be read again, and another one is given": {hideRows, func(r *rig, item, row string) {
			showRows(r)
			r.cycles(3)
			anew(r, item, row)
		}, 1},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item, row := r.approved()
				r.world.Faults.Add(refused)
				if tt.before != nil {
					tt.before(r, item)
				}
				r.cycles(2)
				r.drop(r.opOf(plan.ElevationCreate))
				r.world.Faults.Clear()
				r.cycles(2)
				r.world.ITSM.Set("sc_task", task, map[string]string{"description": "Urgent."})
				tt.happens(r, item, row)
				r.cycles(6)
				if n := len(r.world.MMD.Elevations()); n != tt.opened {
					t.Errorf("%d elevation requests, want %d\n%s", n, tt.opened, r.story())
				}
			})
		})
	}
}

func hideRows(r *rig, _ string) {
	r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(table, _ string) bool { return table == "sysapproval_approver" } })
}

func showRows(r *rig) { r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = nil }) }

// TestASecondElevationThatWasDropped waits for a third approval.
func TestASecondElevationThatWasDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item, row := r.approved()
		r.cycles(4)
		r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
		r.cycles(2)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(3)
		r.drop(r.lastOf(plan.ElevationCreate))
		r.world.Faults.Clear()
		r.cycles(4)
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
		r.cycles(4)
		r.elevation(false)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4)
		if all := r.world.MMD.Elevations(); len(all) != 2 || !all[1].Open {
			t.Errorf("%+v\n%s", all, r.story())
		}
	})
}

// TestANewApprovalWhileADroppedElevationIsLookedFor waits until that did not appear.
func TestANewApprovalWhileADroppedElevationIsLookedFor(t *testing.T) {
	t.Parallel()
	for name, appears := range map[string]bool{"it does not appear": false, "it appears": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := elevated(t)
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 5 })
				fault := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.ResetBefore, Times: 1}
				if appears {
					fault.Kind = simulator.LostAfter
					r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 2 * time.Minute })
				}
				r.world.Faults.Add(fault)
				_, item, _ := r.approved()
				r.cycle()
				if op := r.lastOf(plan.ElevationCreate); op.State != plan.Unknown {
					t.Fatalf("it is %s", op.State)
				}
				r.drop(r.lastOf(plan.ElevationCreate))
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(40)
				all := r.world.MMD.Elevations()[1:]
				if appears && (len(all) != 2 || all[0].Open || !all[1].Open) || !appears && (len(all) != 1 || !all[0].Open) {
					t.Errorf("%+v\n%s", all, r.story())
				}
			})
		})
	}
}

// TestALinkThatAPersonEndedOpensNoElevation has another approval given.
func TestALinkThatAPersonEndedOpensNoElevation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		link := r.elevationLinkOf(task)
		link.Ended, link.EndedBy, link.ByHand = time.Now(), "ended by hand", true
		if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		r.world.MMD.CloseElevation(link.MMD)
		time.Sleep(time.Minute)
		r.world.ITSM.Decide("sc_req_item", r.world.ITSM.Row("sc_task", task)["request_item"], r.users.Bea, "approved")
		r.cycles(4)
		r.elevation(false)
	})
}

// TestADroppedElevationThatAppearsLateIsClosed had it in doubt when a person dropped it.
func TestADroppedElevationThatAppearsLateIsClosed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ anew, waits bool }{
		"nothing else": {}, "another approval is given meanwhile": {anew: true}, "another approval is given, and waits": {true, true},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := elevated(t)
				time.Sleep(3 * time.Hour)
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit, s.Lag = 100, 2*time.Hour })
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
				task, item, _ := r.approved()
				r.cycles(30)
				op := r.lastOf(plan.ElevationCreate)
				if op.State != plan.Doubt {
					t.Fatalf("%s: %s", op.State, op.Reason)
				}
				r.drop(op)
				r.cycles(2)
				if tt.waits {
					r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
				}
				if tt.anew {
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				}
				r.cycles(4 * 120)
				r.world.Faults.Clear()
				r.cycles(40)
				late, link := r.world.MMD.Elevations()[1], r.elevationLinkOf(task)
				if !tt.anew && (late.Open || link.Ended.IsZero()) {
					t.Errorf("%+v is open\n%s", late, r.story())
				}
				// Nobody wants the late one: it is closed, and beside the other one no twin is left.
				if tt.anew && (late.Open || link.Generation != 2 || len(link.Twins) != 0 || link.MMD == "" || link.MMD == late.ID || !link.Ended.IsZero()) {
					t.Errorf("%+v, %+v\n%s", late, link, r.story())
				}
				if said := strings.Join(r.taskSaid(task), "\n"); tt.anew && !strings.Contains(said, late.ID+" was dropped and opened all the same") {
					t.Errorf("the task was told %q", said)
				}
			})
		})
	}
}

// TestADropInDoubtStandsForAllThatWasApprovedBefore has a second person approve while the
// request is looked for, before it is dropped.
func TestADropInDoubtStandsForAllThatWasApprovedBefore(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]plan.State{"in doubt": plan.Doubt, "while it is looked for": plan.Unknown} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := elevated(t)
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
				_, item := r.world.Task(r.users, "")
				asked := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea, r.world.ITSM.User("cat.wong", nil))
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.ResetBefore, Times: 1})
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycle()
				r.world.ITSM.Set("sysapproval_approver", asked[1], map[string]string{"state": "approved"})
				if r.cycles(2); state == plan.Doubt {
					r.cycles(30)
				}
				op := r.lastOf(plan.ElevationCreate)
				if op.State != state {
					t.Fatalf("%s: %s", op.State, op.Reason)
				}
				r.drop(op)
				r.cycles(60)
				if n := len(r.world.MMD.Elevations()); n != 1 {
					t.Errorf("a person dropped it after both had approved, nobody approved since, and rights were opened\n%s", r.story())
				}
			})
		})
	}
}

// TestADropStandsForAllThatWasApprovedBefore has two people approve what waits.
func TestADropStandsForAllThatWasApprovedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item := r.world.Task(r.users, "")
		asked := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea, r.world.ITSM.User("cat.wong", nil))
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(3)
		r.world.ITSM.Set("sysapproval_approver", asked[1], map[string]string{"state": "approved"})
		time.Sleep(time.Minute)
		r.cycles(3)
		time.Sleep(time.Minute)
		op := r.opOf(plan.ElevationCreate)
		t.Log(op.State, op.Basis.Approvals)
		r.drop(op)
		r.world.Faults.Clear()
		r.cycles(6)
		if n := len(r.world.MMD.Elevations()); n != 0 {
			t.Errorf("it was dropped after both had approved, nobody approved since, and %d were opened\n%s", n, r.story())
		}
	})
}

// TestALateCloseWithoutEffectLeavesATwin has a dropped request appear beside a later one, and
// the vendor answer its close and do nothing.
func TestALateCloseWithoutEffectLeavesATwin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		time.Sleep(3 * time.Hour)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit, s.Lag = 100, 2*time.Hour })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
		task, item, _ := r.approved()
		r.cycles(30)
		r.drop(r.lastOf(plan.ElevationCreate))
		r.cycles(2)
		late := r.world.MMD.Elevations()[1].ID
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests/" + late, Kind: simulator.Answer, Status: 204, Times: -1})
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4 * 120)
		if link := r.elevationLinkOf(task); !slices.Equal(link.Twins, []string{late}) || link.Notice == "" {
			t.Errorf("%+v\n%s", link, r.story())
		}
	})
}

// TestADroppedRequestThatAppearsBesideALaterOneIsClosed and so is, with its task, the later one.
func TestADroppedRequestThatAppearsBesideALaterOneIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		time.Sleep(3 * time.Hour)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit, s.Lag = 100, 2*time.Hour })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
		task, item, _ := r.approved()
		r.cycles(30)
		r.drop(r.lastOf(plan.ElevationCreate))
		r.cycles(2)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(4 * 120)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(4 * 120)
		for i, e := range r.world.MMD.Elevations()[1:] {
			if e.Open {
				t.Errorf("the task is closed for hours, close_after is over, and request %d of it is open: %+v", i+1, e)
			}
		}
	})
}

// TestAPersonsEndStandsThoughItsRequestAppearsLate has it in doubt when a person ends its link:
// it is closed, and no approval opens another one.
func TestAPersonsEndStandsThoughItsRequestAppearsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		time.Sleep(3 * time.Hour)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit, s.Lag = 100, 2*time.Hour })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
		task, item, _ := r.approved()
		r.cycles(30)
		if op := r.lastOf(plan.ElevationCreate); op.State != plan.Doubt {
			t.Fatalf("%s: %s", op.State, op.Reason)
		}
		link := r.elevationLinkOf(task)
		if _, err := r.ledger.Revise(t.Context(), link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			return plan.EndByHand(story, "ended by hand: no more", time.Now())
		}); err != nil {
			t.Fatal(err)
		}
		r.cycles(4 * 120)
		if link = r.elevationLinkOf(task); !link.ByHand {
			t.Errorf("a person ended it, and it was opened again: %+v", link)
		}
		n := len(r.world.MMD.Elevations())
		if late := r.world.MMD.Elevations()[1]; late.Open {
			t.Errorf("%+v is open\n%s", late, r.story())
		}
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(6)
		if all := r.world.MMD.Elevations(); len(all) != n {
			t.Errorf("a person ended the link for good, and rights were opened: %+v\n%s", all, r.story())
		}
	})
}
