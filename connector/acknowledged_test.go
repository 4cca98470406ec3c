package connector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/mapping"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// roundTrip is a function that is a way.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// journalWithout leaves rows out of what the desk shows of sys_journal_field.
func journalWithout(leave func(row map[string]any) bool) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(q *http.Request) (*http.Response, error) {
			a, err := next.RoundTrip(q)
			if err != nil || q.Method != http.MethodGet || !strings.HasSuffix(q.URL.Path, "sys_journal_field") || a.StatusCode != http.StatusOK {
				return a, err
			}
			body, err := io.ReadAll(a.Body)
			if err != nil {
				return nil, err
			}
			var reply struct {
				Result []map[string]any `json:"result"`
			}
			if err := json.Unmarshal(body, &reply); err == nil {
				n := len(reply.Result)
				reply.Result = slices.DeleteFunc(reply.Result, leave)
				if reply.Result == nil {
					reply.Result = []map[string]any{}
				}
				body, _ = json.Marshal(reply)
				if total, err := strconv.Atoi(a.Header.Get("X-Total-Count")); err == nil {
					a.Header.Set("X-Total-Count", strconv.Itoa(total-n+len(reply.Result)))
				}
			}
			a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			a.Header.Del("Content-Length")
			return a, nil
		})
	}
}

func cellOf(row map[string]any, field string) string {
	if m, is := row[field].(map[string]any); is {
		s, _ := m["value"].(string)
		return s
	}
	s, _ := row[field].(string)
	return s
}

// A work note that the desk acknowledged is not sent again because its row cannot be seen.
func TestAWorkNoteThatWasAcknowledgedIsNotSentTwice(t *testing.T) {
	for name, leave := range map[string]func(map[string]any) bool{
		"work notes are hidden in the journal": func(row map[string]any) bool { return cellOf(row, "element") == "work_notes" },
		"a row shows after a minute": func(row map[string]any) bool {
			at, err := time.Parse(time.DateTime, cellOf(row, "sys_created_on"))
			return err == nil && time.Since(at) < time.Minute
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.way = journalWithout(leave)
				r.start()
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
				r.rest()
				time.Sleep(10 * time.Minute)
				r.rest()
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "Try this.")
				done := false
				r.world.Faults.Watch(func(q simulator.Request) {
					if !done && q.Side == simulator.SideITSM && q.Method == http.MethodPatch {
						done = true
						r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
					}
				}, nil)
				for range 40 {
					r.cycle()
					time.Sleep(30 * time.Second)
				}
				if said := r.said(incident); len(said) != 1 {
					t.Errorf("one note of the vendor, acknowledged with 200, is on the record %d times: %q\n%s", len(said), said, r.story())
				}
			})
		})
	}
}

// What is held ends when the record is closed: nothing would be set any more.
func TestWhatIsHeldEndsWhenARecordIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("owner: { state: mmd }", "owner: { state: hold }")
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(10 * time.Second)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		time.Sleep(10 * time.Second)
		r.rest()
		if r.linkOf(incident).Notice == "" {
			t.Fatalf("not held %+v", r.linkOf(incident))
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done."})
		r.rest()
		r.scanned()
		if link := r.linkOf(incident); link.Notice != "" || len(link.Held) > 0 {
			t.Errorf("the incident is closed, its ticket resolved, no rule sets anything, and status says %q, held %v", link.Notice, link.Held)
		}
	})
}

// A ticket is linked late, and a person moved the record meanwhile: nothing is left that both moved.
func TestALateLinkHoldsNothingOnAnOldRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("owner: { state: mmd }", "owner: { state: hold }")
		r.world.Incident(r.users, "An older one", nil)
		r.rest()
		r.scanned()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 3 * time.Minute })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycles(1)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "3"})
		r.cycles(12)
		r.rest()
		r.scanned()
		link := r.linkOf(incident)
		if link.MMD == "" {
			t.Fatalf("not linked\n%s", r.story())
		}
		if link.Notice != "" || len(r.said(incident)) > 0 {
			t.Errorf("an active ticket sets nothing on an incident that is On Hold, and status says %q, the record %q\n%s", link.Notice, r.said(incident), r.story())
		}
	})
}

// A ticket that could not be read for a while, and can be again.
func TestATicketThatCanBeReadAgainHasNoNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		other := r.world.Incident(r.users, "Another", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		_ = other
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets('" + ticket + "')$", Kind: simulator.Answer, Status: 404, Body: "{}", Times: -1})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.EmptyList, Times: 1})
		r.cycles(3)
		if r.linkOf(incident).Notice == "" {
			t.Skip("no notice to begin with")
		}
		r.world.Faults.Clear()
		r.rest()
		r.scanned()
		r.scanned()
		if link := r.linkOf(incident); link.Notice != "" {
			t.Errorf("it can be read for hours, and status says %q", link.Notice)
		}
	})
}

