package mmd_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mmd"
	"bridge/rest"
	"bridge/simulator"
	vendor "bridge/simulator/mmd"
)

// page writes a page of tickets with those ids.
func page(ids ...int) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":"T%d","severity":"2","createdDateTime":"2021-12-14T04:28:18.1234567Z"}`, id))
	}
	return `{"value":[` + strings.Join(items, ",") + `]}`
}

func upTo(from, to int) (out []int) {
	for i := from; i > to; i-- {
		out = append(out, i)
	}
	return out
}

func TestListPages(t *testing.T) {
	t.Parallel()
	next := strings.Replace(page(upTo(60, 20)...), "{", `{"@odata.nextLink":"https://elsewhere.test/tickets?$skiptoken=40",`, 1)
	tests := map[string]struct {
		answers []string
		want    int
		asked   int
		err     error
	}{
		"an empty list is one page":                                        {[]string{page()}, 0, 1, nil},
		"a page shorter than another is the last":                          {[]string{page(upTo(250, 150)...), page(upTo(150, 100)...)}, 150, 2, nil},
		"a full page is followed by another":                               {[]string{page(upTo(100, 0)...), page()}, 100, 2, nil},
		"a ticket that arrives in mid-list is not doubled":                 {[]string{page(upTo(200, 100)...), page(upTo(101, 1)...), page(1)}, 200, 3, nil},
		"a server that gives fewer than it is asked for":                   {[]string{page(upTo(120, 70)...), page(upTo(70, 20)...), page(upTo(20, 0)...)}, 120, 3, nil},
		"a server that gives fewer, and all its pages are full":            {[]string{page(upTo(100, 50)...), page(upTo(50, 0)...), page()}, 100, 3, nil},
		"a short page that names the next one":                             {[]string{page(upTo(120, 60)...), next, page(upTo(20, 0)...)}, 120, 3, nil},
		"a server that repeats a full page is an error":                    {[]string{page(upTo(100, 0)...)}, 100, 4, mmd.ErrRepeats},
		"a server that repeats its page, and says that more follow":        {[]string{next}, 40, 4, mmd.ErrRepeats},
		"a server that gives all it has, whatever it is asked":             {[]string{page(3, 2, 1)}, 3, 2, nil},
		"a server that gives more than it is asked for, always":            {[]string{page(upTo(150, 0)...)}, 150, 2, nil},
		"a ticket that arrives while it is asked whether there are more":   {[]string{page(1), page(1), page()}, 1, 2, nil},
		"two tickets that arrive while it is asked whether there are more": {[]string{page(3, 2, 1), page(2, 1), page()}, 3, 2, nil},
		"nothing, where a server says that more follow, is not the last":   {[]string{page(2, 1), `{"@odata.nextLink":"x","value":[]}`, `{"@odata.nextLink":"x","value":[]}`, `{"@odata.nextLink":"x","value":[]}`}, 2, 4, mmd.ErrRepeats},
		"a next page that is null is none":                                 {[]string{page(upTo(150, 50)...), strings.Replace(page(1), "{", `{"@odata.nextLink":null,`, 1)}, 101, 2, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, "")
			s.answers = tt.answers
			seen := map[string]int{}
			var ended error
			for ticket, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
				if ended = err; err != nil {
					continue
				}
				seen[ticket.ID]++
				if ticket.Severity != 2 || ticket.Created.Nanosecond() != 123456700 {
					t.Fatalf("ticket %+v", ticket)
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s came %d times", id, n)
				}
			}
			if len(seen) != tt.want || s.asked != tt.asked || !errors.Is(ended, tt.err) {
				t.Errorf("%d tickets in %d pages and %v, want %d in %d and %v", len(seen), s.asked, ended, tt.want, tt.asked, tt.err)
			}
			if tt.err != nil && rest.OutcomeOf(ended) != rest.Unknown {
				t.Errorf("%v is %s", ended, rest.OutcomeOf(ended))
			}
		})
	}
}

// read lists tickets, and says how many came in how many pages.
func (s *server) read(t *testing.T, c *mmd.Client, o mmd.ListOptions) (n, asked int) {
	t.Helper()
	before := s.asked
	for _, err := range c.Tickets.List(t.Context(), o) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	return n, s.asked - before
}

