package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
	"bridge/simulator/itsm"
)

func TestCommentsThatAreNotPassedOnKeepARunFromBeingFine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.rest()
		r.world.ITSM.Switch(func(w *itsm.Switches) { w.Journals = "refuse" })
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.cycle()
		if len(r.report.Unread) == 0 {
			t.Fatal("nothing is said")
		}
		for i := range 10 {
			time.Sleep(30 * time.Second)
			r.cycle()
			if c := r.counts(); len(r.report.Unread) == 0 && c.Unheard == 0 {
				t.Fatalf("run %d: exit 0, all is well; %q; the ticket was told %q", i, r.linkOf(incident).Unheard, r.told(r.ticketOf(incident).ID))
			}
		}
		r.world.ITSM.Switch(func(w *itsm.Switches) { w.Journals = "" })
		r.scanned()
		if c := r.counts(); c.Unheard != 0 {
			t.Errorf("they are passed on again, and still said not to be: %q", r.linkOf(incident).Unheard)
		}
	})
}

func TestATicketThatIsGoneKeepsARunFromBeingFine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		id := r.ticketOf(incident).ID
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: id, Kind: simulator.Answer, Status: 404, Body: `{"error":{"code":"x","message":"no"}}`, Times: -1})
		r.world.MMD.SetState(id, "resolved") // out of the list
		r.cycles(100)
		if r.counts().Noticed != 1 {
			t.Errorf("exit 0: all is well. %q", r.linkOf(incident).Notice)
		}
		r.world.Faults.Clear()
		r.rest()
		if link := r.linkOf(incident); r.counts().Noticed != 0 || link.Notice != "" {
			t.Errorf("it is there again, and still said to be gone: %q", link.Notice)
		}
	})
}
