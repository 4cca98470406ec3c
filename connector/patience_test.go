package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
)

func TestASideThatAsksToBeLeftAloneIsLeftAloneByTheNextCyclesToo(t *testing.T) {
	t.Parallel()
	for _, side := range []string{simulator.SideITSM, simulator.SideMMD} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				r.world.Faults.Keep()
				r.world.Faults.Add(simulator.Rule{Side: side, Kind: simulator.TooMany, RetryAfter: 600, Times: 1})
				time.Sleep(time.Minute)
				began := len(r.world.Faults.Log())
				r.cycles(19) // in 9 minutes and a half
				asked := 0
				for _, request := range r.world.Faults.Log()[began:] {
					if request.Side == side {
						asked++
					}
				}
				if asked != 1 {
					t.Errorf("it was asked %d times", asked)
				}
				if said := strings.Join(r.report.Unread, "\n"); !strings.Contains(said, "wants to be left alone") {
					t.Errorf("the report says %q", said)
				}
				r.rest()
				if notes := r.world.MMD.Notes(r.ticketOf(incident).ID); len(notes) != 1 {
					t.Errorf("%d notes, want the one comment: %s", len(notes), r.story())
				}
			})
		})
	}
}
