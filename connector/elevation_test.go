package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// approved is a task whose request item Bea has approved, with her row.
func (r *rig) approved() (task, item, row string) {
	task, item = r.world.Task(r.users, "")
	row = r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)[0]
	r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
	return task, item, row
}

// drop cancels an op as a person does.
func (r *rig) drop(op plan.Op) {
	r.Helper()
	dropped, err := plan.Dropped(op, "by mistake", time.Now())
	if err == nil {
		_, err = r.ledger.Settle(r.Context(), dropped, plan.Promise{At: time.Now()})
	}
	if err != nil {
		r.Fatal(err)
	}
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

// TestACloseThatWasDroppedStaysDropped drops a close whose reason goes on.
func TestACloseThatWasDroppedStaysDropped(t *testing.T) {
	t.Parallel()
	approval := func(r *rig, item, says string) {
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": says})
		r.cycles(3)
	}
	later := func(r *rig) {
		time.Sleep(9 * time.Hour)
		r.cycles(3)
	}
	cases := map[string]struct {
		happens func(r *rig, task, item string)
		open    bool
	}{
		"nothing":              {func(r *rig, _, _ string) { r.cycles(20) }, true},
		"close_after":          {func(r *rig, _, _ string) { later(r) }, false},
		"it is given":          {func(r *rig, _, item string) { approval(r, item, "approved") }, true},
		"it is withdrawn anew": {func(r *rig, _, item string) { approval(r, item, "approved"); approval(r, item, "rejected") }, false},
		"its task is closed": {func(r *rig, task, _ string) {
			r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
			r.cycles(3)
		}, false},
		"its task is gone": {func(r *rig, task, _ string) {
			r.world.Task(r.users, "")
			r.world.ITSM.Delete("sc_task", task)
			r.cycles(3)
		}, false},
		"close_after, and dropped": {func(r *rig, _, item string) {
			r.closesRefused(true)
			later(r)
			r.drop(r.opOf(plan.ElevationClose))
			r.closesRefused(false)
			approval(r, item, "approved")
		}, true},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item, _ := r.approved()
				r.cycles(4)
				r.closesRefused(true)
				approval(r, item, "requested")
				r.drop(r.opOf(plan.ElevationClose))
				r.closesRefused(false)
				r.cycles(3)
				r.elevation(true)
				tt.happens(r, task, item)
				r.elevation(tt.open)
			})
		})
	}
}

// closesRefused has the vendor refuse to close elevations, for now.
func (r *rig) closesRefused(refused bool) {
	r.world.Faults.Clear()
	if refused {
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.TooMany, Times: -1})
	}
}

// TestAnApprovalThatIsGivenAgainIsThatOfTheOpenElevation drops the close between.
func TestAnApprovalThatIsGivenAgainIsThatOfTheOpenElevation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item, _ := r.approved()
		r.cycles(4)
		r.closesRefused(true)
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"})
		r.cycles(2)
		r.drop(r.opOf(plan.ElevationClose))
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		r.cycles(2)
		r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
		r.cycles(6)
		r.elevation(false)
	})
}

