package itsm_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/itsm"
	"bridge/rest"
	standin "bridge/simulator/itsm"
)

func newStandIn() *standin.Server {
	return standin.New(standin.Config{Username: "bridge", Password: "canary-password", ClientID: "client", ClientSecret: "canary-secret", Key: "canary-key", Now: time.Now})
}

// standIn is the simulated desk, which was written from the documents and not from
// this client. It runs in a bubble, by its clock.
func standIn(t *testing.T, kind string) (*standin.Server, *itsm.Client) {
	t.Helper()
	server := newStandIn()
	cfg := config(t, &desk{answer: func(r *http.Request, w http.ResponseWriter) { server.ServeHTTP(w, r) }})
	cfg.Now = time.Now
	cfg.Auth = itsm.Auth{Type: kind, Username: "bridge", Password: "canary-password", ClientID: "client", ClientSecret: "canary-secret", Key: "canary-key"}
	return server, open(t, cfg)
}

func TestAClosedJournalIsReadAnotherWayFromTheStandIn(t *testing.T) {
	t.Parallel()
	for _, hours := range []int{0, 2, -7} {
		synctest.Test(t, func(t *testing.T) {
			server, c := standIn(t, "basic")
			ids := []string{
				server.Insert("incident", map[string]string{"short_description": "one"}), server.Insert("incident", map[string]string{"short_description": "two"}),
				server.Insert("incident", map[string]string{"short_description": "three"}),
			}
			for i := range 6 {
				server.Comment("incident", ids[i%2], "joe.employee", fmt.Sprintf("comment %d\n\nwith a ^ and a blank line", i))
				server.WorkNote("incident", ids[i%2], "beth.anglin", fmt.Sprint("note ", i))
				if i%3 == 0 {
					time.Sleep(time.Hour + time.Second)
				}
			}
			elements := []string{"comments", "work_notes"}
			tell := func(entries []itsm.Entry) (out []string) {
				for _, e := range entries {
					out = append(out, fmt.Sprint(e.Record, e.Element, e.Created, e.Text))
				}
				slices.Sort(out)
				return out
			}
			rows := tell(collect(t, c.Journal(t.Context(), ids, elements, time.Time{})))
			server.Switch(func(s *standin.Switches) { s.Journals, s.ZoneHours = "empty", hours })
			if closed := collect(t, c.Journal(t.Context(), ids, elements, time.Time{})); len(closed) != 0 {
				t.Fatal("the journal is not closed")
			}
			zone := time.FixedZone("user", hours*3600)
			texts := tell(collect(t, c.JournalText(t.Context(), "incident", ids, elements, itsm.Dates{Zone: zone})))
			if diff := cmp.Diff(rows, texts); diff != "" || len(rows) != 12 {
				t.Errorf("%d hours, %d rows (-rows +texts):\n%s", hours, len(rows), diff)
			}
			if err := last(c.JournalText(t.Context(), "incident", ids, elements, itsm.Dates{Zone: time.FixedZone("wrong", 3600)})); !errors.Is(err, itsm.ErrDisplay) {
				t.Errorf("%d hours, read in another zone: %v", hours, err)
			}
		})
	}
}

func TestATableIsDescribedByTheStandIn(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"basic", "api_key", "oauth_password", "oauth_client_credentials"} {
		synctest.Test(t, func(t *testing.T) {
			server, c := standIn(t, kind)
			columns := collect(t, c.Dictionary(t.Context(), "incident"))
			i := slices.IndexFunc(columns, func(c itsm.Column) bool { return c.Element == "caller_id" })
			if i < 0 || columns[i].Type != "reference" || columns[i].Reference != "sys_user" {
				t.Errorf("%s: columns %+v", kind, columns)
			}
			if j := slices.IndexFunc(columns, func(c itsm.Column) bool { return c.Element == "short_description" }); j < i || columns[j].Table != "task" {
				t.Errorf("%s: what incident has of task does not come behind its own: %+v", kind, columns)
			}
			inherited := collect(t, c.Choices(t.Context(), "incident", "priority"))
			if len(inherited) != 5 || inherited[0].Table != "task" {
				t.Errorf("%s: inherited choices %+v", kind, inherited)
			}
			choices := collect(t, c.Choices(t.Context(), "incident", "state"))
			j := slices.IndexFunc(choices, func(c itsm.Choice) bool { return c.Value == "6" })
			if j < 0 || choices[j].Label != "Resolved" {
				t.Errorf("%s: choices %+v", kind, choices)
			}
			id := server.Insert("incident", map[string]string{"short_description": "one"})
			server.Attach("incident", id, "log.txt", "text/plain")
			server.Attach("incident", server.Insert("incident", nil), "other.txt", "text/plain")
			files := collect(t, c.Attachments(t.Context(), "incident", id))
			if len(files) != 1 || files[0].Name != "log.txt" || files[0].Record != id {
				t.Errorf("%s: files %+v", kind, files)
			}
			if n, err := c.Count(t.Context(), "incident", ""); err != nil || n != 2 {
				t.Errorf("%s: %d incidents, %v", kind, n, err)
			}
		})
	}
}

func TestTheStandInsHourlyLimitIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := standIn(t, "basic")
		id := server.Insert("incident", nil)
		server.Switch(func(s *standin.Switches) { s.RatePerHour = 5 })
		taken := 0
		for began := time.Now(); time.Since(began) < 3*time.Hour; time.Sleep(time.Minute) {
			row, err := c.Get(t.Context(), itsm.Ask{Table: "incident"}, id)
			switch {
			case err == nil && row.Value("sys_id") == id:
				taken++
			case !errors.Is(err, itsm.ErrRate) || rest.RetryAfter(err) <= 0 || rest.RetryAfter(err) > time.Hour:
				t.Fatalf("%v, after %s", err, rest.RetryAfter(err))
			}
		}
		if taken != 15 {
			t.Errorf("%d calls in three hours of five", taken)
		}
		if c.Rate().Limit != 5 {
			t.Errorf("%+v", c.Rate())
		}
		server.Switch(func(s *standin.Switches) { s.RatePerHour = 0 })
		server.Switch(func(s *standin.Switches) { s.NoAPI = true })
		time.Sleep(time.Hour)
		if _, err := c.Get(t.Context(), itsm.Ask{Table: "incident"}, id); !errors.Is(err, itsm.ErrAccess) || rest.StatusOf(err) != http.StatusForbidden {
			t.Errorf("a closed API: %v", err)
		}
	})
}

func TestEachListIsWholeWhereFewerRowsComeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := standIn(t, "basic")
		var ids []string
		for i := range 8 {
			if i%3 == 0 {
				time.Sleep(time.Second)
			}
			ids = append(ids, server.Insert("incident", map[string]string{"short_description": fmt.Sprint(i)}))
			server.Comment("incident", ids[i], "joe.employee", fmt.Sprint("comment ", i))
			server.Attach("incident", ids[0], fmt.Sprint(i, ".txt"), "text/plain")
			server.RequestApproval("incident", ids[i], server.User(fmt.Sprint("approver", i), nil))
		}
		ask := itsm.Ask{Table: "incident", Fields: []string{"short_description"}}
		own := ask
		own.Query = "ORDERBYDESCshort_description"
		lists := map[string]func() int{
			"changes":             func() int { return len(collect(t, c.Changes(t.Context(), ask, time.Time{}))) },
			"an order of its own": func() int { return len(collect(t, c.Changes(t.Context(), own, time.Time{}))) },
			"records":             func() int { return len(collect(t, c.Records(t.Context(), ask, ids))) },
			"records and another": func() int { return len(collect(t, c.Records(t.Context(), ask, append([]string{"none"}, ids...)))) },
			"journals":            func() int { return len(collect(t, c.Journal(t.Context(), ids, []string{"comments"}, time.Time{}))) },
			"approvals":           func() int { return len(collect(t, c.Approvals(t.Context(), ids))) },
			"files":               func() int { return len(collect(t, c.Attachments(t.Context(), "incident", ids[0]))) },
			"the dictionary":      func() int { return len(collect(t, c.Dictionary(t.Context(), "incident"))) },
			"choices":             func() int { return len(collect(t, c.Choices(t.Context(), "incident", "state"))) },
		}
		for name, list := range lists {
			server.Switch(func(s *standin.Switches) { s.MaxPage = 0 })
			want := list()
			for _, most := range []int{1, 2, 3} {
				server.Switch(func(s *standin.Switches) { s.MaxPage = most })
				if got := list(); got != want || want < 5 {
					t.Errorf("%s: %d rows, want %d, where %d come at once", name, got, want, most)
				}
			}
		}
	})
}
