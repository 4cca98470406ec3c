package itsm_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/simulator/itsm"
)

// desk is a desk under test, with a clock that a test moves.
type desk struct {
	*testing.T
	*itsm.Server
	seconds atomic.Int64
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t}
	start := time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	d.Server = itsm.New(itsm.Config{
		Username: "bridge", Password: "secret", ClientID: "id", ClientSecret: "client-secret", Key: "key",
		Now: func() time.Time { return start.Add(time.Duration(d.seconds.Load()) * time.Second) },
	})
	return d
}

func (d *desk) wait(s int) { d.seconds.Add(int64(s)) }

// ask makes a request with what every request needs, changed by the test.
func (d *desk) ask(method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	d.Helper()
	r := httptest.NewRequestWithContext(d.Context(), method, "https://desk.test"+path, strings.NewReader(body))
	r.SetBasicAuth("bridge", "secret")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// rows reads a list.
func (d *desk) rows(table string, params ...string) []map[string]any {
	d.Helper()
	w := d.ask("GET", "/api/now/table/"+table+"?"+query(params...), "")
	if w.Code != http.StatusOK {
		d.Fatalf("GET %s %q: %d %s", table, params, w.Code, w.Body)
	}
	var body struct {
		Result []map[string]any `json:"result"`
	}
	d.read(w, &body)
	return body.Result
}

func (d *desk) read(w *httptest.ResponseRecorder, into any) {
	d.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		d.Fatalf("%v in %s", err, w.Body)
	}
}

// row reads the record of a reply.
func (d *desk) row(w *httptest.ResponseRecorder) map[string]any {
	d.Helper()
	var body struct {
		Result map[string]any `json:"result"`
	}
	d.read(w, &body)
	return body.Result
}

func query(params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return q.Encode()
}

// people makes three incidents that queries can tell apart, and gives their sys_ids.
func (d *desk) people() map[string]string {
	group := d.Group("Microsoft Managed Desktop")
	ada := d.User("ada", map[string]string{"name": "Ada Byron", "email": "ada@acme.example", "vip": "true"})
	bea := d.User("bea", map[string]string{"name": "Bea Long"})
	a := d.Insert("incident", map[string]string{"short_description": "a", "caller_id": ada, "assignment_group": group, "category": "hardware", "impact": "1", "urgency": "1", "description": "one^two"})
	d.wait(60)
	b := d.Insert("incident", map[string]string{"short_description": "b", "caller_id": bea, "assignment_group": group, "category": "software", "description": "Two, of three"})
	d.wait(60)
	c := d.Insert("incident", map[string]string{"short_description": "c", "category": "hardware", "impact": "2", "urgency": "2", "state": "7", "due_date": "2026-10-01 08:02:00"})
	return map[string]string{"a": a, "b": b, "c": c, "ada": ada, "bea": bea, "group": group}
}

func (d *desk) found(q string) string {
	d.Helper()
	var out []string
	for _, r := range d.rows("incident", "sysparm_query", q, "sysparm_fields", "short_description") {
		out = append(out, r["short_description"].(string))
	}
	return strings.Join(out, "")
}