// TestTheRowsOfAnOpenElevation has two people asked, Bea approve, and the rows change while
// the field stays approved.
func TestTheRowsOfAnOpenElevation(t *testing.T) {
	t.Parallel()
	type rows struct{ task, item, bea, cat string }
	set := func(r *rig, row, state string) {
		r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": state})
	}
	cases := map[string]struct {
		happens func(r *rig, of rows)
		open    bool
	}{
		"nothing":                         {func(*rig, rows) {}, true},
		"hers is rejected":                {func(r *rig, of rows) { set(r, of.bea, "rejected") }, false},
		"hers is asked for again":         {func(r *rig, of rows) { set(r, of.bea, "requested") }, false},
		"hers is cancelled":               {func(r *rig, of rows) { set(r, of.bea, "cancelled") }, false},
		"hers is deleted":                 {func(r *rig, of rows) { r.world.ITSM.Delete("sysapproval_approver", of.bea) }, true},
		"the other one is rejected":       {func(r *rig, of rows) { set(r, of.cat, "rejected") }, false},
		"the other one is cancelled":      {func(r *rig, of rows) { set(r, of.cat, "cancelled") }, true},
		"the other one is asked for":      {func(r *rig, of rows) { set(r, of.cat, "requested") }, true},
		"the other one approves too":      {func(r *rig, of rows) { set(r, of.cat, "approved") }, true},
		"the other one approves, not she": {func(r *rig, of rows) { set(r, of.cat, "approved"); set(r, of.bea, "cancelled") }, true},
		"the other one approves, she not": {func(r *rig, of rows) { set(r, of.cat, "approved"); set(r, of.bea, "rejected") }, false},
		"who may not approves, not she": {func(r *rig, of rows) {
			r.world.ITSM.Decide("sc_req_item", of.item, r.users.Ada, "approved")
			set(r, of.bea, "requested")
		}, false},
		"one of another object is rejected": {func(r *rig, of rows) {
			set(r, r.world.ITSM.RequestApproval("sc_task", of.task, r.users.Bea)[0], "rejected")
		}, true},
		"the rows are hidden": {func(r *rig, _ rows) {
			r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(table, _ string) bool { return table == "sysapproval_approver" } })
		}, true},
		"their states are hidden": {func(r *rig, of rows) {
			set(r, of.bea, "rejected")
			r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = map[string]bool{"sysapproval_approver.state": true} })
		}, true},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				of := rows{}
				of.task, of.item = r.world.Task(r.users, "")
				asked := r.world.ITSM.RequestApproval("sc_req_item", of.item, r.users.Bea, r.world.ITSM.User("cat.wong", nil))
				of.bea, of.cat = asked[0], asked[1]
				r.world.ITSM.Decide("sc_req_item", of.item, r.users.Bea, "approved")
				r.cycles(4)
				r.elevation(true)
				tt.happens(r, of)
				r.world.ITSM.Set("sc_req_item", of.item, map[string]string{"approval": "approved"})
				r.world.ITSM.Set("sc_task", of.task, map[string]string{"approval": "not requested"})
				r.cycles(6)
				r.elevation(tt.open)
			})
		})
	}
}

// TestAnElevationWaitsForEveryoneWhoIsAsked has two people asked, and one or all needed.
func TestAnElevationWaitsForEveryoneWhoIsAsked(t *testing.T) {
	t.Parallel()
	for name, everyone := range map[string]bool{"anyone": false, "everyone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.EveryoneApproves = everyone })
				_, item := r.world.Task(r.users, "")
				cat := r.world.ITSM.User("cat.wong", nil)
				r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea, cat)
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(3)
				if n := len(r.world.MMD.Elevations()); everyone == (n > 0) {
					t.Fatalf("%d elevation requests when one has approved\n%s", n, r.story())
				}
				if everyone {
					r.world.ITSM.Decide("sc_req_item", item, cat, "approved")
					r.cycles(3)
				}
				r.elevation(true)
			})
		})
	}
}

// TestARowThatIsTakenBackAndGivenAgain closes one elevation, and opens another when it was
// given anew: not when somebody else's no is taken away.
func TestARowThatIsTakenBackAndGivenAgain(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"hers": true, "another one's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, item := r.world.Task(r.users, "")
				asked := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea, r.world.ITSM.User("cat.wong", nil))
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				row, back := asked[1], "not_required"
				if own {
					row, back = asked[0], "approved"
				}
				for _, state := range []string{"rejected", back} {
					r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": state})
					r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
					r.cycles(4)
				}
				if all := r.world.MMD.Elevations(); all[0].Open || own != (len(all) > 1) {
					t.Errorf("elevation requests %+v\n%s", all, r.story())
				}
			})
		})
	}
}

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

