package mmd_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mmd"
	"bridge/rest"
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
	tests := map[string]struct {
		answers []string
		want    int
		asked   int
	}{
		"an empty list is one page":                            {[]string{page()}, 0, 1},
		"a short page is the last":                             {[]string{page(upTo(250, 150)...), page(upTo(150, 100)...)}, 150, 2},
		"a full page is followed by another":                   {[]string{page(upTo(100, 0)...), page()}, 100, 2},
		"a ticket that arrives in mid-list is not doubled":     {[]string{page(upTo(200, 100)...), page(upTo(101, 1)...), page(1)}, 200, 3},
		"a server that repeats a page does not go on for ever": {[]string{page(upTo(100, 0)...)}, 100, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, "")
			s.answers = tt.answers
			seen := map[string]int{}
			for ticket, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
				if err != nil {
					t.Fatal(err)
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
			if len(seen) != tt.want || s.asked != tt.asked {
				t.Errorf("%d tickets in %d pages, want %d in %d", len(seen), s.asked, tt.want, tt.asked)
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
		"two on one page that nothing tells apart":      {pages([]string{null, null}), 2, 1},
		"without an id, on two pages":                   {pages(append([]string{null}, full[1:]...), []string{null, device("100")}), 101, 2},
		"a server that gives the same page for ever":    {pages(full), 100, 4},
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
	c, s := client(t, http.StatusOK, "")
	s.answers = pages(slices.Repeat([]string{`{"name":"Ada","upn":"ada@x"}`}, mmd.Page))
	n := 0
	for _, err := range c.Users.List(t.Context(), mmd.ListOptions{}) {
		if n++; err != nil || n > 1000 {
			t.Fatal(n, err)
		}
	}
	if n != mmd.Page || s.asked != 4 {
		t.Errorf("%d users in %d pages, want those of one page, and four", n, s.asked)
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