func TestAQueryFindsWhatItSays(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ query, want string }{
		"an empty query finds all":                            {"", "abc"},
		"a caret joins with and":                              {"category=hardware^active=true", "a"},
		"an or binds to the condition right before it":        {"active=true^category=hardware^ORcategory=software^impact=1", "a"},
		"an or after an and does not take the whole":          {"impact=1^category=software^ORcategory=hardware", "a"},
		"the wrong keyset form means something else":          {"category=hardware^ORcategory=software^impact=3", "b"},
		"NQ begins a query of its own":                        {"impact=1^category=hardware^NQimpact=3^category=software", "ab"},
		"an EQ at the end says nothing":                       {"category=hardware^impact=1^EQ", "a"},
		"a doubled caret is a caret of the value":             {"description=one^^two", "a"},
		"a doubled caret before NQ is none of the query's":    {"descriptionLIKEone^^NQtwo^ORdescriptionLIKEone", "a"},
		"a value in a list":                                   {"short_descriptionINa,c", "ac"},
		"no value of a list":                                  {"short_descriptionNOT INa,c", "b"},
		"case is not looked at":                               {"category=HARDWARE^short_description=A", "a"},
		"a part of a text":                                    {"descriptionLIKEtwo", "ab"},
		"no part of a text, the empty one included":           {"descriptionNOT LIKEone", "bc"},
		"the beginning of a text":                             {"descriptionSTARTSWITHtwo", "b"},
		"the end of a text":                                   {"descriptionENDSWITHthree", "b"},
		"the end of a text, as a sign":                        {"description%three", "b"},
		"an empty field":                                      {"caller_idISEMPTY", "c"},
		"a field that is not empty":                           {"caller_idISNOTEMPTY", "ab"},
		"anything":                                            {"caller_idANYTHING", "abc"},
		"unequal leaves an empty reference out":               {"caller_id!=nobody", "ab"},
		"unequal takes an empty text":                         {"description!=one^^two", "bc"},
		"numbers are ordered as numbers":                      {"impact<3", "ac"},
		"nothing is before an empty field":                    {"due_date<2030-01-01 00:00:00", "c"},
		"times are compared in UTC":                           {"sys_created_on>=2026-10-01 08:01:00", "bc"},
		"a span holds both ends":                              {"sys_created_onBETWEEN2026-10-01 08:01:00@2026-10-01 08:02:00", "bc"},
		"a day is where it begins":                            {"sys_created_on>2026-10-02", ""},
		"a day by its name":                                   {"sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()", "abc"},
		"some time ago":                                       {"sys_created_onRELATIVEGE@minute@ago@1", "bc"},
		"months ago, and months ahead":                        {"sys_created_onRELATIVEGE@month@ago@1^sys_created_onRELATIVELT@quarter@ahead@1^impactRELATIVELT@fortnight@ago@1", "abc"},
		"years ago":                                           {"sys_created_onRELATIVELT@year@ago@1", ""},
		"a dynamic filter that is not known vanishes":         {"impact=1^opened_byDYNAMIC00000000000000000000000000000000", "a"},
		"an operator that is not evaluated vanishes":          {"impact=1^sys_created_onDATEPARTMonday@javascript:x^ORimpactMORETHAN1", "a"},
		"fields are compared with fields":                     {"impactSAMEASurgency^sys_created_onSAMEASdue_date", "c"},
		"a field after a field":                               {"priorityGT_FIELDimpact", "bc"},
		"a dot leads through a reference":                     {"assignment_group.name=Microsoft Managed Desktop", "ab"},
		"two dots lead through two":                           {"caller_id.vip=true", "a"},
		"a dot through an empty reference finds emptiness":    {"caller_id.nameISEMPTY", "c"},
		"orderings come in their order":                       {"ORDERBYcategory^ORDERBYDESCsys_created_on", "cab"},
		"an ordering through a reference":                     {"caller_idISNOTEMPTY^ORDERBYDESCcaller_id.name", "ba"},
		"an ordering governs all groups":                      {"impact=1^NQimpact=3^NQimpact=2^ORDERBYDESCshort_description", "cba"},
		"a script that is known is run":                       {"sys_created_on>=javascript:gs.minutesAgo(1)", "bc"},
		"a script that is not known vanishes with its clause": {"impact=1^caller_id=javascript:evil()", "a"},
		"an unknown field vanishes":                           {"impact=1^u_typo=x", "a"},
		"an unknown field alone finds all":                    {"u_typo=x", "abc"},
		"an unknown field in an or leaves the rest of it":     {"u_typo=x^ORimpact=1", "a"},
		"an unknown field behind a dot vanishes":              {"impact=1^caller_id.typo=x", "a"},
		"an operator that there is not vanishes":              {"impact=1^stateFOO1", "a"},
		"a time that is none vanishes":                        {"impact=1^sys_created_on>2026-10-01T08:00:00Z", "a"},
		"a key names its rows":                                {"sys_id=nothing", ""},
		"a lower bound of the last change is kept":            {"sys_updated_on>2026-10-01 08:00:00^NQsys_updated_on=2026-10-01 08:00:00^short_description=a^ORDERBYsys_updated_on^ORDERBYsys_id", "abc"},
		"a bound in one group does not bind the other":        {"sys_updated_on>2026-10-01 08:01:30^NQcategory=hardware", "ac"},
		"a bound in an or binds nothing":                      {"sys_updated_on>2026-10-01 08:01:30^ORcategory=software", "bc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.people()
			if got := d.found(tt.query); got != tt.want {
				t.Errorf("%s finds %q, want %q", tt.query, got, tt.want)
			}
		})
	}
}