func TestAnElevationIsClosedInTimeThoughTheDeskIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "GET", Path: "sc_task", Kind: simulator.Error503, Times: -1})
		for range 9 * 4 {
			time.Sleep(15 * time.Minute)
			r.cycle()
		}
		r.elevation(false)
	})
}

// TestACloseWithoutEffectIsDoneAgain has the vendor answer 204 and close nothing.
func TestACloseWithoutEffectIsDoneAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 204, Times: 1})
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(2)
		r.elevation(true)
		r.cycles(20)
		r.elevation(false)
		if said := strings.Join(r.taskSaid(task), "\n"); !strings.Contains(said, "is still open") || strings.Count(said, "was closed: ") != 1 {
			t.Errorf("the task was told %q", said)
		}
		if link := r.elevationLinkOf(task); link.Ended.IsZero() || link.Notice != "" {
			t.Errorf("%+v", link)
		}
	})
}

// TestACloseThatNeverHasEffectIsAPersonsToLookAt has it answer so for ever.
func TestACloseThatNeverHasEffectIsAPersonsToLookAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 204, Times: -1})
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(5 * 120)
		op := r.opOf(plan.ElevationClose)
		if link := r.elevationLinkOf(task); op.State != plan.Doubt || op.Attempt != 2 || link.Notice == "" || !link.Ended.IsZero() {
			t.Fatalf("it is %s, sent %d times: %s\n%+v", op.State, op.Attempt, op.Reason, link)
		}
		r.world.Faults.Clear()
		if err := r.ledger.Retry(t.Context(), op.Key, "the vendor mended it", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.cycles(4)
		r.elevation(false)
		if link := r.elevationLinkOf(task); link.Ended.IsZero() || r.counts().Owed != 0 {
			t.Errorf("%+v\n%s", link, r.story())
		}
	})
}

// TestAnElevationThatIsOpenUnderALinkThatAPersonEndedIsSaid: nobody else closes it.
func TestAnElevationThatIsOpenUnderALinkThatAPersonEndedIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		link := r.elevationLinkOf(task)
		link.Ended, link.EndedBy, link.ByHand = time.Now(), "ended by hand", true
		if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		said := ""
		for range 2 * 60 {
			r.cycles(1)
			said += strings.Join(r.report.Unread, "\n")
		}
		if !strings.Contains(said, link.MMD) {
			t.Errorf("nobody hears of it: %q", said)
		}
	})
}

// TestAnOlderElevationThatIsOpenIsATwin: its close had no effect, and a later one was asked for.
func TestAnOlderElevationThatIsOpenIsATwin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 5 })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 204, Times: 1})
		item := r.world.ITSM.Row("sc_task", task)["request_item"]
		r.world.ITSM.Withdraw(item)
		r.cycles(2)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(20)
		if link := r.elevationLinkOf(task); len(link.Twins) != 1 || link.Generation != 2 {
			t.Errorf("%+v\n%+v\n%s", r.world.MMD.Elevations(), link, r.story())
		}
	})
}

// taskSaid is what a task was told.
func (r *rig) taskSaid(task string) (out []string) {
	for _, n := range r.world.ITSM.Journal(task, "work_notes") {
		out = append(out, n.Text)
	}
	return out
}

// TestATaskThatIsRefusedStopsNoOther has three tasks gone, one of them behind a lost right.
func TestATaskThatIsRefusedStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
		var tasks []string
		for range 3 {
			task, _, _ := r.approved()
			tasks = append(tasks, task)
		}
		r.cycles(4)
		r.world.Task(r.users, "")
		for _, task := range tasks {
			r.world.ITSM.Delete("sc_task", task)
		}
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "GET", Path: "sc_task/" + tasks[1], Kind: simulator.Answer, Status: 403, Body: `{"error":{"message":"no"}}`, Times: -1})
		r.cycles(4)
		open := 0
		for _, e := range r.world.MMD.Elevations() {
			if e.Open {
				open++
			}
		}
		if open > 1 || len(r.report.Unread) == 0 {
			t.Errorf("%d are open, unread %q\n%s", open, r.report.Unread, r.story())
		}
	})
}

