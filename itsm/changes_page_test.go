package itsm_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"bridge/itsm"
)

// A query with an order of its own may begin as if it were in order of change.
func TestAQueryWithAnOrderOfItsOwnLosesNoRow(t *testing.T) {
	t.Parallel()
	server := newStandIn()
	for i, at := range []int{1, 2, 9, 3, 4, 5, 6, 10} {
		server.Insert("incident", map[string]string{"short_description": strconv.Itoa(i), "sys_updated_on": second(at)})
	}
	for query, want := range map[string]string{
		"ORDERBYshort_description":                                                                "01234567",
		"ORDERBYDESCshort_description":                                                            "76543210",
		"short_description!=x^^ORDERBYy^ORDERBYshort_description":                                 "01234567",
		"short_description<4^ORDERBYDESCshort_description":                                        "3210",
		"short_description=0^NQshort_description>5^ORDERBYopened_at^ORDERBYDESCshort_description": "760",
		"": "01345627",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, &desk{answer: func(r *http.Request, w http.ResponseWriter) { server.ServeHTTP(w, r) }})
			got := ""
			for _, row := range collect(t, open(t, cfg).Changes(t.Context(), itsm.Ask{Table: "incident", Query: query, Fields: []string{"short_description"}}, time.Time{})) {
				got += row.Value("short_description")
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

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