func TestAListWhoseEndIsKnownCostsOnePage(t *testing.T) {
	t.Parallel()
	newest := mmd.ListOptions{OrderBy: mmd.NewestFirst}
	for _, tt := range []struct {
		name    string
		first   []string
		o       mmd.ListOptions
		then    []string
		n, cost int
	}{
		{"nothing has changed", []string{page(3, 2, 1), page()}, newest, []string{page(3, 2, 1)}, 3, 1},
		{"one has gone", []string{page(3, 2, 1), page()}, newest, []string{page(3, 1)}, 2, 1},
		{"one is new", []string{page(3, 2, 1), page()}, newest, []string{page(4, 3, 2, 1), page()}, 4, 2},
		{"one is new where the server gives three at once", []string{page(3, 2, 1), page()}, newest, []string{page(4, 3, 2), page(1)}, 4, 2},
		{"others were asked for", []string{page(3, 2, 1), page()}, mmd.ListOptions{OrderBy: mmd.NewestFirst, Filter: "state eq 'active'"}, []string{page(3, 2, 1), page()}, 3, 2},
		{"what is new stands anywhere", []string{page(3, 2, 1), page()}, mmd.ListOptions{}, []string{page(3, 2, 1), page(4)}, 4, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, "")
			s.answers = tt.first
			s.read(t, c, newest)
			s.answers, s.asked = tt.then, 0
			if n, cost := s.read(t, c, tt.o); n != tt.n || cost != tt.cost {
				t.Errorf("%d tickets in %d pages, want %d in %d", n, cost, tt.n, tt.cost)
			}
		})
	}
}

func TestAServerThatGivesFewerThanItIsAskedForCutsNothing(t *testing.T) {
	t.Parallel()
	const tickets = 7
	for _, most := range []int{1, 2, 3, 6, 7, 8} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			world := simulator.New(simulator.Config{})
			world.MMD.Switch(func(s *vendor.Switches) { s.MaxPage = most })
			tokens, err := mmd.NewApplicationTokens(mmd.Application{
				Authority: &url.URL{Scheme: "https", Host: "login.test", Path: "/"}, Tenant: simulator.Tenant, ClientID: simulator.ClientID,
				Secret: simulator.ClientSecret, Scopes: []string{"https://mmd.test/.default"}, HTTP: &http.Client{Transport: world.Transport()},
			}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			c, err := mmd.New(mmd.Config{
				URL: &url.URL{Scheme: "https", Host: "mmd.test", Path: "/support/odata/v1/"}, Tenant: simulator.Tenant, Tokens: tokens, Transport: world.Transport(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			for made := range tickets {
				if _, err := c.Tickets.Create(t.Context(), mmd.NewTicket{
					Title: fmt.Sprint(made), Description: "It hums.", Type: "Incident", Category: "Devices", Subcategory: "Other", Severity: 3,
					Contact: mmd.Contact{GivenName: "Ada", Surname: "Byron", Email: "ada@acme.example", PhoneNumber: "1"},
				}); err != nil {
					t.Fatal(err)
				}
				for _, o := range []mmd.ListOptions{{}, {OrderBy: mmd.NewestFirst}, {OrderBy: mmd.NewestFirst}, {Filter: mmd.Eq("state", "active")}, {Top: 5}} {
					n := 0
					for _, err := range c.Tickets.List(t.Context(), o) {
						if n++; err != nil {
							t.Fatal(err)
						}
					}
					if want := made + 1; n != want && (o.Top == 0 || n != min(want, o.Top)) {
						t.Errorf("%+v gives %d of %d tickets", o, n, want)
					}
				}
			}
		})
	}
}

func TestDevicesAndUsersThatMoveBetweenPagesComeOnce(t *testing.T) {
	t.Parallel()
	const null = `{"name":"","serialNumber":"S","intuneId":null,"userUpn":null}`
	device := func(id string) string { return `{"name":"D","serialNumber":"S","intuneId":"` + id + `"}` }
	pages := func(all ...[]string) (out []string) {
		for _, items := range all {
			out = append(out, `{"value":[`+strings.Join(items, ",")+`]}`)
		}
		return out
	}
	full := make([]string, mmd.Page)
	for i := range full {
		full[i] = device(fmt.Sprint(i))
	}
	tests := map[string]struct {
		answers     []string
		want, asked int
	}{
		"one that moved to the next page":               {pages(full, []string{device("99"), device("100")}), 101, 2},
		"two on one page that nothing tells apart":      {pages([]string{null, null}), 2, 2},
		"without an id, on two pages":                   {pages(append([]string{null}, full[1:]...), []string{null, device("100")}), 101, 2},
		"devices of which nothing is said are all told": {pages(slices.Repeat([]string{`{}`}, mmd.Page), []string{`{}`}), 101, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, "")
			s.answers = tt.answers
			n := 0
			for _, err := range c.Devices.List(t.Context(), mmd.ListOptions{}) {
				if n++; err != nil || n > 1000 {
					t.Fatal(n, err)
				}
			}
			if n != tt.want || s.asked != tt.asked {
				t.Errorf("%d devices in %d pages, want %d in %d", n, s.asked, tt.want, tt.asked)
			}
		})
	}
}

