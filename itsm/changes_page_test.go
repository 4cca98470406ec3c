package itsm_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"bridge/itsm"
)

// A list of which only a few rows are wanted asks for a few, and still finds all.
func TestAListAsksForAsFewRowsAsItIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		page, limit int
	}{
		{"two", 2, 2},
		{"no more than the client ever asks for", 1000, 3},
		{"nobody says", 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newStandIn()
			for range 7 {
				server.Insert("incident", map[string]string{"short_description": "one of many"})
			}
			first := ""
			cfg := config(t, &desk{answer: func(r *http.Request, w http.ResponseWriter) {
				if first == "" {
					first = r.URL.Query().Get("sysparm_limit")
				}
				server.ServeHTTP(w, r)
			}})
			rows := collect(t, open(t, cfg).Changes(t.Context(), itsm.Ask{Table: "incident", Page: tt.page}, time.Time{}))
			if len(rows) != 7 || first != strconv.Itoa(tt.limit) {
				t.Errorf("%d rows, the first page asked for %s", len(rows), first)
			}
		})
	}
}
