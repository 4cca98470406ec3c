package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
	"bridge/store"
)

// copyOf fills a new ledger with all that another one knows now.
func copyOf(t *testing.T, from *store.Ledger) *store.Ledger {
	t.Helper()
	to, err := store.Open(t.Context(), store.Config{URL: "sqlite::memory:", Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Promise{At: time.Now()}
	var ids []string
	for link, err := range from.Links(t.Context(), plan.LinkQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, link.ID)
		link.Version = 0
		p.Links = append(p.Links, link)
	}
	for op, err := range from.Ops(t.Context(), plan.OpQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		p.Ops = append(p.Ops, op)
	}
	if p.Notes, err = from.Notes(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Promise(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, feed := range []string{"records/incident", "moved/incident"} {
		cursor, err := from.Cursor(t.Context(), feed)
		if err == nil {
			_, err = to.Promise(t.Context(), plan.Promise{At: time.Now(), Cursor: &cursor})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"journals", "lag", "listed", "appeared", "aged", "forgotten"} {
		text, err := from.Meta(t.Context(), key)
		if err == nil && text != "" {
			err = to.SetMeta(t.Context(), key, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// setBack puts an older ledger in the place of the rig's.
func (r *rig) setBack(to *store.Ledger) {
	r.Helper()
	old := r.ledger
	r.ledger = to
	if err := old.Close(); err != nil {
		r.Fatal(err)
	}
	r.start()
}

func TestALedgerThatWasSetBackSendsNothingTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 4 * time.Minute, -4 * time.Minute} {
		t.Run(fmt.Sprintf("the clocks of both sides are %s ahead", ahead), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { setBackWith(t, ahead) })
		})
	}
}

func setBackWith(t *testing.T, ahead time.Duration) {
	t.Helper()
	r := newRigOn(t, simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(ahead) }}))
	older := r.world.Incident(r.users, "An older one", nil)
	r.rest()
	backup := copyOf(t, r.ledger)
	newer := r.world.Incident(r.users, "A newer one", nil)
	r.world.ITSM.Comment("incident", newer, "ada.byron", "Please help.")
	r.world.ITSM.Comment("incident", older, "ada.byron", "And with this one.")
	task, item := r.world.Task(r.users, newer)
	r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
	r.rest()
	r.world.MMD.AddNote(r.ticketOf(newer).ID, "vera@vendor.example", "On it.")
	r.world.MMD.AddNote(r.ticketOf(older).ID, "vera@vendor.example", "This too.")
	r.world.ITSM.Set("incident", older, map[string]string{"priority": "1", "impact": "1", "urgency": "1"})
	r.rest()
	wrote := map[string]int{}
	for _, n := range r.world.ITSM.Journal(task, "work_notes") {
		wrote[n.Text]++
	}
	told := len(r.told(r.ticketOf(older).ID))

	r.setBack(backup)
	r.world.ITSM.Comment("incident", newer, "ada.byron", "While it was down.")
	time.Sleep(time.Second)
	for range 3 {
		r.rest()
		time.Sleep(10 * time.Minute)
	}
	r.world.MMD.AddNote(r.ticketOf(newer).ID, "vera@vendor.example", "Done.")
	time.Sleep(time.Hour)
	r.rest()

	count := map[string]int{}
	for _, id := range []string{newer, older} {
		for _, text := range append(r.told(r.ticketOf(id).ID), r.said(id)...) {
			count[text]++
		}
	}
	for _, text := range []string{"Please help.", "And with this one.", "While it was down.", "On it.", "This too.", "Done."} {
		if count[text] != 1 {
			t.Errorf("%q was passed on %d times\n%s", text, count[text], r.story())
		}
	}
	if n := len(r.told(r.ticketOf(older).ID)); n != told {
		t.Errorf("the older ticket has %d notes, it had %d: %q", n, told, r.told(r.ticketOf(older).ID))
	}
	if n := len(r.world.MMD.Elevations()); n != 1 {
		t.Errorf("%d elevation requests, want one\n%s", n, r.story())
	}
	for _, n := range r.world.ITSM.Journal(task, "work_notes") {
		wrote[n.Text]--
	}
	for text, left := range wrote {
		if left != 0 {
			t.Errorf("%q was said %d times more on the task", text, -left)
		}
	}
	if c := r.counts(); c.Doubt+c.Twins+c.Vanished > 0 {
		t.Errorf("%+v\n%s", c, r.story())
	}
}

// TestALedgerThatLostOnlyNotesSendsNoneTwice sets a ledger back over a time in which
// nothing was created: notes alone tell that.
func TestALedgerThatLostOnlyNotesSendsNoneTwice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// lost happens after the copy was made, before it takes the ledger's place.
		lost func(r *rig, incident string)
	}{
		{"a comment that was passed on", func(r *rig, incident string) { r.world.ITSM.Comment("incident", incident, "ada.byron", "And then?") }},
		{"a comment that was owed", func(*rig, string) {}},
		{"a vendor's note", func(r *rig, incident string) {
			r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		}},
		{"a state that a person has changed since", func(r *rig, incident string) {
			r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Solved.")
			r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
			r.rest()
			r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				time.Sleep(time.Hour)
				r.rest()
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				if err := r.loop.Poller.Poll(t.Context(), &r.report); err != nil {
					t.Fatal(err)
				}
				backup := copyOf(t, r.ledger)
				r.rest()
				tt.lost(r, incident)
				r.rest()
				before := append(r.told(r.ticketOf(incident).ID), r.said(incident)...)
				state := r.world.ITSM.Row("incident", incident)["state"]

				r.setBack(backup)
				for range 3 {
					r.rest()
					time.Sleep(20 * time.Minute)
				}
				if diff := cmp.Diff(before, append(r.told(r.ticketOf(incident).ID), r.said(incident)...)); diff != "" {
					t.Errorf("what was told and said (-before +after):\n%s\n%s", diff, r.story())
				}
				if now := r.world.ITSM.Row("incident", incident)["state"]; now != state {
					t.Errorf("the state was %s and is %s", state, now)
				}
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Thank you.")
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Welcome.")
				time.Sleep(time.Hour)
				r.rest()
				all := append(r.told(r.ticketOf(incident).ID), r.said(incident)...)
				for _, text := range []string{"Thank you.", "Welcome."} {
					if n := strings.Count(strings.Join(all, "\n"), text); n != 1 {
						t.Errorf("%q was passed on %d times\n%s", text, n, r.story())
					}
				}
			})
		})
	}
}

func TestATwinOfATicketThatWasAdoptedIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known to both", nil)
		r.rest()
		backup := copyOf(t, r.ledger)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.setBack(backup)
		r.rest()
		ticket := r.ticketOf(incident)
		r.world.MMD.AddTicket("A late twin", ticket.Description)
		r.rest()
		if c := r.counts(); c.Twins != 1 || r.linkOf(incident).MMD != ticket.ID {
			t.Errorf("%+v\n%s", c, r.story())
		}
	})
}

func TestALedgerThatIsLostDoesNotTellTwiceThatARecordLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		before := r.told(r.ticketOf(incident).ID)
		r.lose()
		if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			time.Sleep(20 * time.Minute)
			r.rest()
		}
		if diff := cmp.Diff(before, r.told(r.ticketOf(incident).ID)); diff != "" || len(before) != 1 {
			t.Errorf("what the ticket was told (-before +after):\n%s\n%s", diff, r.story())
		}
	})
}

// TestALedgerThatLostAnElevationDoesNotAskForItTwice reads the task only after the loss
// was discovered.
func TestALedgerThatLostAnElevationDoesNotAskForItTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 10 })
		_, item := r.world.Task(r.users, r.world.Incident(r.users, "Laptop does not start", nil))
		r.rest()
		backup := copyOf(t, r.ledger)
		time.Sleep(time.Hour)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		r.setBack(backup)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: http.MethodGet, Path: "sc_task", Kind: simulator.RefusedBefore, Times: -1})
		r.cycles(2)
		r.world.Faults.Clear()
		r.rest()
		r.elevation(true)
	})
}

