package itsm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/itsm"
	"bridge/rest"
)

// desk answers in process; handlers are functions of the request.
type desk struct {
	mu     sync.Mutex
	asked  []*http.Request
	answer func(*http.Request, http.ResponseWriter)
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.mu.Unlock()
	w := &reply{header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}, "Date": {"Mon, 23 Nov 2026 10:00:30 GMT"}}, status: http.StatusOK}
	d.answer(r, w)
	return w.response(r), nil
}

func fixed(status int, body string) func(*http.Request, http.ResponseWriter) {
	return func(_ *http.Request, w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func config(tb testing.TB, d http.RoundTripper) itsm.Config {
	tb.Helper()
	base, err := url.Parse("https://acme.service-now.com")
	if err != nil {
		tb.Fatal(err)
	}
	return itsm.Config{
		URL: base, Auth: itsm.Auth{Type: "basic", Username: "bridge", Password: "canary-password"}, Transport: d, Page: 3,
		Now: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) },
	}
}

func open(tb testing.TB, cfg itsm.Config) *itsm.Client {
	tb.Helper()
	c, err := itsm.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func client(t *testing.T, d *desk) *itsm.Client {
	t.Helper()
	return open(t, config(t, d))
}

func payload(t *testing.T, name string) string {
	t.Helper()
	return read(t, name)
}

func read(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("../testdata/itsm", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func TestEveryShapeOfARecordIsRead(t *testing.T) {
	t.Parallel()
	caller := itsm.Field{Value: "681ccaf9c0a8016400b98a06818d57c7"}
	tests := map[string]map[string]itsm.Field{
		"raw-with-links.json":             {"caller_id": caller, "state": {Value: "2"}, "assignment_group": {}, "sys_domain": {Value: "global"}},
		"raw-without-links.json":          {"caller_id": caller, "caller_id.email": {Value: "joe@acme.example"}},
		"display-true.json":               {"caller_id": {Value: caller.Value, Display: "Joe Employee"}, "state": {Value: "In Progress"}, "calendar_stc": {Value: "102,197"}},
		"display-true-without-links.json": {"caller_id": {Value: "Joe Employee"}},
		"display-all.json":                {"caller_id": {Value: caller.Value, Display: "Joe Employee"}, "state": {Value: "2", Display: "In Progress"}, "upon_reject": {}, "assignment_group": {}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{answer: fixed(http.StatusOK, payload(t, name))}
			for rec, err := range client(t, d).Records(t.Context(), itsm.Ask{Table: "incident"}, []string{"9d385017c611228701d22104cc95c371"}) {
				if err != nil {
					t.Fatal(err)
				}
				for field, value := range want {
					if diff := cmp.Diff(value, rec[field]); diff != "" {
						t.Errorf("%s (-want +got):\n%s", field, diff)
					}
				}
				if _, there := rec["description"]; there {
					t.Error("a field that was not sent is there")
				}
				return
			}
			t.Error("no record came")
		})
	}
}

func TestJournalRowsAndApprovalsAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, payload(t, "journal-rows.json"))}
	var texts []string
	for e, err := range client(t, d).Journal(t.Context(), []string{"9d385017c611228701d22104cc95c371"}, []string{"comments"}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, e.By+" "+e.Created.Format(time.RFC3339)+" "+e.Text)
	}
	want := []string{"joe.employee 2026-10-01T21:03:07Z Please restart it.", "joe.employee 2026-10-01T21:19:11Z Thanks"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	d = &desk{answer: fixed(http.StatusOK, payload(t, "approvals.json"))}
	var got []itsm.Approval
	for a, err := range client(t, d).Approvals(t.Context(), []string{"d0c1"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	at := time.Date(2026, 10, 1, 11, 12, 13, 0, time.UTC)
	rows := []itsm.Approval{
		{ID: "a1", Of: "d0c1", Approver: "62826bf03710200044e0bfc8bcbe5df1", State: "approved", Updated: at},
		{ID: "b2", Of: "d0c1", Approver: "46d44a23a9fe19810012d100cca80666", State: "not_required", Updated: at},
	}
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("approvals (-want +got):\n%s", diff)
	}
}

func TestWhatARefusalIsAboutAndWhatItMeans(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		status  int
		is      error
		outcome rest.Outcome
	}{
		"credentials":        {"error-401.json", 401, itsm.ErrCredentials, rest.Refused},
		"a missing right":    {"error-403-acl.json", 403, itsm.ErrAccess, rest.Impossible},
		"a data policy":      {"error-403-policy.json", 403, itsm.ErrPolicy, rest.Impossible},
		"a business rule":    {"error-403-rule.json", 403, itsm.ErrRule, rest.Impossible},
		"a query right":      {"error-403-query.json", 403, itsm.ErrAccess, rest.Impossible},
		"a missing record":   {"error-404.json", 404, itsm.ErrNotFound, rest.Impossible},
		"a rate limit":       {"error-429.json", 429, nil, rest.Refused},
		"a partial answer":   {"partial.json", 200, nil, rest.Unknown},
		"a malformed answer": {"partial-malformed.txt", 200, nil, rest.Unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{answer: func(r *http.Request, w http.ResponseWriter) {
				w.Header().Set("Retry-After", "3600")
				fixed(tt.status, payload(t, tt.file))(r, w)
			}}
			_, err := client(t, d).Update(t.Context(), itsm.Ask{Table: "incident"}, "x", map[string]string{"state": "6"})
			if rest.OutcomeOf(err) != tt.outcome || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("outcome %s of %v, want %s and %v", rest.OutcomeOf(err), err, tt.outcome, tt.is)
			}
			if tt.status == http.StatusTooManyRequests && rest.RetryAfter(err) != time.Hour {
				t.Errorf("Retry-After %s, want an hour", rest.RetryAfter(err))
			}
			if len(d.asked) != 1 {
				t.Errorf("a write was sent %d times", len(d.asked))
			}
			if strings.Contains(fmt.Sprint(err), "canary") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestAPartialAnswerIsNoWholeList(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, payload(t, "partial.json"))}
	for _, err := range client(t, d).Changes(t.Context(), itsm.Ask{Table: "incident"}, time.Time{}) {
		if !errors.Is(err, itsm.ErrPartial) {
			t.Errorf("error %v, want that the reply is not complete", err)
		}
	}
	if len(d.asked) != 1 {
		t.Errorf("asked %d times", len(d.asked))
	}
}

