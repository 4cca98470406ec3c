package connector_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
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

func TestAWriteToWhatIsGoneIsAPersonsToEnd(t *testing.T) {
	t.Parallel()
	cases := map[plan.Kind]func(r *rig, incident string){
		plan.RecordUpdate: func(r *rig, incident string) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.LostAfter})
			r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
			r.cycle()
			r.world.ITSM.Delete("incident", incident)
		},
		plan.RecordNote: func(r *rig, incident string) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.ResetBefore})
			r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
			time.Sleep(15 * time.Minute)
			r.cycle()
			r.world.ITSM.Delete("incident", incident)
		},
		plan.TicketNote: func(r *rig, incident string) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.LostAfter})
			r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
			r.cycle()
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Path: "/notes", Kind: simulator.Answer, Status: 404, Body: "{}", Times: -1})
		},
	}
	for kind, goes := range cases {
		for _, dropped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dropped: %t", kind, dropped), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					incident := r.world.Incident(r.users, "Laptop does not start", nil)
					r.rest()
					goes(r, incident)
					op := r.lastOf(kind)
					if op.State != plan.Unknown {
						t.Fatalf("the %s is %s: %s", kind, op.State, op.Reason)
					}
					want := plan.Doubt
					if dropped {
						after, err := plan.Dropped(op, "its record is gone", time.Now())
						if err == nil {
							_, err = r.ledger.Settle(t.Context(), after, plan.Promise{At: time.Now()})
						}
						if err != nil {
							t.Fatal(err)
						}
						want = plan.Cancelled
					}
					r.cycles(30) // a quarter of an hour
					if op := r.lastOf(kind); !dropped && op.State != plan.Unknown {
						t.Errorf("after a quarter of an hour the %s is %s: %s", kind, op.State, op.Reason)
					}
					r.cycles(150)
					if op := r.lastOf(kind); op.State != want {
						t.Errorf("the %s is %s, want %s: %s", kind, op.State, want, op.Reason)
					}
				})
			})
		}
	}
}

// lastOf gives the op of a kind that was promised last.
func (r *rig) lastOf(kind plan.Kind) plan.Op {
	r.Helper()
	var last plan.Op
	for op, err := range r.ledger.Ops(r.Context(), plan.OpQuery{Kinds: []plan.Kind{kind}}) {
		if err != nil {
			r.Fatal(err)
		}
		last = op
	}
	return last
}
