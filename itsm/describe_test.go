package itsm_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/itsm"
	"bridge/rest"
)

// shelf is a desk of several tables. It knows the conditions that describing asks.
type shelf struct {
	tables map[string][]map[string]string
	// widens says that it drops every condition, as an instance does with fields
	// that it does not know; closed are tables that it does not show.
	widens bool
	closed map[string]int
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{closed: map[string]int{}}
	if err := json.Unmarshal([]byte(payload(t, "tables.json")), &s.tables); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shelf) serve(r *http.Request, w http.ResponseWriter) {
	name, q := path.Base(r.URL.Path), r.URL.Query()
	if status := s.closed[name]; status != 0 {
		fixed(status, `{"error":{"message":"Insufficient rights","detail":"Insufficient rights to query records"}}`)(r, w)
		return
	}
	var found []map[string]string
	for _, row := range s.tables[name] {
		if s.widens || holds(row, q.Get("sysparm_query")) {
			found = append(found, row)
		}
	}
	limit, _ := strconv.Atoi(q.Get("sysparm_limit"))
	offset, _ := strconv.Atoi(q.Get("sysparm_offset"))
	w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	page, err := json.Marshal(map[string]any{"result": append([]map[string]string{}, found[min(offset, len(found)):min(offset+limit, len(found))]...)})
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(page)
}

func holds(row map[string]string, query string) bool {
	for part := range strings.SplitSeq(query, "^") {
		if field, ok := strings.CutSuffix(part, "ISNOTEMPTY"); ok && row[field] == "" {
			return false
		} else if field, value, ok := strings.Cut(part, "="); ok && row[field] != value {
			return false
		}
	}
	return true
}

func TestTheDictionaryOfATable(t *testing.T) {
	t.Parallel()
	own := []string{"incident.caller_id", "incident.state"}
	all := append(slices.Clone(own), "task.number")
	tests := map[string]struct {
		table string
		set   func(*shelf)
		want  []string
	}{
		"its own fields stand before and instead of those of what it extends": {"incident", nil, all},
		"an instance that drops every condition":                              {"incident", func(s *shelf) { s.widens = true }, all},
		"the extended tables may not be read":                                 {"incident", func(s *shelf) { s.closed["sys_db_object"] = 403 }, own},
		"the extended tables are not there":                                   {"incident", func(s *shelf) { s.closed["sys_db_object"] = 400 }, own},
		"a table that extends nothing":                                        {"task", nil, []string{"task.number", "task.state"}},
		"a table that nobody knows":                                           {"u_none", nil, nil},
		"tables that extend each other":                                       {"u_ring", nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			if tt.set != nil {
				tt.set(s)
			}
			var got []string
			for _, c := range collect(t, client(t, &desk{answer: s.serve}).Dictionary(t.Context(), tt.table)) {
				got = append(got, c.Table+"."+c.Element)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
	columns := collect(t, client(t, &desk{answer: newShelf(t).serve}).Dictionary(t.Context(), "incident"))
	caller := itsm.Column{Table: "incident", Element: "caller_id", Label: "Caller", Type: "reference", Reference: "sys_user", MaxLength: 32, Mandatory: true, Active: true}
	number := itsm.Column{Table: "task", Element: "number", Label: "Number", Type: "string", MaxLength: 40, ReadOnly: true, Active: true}
	if diff := cmp.Diff([]itsm.Column{caller, number}, []itsm.Column{columns[0], columns[2]}); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

func TestTheChoicesOfAField(t *testing.T) {
	t.Parallel()
	state := []itsm.Choice{
		{Table: "incident", Element: "state", Value: "1", Label: "New", Language: "en", Sequence: 1},
		{Table: "incident", Element: "state", Value: "1", Label: "Neu", Language: "de", Sequence: 1},
		{Table: "incident", Element: "state", Value: "4", Label: "Awaiting", Language: "en", Sequence: 4, Inactive: true},
	}
	inherited := []itsm.Choice{{Table: "task", Element: "approval", Value: "approved", Label: "Approved", Language: "en", Sequence: 2}}
	tests := map[string]struct {
		element string
		set     func(*shelf)
		want    []itsm.Choice
	}{
		"a table's own stand instead of those of what it extends": {"state", nil, state},
		"an instance that drops every condition":                  {"state", func(s *shelf) { s.widens = true }, state},
		"those of what it extends":                                {"approval", nil, inherited},
		"the extended tables may not be read":                     {"approval", func(s *shelf) { s.closed["sys_db_object"] = 403 }, nil},
		"one that depends on another field": {"subcategory", nil, []itsm.Choice{
			{Table: "incident", Element: "subcategory", Value: "os", Label: "Operating system", Language: "en", Dependent: "software"},
		}},
		"a field without choices": {"short_description", nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			if tt.set != nil {
				tt.set(s)
			}
			got := collect(t, client(t, &desk{answer: s.serve}).Choices(t.Context(), "incident", tt.element))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("choices (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFilesOfARecordAreNamedAndNotRead(t *testing.T) {
	t.Parallel()
	const id = "9d385017c611228701d22104cc95c371"
	want := []itsm.Attachment{
		{ID: "a1", Table: "incident", Record: id, Name: "log.txt", Type: "text/plain", Size: 123, By: "joe.employee", Created: time.Date(2026, 10, 1, 8, 15, 9, 0, time.UTC)},
		{ID: "a4", Table: "incident", Record: id, Name: "screen – 1.png", Type: "image/png", Size: 1 << 20, By: "beth.anglin", Created: time.Date(2026, 10, 2, 8, 15, 9, 0, time.UTC)},
	}
	for _, widens := range []bool{false, true} {
		s := newShelf(t)
		s.widens = widens
		d := &desk{answer: s.serve}
		if diff := cmp.Diff(want, collect(t, client(t, d).Attachments(t.Context(), "incident", id))); diff != "" {
			t.Errorf("widens %t: attachments (-want +got):\n%s", widens, diff)
		}
		for _, r := range d.asked {
			if r.URL.Host != "acme.service-now.com" || r.URL.Path != "/api/now/v1/attachment" {
				t.Errorf("asked %s", r.URL)
			}
		}
	}
}

func TestDescribingATableSaysWhatRefusedIt(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*itsm.Client) error{
		"sys_dictionary": func(c *itsm.Client) error { return last(c.Dictionary(t.Context(), "incident")) },
		"sys_choice":     func(c *itsm.Client) error { return last(c.Choices(t.Context(), "incident", "state")) },
		"attachment":     func(c *itsm.Client) error { return last(c.Attachments(t.Context(), "incident", "x")) },
	}
	for name, way := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.closed[name] = http.StatusForbidden
			if err := way(client(t, &desk{answer: s.serve})); !errors.Is(err, itsm.ErrQueryRight) || !errors.Is(err, itsm.ErrAccess) {
				t.Errorf("error %v, want a right that is missing", err)
			}
		})
	}
	s := newShelf(t)
	s.closed["sys_db_object"] = http.StatusInternalServerError
	if err := last(client(t, &desk{answer: s.serve}).Dictionary(t.Context(), "incident")); rest.StatusOf(err) != http.StatusInternalServerError {
		t.Errorf("a failure that is no refusal was passed over: %v", err)
	}
}