// TestATaskThatIsToBeClosedOpensNothing has a rule whose query finds it all the same.
func TestATaskThatIsToBeClosedOpensNothing(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"before it is approved": false, "while its request waits": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("query: [active=true, short_descriptionLIKEelevation]", "query: [short_descriptionLIKEelevation]")
				task, item := r.world.Task(r.users, "")
				if waits {
					r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
					r.cycles(2)
				}
				r.world.ITSM.Set("sc_task", task, map[string]string{"state": "7"})
				if !waits {
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				}
				r.world.Faults.Clear()
				time.Sleep(time.Hour)
				r.cycles(4)
				if n := len(r.world.MMD.Elevations()); n != 0 || r.counts().Owed != 0 {
					t.Errorf("%d elevation requests for a task that is closed\n%s", n, r.story())
				}
				r.world.ITSM.Set("sc_task", task, map[string]string{"state": "1", "active": "true"})
				r.cycles(4)
				r.elevation(true)
			})
		})
	}
}

// TestTheElevationOfAReopenedTask waits for a new approval.
func TestTheElevationOfAReopenedTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(3)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "1", "active": "true"})
		r.cycles(6)
		r.elevation(false)
		r.world.ITSM.Decide("sc_req_item", r.world.ITSM.Row("sc_task", task)["request_item"], r.users.Bea, "approved")
		r.cycles(4)
		if all := r.world.MMD.Elevations(); len(all) != 2 || !all[1].Open {
			t.Errorf("%+v\n%s", all, r.story())
		}
	})
}

// TestTwoTasksOfOneItem are two elevations, each closed with its own.
func TestTwoTasksOfOneItem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 5 })
		first, item, _ := r.approved()
		second, _ := r.world.Task(r.users, "")
		r.world.ITSM.Set("sc_task", second, map[string]string{"request_item": item})
		r.cycles(4)
		r.world.ITSM.Set("sc_task", first, map[string]string{"state": "3"})
		r.cycles(4)
		one, other := r.elevationLinkOf(first), r.elevationLinkOf(second)
		if len(r.world.MMD.Elevations()) != 2 || one.Ended.IsZero() || !other.Ended.IsZero() {
			t.Errorf("%+v\n%s", r.world.MMD.Elevations(), r.story())
		}
	})
}

// TestAListThatLagsDoesNotSayThatACloseHadNoEffect reads it whole right after a close.
func TestAListThatLagsDoesNotSayThatACloseHadNoEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 204, Times: 1})
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(2)
		r.start() // it reads the list whole
		r.cycles(4)
		r.elevation(true)
		if op := r.opOf(plan.ElevationClose); op.Attempt != 1 {
			t.Errorf("%s, sent %d times", op.State, op.Attempt)
		}
		r.cycles(2 * 60)
		r.elevation(false)
	})
}

// TestARelinkGivesAnElevationItsOwnRule has two rules on one table.
func TestARelinkGivesAnElevationItsOwnRule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("elevations:\n", `elevations:
  - name: other
    table: sc_task
    query: [active=true, short_descriptionLIKEprinter]
    approved: [approval]
    create:
      deviceName: "{{ cmdb_ci.name }}"
      title: "{{ number }}: {{ short_description }}"
      category: Devices
      subcategory: Elevation
      planOfAction: "{{ description }}"
    close: { when: 'state in ["99"]', actionsTaken: [Closed with the task] }
    close_after: 99h
`)
		task, _, _ := r.approved()
		r.cycles(4)
		r.elevation(true)
		r.lose()
		if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.cycles(4)
		if link := r.elevationLinkOf(task); link.Rule != "elevation" || !link.Ended.IsZero() {
			t.Errorf("rule %s, ended %s\n%s", link.Rule, link.Ended, r.story())
		}
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
				if tt.anew && (link.Generation != 2 || len(link.Twins) != 1 || link.MMD == "" || link.MMD == late.ID) {
					t.Errorf("%+v\n%s", link, r.story())
				}
			})
		})
	}
}

