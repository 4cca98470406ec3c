package connector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// TestATitleThatQuotesAMarkIsNoTicketOfIt has a create lost on its way, and looked for while
// another record says its mark.
func TestATitleThatQuotesAMarkIsNoTicketOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.ResetBefore, Times: 1})
		lost := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		op := r.lastOf(plan.TicketCreate)
		if op.State != plan.Unknown {
			t.Fatalf("it is %s", op.State)
		}
		quotes := r.world.Incident(r.users, "Follow-up of "+op.Mark, nil)
		r.rest()
		if r.ticketOf(lost).ID == r.ticketOf(quotes).ID {
			t.Error("they share a ticket")
		}
	})
}

// TestTheTicketOfAnotherLinkIsNoLinksToTake has a ticket that the ledger knows as another
// record's carry the mark of a create that was lost on its way.
func TestTheTicketOfAnotherLinkIsNoLinksToTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		other := r.world.Incident(r.users, "Known", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter, Times: 1})
		lost := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		theirs := r.ticketOf(lost).ID
		for link, err := range r.ledger.Links(t.Context(), plan.LinkQuery{Records: []string{other}}) {
			if err != nil {
				t.Fatal(err)
			}
			link.MMD = theirs
			if _, err := r.ledger.Promise(t.Context(), plan.Promise{Links: []plan.Link{link}}); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			if _, err := r.loop.Cycle(context.Background()); err != nil {
				t.Fatalf("nothing is sent any more: %v", err)
			}
			time.Sleep(30 * time.Second)
		}
		if op := r.lastOf(plan.TicketCreate); op.State != plan.Doubt || len(r.world.MMD.Tickets()) != 2 {
			t.Errorf("it is %s (%s), and there are %d tickets", op.State, op.Reason, len(r.world.MMD.Tickets()))
		}
	})
}