func TestAnUnknownFieldHasThreeRegimes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode  string
		code  int
		count int
	}{
		"it is dropped, and all is found": {"", http.StatusOK, 3},
		"no row at all is found":          {"no_rows", http.StatusOK, 0},
		"the query is refused":            {"refuse", http.StatusForbidden, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.people()
			d.Switch(func(s *itsm.Switches) { s.UnknownField = tt.mode })
			w := d.ask("GET", "/api/now/table/incident?"+query("sysparm_query", "u_typo=x"), "")
			if w.Code != tt.code || strings.Count(w.Body.String(), `"sys_id"`) != tt.count {
				t.Errorf("%d with %d rows, want %d with %d: %.200s", w.Code, strings.Count(w.Body.String(), `"sys_id"`), tt.code, tt.count, w.Body)
			}
		})
	}
}

func TestSwitchesChangeWhatAQueryFinds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change      func(*itsm.Switches)
		query, want string
	}{
		"case is looked at":                     {func(s *itsm.Switches) { s.CaseSensitive = true }, "category=HARDWARE", ""},
		"times are in the user's zone":          {func(s *itsm.Switches) { s.ZoneHours, s.ZonedQueries = 2, true }, "sys_updated_on>=2026-10-01 10:01:00", "bc"},
		"unequal takes an empty reference":      {func(s *itsm.Switches) { s.EmptyIsNot = true }, "caller_id!=nobody", "abc"},
		"groups come one behind the other":      {func(s *itsm.Switches) { s.UnsortedGroups = true }, "short_description=c^NQimpact=1^ORDERBYshort_description", "ca"},
		"a row that two groups find comes once": {func(s *itsm.Switches) { s.UnsortedGroups = true }, "short_description=a^NQcategory=hardware", "ac"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.people()
			d.Switch(tt.change)
			if got := d.found(tt.query); got != tt.want {
				t.Errorf("%s finds %q, want %q", tt.query, got, tt.want)
			}
		})
	}
}

func TestAChangeMovesARowToTheEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	d.wait(60)
	d.Set("incident", ids["a"], map[string]string{"urgency": "3"})
	d.Comment("incident", ids["b"], "bea", "Any news?")
	if got := d.found("ORDERBYsys_updated_on^ORDERBYsys_id"); got[0] != 'c' {
		t.Errorf("in order of change: %s, want c first", got)
	}
	if got := d.found("sys_updated_on>2026-10-01 08:02:00^ORDERBYshort_description"); got != "ab" {
		t.Errorf("changed since: %s, want ab", got)
	}
	row := d.Row("incident", ids["b"])
	if row["sys_mod_count"] != "1" || row["sys_updated_by"] != "bea" || row["sys_updated_on"] != "2026-10-01 08:03:00" {
		t.Errorf("a comment moves its record: %v", row)
	}
	d.Quietly("incident", ids["c"], map[string]string{"short_description": "d"})
	if got := d.found("sys_updated_on>2026-10-01 08:02:00"); strings.Contains(got, "d") {
		t.Errorf("a quiet change was seen by its time: %s", got)
	}
}

