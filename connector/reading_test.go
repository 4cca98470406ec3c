package connector_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
)

// wider drops a condition from each query, as an instance does when a right to a
// field is lost.
type wider struct {
	next    http.RoundTripper
	dropped string
}

func (w wider) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	if asked := query.Get("sysparm_query"); strings.Contains(asked, w.dropped) {
		query.Set("sysparm_query", strings.Replace(asked, w.dropped, "", 1))
		r = r.Clone(r.Context())
		r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawQuery: query.Encode()}
	}
	return w.next.RoundTrip(r)
}

func TestAQueryThatIsWidenedTakesNoForeignRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.way = func(next http.RoundTripper) http.RoundTripper {
			return wider{next, "^assignment_group.name=Microsoft Managed Desktop"}
		}
		r.start()
		ours := r.world.Incident(r.users, "Ours", nil)
		r.world.Incident(r.users, "Another group's", map[string]string{"assignment_group": ""})
		report := r.cycle()
		r.rest()
		if n := len(r.world.MMD.Tickets()); n != 1 || report.Records != 2 {
			t.Errorf("%d tickets of %d records, want one of two: was the query widened at all?", n, report.Records)
		}
		r.ticketOf(ours)
	})
}

func TestNotesThatAreRenumberedAreNoNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.MMD.AddNote(ticket, "vera@vendor.example", "First.")
		time.Sleep(time.Minute)
		r.world.MMD.AddNote(ticket, "vera@vendor.example", "Second.")
		r.rest()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.NotesNewestFirst = true })
		time.Sleep(time.Minute)
		r.world.MMD.AddNote(ticket, "vera@vendor.example", "Third.")
		time.Sleep(20 * time.Minute)
		r.rest()
		if diff := cmp.Diff([]string{"First.", "Second.", "Third."}, r.said(incident)); diff != "" {
			t.Errorf("work notes (-want +got):\n%s", diff)
		}
	})
}

func TestALostCreateOnALaggingListIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.settle = 30 * time.Second
		r.start()
		r.world.Incident(r.users, "An older one", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 20 * time.Second })
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.LostAfter})
		for range 300 {
			r.cycle()
			time.Sleep(time.Second)
		}
		r.ticketOf(incident)
	})
}

func TestALostCreateIsFoundByItsMarkAndNotByANumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.settle = 30 * time.Second
		r.start()
		first := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		number := r.world.ITSM.Row("incident", first)["number"]
		lost := r.world.Incident(r.users, "No sound", nil)
		followUp := r.world.MMD.AddTicket("Follow-up of "+r.world.ITSM.Row("incident", lost)["number"], "Written by a person, beside "+number)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.ResetBefore})
		r.rest()
		if id := r.world.ITSM.Row("incident", lost)["correlation_id"]; id == "" || id == followUp {
			t.Errorf("the incident is linked to %q, a person's ticket is %q", id, followUp)
		}
		r.ticketOf(lost)
	})
}

func TestAnEditWhileACreateIsUnknownMakesNoSecondTicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.settle = 30 * time.Second
		r.start()
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.LostAfter})
		r.cycle()
		r.world.ITSM.Set("incident", incident, map[string]string{"short_description": "Laptop does not start at all"})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It is urgent.")
		r.rest()
		r.ticketOf(incident)
		if n := len(r.world.MMD.Tickets()); n != 1 {
			t.Errorf("%d tickets\n%s", n, r.story())
		}
		r.opOf(plan.TicketCreate) // one, whatever the text was when it was planned
	})
}

// blind makes a list show nothing, for as long as the faults are not cleared.
func (r *rig) blind(path string) {
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: path, Kind: simulator.EmptyList, Times: -1})
}

func TestListsThatShowNothingProveNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, lost, blind string
	}{
		{"a list of tickets without one that is known", "tickets", "tickets"},
		{"a list of notes without one that is known", "addNote", "notes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.settle = 30 * time.Second
				r.start()
				incident := r.world.Incident(r.users, "An older one", nil)
				r.rest()
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
				time.Sleep(20 * time.Minute)
				r.rest()
				r.blind(tt.blind)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: tt.lost, Kind: simulator.LostAfter, Times: 2})
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks.")
				r.cycle()
				newer := r.world.Incident(r.users, "Laptop does not start", nil)
				r.cycles(40)
				r.world.Faults.Clear()
				r.rest()
				r.ticketOf(newer)
				if told := r.told(r.ticketOf(incident).ID); len(told) != 2 {
					t.Errorf("the notes of the older ticket are %q\n%s", told, r.story())
				}
			})
		})
	}
}

func TestAStateThatWasDecidedLongAgoDoesNotOverwriteAPersonsNewerOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.cycles(20)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7"})
		r.world.Faults.Clear()
		r.rest()
		if state := r.world.ITSM.Row("incident", incident)["state"]; state != "7" {
			t.Errorf("a person closed it, and it was set back to %s\n%s", state, r.story())
		}
	})
}

func TestAListThatEndsBeforeItsCountIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.page = 2
		r.start()
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		for _, text := range []string{"One.", "Two.", "Three."} {
			r.world.ITSM.Comment("incident", incident, "ada.byron", text)
		}
		r.world.Faults.Add(simulator.Rule{Path: "sys_journal_field", Kind: simulator.EmptyList, Nth: 2})
		rows := 0
		for _, err := range r.loop.Poller.Desk.Journal(t.Context(), []string{incident}, []string{"comments"}, time.Time{}) {
			if err != nil {
				return
			}
			rows++
		}
		t.Errorf("a list of 3 rows ended after %d, and nobody says so", rows)
	})
}