func TestEveryPayloadIsReadByATest(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, name := range tests {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, raw...)
	}
	files, err := filepath.Glob("../testdata/itsm/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if !strings.Contains(string(source), `"`+filepath.Base(f)+`"`) {
			t.Errorf("%s is read by no test", f)
		}
	}
}

// table is a desk that keeps rows and answers windows of them, as an instance does.
type table struct {
	rows   []row
	hidden map[string]bool
	// drops is the beginning of the conditions that it leaves out.
	drops string
	// shift is how far its user's zone is ahead of UTC, in which it reads dates.
	shift time.Duration
	// countless says that it does not count.
	countless bool
	// most is how many rows it gives at once, whatever it is asked for; 0: as many.
	most int
	// between runs after each page.
	between func(t *table, page int)
	pages   int
}

type row struct{ id, at, mod string }

func (t *table) serve(r *http.Request, w http.ResponseWriter) {
	q := r.URL.Query()
	var found []row
	for _, x := range t.rows {
		if t.holds(x, q.Get("sysparm_query")) {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b row) int { return strings.Compare(a.at+a.id, b.at+b.id) })
	limit, _ := strconv.Atoi(q.Get("sysparm_limit"))
	offset, _ := strconv.Atoi(q.Get("sysparm_offset"))
	if t.most > 0 {
		limit = min(limit, t.most)
	}
	if !t.countless {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	}
	var out []string
	for _, x := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		if !t.hidden[x.id] {
			out = append(out, fmt.Sprintf(`{"sys_id":%q,"sys_updated_on":%q,"sys_mod_count":%q}`, x.id, x.at, x.mod))
		}
	}
	_, _ = w.Write([]byte(`{"result":[` + strings.Join(out, ",") + `]}`))
	t.pages++
	if t.between != nil {
		t.between(t, t.pages)
	}
}

