package connector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// fasterHand is a person who drops an op right before the worker ends it.
type fasterHand struct {
	connector.Ledger
	of  *store.Ledger
	hit func(plan.Op) bool
	n   int
}

func (f *fasterHand) Settle(ctx context.Context, op plan.Op, p plan.Promise) ([]string, error) {
	if f.hit(op) {
		if err := f.of.Drop(ctx, op.Key, "not wanted", time.Now()); err != nil {
			return nil, err
		}
		f.n++
	}
	return f.Ledger.Settle(ctx, op, p)
}

// TestAPersonWhoIsFasterStopsOneLinkOnly has an op dropped that the worker is about to end
// for a newer one, or for a line that takes its place. Other links go on in that pass.
func TestAPersonWhoIsFasterStopsOneLinkOnly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		owes func(r *rig, incident string)
		hit  func(plan.Op) bool
	}{
		"an update that a newer one ends": {func(r *rig, incident string) {
			op := r.lastOf(plan.RecordUpdate)
			var waiting []plan.Op
			for _, turn := range []string{"8", "9"} {
				op.Key, op.State, op.Frozen, op.Attempt, op.Ended, op.Due = "record.update/"+incident+"/1."+turn, plan.Promised, false, 0, time.Time{}, time.Now()
				waiting = append(waiting, op)
			}
			if _, err := r.ledger.Promise(r.Context(), plan.Promise{Ops: waiting}); err != nil {
				r.Fatal(err)
			}
		}, func(op plan.Op) bool { return op.Kind == plan.RecordUpdate && op.State == plan.Superseded }},
		"a note that a line takes the place of": {func(r *rig, incident string) {
			r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.Answer, Status: 400, Body: `{"error":{"code":"x","message":"no"}}`, Times: -1})
			r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
			r.cycles(2)
			time.Sleep(2 * time.Hour)
		}, func(op plan.Op) bool { return op.Kind == plan.TicketNote && op.State == plan.Parked && op.Frozen }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				hand := &fasterHand{of: r.ledger, hit: func(plan.Op) bool { return false }}
				r.wrap = func(l connector.Ledger) connector.Ledger {
					hand.Ledger = l
					return hand
				}
				r.start()
				tt.owes(r, incident)
				hand.hit = tt.hit
				for i := range 3 {
					r.world.Incident(r.users, "Laptop does not start", nil)
					r.cycle()
					if n := len(r.world.MMD.Tickets()); n != i+2 {
						t.Fatalf("%d tickets in cycle %d\n%s", n, i, r.story())
					}
					time.Sleep(30 * time.Second)
				}
				if hand.n == 0 {
					t.Errorf("nobody was faster\n%s", r.story())
				}
			})
		})
	}
}