func TestAListOfDevicesOrUsersWithoutEndIsAnError(t *testing.T) {
	t.Parallel()
	full := func(item func(i int) string) string {
		items := make([]string, mmd.Page)
		for i := range items {
			items[i] = item(i)
		}
		return `{"value":[` + strings.Join(items, ",") + `]}`
	}
	for name, answer := range map[string]string{
		"with ids":           full(func(i int) string { return fmt.Sprintf(`{"name":"D%d","upn":"%d@x"}`, i, i) }),
		"that look alike":    full(func(int) string { return `{"name":"Ada","upn":"ada@x"}` }),
		"of which no one is": full(func(int) string { return `{}` }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, answer)
			n := map[string]int{}
			var devices, users error
			for _, devices = range c.Devices.List(t.Context(), mmd.ListOptions{}) {
				n["devices"]++
			}
			for _, users = range c.Users.List(t.Context(), mmd.ListOptions{}) {
				n["users"]++
			}
			if !errors.Is(devices, mmd.ErrRepeats) || !errors.Is(users, mmd.ErrRepeats) || s.asked > 8 {
				t.Errorf("%v after %d requests: %v, %v", n, s.asked, devices, users)
			}
		})
	}
}

func TestFilterQuotesAndEscapes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 4, 5, 0, time.UTC)
	got := []mmd.Filter{
		mmd.Contains("title", "O'Brien"), mmd.StartsWith("title", "a"), mmd.EndsWith("title", "z"), mmd.Eq("state", "active"), mmd.Ne("severity", 2),
		mmd.And(mmd.Gt("severity", 1), mmd.Le("severity", 3)), mmd.Or(mmd.Eq("isPartner", true), mmd.Not(mmd.Lt("createdDateTime", at))), mmd.And("", mmd.Ge("severity", 1)), mmd.And(),
	}
	want := []mmd.Filter{
		"contains(title,'O''Brien')", "startswith(title,'a')", "endswith(title,'z')", "state eq 'active'", "severity ne 2",
		"(severity gt 1) and (severity le 3)", "(isPartner eq true) or (not (createdDateTime lt 2026-11-23T10:04:05Z))", "severity ge 1", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAnAnswerMeansForAWrite(t *testing.T) {
	t.Parallel()
	const refusal = `{"error":{"code":"x","message":"because"}}`
	tests := map[string]struct {
		status     int
		kind, body string
		outcome    rest.Outcome
		says       string
	}{
		"a ticket with 200 is done":                   {200, "application/json", `{"id":"T1"}`, rest.Done, ""},
		"a ticket with 201 is done":                   {201, "application/json", `{"id":"T1"}`, rest.Done, ""},
		"a ticket without an id is unknown":           {200, "application/json", `{}`, rest.Unknown, "names no id"},
		"an empty body is unknown":                    {200, "application/json", ``, rest.Unknown, "without a body"},
		"a web page is unknown":                       {200, "text/html", `<html>`, rest.Unknown, "text/html instead of JSON"},
		"a body that is cut off is unknown":           {201, "application/json", `{"id":"T`, rest.Unknown, "cut off"},
		"400 is impossible, with the server's reason": {400, "application/json", refusal, rest.Impossible, "400 Bad Request: because"},
		"401 is refused":                              {401, "application/json", refusal, rest.Refused, "401"},
		"403 is impossible":                           {403, "application/json", refusal, rest.Impossible, "403"},
		"404 is impossible":                           {404, "application/json", refusal, rest.Impossible, "404"},
		"429 is refused":                              {429, "application/json", refusal, rest.Refused, "429"},
		"500 is unknown":                              {500, "application/json", refusal, rest.Unknown, "500"},
		"503 with a page is unknown":                  {503, "text/html", "<html>", rest.Unknown, "503"},
		"302 is unknown and is not followed":          {302, "text/html", "", rest.Unknown, "302"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, tt.status, tt.body)
			s.kind = tt.kind
			_, err := c.Tickets.Create(t.Context(), mmd.NewTicket{Title: "canary-title"})
			if rest.OutcomeOf(err) != tt.outcome {
				t.Errorf("outcome %s, want %s: %v", rest.OutcomeOf(err), tt.outcome, err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) || err == nil && tt.says != "" {
				t.Errorf("error %v, want it to say %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows what was sent: %v", err)
			}
			tries := 1
			if tt.status == http.StatusUnauthorized {
				tries = 2 // once more with a new token
			}
			if s.asked != tries {
				t.Errorf("sent %d times, want %d", s.asked, tries)
			}
		})
	}
}