// TestADeviceThatChanges after it was approved: rights on the other one are for a new approval.
func TestADeviceThatChanges(t *testing.T) {
	t.Parallel()
	waits := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1}
	for _, at := range []string{"while it is open", "while it waits", "right before it is sent", "while it is open, to what cannot be read"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.MMD.AssignDevice("MMD-OTHER", "Ada Byron", "ada@acme.example")
				other, open := r.world.ITSM.Device("MMD-OTHER"), strings.HasPrefix(at, "while it is open")
				if !open {
					r.world.Faults.Add(waits)
				}
				task, item, row := r.approved()
				r.cycles(4)
				switch at {
				case "while it is open, to what cannot be read":
					r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = map[string]bool{"cmdb_ci.name": true} })
					r.cycles(4)
					r.elevation(true)
					return
				case "right before it is sent":
					time.Sleep(20 * time.Minute)
					r.world.Faults.Clear()
					r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": other})
					r.between()
				}
				r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": other})
				r.cycles(4)
				r.world.Faults.Clear()
				r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"due_date": "2030-01-01 00:00:00"})
				time.Sleep(20 * time.Minute)
				r.cycles(4)
				all, said := r.world.MMD.Elevations(), strings.Join(r.taskSaid(task), "\n")
				if open && (len(all) != 1 || all[0].Open || !strings.Contains(said, "another device")) || !open && (len(all) != 0 || !strings.Contains(said, "names MMD-OTHER now")) {
					t.Fatalf("%+v\n%s\n%s", all, said, r.story())
				}
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				if all = r.world.MMD.Elevations(); !all[len(all)-1].Open || all[len(all)-1].Device != "MMD-OTHER" {
					t.Errorf("%+v\n%s", all, r.story())
				}
			})
		})
	}
}

// TestADeviceThatChangesWhileItsElevationIsLookedFor says nothing that is not known, and
// has what is found closed.
func TestADeviceThatChangesWhileItsElevationIsLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := elevated(t)
		time.Sleep(3 * time.Hour)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit, s.Lag = 100, 5*time.Minute })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
		task, _, _ := r.approved()
		r.cycle()
		r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Device("MMD-OTHER")})
		r.cycles(6)
		if op, said := r.lastOf(plan.ElevationCreate), r.taskSaid(task); op.State != plan.Unknown || len(said) != 0 {
			t.Fatalf("it is %s, and the task was told %q", op.State, said)
		}
		r.cycles(20)
		if late, said := r.world.MMD.Elevations()[1], strings.Join(r.taskSaid(task), "\n"); late.Open || !strings.Contains(said, "another device") || strings.Contains(said, "No elevation") {
			t.Errorf("%+v\n%s\n%s", late, said, r.story())
		}
	})
}

// TestAnElevationOfWhichNothingCanBeKnownIsSaid takes rights away while it is open.
func TestAnElevationOfWhichNothingCanBeKnownIsSaid(t *testing.T) {
	t.Parallel()
	for what, hide := range map[string]func(s *itsm.Switches){
		"state was not readable":                 func(s *itsm.Switches) { s.HiddenFields = map[string]bool{"sc_task.state": true} },
		"request_item.approval was not readable": func(s *itsm.Switches) { s.HiddenFields = map[string]bool{"sc_req_item.approval": true} },
		"no approval rows of it can be read": func(s *itsm.Switches) {
			s.Hide = func(table, _ string) bool { return table == "sysapproval_approver" }
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, task := elevated(t)
				r.world.ITSM.Switch(hide)
				r.cycles(4)
				r.elevation(true)
				if link := r.elevationLinkOf(task); !strings.Contains(link.Notice, what) {
					t.Errorf("it says %q", link.Notice)
				}
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields, s.Hide = nil, nil })
				r.cycles(4)
				if link := r.elevationLinkOf(task); link.Notice != "" || !link.Ended.IsZero() {
					t.Errorf("it still says %q", link.Notice)
				}
			})
		})
	}
}

