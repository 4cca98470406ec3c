package connector_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
)

func TestAnIncidentBecomesOneTicketAndIsLinked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		report := r.cycle()
		ticket := r.ticketOf(incident)
		row := r.world.ITSM.Row("incident", incident)
		got := map[string]string{"correlation_id": row["correlation_id"], "correlation_display": row["correlation_display"], "state": row["state"]}
		want := map[string]string{"correlation_id": ticket.ID, "correlation_display": "Microsoft Managed Desktop", "state": "2"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the incident (-want +got):\n%s", diff)
		}
		first, rest, _ := strings.Cut(ticket.Description, "\n")
		if plan.MarkOf(first) == "" || !strings.HasPrefix(first, row["number"]+" · ") || rest != "Laptop does not start, since this morning." {
			t.Errorf("the description is %q", ticket.Description)
		}
		if report.Done[plan.TicketCreate] != 1 || report.Done[plan.RecordUpdate] != 1 {
			t.Errorf("the report says %v", report.Done)
		}
		if c := r.counts(); c.Owed != 0 || c.LinksOpen != 1 {
			t.Errorf("the ledger counts %+v\n%s", c, r.story())
		}
	})
}

func TestASecondRunWithNothingNewWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		task, item := r.world.Task(r.users, incident)
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		if task == "" || len(r.world.MMD.Elevations()) != 1 {
			t.Fatalf("%d elevation requests, want one\n%s", len(r.world.MMD.Elevations()), r.story())
		}
		r.world.Faults.Keep()
		time.Sleep(2 * time.Hour)
		r.cycles(5)
		for _, call := range r.world.Faults.Log() {
			if call.Method != http.MethodGet && call.Side != "authority" {
				t.Errorf("%s %s %s", call.Method, call.Path, call.Body)
			}
		}
	})
}

func TestNotesGoBothWaysOnceInOrderAndDoNotComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It has been <b>dead</b> & dark since 9.\nPlease help.")
		r.world.ITSM.WorkNote("incident", incident, "bea.long", "internal: difficult customer")
		r.rest()
		ticket := r.ticketOf(incident)
		r.world.MMD.AddNote(ticket.ID, "vera@vendor.example", `<p>We are <a href="https://x.example/parcel">shipping</a> a battery.</p><script>alert(1)</script><ul><li>remove the old one</li><li>[code]<b>x</b>[/code]</li></ul>`)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks!")
		r.rest()
		r.world.MMD.AddNote(ticket.ID, "vera@vendor.example", "Arrived?")
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Yes.")
		r.rest()
		time.Sleep(time.Hour)
		r.rest()

		var toTicket, toRecord []string
		for _, n := range r.world.MMD.Notes(ticket.ID) {
			if strings.HasPrefix(n.Sender, "app-") {
				toTicket = append(toTicket, body(t, n.Text, "<br>"))
			}
		}
		for _, n := range r.world.ITSM.Journal(incident, "work_notes") {
			if n.By == "bridge.mmd" {
				toRecord = append(toRecord, body(t, n.Text, "\n"))
			}
		}
		wantTicket := []string{
			"ada.byron: It has been &lt;b&gt;dead&lt;/b&gt; &amp; dark since 9.<br>Please help.",
			"ada.byron: Thanks!", "ada.byron: Yes.",
		}
		if diff := cmp.Diff(wantTicket, toTicket); diff != "" {
			t.Errorf("notes on the ticket (-want +got):\n%s", diff)
		}
		wantRecord := []string{
			"vera@vendor.example: We are shipping (https://x.example/parcel) a battery.\n\n- remove the old one\n- [ code ]x[ /code ]",
			"vera@vendor.example: Arrived?",
		}
		if diff := cmp.Diff(wantRecord, toRecord); diff != "" {
			t.Errorf("work notes on the incident (-want +got):\n%s", diff)
		}
		if n := len(r.world.MMD.Notes(ticket.ID)); n != 5 {
			t.Errorf("%d notes on the ticket, want 5", n)
		}
	})
}