// holds knows the three conditions of a window.
func (t *table) holds(x row, query string) bool {
	if at, err := time.Parse(time.DateTime, x.at); err == nil {
		x.at = at.Add(t.shift).Format(time.DateTime)
	}
	for part := range strings.SplitSeq(query, "^") {
		if t.drops != "" && strings.HasPrefix(part, t.drops) {
			continue
		}
		if v, ok := strings.CutPrefix(part, "sys_updated_on>="); ok && x.at < v {
			return false
		} else if v, ok := strings.CutPrefix(part, "sys_updated_on="); ok && x.at != v {
			return false
		} else if v, ok := strings.CutPrefix(part, "sys_updated_on>"); ok && !strings.HasPrefix(v, "=") && x.at <= v {
			return false
		} else if v, ok := strings.CutPrefix(part, "sys_id>"); ok && x.id <= v {
			return false
		}
	}
	return true
}

func second(n int) string {
	return time.Date(2026, 11, 23, 9, 0, n, 0, time.UTC).Format(time.DateTime)
}

func TestChangesLosesNoRow(t *testing.T) {
	t.Parallel()
	some := func(n int, at func(int) int) (out []row) {
		for i := range n {
			out = append(out, row{fmt.Sprintf("%03d", i), second(at(i)), "1"})
		}
		return out
	}
	each := func(i int) int { return i }
	tests := map[string]struct {
		rows    []row
		hidden  []string
		between func(*table, int)
		want    int
	}{
		"none":                                  {nil, nil, nil, 0},
		"one page":                              {some(2, each), nil, nil, 2},
		"exactly one page":                      {some(3, each), nil, nil, 3},
		"several pages":                         {some(20, each), nil, nil, 20},
		"all in one second":                     {some(20, func(int) int { return 7 }), nil, nil, 20},
		"ties across pages":                     {some(20, func(i int) int { return i / 5 }), nil, nil, 20},
		"a tie that ends with the page":         {some(12, func(i int) int { return i / 3 }), nil, nil, 12},
		"a page that access rules have emptied": {some(12, each), []string{"003", "004", "005"}, nil, 9},
		"a first page that is emptied":          {some(12, each), []string{"000", "001", "002"}, nil, 9},
		"an emptied page within one second":     {some(12, func(int) int { return 7 }), []string{"003", "004", "005"}, nil, 9},
		"rows that move while they are read": {some(12, each), nil, func(t *table, page int) {
			if page == 2 {
				t.rows[0].at, t.rows[0].mod = second(59), "2"
				t.rows[7].at, t.rows[7].mod = second(59), "2"
			}
		}, 12},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk0 := &table{rows: tt.rows, hidden: map[string]bool{}, between: tt.between}
			for _, id := range tt.hidden {
				desk0.hidden[id] = true
			}
			seen := map[string]int{}
			for rec, err := range client(t, &desk{answer: desk0.serve}).Changes(t.Context(), itsm.Ask{Table: "incident"}, time.Time{}) {
				if err != nil {
					t.Fatal(err)
				}
				seen[rec.Value("sys_id")+"/"+rec.Value("sys_mod_count")]++
			}
			ids := map[string]bool{}
			for key, n := range seen {
				ids[strings.Split(key, "/")[0]] = true
				if n != 1 {
					t.Errorf("%s came %d times", key, n)
				}
			}
			if len(ids) != tt.want || desk0.pages > 30 {
				t.Errorf("%d rows in %d pages, want %d", len(ids), desk0.pages, tt.want)
			}
		})
	}
}

func TestAnInstanceThatGivesFewerRowsThanItIsAskedForLosesNone(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2} {
		for _, tied := range []int{1, 3, 5, 20} {
			for _, query := range []string{"", "ORDERBYnumber"} {
				for _, countless := range []bool{false, true} {
					t.Run(fmt.Sprint(most, tied, query, countless), func(t *testing.T) {
						t.Parallel()
						desk0 := &table{most: most, countless: countless}
						for i := range 11 {
							desk0.rows = append(desk0.rows, row{fmt.Sprintf("%03d", i), second(i / tied), "1"})
						}
						rows := collect(t, client(t, &desk{answer: desk0.serve}).Changes(t.Context(), itsm.Ask{Table: "incident", Query: query}, time.Time{}))
						if len(rows) != 11 || desk0.pages > 40 {
							t.Errorf("%d rows in %d pages", len(rows), desk0.pages)
						}
					})
				}
			}
		}
	}
}