// TestAnElevationOfARuleThatReadsAnotherTableNow is closed with its task all the same.
func TestAnElevationOfARuleThatReadsAnotherTableNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.rule("    table: sc_task", "    table: change_request")
		r.cycles(4)
		r.elevation(true)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		r.cycles(4)
		r.elevation(false)
	})
}

// TestATaskHearsOfEachReasonWhyNothingWasOpened has its approval hidden, and too old later.
func TestATaskHearsOfEachReasonWhyNothingWasOpened(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"as it is planned": false, "right before it is sent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				fault := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1}
				if refused {
					fault.Kind, fault.Status, fault.Body = simulator.Answer, 404, `{"error":{"code":"404","message":"This device does not exist."}}`
					r.world.Faults.Add(fault)
				} else {
					hideRows(r, "")
				}
				task, _, _ := r.approved()
				r.cycles(6)
				showRows(r)
				if !refused {
					r.world.Faults.Add(fault)
					r.cycles(3)
				}
				time.Sleep(25 * time.Hour)
				if refused {
					r.world.Faults.Clear()
					if err := r.ledger.Retry(t.Context(), r.opOf(plan.ElevationCreate).Key, "it is there now", time.Now()); err != nil {
						t.Fatal(err)
					}
					r.between()
				}
				r.cycles(4)
				if said := strings.Join(r.taskSaid(task), "\n"); !strings.Contains(said, "longer than 24h") {
					t.Errorf("the task was told %q\n%s", said, r.story())
				}
			})
		})
	}
}

// TestARequesterWhoIsHiddenApprovesNothing takes away the right to see who asked for it.
func TestARequesterWhoIsHiddenApprovesNothing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		hidden  map[string]bool
		asEmpty bool
		said    string
	}{
		"one field":                  {map[string]bool{"sc_req_item.requested_for": true}, false, "request_item.requested_for was not readable"},
		"all fields":                 {map[string]bool{"sc_task.opened_by": true, "sc_req_item.requested_for": true}, false, "opened_by was not readable"},
		"all fields, shown as empty": {map[string]bool{"sc_task.opened_by": true, "sc_req_item.requested_for": true}, true, "name nobody"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item := r.world.Task(r.users, "")
				r.world.ITSM.Set("sc_task", task, map[string]string{"opened_by": r.users.Bea})
				if len(tt.hidden) > 1 {
					r.world.ITSM.Set("sc_task", task, map[string]string{"opened_by": r.users.Ada})
				}
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields, s.HiddenAsEmpty = tt.hidden, tt.asEmpty })
				r.world.ITSM.Decide("sc_req_item", item, r.users.Ada, "approved")
				r.cycles(4)
				if said := strings.Join(r.taskSaid(task), "\n"); len(r.world.MMD.Elevations()) != 0 || !strings.Contains(said, tt.said) {
					t.Errorf("%+v, the task was told %q\n%s", r.world.MMD.Elevations(), said, r.story())
				}
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = nil })
				r.world.ITSM.Decide("sc_req_item", item, r.world.ITSM.User("cat.wong", nil), "approved")
				r.cycles(4)
				r.elevation(true)
			})
		})
	}
}

// TestATaskWithoutAnItemIsApprovedOnItsOwn leads to no requester but its own.
func TestATaskWithoutAnItemIsApprovedOnItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		task, _ := r.world.Task(r.users, "")
		r.world.ITSM.Set("sc_task", task, map[string]string{"request_item": ""})
		r.world.ITSM.Decide("sc_task", task, r.users.Bea, "approved")
		r.cycles(4)
		r.elevation(true)
	})
}

// What a person ended is not opened by a new approval: end-link says so.
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
