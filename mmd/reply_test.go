package mmd_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"bridge/mmd"
	"bridge/rest"
)

func TestWhatAWholeReplyShows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		// list and one are what the error of a list and of an object says; empty: none.
		list, one string
		n         int
	}{
		"an object":                         {`{"id":"T1"}`, "shows no list", "", 0},
		"a collection of one":               {`{"value":[{"id":"T1"}]}`, "", "", 1},
		"a collection of two":               {`{"value":[{"id":"T1"},{"id":"T2"}]}`, "", "shows 2 objects where one was asked for", 2},
		"an empty list":                     {`{"value":[]}`, "", "shows no object", 0},
		"a list that is null":               {`{"value":null}`, "", "shows no object", 0},
		"nothing at all":                    {`{}`, "shows no list", "shows no object", 0},
		"null":                              {`null`, "shows no list", "shows no object", 0},
		"an error that is null":             {`{"value":[{"id":"T1"}],"error":null}`, "", "", 1},
		"rows, and an error behind them":    {`{"value":[{"id":"T1"}],"error":{"code":"500","message":"the store went away"}}`, "not complete: the store went away", "not complete: the store went away", 0},
		"an error in a word":                {`{"value":[{"id":"T1"}],"error":"gone"}`, "not complete", "not complete", 0},
		"an object, and an error behind it": {`{"id":"T1","error":{"code":"500","message":"the store went away"}}`, "not complete", "not complete", 0},
		"a list in place of an object":      {`[{"id":"T1"}]`, "another shape", "cannot unmarshal", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := client(t, http.StatusOK, tt.body)
			n := 0
			var failed error
			for _, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
				if failed = err; err == nil {
					n++
				}
			}
			tells(t, "the list", failed, tt.list)
			if n != tt.n {
				t.Errorf("%d tickets, want %d", n, tt.n)
			}
			_, err := c.Tickets.Notes(t.Context(), "T1")
			tells(t, "the notes", err, tt.list)
			_, err = c.Tickets.Get(t.Context(), "T1")
			tells(t, "the ticket", err, tt.one)
		})
	}
}

func tells(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want == "":
	case err == nil || !strings.Contains(err.Error(), want) || rest.OutcomeOf(err) != rest.Unknown:
		t.Errorf("%s: %v, want %q", what, err, want)
	case strings.Contains(want, "not complete") && !errors.Is(err, mmd.ErrPartial):
		t.Errorf("%s: it has no name: %v", what, err)
	}
}