// TestWhatFallsDueWaitsUntilTheLedgerIsProven has a service on a ledger that was set back
// while the vendor's lists do not answer, and a ticket that falls due between two polls.
func TestWhatFallsDueWaitsUntilTheLedgerIsProven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		create := r.opOf(plan.TicketCreate)
		if create.State != plan.Promised {
			t.Fatalf("the create is %s", create.State)
		}
		backup := copyOf(t, r.ledger)
		r.rest()
		create.Due = time.Now().Add(10 * time.Second)
		if _, err := backup.Settle(t.Context(), create, plan.Promise{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.RefusedBefore, Times: -1})
		r.setBack(backup)
		ctx, stop := context.WithCancel(t.Context())
		cycle := 0
		err := r.loop.Run(ctx, 30*time.Second, func(connector.Report, error) {
			if cycle++; cycle == 3 {
				stop()
			}
		})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		r.ticketOf(incident) // it is the only one
	})
}

// TestALedgerServerThatIsReplacedByAnOlderCopyIsProvenAgain swaps it under a running
// service, as an asynchronous failover does.
func TestALedgerServerThatIsReplacedByAnOlderCopyIsProvenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		older := copyOf(t, r.ledger)
		first := r.ledger
		defer func() { _ = first.Close() }()
		ctx, stop := context.WithCancel(t.Context())
		cycle := 0
		err := r.loop.Run(ctx, 30*time.Second, func(report connector.Report, err error) {
			if err != nil {
				t.Errorf("cycle %d: %v", cycle, err)
			}
			switch cycle++; cycle {
			case 2:
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
			case 40:
				first.Break()
				r.ledger = older
				r.loop.Poller.Ledger, r.loop.Sender.Ledger = older, older
			case 80:
				stop()
			}
		})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		ticket := []string{"", "Any news?"} // the vendor's own words have no head
		if diff := cmp.Diff(ticket, r.told(r.ticketOf(incident).ID)); diff != "" {
			t.Errorf("what the ticket was told (-want +got):\n%s\n%s", diff, r.story())
		}
		if diff := cmp.Diff([]string{"On it."}, r.said(incident)); diff != "" {
			t.Errorf("what was said on the record (-want +got):\n%s\n%s", diff, r.story())
		}
	})
}

func TestALostLedgerIsRelinkedWithWhatIsClosedAndReassigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		closed := r.world.Incident(r.users, "A closed one", nil)
		moved := r.world.Incident(r.users, "A reassigned one", nil)
		quiet := r.world.Incident(r.users, "A quiet one", nil)
		task, item := r.world.Task(r.users, quiet)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		r.world.ITSM.Set("incident", closed, map[string]string{"state": "7"})
		r.world.ITSM.Set("incident", moved, map[string]string{"assignment_group": ""})
		r.rest()
		stranger := r.world.MMD.AddTicket("INC0099999: gone", "INC0099999 · "+plan.Pair{Host: "itsm.test", Tenant: "x"}.Mark("a", plan.TicketCreate, "1", ""))
		before := fmt.Sprint(r.world.MMD.Tickets(), r.world.MMD.Elevations())
		r.lose()
		found, err := r.loop.Poller.Relink(t.Context())
		if err != nil || found.Tickets != 3 || found.Elevations != 1 || len(found.Strangers) != 0 {
			t.Fatalf("%+v, %v (%s is another pair's)", found, err, stranger)
		}
		if after := fmt.Sprint(r.world.MMD.Tickets(), r.world.MMD.Elevations()); after != before {
			t.Error("relink changed something")
		}
		if _, err := r.loop.Poller.Relink(t.Context()); err == nil || !strings.Contains(err.Error(), "knows links") {
			t.Errorf("a second relink: %v", err)
		}
		r.rest()
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Driver installed."})
		r.world.ITSM.Comment("incident", quiet, "ada.byron", "Thank you.")
		time.Sleep(time.Hour)
		r.rest()
		if e := r.world.MMD.Elevations(); len(e) != 1 || e[0].Open || len(r.world.MMD.Tickets()) != 4 {
			t.Errorf("elevations %+v, %d tickets\n%s", e, len(r.world.MMD.Tickets()), r.story())
		}
		if told := r.told(r.ticketOf(quiet).ID); !slices.Equal(told, []string{"Thank you."}) {
			t.Errorf("the quiet one was told %q", told)
		}
	})
}

func TestARelinkThatWasInterruptedIsRunAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.lose()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Path: "elevationRequests", Kind: simulator.HTML, Times: -1})
		if _, err := r.loop.Poller.Relink(t.Context()); err == nil {
			t.Fatal("a relink that cannot read the elevation requests is finished")
		}
		r.world.Faults.Clear()
		found, err := r.loop.Poller.Relink(t.Context())
		if err != nil || found.Tickets != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		r.rest()
		r.ticketOf(incident)
	})
}

func TestARelinkTakesTheTicketThatTheRecordNamesAndCallsTheOtherATwin(t *testing.T) {
	t.Parallel()
	for name, lag := range map[string]time.Duration{"both are listed": 0, "the list does not show the newer one yet": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				older := r.ticketOf(incident)
				time.Sleep(lag + time.Minute)
				newer := r.world.MMD.AddTicket("Its twin", older.Description)
				r.world.ITSM.Set("incident", incident, map[string]string{"correlation_id": newer})
				r.lose()
				r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = lag })
				if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
					t.Fatal(err)
				}
				if link := r.linkOf(incident); link.MMD != newer || !slices.Equal(link.Twins, []string{older.ID}) {
					t.Errorf("linked with %s (the record names %s), twins %q", link.MMD, newer, link.Twins)
				}
			})
		})
	}
}

func TestALedgerThatWasSetBackOpensNoElevationAgainAndSaysNothingTwice(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("closed: %t", closed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// What is read a moment after the loss was noticed is no younger fact.
				r := newRigOn(t, simulator.New(simulator.Config{Latency: 100 * time.Millisecond}))
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 5 })
				r.world.Incident(r.users, "Known to both", nil)
				task, item := r.world.Task(r.users, "")
				r.rest()
				backup := copyOf(t, r.ledger)
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.rest()
				if closed {
					backup.Close() //nolint:errcheck // another one is taken
					backup = copyOf(t, r.ledger)
					r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
					r.world.Incident(r.users, "The older copy does not know it", nil)
					r.rest()
				}
				r.setBack(backup)
				r.rest()
				time.Sleep(time.Hour)
				r.rest()
				if n := len(r.world.MMD.Elevations()); n != 1 {
					t.Errorf("%d elevation requests\n%s", n, r.story())
				}
				said := map[string]int{}
				for _, text := range r.said(task) {
					if said[text]++; said[text] > 1 {
						t.Errorf("said again: %s", text)
					}
				}
			})
		})
	}
}

// TestACreateThatWasRefusedBeforeACopyIsNoProofThatTheCopyIsWhole has a copy taken
// between the refusal and the send that went well.
func TestACreateThatWasRefusedBeforeACopyIsNoProofThatTheCopyIsWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 1})
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		if op := r.opOf(plan.TicketCreate); op.State != plan.Promised || op.Attempt != 1 {
			t.Fatalf("the create is %s after %d sends", op.State, op.Attempt)
		}
		backup := copyOf(t, r.ledger)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Kind: simulator.RefusedBefore, Times: -1}) // the record names no ticket
		r.cycles(2)
		r.setBack(backup)
		r.world.Faults.Clear()
		r.rest()
		if aged, err := r.ledger.Meta(t.Context(), "aged"); err != nil || aged == "" {
			t.Errorf("the ledger is taken to be whole (%v)\n%s", err, r.story())
		}
	})
}

