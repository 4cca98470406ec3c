package mmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/simulator/mmd"
)

const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

// vendor is a server under test, with a clock that a test moves.
type vendor struct {
	testing.TB
	*mmd.Server
	millis atomic.Int64
}

func newVendor(tb testing.TB) *vendor {
	tb.Helper()
	v := &vendor{TB: tb}
	start := time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	v.Server = mmd.New(mmd.Config{
		Tenant: tenant, Who: func(token string) (string, bool) { return "app-1", token == "good" },
		Now: func() time.Time { return start.Add(time.Duration(v.millis.Load()) * time.Millisecond) },
	})
	return v
}

func (v *vendor) ask(method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	v.Helper()
	r := httptest.NewRequestWithContext(v.Context(), method, "https://vendor.test/support/odata/v1/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	v.ServeHTTP(w, r)
	return w
}

// read takes the object of a reply.
func (v *vendor) read(w *httptest.ResponseRecorder) map[string]any {
	v.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		v.Fatalf("%v in %d %s", err, w.Code, w.Body)
	}
	return out
}

// list reads one property of what a list holds.
func (v *vendor) list(path, property string) string {
	v.Helper()
	w := v.ask("GET", path, "")
	if w.Code != http.StatusOK {
		v.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	var words []string
	for _, one := range v.read(w)["value"].([]any) {
		words = append(words, fmt.Sprint(one.(map[string]any)[property]))
	}
	return strings.Join(words, " ")
}

const body = `{"title":"T","description":"D","type":"ChangeRequest","category":"Devices","subcategory":"Hardware","severity":4,"usersOrDevicesImpacted":100,` +
	`"issueFirstNoticed":"2021-10-06T07:00:00Z","contact":{"givenName":"John","surname":"Doe","email":"jd@contoso.com","phoneNumber":"+1"}}`

func TestATicketIsCreated(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	w := v.ask("POST", "tickets", body)
	got := v.read(w)
	delete(got["contact"].(map[string]any), "id")
	id := got["id"].(string)
	want := map[string]any{
		"@odata.context": "https://mmd-support-prod-nam.trafficmanager.net/odata/v1/$metadata#Tickets/$entity",
		"title":          "T", "description": "D", "isPartner": true, "type": "ChangeRequest", "category": "Devices", "subcategory": "Hardware", "compromiseIndicator": nil,
		"usersOrDevicesImpacted": 100.0, "relatedAlerts": nil, "businessImpact": nil, "issueFirstNoticed": "2021-10-06T07:00:00Z", "issueReproduced": nil,
		"endUserSupportEngaged": nil, "troubleshootingSteps": nil, "nextActionOwner": "Microsoft", "nextActionTime": nil, "reproSteps": nil, "id": id, "severity": 4.0,
		"state": "active", "createdDateTime": "2026-10-01T08:00:00Z", "resolvedDateTime": nil, "emails": []any{}, "attachments": []any{}, "notes": []any{},
		"contact": map[string]any{"givenName": "John", "surname": "Doe", "email": "jd@contoso.com", "phoneNumber": "+1", "preferredLanguageId": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", w.Code, diff)
	}
	if !strings.HasPrefix(id, "MMD-1465001-") || len(id) != len("MMD-1465058-R5V8P") {
		t.Errorf("id %s", id)
	}
	if got := v.list("tickets", "type"); got != "Change Request" {
		t.Errorf("a list says %q, want it as the document's lists do", got)
	}
	v.Switch(func(s *mmd.Switches) { s.Created = true })
	if w = v.ask("POST", "tickets", body); w.Code != http.StatusCreated {
		t.Errorf("switched to 201: %d", w.Code)
	}
}

func TestEveryCreateOfTheDocumentIsTaken(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/mmd/*-create-ticket-*-request.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		v := newVendor(t)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if w := v.ask("POST", "tickets", string(text)); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", file, w.Code, w.Body)
		}
	}
}

func TestABadTicketIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ from, to, says string }{
		"without a title":               {`"title":"T",`, ``, "title field is required"},
		"with an empty description":     {`"D"`, `" "`, "description field is required"},
		"without a severity":            {`"severity":4,`, ``, "severity field is required"},
		"with a severity that is none":  {`"severity":4`, `"severity":5`, "severity is not valid"},
		"with a severity that is text":  {`"severity":4`, `"severity":"4"`, "The request is invalid"},
		"with a type that is none":      {`"ChangeRequest"`, `"Change"`, "type is not valid"},
		"without a phone number":        {`,"phoneNumber":"+1"`, ``, "contact.phoneNumber field is required"},
		"with a time that is none":      {`2021-10-06T07:00:00Z`, `2021-10-06 07:00`, "The request is invalid"},
		"with a field that there isn't": {`"title"`, `"state":"active","title"`, `unknown field`},
		"with a body that is cut off":   {`}}`, ``, "The request is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t)
			w := v.ask("POST", "tickets", strings.Replace(body, tt.from, tt.to, 1))
			problem, _ := v.read(w)["error"].(map[string]any)
			if w.Code != http.StatusBadRequest || problem["code"] != "400" || !strings.Contains(fmt.Sprint(problem["message"]), tt.says) {
				t.Errorf("%d %s, want %q", w.Code, w.Body, tt.says)
			}
			if n := len(v.Tickets()); n != 0 {
				t.Errorf("%d tickets, want none", n)
			}
		})
	}
	v := newVendor(t)
	v.Switch(func(s *mmd.Switches) { s.IgnoreUnknown = true })
	if w := v.ask("POST", "tickets", strings.Replace(body, `"title"`, `"state":"active","title"`, 1)); w.Code != http.StatusOK {
		t.Errorf("switched to ignore: %d", w.Code)
	}
}

// four makes tickets 1 to 4, a second apart.
func (v *vendor) four() []string {
	var ids []string
	for i, title := range []string{"Test one", "O'Brien's laptop", "test TWO", "Printer"} {
		v.millis.Store(int64(i) * 1500)
		ids = append(ids, v.AddTicket(title, "D"))
		v.SetSeverity(ids[i], i+1)
	}
	v.SetState(ids[1], "resolved")
	return ids
}

func TestAFilterFindsWhatItSays(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"state eq 'resolved' and severity eq 2", "2"},
		{"contains(title,'Test')", "1"},
		{"contains(title,'O''Brien')", "2"},
		{"contains(tolower(title),'test')", "3 1"},
		{"startswith(title,'Test') or endswith(title,'ter')", "4 1"},
		{"not contains(title,'Test')", "4 3 2"},
		{"not (severity eq 1 or severity eq 2)", "4 3"},
		{"severity eq 1 or severity eq 2 and state eq 'active'", "1"},
		{"(severity eq 1 or severity eq 2) and state eq 'resolved'", "2"},
		{"severity ne 1", "4 3 2"},
		{"severity gt 1 and severity le 3", "3 2"},
		{"severity ge 4", "4"},
		{"2 lt severity", "4 3"},
		{"createdDateTime ge 2026-10-01T08:00:03Z", "4 3"},
		{"createdDateTime lt 2026-10-01T10:00:03.0000001+02:00", "3 2 1"},
		{"resolvedDateTime eq null", "4 3 1"},
		{"resolvedDateTime ne null", "2"},
		{"resolvedDateTime gt 2020-01-01T00:00:00Z", "2"},
		{"isPartner eq true and contact/email eq 'vera@vendor.example'", "4 3 2 1"},
		{"usersOrDevicesImpacted gt 0 or issueReproduced eq false", ""},
		{"contains(title,'Test') eq false", "4 3 2"},
		{"businessImpact eq null and issueFirstNoticed eq null", "4 3 2 1"},
	} {
		filter, want := pair[0], pair[1]
		t.Run(filter, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t)
			v.four()
			if got := v.list("tickets?$filter="+url.QueryEscape(filter), "severity"); got != want {
				t.Errorf("finds %q, want %q", got, want)
			}
		})
	}
}

func TestABadOptionIsRefused(t *testing.T) {
	t.Parallel()
	for option, says := range map[string]string{
		"$filter=nothing eq 1":             "could not find a property named 'nothing'",
		"$filter=severity eq '1'":          "incompatible types",
		"$filter=createdDateTime gt 'x'":   "incompatible types",
		"$filter=title eq 'open":           "unterminated string literal",
		"$filter=title is 'x'":             "'is' is not an operator",
		"$filter=(title eq 'x'":            "')' is missing",
		"$filter=title eq 'x' title":       "syntax error at 'title'",
		"$filter=title eq":                 "ends too early",
		"$filter=contains(severity,'x')":   "needs two texts",
		"$filter=tolower(severity) eq 'x'": "tolower needs a text",
		"$orderby=nothing":                 "could not find a property named 'nothing'",
		"$orderby=title down":              "is not a valid $orderby",
		"$top=-1":                          "is not a number",
		"$skip=x":                          "is not a number",
		"$expand=notes":                    "'$expand' is not supported",
	} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t)
			name, value, _ := strings.Cut(option, "=")
			w := v.ask("GET", "tickets?"+url.Values{name: {value}}.Encode(), "")
			if w.Code != http.StatusBadRequest || !strings.Contains(fmt.Sprint(v.read(w)["error"]), says) {
				t.Errorf("%d %s, want %q", w.Code, w.Body, says)
			}
		})
	}
	v := newVendor(t)
	deep := strings.Repeat("(", 200) + "severity eq 1" + strings.Repeat(")", 200)
	if w := v.ask("GET", "tickets?$filter="+url.QueryEscape(deep), ""); w.Code != http.StatusBadRequest {
		t.Errorf("a filter nested too deep: %d", w.Code)
	}
}

func TestAListIsPagedAndOrdered(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	v.four()
	for options, want := range map[string]string{
		"":                                      "4 3 2 1",
		"$orderby=createdDateTime desc":         "4 3 2 1",
		"$orderby=createdDateTime":              "1 2 3 4",
		"$skip=1&$top=2":                        "3 2",
		"skip=1&top=2":                          "3 2",
		"$skip=9":                               "",
		"$top=0":                                "",
		"$orderby=state desc,severity desc":     "2 4 3 1",
		"$orderby=title asc&$skip=1&$top=2":     "4 1",
		"$orderby=resolvedDateTime desc&$top=1": "2",
		"$filter=severity gt 1&$skip=1&$top=1":  "3",
		"$orderby=createdDateTime desc&$top=2&other": "4 3",
	} {
		if got := v.list("tickets?"+strings.ReplaceAll(options, " ", "%20"), "severity"); got != want {
			t.Errorf("%q lists %q, want %q", options, got, want)
		}
	}
	v.Switch(func(s *mmd.Switches) { s.MaxPage = 3 })
	if got := v.list("tickets?$top=100", "severity"); got != "4 3 2" {
		t.Errorf("a capped page: %q", got)
	}
	v.Switch(func(s *mmd.Switches) { s.Lag = 2 * time.Second })
	if got := v.list("tickets", "severity"); got != "2 1" {
		t.Errorf("a list that lags: %q, want what is two seconds old", got)
	}
	if got := v.list("tickets?$orderby=createdDateTime", "severity"); got != "1 2" {
		t.Errorf("the same from the old end: %q", got)
	}
}

func TestATicketIsReadByItsID(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	ids := v.four()
	for path, code := range map[string]int{
		"tickets('" + ids[1] + "')":   http.StatusOK,
		"tickets('{" + ids[1] + "}')": http.StatusNotFound,
		"tickets('O''Brien')":         http.StatusNotFound,
		"tickets(" + ids[1] + ")":     http.StatusBadRequest,
		"tickets/" + ids[1]:           http.StatusNotFound,
		"nothing":                     http.StatusNotFound,
	} {
		if w := v.ask("GET", path, ""); w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
	}
	one := v.read(v.ask("GET", "tickets('"+ids[1]+"')", ""))
	if one["resolvedDateTime"] != "2026-10-01T08:00:04.5Z" || one["createdDateTime"] != "2026-10-01T08:00:01.5Z" || one["title"] != "O'Brien's laptop" {
		t.Errorf("%v", one)
	}
	if w := v.ask("PATCH", "tickets('"+ids[1]+"')", "{}"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a ticket cannot be changed: %d, want 405", w.Code)
	}
	v.SetState(ids[1], "active")
	if one = v.read(v.ask("GET", "tickets('"+ids[1]+"')", "")); one["state"] != "active" || one["resolvedDateTime"] != nil {
		t.Errorf("active again: %v %v", one["state"], one["resolvedDateTime"])
	}
	v.Remove(ids[1])
	if w := v.ask("GET", "tickets('"+ids[1]+"')", ""); w.Code != http.StatusNotFound || v.list("tickets", "severity") != "4 3 1" {
		t.Errorf("removed: %d", w.Code)
	}
}

func TestNotesOfATicket(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	id := v.four()[1]
	path := "tickets('" + id + "')/"
	v.AddNote(id, "vera@vendor.example", "<p>Hello</p>")
	v.millis.Add(1250)
	if w := v.ask("POST", path+"addNote", `{"text":"Answer"}`); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Fatalf("addNote: %d %s", w.Code, w.Body)
	}
	got := v.read(v.ask("GET", path+"notes", ""))
	want := map[string]any{
		"@odata.context": "https://mmd-support-prod-nam.trafficmanager.net/odata/v1/$metadata#Tickets('" + id + "')/notes",
		"value": []any{
			map[string]any{"id": 0.0, "type": "post", "renderType": "html", "createdDateTime": "2026-10-01T08:00:04.5Z", "modifiedDateTime": "2026-10-01T08:00:04.5Z", "text": "<p>Hello</p>", "sender": "vera@vendor.example"},
			map[string]any{"id": 1.0, "type": "post", "renderType": "html", "createdDateTime": "2026-10-01T08:00:05.75Z", "modifiedDateTime": "2026-10-01T08:00:05.75Z", "text": "Answer", "sender": "app-1"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if notes := v.read(v.ask("GET", "tickets('"+id+"')", ""))["notes"].([]any); len(notes) != 0 {
		t.Errorf("a ticket's own notes are empty in the document: %v", notes)
	}
	for body, code := range map[string]int{`{}`: 400, `{"text":""}`: 400, `{"text":1}`: 400, `{"note":"x"}`: 400} {
		if w := v.ask("POST", path+"addNote", body); w.Code != code {
			t.Errorf("addNote %s: %d, want %d", body, w.Code, code)
		}
	}
	v.Switch(func(s *mmd.Switches) { s.NotesNewestFirst, s.NotesInList = true, true })
	if got := v.list(path+"notes", "sender") + " " + v.list(path+"notes", "id"); got != "app-1 vera@vendor.example 0 1" {
		t.Errorf("newest first, with ids from the top: %s", got)
	}
	if notes := v.read(v.ask("GET", "tickets('"+id+"')", ""))["notes"].([]any); len(notes) != 2 {
		t.Errorf("notes in a ticket: %v", notes)
	}
	v.EditNote(id, 0, "Changed")
	v.SignNote(id, 0, "victor@vendor.example")
	v.RemoveNote(id, 1)
	if got := v.Notes(id); len(got) != 1 || got[0].Text != "Changed" || got[0].Sender != "victor@vendor.example" {
		t.Errorf("after editing: %v", got)
	}
	v.Switch(func(s *mmd.Switches) { s.NoNotes = true })
	if w := v.ask("POST", path+"addNote", `{"text":"x"}`); w.Code != http.StatusNotFound || len(v.Notes(id)) != 1 {
		t.Errorf("where notes are not supported: %d", w.Code)
	}
}

// FuzzFilter asks whatever comes: it is an answer or a refusal, never more than there is.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"state eq 'resolved' and severity eq 2", "contains(title,'O''Brien')", "not (a or b)", "((((", "createdDateTime ge 2026-10-01T08:00:03Z",
		"tolower(tolower(title)) eq 'x'", "'", "title eq null or null ne title", "severity gt -1.5e3",
	} {
		f.Add(seed)
	}
	v := newVendor(f)
	v.four()
	f.Fuzz(func(t *testing.T, filter string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "https://vendor.test/support/odata/v1/tickets?"+url.Values{"$filter": {filter}}.Encode(), nil)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		v.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || strings.Count(w.Body.String(), `"createdDateTime"`) > 4 {
			t.Errorf("%q: %d %s", filter, w.Code, w.Body)
		}
	})
}

// BenchmarkList reads the newest of 100,000 tickets, and those that are active.
func BenchmarkList(b *testing.B) {
	v := newVendor(b)
	for i := range 100_000 {
		id := v.AddTicket("T", "D")
		if i%2 == 0 {
			v.SetState(id, "resolved")
		}
	}
	for name, path := range map[string]string{
		"newest": "tickets?$top=100&$orderby=createdDateTime%20desc",
		"active": "tickets?$top=100&$skip=10000&$orderby=createdDateTime%20desc&$filter=state%20eq%20'active'",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := v.ask("GET", path, ""); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