func TestChangesEndsWhereTheWindowIsNotTaken(t *testing.T) {
	t.Parallel()
	every := func(n int) []row {
		var out []row
		for i := range 20 {
			out = append(out, row{fmt.Sprintf("%03d", i), second(i / n), "1"})
		}
		return out
	}
	since := time.Date(2026, 11, 23, 9, 0, 5, 0, time.UTC)
	tests := map[string]struct {
		table table
		since time.Time
		want  int
	}{
		"the time is dropped":                         {table{rows: every(1), drops: "sys_updated_on"}, time.Time{}, 20},
		"the time is dropped, of some":                {table{rows: every(1), drops: "sys_updated_on"}, since, 15},
		"the time is dropped, in ties":                {table{rows: every(5), drops: "sys_updated_on"}, time.Time{}, 20},
		"the identity is dropped, in ties":            {table{rows: every(5), drops: "sys_id"}, time.Time{}, 20},
		"the identity is dropped, in one second":      {table{rows: every(20), drops: "sys_id"}, time.Time{}, 20},
		"both are dropped":                            {table{rows: every(5), drops: "sys_"}, time.Time{}, 20},
		"dates are read in a zone ahead":              {table{rows: every(1), shift: 2 * time.Second}, time.Time{}, 20},
		"dates are read in a zone ahead, of some":     {table{rows: every(1), shift: 2 * time.Second}, since, 15},
		"nothing is counted":                          {table{rows: every(1), countless: true}, time.Time{}, 20},
		"nothing is counted, in ties":                 {table{rows: every(5), countless: true}, time.Time{}, 20},
		"nothing is counted, and the time is dropped": {table{rows: every(1), countless: true, drops: "sys_updated_on"}, time.Time{}, 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			desk0 := &tt.table
			desk0.between = func(_ *table, page int) {
				if page > 100 {
					stop()
				}
			}
			given := map[string]int{}
			for rec, err := range client(t, &desk{answer: desk0.serve}).Changes(ctx, itsm.Ask{Table: "incident"}, tt.since) {
				if err != nil {
					t.Fatalf("after %d pages and %d rows: %v", desk0.pages, len(given), err)
				}
				given[rec.Value("sys_id")]++
			}
			for id, n := range given {
				if n != 1 {
					t.Errorf("%s came %d times", id, n)
				}
			}
			if len(given) != tt.want || desk0.pages > 100 {
				t.Errorf("%d rows in %d pages, want %d", len(given), desk0.pages, tt.want)
			}
		})
	}
}

func TestTheWindowIsPutIntoEachGroupOfAQuery(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, `{"result":[]}`)}
	since := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, err := range client(t, d).Changes(t.Context(), itsm.Ask{Table: "incident", Query: "active=true^NQstate=1^ORstate=2"}, since) {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "active=true^sys_updated_on>=2026-11-23 09:00:00^NQstate=1^ORstate=2^sys_updated_on>=2026-11-23 09:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"
	if got := d.asked[0].URL.Query().Get("sysparm_query"); got != want {
		t.Errorf("query\n%s, want\n%s", got, want)
	}
}

func TestTheInstancesClockIsKnownFromItsAnswers(t *testing.T) {
	t.Parallel()
	c := client(t, &desk{answer: fixed(http.StatusOK, `{"result":[]}`)})
	if _, known := c.Clock(); known {
		t.Error("the clock is known before anything was asked")
	}
	for rec, err := range c.Records(context.Background(), itsm.Ask{Table: "incident"}, []string{"x"}) {
		t.Error("a record came", rec, err)
	}
	if offset, known := c.Clock(); !known || offset != 30*time.Second {
		t.Errorf("offset %s, %t; want 30s ahead", offset, known)
	}
}

func FuzzField(f *testing.F) {
	for _, s := range []string{
		`"x"`, `null`, `{"link":"a/b","value":"c"}`, `{"display_value":null,"value":""}`, `{"display_value":"x","link":"a/b"}`, `3`, `true`, `[]`,
		`"a\"b"`, `"\u00e4\ud83d"`, "\"\xff\"", `"a"b"`, `"`, "\"\n\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var field itsm.Field
		err := field.UnmarshalJSON([]byte(raw))
		if err != nil && (raw == "null" || raw == `""`) {
			t.Error(err)
		}
		var want string
		if strings.HasPrefix(raw, `"`) {
			if bad := json.Unmarshal([]byte(raw), &want); (bad == nil) != (err == nil) || field.Value != want {
				t.Errorf("%q became %q, %v; want %q, %v", raw, field.Value, err, want, bad)
			}
		}
	})
}