// TestACloseByTheVendorIsSaidOnceByALedgerThatWasSetBack leaves nothing else to show
// that it was: it knows all tickets and notes that there are.
func TestACloseByTheVendorIsSaidOnceByALedgerThatWasSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		task, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		backup := copyOf(t, r.ledger)
		r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
		r.rest()
		before := r.said(task)
		time.Sleep(10 * time.Minute)
		r.setBack(backup)
		r.rest()
		if diff := cmp.Diff(before, r.said(task)); diff != "" || len(before) != 2 {
			t.Errorf("said on the task (-before, +after the ledger was set back):\n%s\n%s", diff, r.story())
		}
	})
}

func TestALedgerThatWasSetBackLooksForAsLongAsTheListWasSeenToLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 8 * time.Minute })
		for i := range 3 { // the lag is measured
			r.world.Incident(r.users, fmt.Sprintf("An older one, %d", i), nil)
			r.cycles(20)
		}
		backup := copyOf(t, r.ledger)
		r.world.Incident(r.users, "What proves the loss", nil)
		r.cycles(20)
		last := r.world.Incident(r.users, "The last one", nil)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter})
		r.cycle()
		r.setBack(backup)
		r.cycles(60)
		r.rest()
		r.ticketOf(last)
		if c := r.counts(); c.Twins != 0 || c.Doubt != 0 {
			t.Errorf("%+v\n%s", c, r.story())
		}
	})
}

// TestAnEmptyListDoesNotProveThatTheLedgerIsWhole sets a ledger back to before a create
// whose answer was lost, and lets the vendor show empty lists at the start.
func TestAnEmptyListDoesNotProveThatTheLedgerIsWhole(t *testing.T) {
	t.Parallel()
	for _, empty := range []int{1, 2, 3, 6, 20} {
		t.Run(fmt.Sprintf("%d empty lists", empty), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.Incident(r.users, "An older one", nil)
				r.rest()
				backup := copyOf(t, r.ledger)
				last := r.world.Incident(r.users, "The last one", nil)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter})
				r.cycle()
				r.setBack(backup)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.EmptyList, Times: empty})
				r.cycles(40)
				r.rest()
				r.ticketOf(last)
				if c := r.counts(); c.Twins != 0 || c.Doubt != 0 {
					t.Errorf("%+v\n%s", c, r.story())
				}
			})
		})
	}
}

func TestTicketsThatAreAllGoneDoNotStopTheBridge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "An older one", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.EmptyList, Times: -1})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets(", Kind: simulator.Answer, Status: 404, Body: "{}", Times: -1})
		r.start()
		incident := r.world.Incident(r.users, "A new one", nil)
		r.cycles(4)
		r.ticketOf(incident)
	})
}

// TestWhatIsSentBetweenTwoPollsIsReported has a ticket refused by a busy vendor, and sent
// before the next poll.
func TestWhatIsSentBetweenTwoPollsIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		ctx, stop := context.WithCancel(t.Context())
		cycle, created := 0, []int{}
		if err := r.loop.Run(ctx, 30*time.Second, func(report connector.Report, err error) {
			if created = append(created, report.Done[plan.TicketCreate]); err != nil {
				t.Errorf("cycle %d: %v", cycle, err)
			}
			if cycle++; cycle == 3 {
				stop()
			}
		}); err != nil {
			t.Fatal(err)
		}
		r.ticketOf(incident)
		if diff := cmp.Diff([]int{0, 1, 0}, created); diff != "" {
			t.Errorf("tickets made in each cycle (-want +got):\n%s", diff)
		}
	})
}