func TestNotesThatAreNotOfferedAreToldApart(t *testing.T) {
	t.Parallel()
	c, _ := client(t, http.StatusMethodNotAllowed, `{}`)
	if _, err := c.Tickets.Notes(t.Context(), "T1"); !errors.Is(err, mmd.ErrNotes) {
		t.Error(err)
	}
}

func TestNotesThatComeInPagesAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	const first = `{"value":[{"id":0,"text":"a"}],"@odata.nextLink":"https://elsewhere.test/v1/x?$skiptoken=1"}`
	c, s := client(t, http.StatusOK, "")
	s.answers = []string{first, `{"value":[{"id":1,"text":"b"}]}`}
	notes, err := c.Tickets.Notes(t.Context(), "T1")
	if err != nil || len(notes) != 2 || s.uri != "/support/odata/v1/tickets('T1')/notes?%24skiptoken=1" {
		t.Errorf("%d notes, %v, at last %s", len(notes), err, s.uri)
	}
	s.answers, s.asked = []string{first}, 0
	if _, err := c.Tickets.Notes(t.Context(), "T1"); !errors.Is(err, mmd.ErrRepeats) || s.asked != 2 {
		t.Errorf("a next page that is the same: %v after %d requests", err, s.asked)
	}
}

func TestAnIdWithAQuoteIsEscaped(t *testing.T) {
	t.Parallel()
	c, s := client(t, http.StatusOK, `{"id":"x"}`)
	if _, err := c.Tickets.Get(t.Context(), "O'Brien/1"); err != nil {
		t.Fatal(err)
	}
	if s.uri != "/support/odata/v1/tickets('O%27%27Brien%2F1')" {
		t.Error(s.uri)
	}
}

func FuzzTicketsAndNotes(f *testing.F) {
	f.Add(`{"id":"x","severity":"2","createdDateTime":"2021-12-14T04:28:18Z","notes":[{"id":0}]}`)
	f.Add(page(1, 2))
	f.Fuzz(func(t *testing.T, body string) {
		var ticket mmd.Ticket
		var note mmd.Note
		var e mmd.Elevation
		for _, into := range []interface{ UnmarshalJSON([]byte) error }{&ticket, &note, &e} {
			if err := into.UnmarshalJSON([]byte(body)); err == nil && ticket.Created.Year() == 1 && !ticket.Created.IsZero() {
				t.Error("year 1 is a time")
			}
		}
	})
}

func TestANoteIsDoneWith204AndNothingElse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status     int
		kind, body string
		outcome    rest.Outcome
	}{
		"204 is done":                         {204, "", "", rest.Done},
		"a web page with 200 is unknown":      {200, "text/html", "<html>", rest.Unknown},
		"202 is unknown":                      {202, "", "", rest.Unknown},
		"200 with JSON of its own is unknown": {200, "application/json", "{}", rest.Unknown},
		"200 without a body is unknown":       {200, "application/json", "", rest.Unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, tt.status, tt.body)
			s.kind = tt.kind
			for what, err := range map[string]error{"note": c.Tickets.AddNote(t.Context(), "T1", "x"), "close": c.Elevations.Close(t.Context(), "E1", "x")} {
				if rest.OutcomeOf(err) != tt.outcome {
					t.Errorf("%s: outcome %s of %v, want %s", what, rest.OutcomeOf(err), err, tt.outcome)
				}
			}
		})
	}
}