func TestAChangeThatIsCommittedLateIsSeenLate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	d.Switch(func(s *itsm.Switches) { s.CommitLag = 10 * time.Second })
	d.Set("incident", ids["a"], map[string]string{"short_description": "x"})
	d.Insert("incident", map[string]string{"short_description": "n"})
	if got := d.found("ORDERBYshort_description"); got != "abc" {
		t.Errorf("before the commit: %s, want abc", got)
	}
	d.wait(10)
	if got := d.found("ORDERBYshort_description"); got != "bcnx" {
		t.Errorf("after the commit: %s, want bcnx", got)
	}
	if row := d.Row("incident", ids["a"]); row["sys_updated_on"] != "2026-10-01 08:02:00" {
		t.Errorf("its time is of before the commit: %v", row["sys_updated_on"])
	}
}

func TestPagesSlideAndRightsComeAfterTheLimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	d.Switch(func(s *itsm.Switches) { s.Hide = func(_, id string) bool { return id == ids["b"] } })
	w := d.ask("GET", "/api/now/v2/table/incident?"+query("sysparm_query", "ORDERBYshort_description", "sysparm_limit", "1", "sysparm_offset", "1", "sysparm_fields", "sys_id"), "")
	if got := strings.TrimSpace(w.Body.String()); got != `{"result":[]}` {
		t.Errorf("a page of what may not be read: %s, want an empty one", got)
	}
	if got := w.Header().Get("X-Total-Count"); got != "3" {
		t.Errorf("X-Total-Count %q, want 3: it is counted before the rights", got)
	}
	link := w.Header().Get("Link")
	for _, rel := range []string{"first", "prev", "next", "last"} {
		if !strings.Contains(link, `;rel="`+rel+`"`) {
			t.Errorf("no %s in %s", rel, link)
		}
	}
	if !strings.HasPrefix(link, "<https://instance.example/api/now/v2/table/incident?") {
		t.Errorf("links name the desk's own address: %s", link)
	}
	if w = d.ask("GET", "/api/now/table/incident/"+ids["b"], ""); w.Code != http.StatusNotFound {
		t.Errorf("a row that may not be read: %d, want 404", w.Code)
	}
	number := d.Row("incident", ids["c"])["number"]
	d.Switch(func(s *itsm.Switches) { s.Hide, s.HiddenRows = nil, map[string]bool{number: true, ids["a"]: true} })
	if got := d.found(""); got != "b" {
		t.Errorf("without what is hidden by number and by sys_id: %s, want b", got)
	}
	w = d.ask("GET", "/api/now/table/incident?sysparm_limit=1&sysparm_no_count=true&sysparm_suppress_pagination_header=true", "")
	if w.Header().Get("Link")+w.Header().Get("X-Total-Count") != "" {
		t.Errorf("headers that were not wanted: %v", w.Header())
	}
}

