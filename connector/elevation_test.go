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

// taskSaid is what a task was told.
func (r *rig) taskSaid(task string) (out []string) {
	for _, n := range r.world.ITSM.Journal(task, "work_notes") {
		out = append(out, n.Text)
	}
	return out
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

// TestADeviceThatChangesBeforeItsElevationIsOpened has the request parked, superseded or not
// even promised meanwhile: what was approved was the other device.
func TestADeviceThatChangesBeforeItsElevationIsOpened(t *testing.T) {
	t.Parallel()
	post := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1}
	for _, at := range []string{"while it is parked", "while it left its rule", "while its parent owes a ticket", "while its rows are hidden"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.MMD.AssignDevice("MMD-OTHER", "Ada Byron", "ada@acme.example")
				other := r.world.ITSM.Device("MMD-OTHER")
				fault := post
				parent := ""
				switch at {
				case "while it is parked":
					fault.Kind, fault.Status, fault.Body = simulator.Answer, 404, `{"error":{"code":"404","message":"This device does not exist."}}`
				case "while its parent owes a ticket":
					fault.Path = "tickets$"
					parent = r.world.Incident(r.users, "Laptop", nil)
				case "while its rows are hidden":
					hideRows(r, "")
				}
				r.world.Faults.Add(fault)
				task, item := r.world.Task(r.users, parent)
				r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea)
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				was := r.world.ITSM.Row("sc_task", task)["short_description"]
				if at == "while it left its rule" {
					r.world.ITSM.Set("sc_task", task, map[string]string{"short_description": "Printer"})
					time.Sleep(20 * time.Minute)
					r.cycles(3)
				}
				r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": other, "short_description": was})
				r.world.Faults.Clear()
				showRows(r)
				time.Sleep(20 * time.Minute)
				r.cycles(10)
				for _, e := range r.world.MMD.Elevations() {
					if e.Device == "MMD-OTHER" {
						t.Errorf("rights were opened on a device that nobody approved: %+v\n%s", e, r.story())
					}
				}
			})
		})
	}
}

// TestTwoPeopleWhoApproveOpenOneElevation has the second one say yes while it is open.
func TestTwoPeopleWhoApproveOpenOneElevation(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"close_after", "the vendor"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, item := r.world.Task(r.users, "")
				asked := r.world.ITSM.RequestApproval("sc_req_item", item, r.users.Bea, r.world.ITSM.User("cat.wong", nil))
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycles(4)
				r.elevation(true)
				r.world.ITSM.Set("sysapproval_approver", asked[1], map[string]string{"state": "approved"})
				r.cycles(4)
				r.elevation(true)
				if how == "close_after" {
					time.Sleep(9 * time.Hour)
				} else {
					r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
				}
				r.cycles(10)
				if all := r.world.MMD.Elevations(); len(all) != 1 {
					t.Errorf("one request was approved by two people, and its rights were opened %d times: %+v\n%s", len(all), all, r.story())
				}
			})
		})
	}
}

// TestADeviceThatChangesLater has the body of what was done let go of, or the ledger lost.
func TestADeviceThatChangesLater(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"after its body was pruned", "after a relink", "nothing"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("    close_after: 8h                           # closed by the bridge then, and said on the task\n", "")
				r.world.MMD.AssignDevice("MMD-OTHER", "Ada Byron", "ada@acme.example")
				task, _, _ := r.approved()
				r.cycles(4)
				r.elevation(true)
				switch how {
				case "after its body was pruned":
					time.Sleep(8 * 24 * time.Hour)
					r.start()
					if _, err := r.ledger.Prune(t.Context(), time.Now().Add(-7*24*time.Hour)); err != nil {
						t.Fatal(err)
					}
				case "after a relink":
					r.lose()
					if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				r.cycles(3)
				r.elevation(true)
				r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Device("MMD-OTHER")})
				r.cycles(6)
				r.elevation(false)
			})
		})
	}
}

// TestAnApprovalIsForTheDeviceOfItsFirstSight has it seen, and the device change, at a time at
// which nothing is promised, or another elevation stands between.
func TestAnApprovalIsForTheDeviceOfItsFirstSight(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		// seen has the approval seen, and then says what has to be over before it can open anything.
		seen func(r *rig) (task string, over func())
		open bool
	}{
		"while its task is to be closed": {func(r *rig) (string, func()) {
			r.rule("query: [active=true, short_descriptionLIKEelevation]", "query: [short_descriptionLIKEelevation]")
			task, item := r.world.Task(r.users, "")
			r.world.ITSM.Set("sc_task", task, map[string]string{"state": "7"})
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
			r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
			return task, func() { r.world.ITSM.Set("sc_task", task, map[string]string{"state": "1", "active": "true"}) }
		}, false},
		"while another one is closed": {func(r *rig) (string, func()) {
			task, item, _ := r.approved()
			r.cycles(4)
			r.closesRefused(true)
			time.Sleep(9 * time.Hour)
			r.cycles(4)
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
			return task, func() { r.closesRefused(false) }
		}, false},
		"by a version that kept it with its request": {func(r *rig) (string, func()) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
			task, _, _ := r.approved()
			r.cycles(2)
			link := r.elevationLinkOf(task)
			link.Given = nil
			if _, err := r.ledger.Promise(r.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
				r.Fatal(err)
			}
			r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Device("MMD-OTHER")})
			return task, r.world.Faults.Clear
		}, false},
		"and it is taken back, and given for the other one": {func(r *rig) (string, func()) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.TooMany, Times: -1})
			task, item, row := r.approved()
			r.cycles(46) // it is tried again after a quarter of an hour, and waits until then
			r.world.ITSM.Withdraw(item)
			return task, func() {
				r.world.Faults.Clear()
				r.world.ITSM.Set("sysapproval_approver", row, map[string]string{"state": "approved"})
				r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
			}
		}, true},
		"and another one is given while the first is looked for": {func(r *rig) (string, func()) {
			r.approved()
			r.cycles(2)
			r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 5 * time.Minute })
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
			task, item, _ := r.approved()
			r.cycles(2)
			r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Device("MMD-OTHER")})
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
			return task, func() {}
		}, true},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.MMD.AssignDevice("MMD-OTHER", "Ada Byron", "ada@acme.example")
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
				task, over := tt.seen(r)
				r.cycles(4)
				r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Device("MMD-OTHER")})
				r.cycles(4)
				over()
				time.Sleep(20 * time.Minute)
				r.cycles(40)
				opened := false
				for _, e := range r.world.MMD.Elevations() {
					opened = opened || e.Device == "MMD-OTHER" && e.Open
				}
				if opened != tt.open {
					t.Errorf("%+v\n%s", r.world.MMD.Elevations(), r.story())
				}
			})
		})
	}
}
