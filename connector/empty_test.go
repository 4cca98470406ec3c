package connector_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/mapping"
)

// with starts over with mappings.yaml in which texts stand for others, in pairs.
func (r *rig) with(pairs ...string) {
	r.Helper()
	src, err := os.ReadFile("../mappings.yaml")
	if err != nil {
		r.Fatal(err)
	}
	text := string(src)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			r.Fatalf("no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	rules, problems := mapping.Load("mappings.yaml", []byte(text), nil)
	if len(problems) > 0 {
		r.Fatal(problems)
	}
	r.rules = rules
	r.start()
}

// A vendor opens a ticket again, a day after a person had touched the state last: whether
// other tickets are open makes no difference.
func TestWhenTheListOfOpenTicketsIsEmptyAPersonsOldMoveIsOld(t *testing.T) {
	for _, other := range []bool{true, false} {
		t.Run(fmt.Sprint("another ticket is open ", other), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.with("owner: { state: mmd }", "owner: { state: itsm }",
					`        - when: ticket.state == "active" and record.state == "1"`, `        - when: ticket.state == "active" and record.state in ["1", "6"]`)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				if other {
					r.world.Incident(r.users, "Another", nil)
				}
				r.rest()
				ticket := r.ticketOf(incident).ID
				time.Sleep(time.Hour)
				r.rest()
				r.world.MMD.SetState(ticket, "resolved")
				time.Sleep(time.Minute)
				r.rest()
				r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
				time.Sleep(time.Minute)
				r.rest()
				r.world.ITSM.Set("incident", incident, map[string]string{"state": "6"})
				time.Sleep(time.Minute)
				r.rest()
				time.Sleep(24 * time.Hour)
				r.cycles(10)
				r.world.MMD.SetState(ticket, "active")
				r.cycles(10)
				if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
					t.Errorf("the vendor opened it again a day after a person moved it, and it is in state %s\n%s", row["state"], r.story())
				}
			})
		})
	}
}

// A reopening that waits for a person, and a vendor who opens the ticket again first.
func TestAHoldOfAReopeningEndsWhenTheVendorOpensTheTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: hold")
		incident := r.ended()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.rest()
		holds, err := r.ledger.Holds(t.Context())
		if err != nil || len(holds) != 1 {
			t.Fatal(holds, err)
		}
		r.world.MMD.SetState(r.linkOf(incident).MMD, "active")
		r.rest()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		r.rest()
		holds, _ = r.ledger.Holds(t.Context())
		if link := r.linkOf(incident); link.Ended.IsZero() && len(holds) != 0 {
			t.Errorf("the link goes on, notes flow (%q), and status says %q", r.told(link.MMD), holds[0].Reason)
		}
	})
}