// body takes the bridge's first line off a note, and gives who said it and what.
func body(t *testing.T, note, newline string) string {
	t.Helper()
	first, rest, _ := strings.Cut(note, newline)
	parts := strings.Split(first, " · ")
	if len(parts) != 4 || plan.MarkOf(first) == "" {
		t.Errorf("the first line of a note is %q, want WHO · WHEN · OBJECT · MARK", first)
		return note
	}
	if _, err := time.Parse(time.RFC3339, parts[1]); err != nil || !strings.HasSuffix(parts[1], "Z") {
		t.Errorf("the time of a note is %q, want RFC 3339 with Z", parts[1])
	}
	return parts[0] + ": " + rest
}

func TestATicketThatIsResolvedResolvesItsIncident(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident)
		r.world.MMD.AddNote(ticket.ID, "vera@vendor.example", "Replaced it.")
		r.world.MMD.SetState(ticket.ID, "resolved")
		r.rest()
		row := r.world.ITSM.Row("incident", incident)
		if row["state"] != "6" || row["close_code"] != "Solution provided" || row["close_notes"] != "Resolved by Microsoft on ticket "+ticket.ID {
			t.Errorf("the incident is %v\n%s", row, r.story())
		}
		if notes := r.world.ITSM.Journal(incident, "work_notes"); len(notes) != 1 {
			t.Errorf("%d work notes, want the one that was written before the state", len(notes))
		}
		if notes := r.world.MMD.Notes(ticket.ID); len(notes) != 1 {
			t.Errorf("the ticket was told of a state that came from itself: %v", notes)
		}
	})
}

func TestAChangeOfTheRecordIsToldToTheTicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.rest()
		notes := r.world.MMD.Notes(r.ticketOf(incident).ID)
		if len(notes) != 1 || !strings.HasSuffix(notes[0].Text, "<br>State: On Hold, was In Progress") {
			t.Errorf("the ticket's notes are %v", notes)
		}
		if state := r.world.ITSM.Row("incident", incident)["state"]; state != "3" {
			t.Errorf("a person's On Hold was set back to %s", state)
		}
	})
}

func TestALinkedRecordIsWatchedAfterItLeavesTheQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7"})
		r.rest()
		notes := r.world.MMD.Notes(r.ticketOf(incident).ID)
		if len(notes) != 1 || !strings.Contains(notes[0].Text, "State: Closed, was In Progress") {
			t.Errorf("the ticket's notes are %v\n%s", notes, r.story())
		}
	})
}

func TestAnElevationIsOpenedWhenAndOnlyWhenItsTaskIsApproved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		task, item := r.world.Task(r.users, incident)
		r.rest()
		if n := len(r.world.MMD.Elevations()); n != 0 {
			t.Fatalf("%d elevation requests before anybody approved", n)
		}
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		opened := r.world.MMD.Elevations()
		if len(opened) != 1 || !opened[0].Open || opened[0].Device != "MMD-03690457680" || opened[0].Ticket != r.ticketOf(incident).ID {
			t.Fatalf("elevation requests: %+v\n%s", opened, r.story())
		}
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Replaced driver."})
		r.rest()
		closed := r.world.MMD.Elevations()
		if len(closed) != 1 || closed[0].Open || closed[0].Actions != "Replaced driver." {
			t.Errorf("elevation requests: %+v\n%s", closed, r.story())
		}
		var said []string
		for _, n := range r.world.ITSM.Journal(task, "work_notes") {
			said = append(said, body(t, n.Text, "\n"))
		}
		want := []string{
			"bridge: Elevation request " + opened[0].ID + " was opened for MMD-03690457680.",
			"bridge: Elevation request " + opened[0].ID + " was closed: Replaced driver.",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("what the task was told (-want +got):\n%s", diff)
		}
	})
}

