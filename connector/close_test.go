package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

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

// TestACloseDoesNotWaitForTicketsThatAreRefused: open rights may not wait.
func TestACloseDoesNotWaitForTicketsThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: -1})
		for range 300 {
			r.world.Incident(r.users, "Laptop", nil)
		}
		r.cycle()
		time.Sleep(30 * time.Second)
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
		began := time.Now()
		for range 120 {
			r.cycles(1)
			if !r.world.MMD.Elevations()[0].Open {
				break
			}
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("rights stayed open for %s after their task was closed, while tickets were refused; the close was sent %d times", took, r.opOf(plan.ElevationClose).Attempt)
		}
	})
}

// TestACloseThatWasDroppedStaysDroppedWhenTwoReasonsHold has the task gone, and close_after over.
func TestACloseThatWasDroppedStaysDroppedWhenTwoReasonsHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Task(r.users, "")
		r.closesRefused(true)
		r.world.ITSM.Delete("sc_task", task)
		r.cycles(3)
		time.Sleep(9 * time.Hour)
		r.cycles(4)
		r.drop(r.opOf(plan.ElevationClose))
		r.closesRefused(false)
		version := r.elevationLinkOf(task).Version
		r.cycles(10)
		if op := r.opOf(plan.ElevationClose); op.State != plan.Cancelled {
			t.Errorf("a person dropped the close, nothing new happened, and it is %s again (attempt %d); the link was written %d times", op.State, op.Attempt, r.elevationLinkOf(task).Version-version)
		}
		r.elevation(true)
	})
}

// TestACloseThatIsParkedIsNotSentEachCycle has the vendor refuse it for good.
func TestACloseThatIsParkedIsNotSentEachCycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.Task(r.users, "")
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 404, Body: `{"error":{"message":"no"}}`, Times: -1})
		r.world.ITSM.Delete("sc_task", task)
		r.cycles(3)
		time.Sleep(9 * time.Hour)
		r.cycles(4)
		was := r.opOf(plan.ElevationClose)
		r.cycles(40)
		if op := r.opOf(plan.ElevationClose); op.Attempt > was.Attempt+3 {
			t.Errorf("it was parked, and sent %d times in 20 minutes: %s %s", op.Attempt-was.Attempt, op.State, strings.TrimSpace(op.Reason))
		}
	})
}

// TestACloseThatWasDroppedStaysDroppedWhileItsReasonIsHidden for a while, and then as it was.
func TestACloseThatWasDroppedStaysDroppedWhileItsReasonIsHidden(t *testing.T) {
	t.Parallel()
	for name, hidden := range map[string]string{"the approval": "sc_req_item.approval", "the state": "sc_task.state"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item, _ := r.approved()
				r.cycles(4)
				r.closesRefused(true)
				if name == "the approval" {
					r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"})
				} else {
					r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
				}
				r.cycles(2)
				r.drop(r.opOf(plan.ElevationClose))
				r.closesRefused(false)
				r.cycles(3)
				r.elevation(true)
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = map[string]bool{hidden: true} })
				r.cycles(2)
				r.world.ITSM.Switch(func(s *itsm.Switches) { s.HiddenFields = nil })
				r.cycles(4)
				r.elevation(true)
			})
		})
	}
}

// TestACloseThatWasDroppedBeforeAnUpgradeStaysDropped has the ledger of a version that kept
// no reasons: the op has no turn, the link none of them.
func TestACloseThatWasDroppedBeforeAnUpgradeStaysDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		task, item, _ := r.approved()
		r.cycles(4)
		r.closesRefused(true)
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"})
		r.cycles(2)
		op := r.opOf(plan.ElevationClose)
		op.Basis.Rev = ""
		r.drop(op)
		link := r.elevationLinkOf(task)
		delete(link.Base, "close")
		if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		r.closesRefused(false)
		r.start()
		r.cycles(4)
		r.elevation(true)
	})
}

// TestCloseAfterCountsFromTheOpening has the answer to it lost, and the vendor away after that.
func TestCloseAfterCountsFromTheOpening(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 2 * time.Hour, -2 * time.Hour} {
		t.Run(fmt.Sprintf("the vendor's clock is %s ahead", ahead), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRigOn(t, simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(ahead) }}))
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests$", Kind: simulator.LostAfter, Times: 1})
				r.approved()
				r.cycle()
				opened := time.Now()
				r.world.Faults.Clear()
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Kind: simulator.Error500, Times: -1})
				for time.Since(opened) < 5*time.Hour {
					_, _ = r.loop.Cycle(t.Context())
					time.Sleep(5 * time.Minute)
				}
				r.world.Faults.Clear()
				for time.Since(opened) < 8*time.Hour+30*time.Minute {
					r.cycle()
					if time.Since(opened) < 7*time.Hour+30*time.Minute {
						r.elevation(true)
					}
					time.Sleep(time.Minute)
				}
				r.elevation(false)
			})
		})
	}
}