// A rule that sets one field more than before: its owner is asked although nobody moved the record since.
func TestAFieldThatARuleSetsFromNowOnHasAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		src, err := os.ReadFile("../mappings.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(src), "      close_code: ", "      category: { when: ticket.state == \"resolved\", value: software }\n      close_code: ", 1)
		text = strings.Replace(text, "owner: { state: mmd }", "owner: { state: mmd, category: itsm }", 1)
		rules, problems := mapping.Load("mappings.yaml", []byte(text), nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		r.rules = rules
		r.start()
		r.rest()
		r.scanned()
		r.world.ITSM.Set("incident", incident, map[string]string{"category": "network"})
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["category"] != "network" {
			t.Errorf("both sides moved category, its owner is itsm, and it was set to %q\n%s", row["category"], r.story())
		}
	})
}

// A record that cannot be read when its ticket moves is said.
func TestATurnWhoseRecordCannotBeReadIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Incident(r.users, "Another", nil)
		r.rest()
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(_, id string) bool { return id == incident } })
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		calls := r.world.Faults.Calls(simulator.SideMMD)
		r.cycles(120)
		calls = r.world.Faults.Calls(simulator.SideMMD) - calls
		c := r.counts()
		if link := r.linkOf(incident); link.Notice == "" && len(r.report.Unread) == 0 && c.Owed+c.Parked+c.Held+c.Noticed+c.Unheard == 0 {
			t.Errorf("for an hour a ticket is resolved and its record not, and nothing says so: %+v, %+v; %d calls\n%s", c, r.report, calls, r.story())
		}
	})
}

// What cannot be read decides nothing: a closed record whose state is hidden.
func TestAClosedRecordWhoseStateIsHiddenIsNotPulledBack(t *testing.T) {
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprint("as empty ", empty), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done."})
				r.rest()
				r.world.ITSM.Switch(func(s *itsm.Switches) {
					s.HiddenFields, s.HiddenAsEmpty, s.HiddenDrops = map[string]bool{"incident.state": true}, empty, true
				})
				r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
				r.cycles(10)
				if row := r.world.ITSM.Row("incident", incident); row["state"] != "7" {
					t.Errorf("a closed record was pulled back to %s, %q\n%s", row["state"], row["close_notes"], r.story())
				}
			})
		})
	}
}

// A ticket of an earlier generation that the vendor opens again.
func TestTheFirstTicketThatIsOpenedAgainIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: new")
		incident := r.ended()
		first := r.linkOf(incident).MMD
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.rest()
		if r.linkOf(incident).MMD == first {
			t.Fatal("no second ticket")
		}
		before := len(r.said(incident))
		r.world.MMD.SetState(first, "active")
		r.world.MMD.AddNote(first, "vera@vendor.example", "It was not solved after all.")
		r.rest()
		r.scanned()
		link, c := r.linkOf(incident), r.counts()
		if len(r.said(incident)) == before && link.Notice == "" && len(link.Twins) == 0 && c.Noticed+c.Twins == 0 {
			t.Errorf("nobody hears of it: %+v %+v", link, c)
		}
	})
}

// Three records that name tickets which the vendor refuses to show.
func TestThreeRecordsThatNameRefusedTicketsStopNoOther(t *testing.T) {
	for _, at := range []string{"at once", "one by one"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.Incident(r.users, "Laptop 0", nil)
				r.rest()
				for i := range 3 {
					id := fmt.Sprintf("OTHER-%d", i)
					r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: id, Kind: simulator.Answer, Status: 403, Body: "{}", Times: -1})
					r.world.Incident(r.users, "Of another", map[string]string{"correlation_id": id})
					if at != "at once" {
						r.cycles(10)
					}
				}
				r.world.Incident(r.users, "Ours", nil)
				r.cycles(20)
				time.Sleep(3 * time.Hour)
				r.cycles(20)
				n := 0
				for _, ticket := range r.world.MMD.Tickets() {
					if strings.HasSuffix(ticket.Title, "Ours") {
						n++
					}
				}
				if n != 1 || len(r.report.Unreadable) > 0 {
					t.Errorf("it has %d tickets; unreadable: %v; unread %q", n, r.report.Unreadable, r.report.Unread)
				}
			})
		})
	}
}

// A person resolves an incident while the bridge's own update of it is refused.
func TestAMoveOfAPersonWhileAnUpdateIsRefusedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		ticket := r.ticketOf(incident).ID
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Path: "incident", Kind: simulator.RefusedBefore, Times: -1})
		r.world.MMD.SetState(ticket, "resolved")
		r.cycles(4)
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "6", "close_code": "Solution provided", "close_notes": "I did it."})
		r.cycles(4)
		r.world.Faults.Clear()
		r.rest()
		r.scanned()
		if told := strings.Join(r.told(ticket), "\n"); !strings.Contains(told, "State: Resolved") {
			t.Errorf("a person resolved it, the bridge certainly did not, and the ticket was told %q\n%s", told, r.story())
		}
	})
}

// A record that was closed while it was away, and is opened again by a person.
func TestARecordThatWasClosedWhileAwayAndIsOpenedAgainStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.MMD.SetState(r.ticketOf(incident).ID, "resolved")
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done by us."})
		r.rest()
		time.Sleep(48 * time.Hour)
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2", "assignment_group": r.users.Group})
		r.rest()
		if row := r.world.ITSM.Row("incident", incident); row["state"] != "2" {
			t.Errorf("a person opened it again two days after its ticket was resolved, and it was set to %s at once\n%s", row["state"], r.story())
		}
	})
}