func TestAnElevationThatMayNotBeOpened(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before func(r *rig, task, item string)
		said   string
		parked int
	}{
		"is not asked for when the requester approved it": {func(r *rig, _, item string) { r.world.ITSM.Decide("sc_req_item", item, r.users.Ada, "approved") }, "who may not", 1},
		"is not asked for when it was rejected":           {func(r *rig, _, item string) { r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "rejected") }, "", 0},
		"is not asked for when its field alone says so": {func(r *rig, _, item string) {
			r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "approved"})
		}, "no approval rows", 1},
		"is not asked for when it was approved long ago": {func(r *rig, _, item string) {
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
			time.Sleep(25 * time.Hour)
		}, "longer than 24h0m0s ago", 1},
		"is parked when the device does not exist": {func(r *rig, task, item string) {
			r.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": r.world.ITSM.Insert("cmdb_ci", map[string]string{"name": "UNKNOWN"})})
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		}, "This device does not exist", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				task, item := r.world.Task(r.users, "")
				tt.before(r, task, item)
				r.cycles(3)
				if n := len(r.world.MMD.Elevations()); n != 0 {
					t.Fatalf("%d elevation requests, want none", n)
				}
				var said []string
				for _, n := range r.world.ITSM.Journal(task, "work_notes") {
					said = append(said, n.Text)
				}
				if tt.said == "" && len(said) > 0 || tt.said != "" && (len(said) != 1 || !strings.Contains(said[0], tt.said)) {
					t.Errorf("the task was told %q, want %q\n%s", said, tt.said, r.story())
				}
				if c := r.counts(); c.Parked != tt.parked {
					t.Errorf("%d parked, want %d\n%s", c.Parked, tt.parked, r.story())
				}
			})
		})
	}
}

func TestTooManyOpenElevationsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		_, item = r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(10)
		if c := r.counts(); c.Waiting+c.Due != 1 || c.Parked != 0 {
			t.Fatalf("the second request does not wait: %+v\n%s", c, r.story())
		}
		r.world.ITSM.Set("sc_task", first, map[string]string{"state": "3"})
		time.Sleep(15 * time.Minute)
		r.rest()
		if all := r.world.MMD.Elevations(); len(all) != 2 || all[0].Open || !all[1].Open {
			t.Errorf("elevation requests: %+v\n%s", all, r.story())
		}
	})
}

func TestAWithdrawnApprovalClosesTheElevation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		r.world.ITSM.Set("sc_req_item", item, map[string]string{"approval": "requested"})
		r.rest()
		if all := r.world.MMD.Elevations(); len(all) != 1 || all[0].Open {
			t.Errorf("elevation requests: %+v\n%s", all, r.story())
		}
	})
}

func TestARecordThatCannotBeMappedIsParkedAndStopsNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		bad := r.world.Incident(r.users, "No caller", map[string]string{"caller_id": ""})
		good := r.world.Incident(r.users, "Fine", nil)
		r.cycles(2)
		r.ticketOf(good)
		if c := r.counts(); c.Parked != 1 {
			t.Fatalf("%+v\n%s", c, r.story())
		}
		number := r.world.ITSM.Row("incident", bad)["number"]
		for _, want := range []string{number, "rule incident (mappings.yaml:", "contact.email is empty and required (from caller_id.email)"} {
			if !strings.Contains(r.story(), want) {
				t.Errorf("the reason does not say %q:\n%s", want, r.story())
			}
		}
		r.world.ITSM.Set("incident", bad, map[string]string{"caller_id": r.users.Ada})
		r.rest()
		r.ticketOf(bad)
	})
}

func TestTheBrakeHoldsARuleUntilItIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 3
		r.start()
		for range 5 {
			r.world.Incident(r.users, "Storm", nil)
		}
		report := r.cycle()
		r.cycles(2)
		if n := len(r.world.MMD.Tickets()); n != 0 || len(report.Held) != 1 || r.counts().Held != 1 || r.counts().Owed != 5 {
			t.Fatalf("%d tickets, held %v, %+v", n, report.Held, r.counts())
		}
		if err := r.ledger.Release(t.Context(), plan.Hold{Rule: "incident"}); err != nil {
			t.Fatal(err)
		}
		r.rest()
		if n := len(r.world.MMD.Tickets()); n != 5 {
			t.Errorf("%d tickets after the release, want 5", n)
		}
	})
}

func TestALostLedgerIsRelinkedAndNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.rest()
		ticket := r.ticketOf(incident)
		r.world.MMD.AddNote(ticket.ID, "vera@vendor.example", "On it.")
		r.rest()
		r.lose()
		if _, err := r.loop.Cycle(t.Context()); !errors.Is(err, connector.ErrLost) {
			t.Fatalf("an empty ledger beside marked tickets: %v", err)
		}
		found, err := r.loop.Poller.Relink(t.Context())
		if diff := cmp.Diff(connector.Relinked{Tickets: 1}, found); err != nil || diff != "" {
			t.Fatalf("relink: %v\n%s", err, diff)
		}
		r.rest()
		time.Sleep(time.Hour)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks.")
		r.world.MMD.AddNote(ticket.ID, "vera@vendor.example", "Done.")
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		r.ticketOf(incident)
		if notes := r.world.MMD.Notes(ticket.ID); len(notes) != 4 {
			t.Errorf("%d notes on the ticket, want two each way: %v", len(notes), notes)
		}
		if notes := r.world.ITSM.Journal(incident, "work_notes"); len(notes) != 2 {
			t.Errorf("%d work notes, want 2: %v\n%s", len(notes), notes, r.story())
		}
	})
}

func TestOneRelinkRunsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.lose()
		_, release, err := r.ledger.Session().Claim(t.Context(), "relink")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.loop.Poller.Relink(t.Context()); err == nil || !strings.Contains(err.Error(), "another bridge relink") {
			t.Errorf("a second relink: %v", err)
		}
		release()
		if found, err := r.loop.Poller.Relink(t.Context()); err != nil || found.Tickets != 1 {
			t.Errorf("relinked %+v, %v", found, err)
		}
	})
}

func TestARecordOfAnotherIntegrationIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Laptop does not start", map[string]string{"correlation_id": "JIRA-17"})
		r.cycles(2)
		if n := len(r.world.MMD.Tickets()); n != 0 || r.counts().Parked != 1 || !strings.Contains(r.story(), "JIRA-17") {
			t.Errorf("%d tickets\n%s", n, r.story())
		}
	})
}

func TestAListThatLagsIsMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "An older one", nil)
		r.rest()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 10 * time.Minute })
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycles(30)
		lag, err := r.ledger.Meta(t.Context(), "lag")
		if measured, bad := time.ParseDuration(lag); err != nil || bad != nil || measured < 9*time.Minute || measured > 10*time.Minute {
			t.Errorf("the measured lag is %q, want about ten minutes (%v)", lag, err)
		}
	})
}

// TestATicketThatAListLeavesOutOnceIsNotLate has the list show it for half an hour before.
func TestATicketThatAListLeavesOutOnceIsNotLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "An older one", nil)
		r.rest()
		time.Sleep(2 * time.Hour)
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycles(60)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 45 * time.Minute })
		r.cycle()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 })
		r.start() // what a process remembers is not needed
		r.cycles(2)
		if lag, err := r.ledger.Meta(t.Context(), "lag"); err != nil || lag != "" {
			t.Errorf("the measured lag is %q, want none (%v)", lag, err)
		}
	})
}

func TestALineTakesThePlaceOfANoteThatCannotBeCopied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.Answer, Status: 400})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "First.")
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Second.")
		r.cycles(5)
		ticket := r.ticketOf(incident)
		if notes := r.world.MMD.Notes(ticket.ID); len(notes) != 0 || r.counts().Parked != 1 {
			t.Fatalf("the second note overtook the first: %v\n%s", notes, r.story())
		}
		time.Sleep(time.Hour)
		r.cycles(5)
		var got []string
		for _, n := range r.world.MMD.Notes(ticket.ID) {
			got = append(got, body(t, n.Text, "<br>"))
		}
		if len(got) != 2 || !strings.Contains(strings.Join(got, " "), "A note could not be copied (comments by ada.byron)") || !strings.Contains(strings.Join(got, " "), "ada.byron: Second.") {
			t.Errorf("notes %q\n%s", got, r.story())
		}
		if r.counts().Parked != 1 {
			t.Errorf("the parked note is not to be seen any more: %+v", r.counts())
		}
	})
}

func TestTheSettleDelayFallsWhenCreatesAreSeenToShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "A first one", nil)
		r.cycles(2)
		for range 25 {
			r.world.Incident(r.users, "Laptop does not start", nil)
			r.cycles(1)
		}
		r.cycles(2)
		r.world.Incident(r.users, "Lost", nil)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.ResetBefore})
		began := time.Now()
		for len(r.world.MMD.Tickets()) < 27 && time.Since(began) < 10*time.Minute {
			r.cycle()
			time.Sleep(time.Second)
		}
		// Budget and three times the half minute between two lists, not a minute and five.
		if took := time.Since(began); took > 4*time.Minute {
			t.Errorf("a lost create was sent again after %s\n%s", took, r.story())
		}
	})
}