func TestARowHasThreeForms(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	d.Comment("incident", ids["a"], "ada", "Any news?")
	fields := "state,caller_id,caller_id.email,problem_id,comments,sys_updated_on,hold_reason,u_typo"
	link := "https://instance.example/api/now/v2/table/sys_user/" + ids["ada"]
	for name, tt := range map[string]struct {
		params []string
		want   map[string]any
	}{
		"raw": {nil, map[string]any{
			"state": "1", "caller_id": map[string]any{"link": link, "value": ids["ada"]}, "caller_id.email": "ada@acme.example", "problem_id": "", "comments": "",
			"sys_updated_on": "2026-10-01 08:02:00", "hold_reason": "",
		}},
		"raw without links": {[]string{"sysparm_exclude_reference_link", "true"}, map[string]any{
			"state": "1", "caller_id": ids["ada"], "caller_id.email": "ada@acme.example", "problem_id": "", "comments": "",
			"sys_updated_on": "2026-10-01 08:02:00", "hold_reason": "",
		}},
		"shown": {[]string{"sysparm_display_value", "true"}, map[string]any{
			"state": "New", "caller_id": map[string]any{"display_value": "Ada Byron", "link": link}, "caller_id.email": "ada@acme.example", "problem_id": "",
			"comments": "2026-10-01 06:02:00 - Ada Byron (Additional comments)\nAny news?\n\n", "sys_updated_on": "2026-10-01 06:02:00", "hold_reason": "",
		}},
		"all, without links": {[]string{"sysparm_display_value", "all", "sysparm_exclude_reference_link", "true"}, map[string]any{
			"state":           map[string]any{"display_value": "New", "value": "1"},
			"caller_id":       map[string]any{"display_value": "Ada Byron", "value": ids["ada"]},
			"caller_id.email": map[string]any{"display_value": "ada@acme.example", "value": "ada@acme.example"},
			"problem_id":      map[string]any{"display_value": "", "value": ""},
			"comments":        map[string]any{"display_value": "2026-10-01 06:02:00 - Ada Byron (Additional comments)\nAny news?\n\n", "value": ""},
			"sys_updated_on":  map[string]any{"display_value": "2026-10-01 06:02:00", "value": "2026-10-01 08:02:00"},
			"hold_reason":     map[string]any{"display_value": nil, "value": ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Server: d.Server}
			d.Switch(func(s *itsm.Switches) { s.ZoneHours = -2 })
			w := d.ask("GET", "/api/now/v2/table/incident/"+ids["a"]+"?"+query(append(tt.params, "sysparm_fields", fields)...), "")
			if diff := cmp.Diff(tt.want, d.row(w)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSameListOfTaskAndIncident(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	task := d.Insert("sc_task", map[string]string{"short_description": "t", "parent": ids["a"]})
	var classes []string
	for _, r := range d.rows("task", "sysparm_query", "ORDERBYshort_description", "sysparm_fields", "sys_class_name") {
		classes = append(classes, r["sys_class_name"].(string))
	}
	if want := []string{"incident", "incident", "incident", "sc_task"}; !slices.Equal(classes, want) {
		t.Errorf("classes %v, want %v", classes, want)
	}
	if w := d.ask("GET", "/api/now/table/task/"+task, ""); w.Code != http.StatusOK {
		t.Errorf("a task by its parent table: %d", w.Code)
	}
	if w := d.ask("GET", "/api/now/table/incident/"+task, ""); w.Code != http.StatusNotFound {
		t.Errorf("a task as an incident: %d, want 404", w.Code)
	}
	if got := d.rows("sc_task", "sysparm_query", "parent.short_description=a", "sysparm_fields", "parent.number"); len(got) != 1 || got[0]["parent.number"] != "INC0010001" {
		t.Errorf("a task by what it hangs under: %v", got)
	}
}

func TestTheTablesSayWhichOneTheyExtend(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.rows("sys_db_object", "sysparm_query", "nameINtask,incident,cmdb_ci_computer^ORDERBYname", "sysparm_fields", "name,label,super_class.name")
	want := []map[string]any{
		{"name": "cmdb_ci_computer", "label": "Cmdb ci computer", "super_class.name": "cmdb_ci"},
		{"name": "incident", "label": "Incident", "super_class.name": "task"},
		{"name": "task", "label": "Task", "super_class.name": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDictionarySaysWhereAColumnIsDefined(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.rows("sys_dictionary", "sysparm_query", "elementINshort_description,caller_id,work_notes^nameINtask,incident^ORDERBYelement", "sysparm_fields", "name,element,internal_type,max_length,reference")
	want := []map[string]any{
		{"name": "incident", "element": "caller_id", "internal_type": "reference", "max_length": "32", "reference": "sys_user"},
		{"name": "task", "element": "short_description", "internal_type": "string", "max_length": "160", "reference": ""},
		{"name": "task", "element": "work_notes", "internal_type": "journal_input", "max_length": "4000", "reference": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	choices := d.rows("sys_choice", "sysparm_query", "name=incident^element=close_code^inactive=false^ORDERBYsequence", "sysparm_fields", "value")
	if len(choices) != 10 || !maps.Equal(choices[0], map[string]any{"value": "Solution provided"}) {
		t.Errorf("close codes: %v", choices)
	}
}
