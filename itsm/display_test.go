package itsm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/itsm"
	"bridge/rest"
)

func said(e itsm.Entry) string {
	return fmt.Sprintf("%s %s: %q", e.ID, e.By, e.Text)
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestAJournalIsReadFromItsDisplayValue(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text  string
		dates itsm.Dates
		want  []string
	}{
		"none":                         {"", itsm.Dates{}, nil},
		"nothing but blanks":           {" \r\n\n", itsm.Dates{}, nil},
		"as it was captured":           {payload(t, "journal-display.txt"), itsm.Dates{}, []string{`2016-12-13T12:30:14Z/0 Joe Employee: "Hi David, \nThat must be it…"`, `2022-11-04T15:29:20Z/0 System Administrator: "test"`}},
		"another zone":                 {payload(t, "journal-display.txt"), itsm.Dates{Zone: berlin(t)}, []string{`2016-12-13T11:30:14Z/0 Joe Employee: "Hi David, \nThat must be it…"`, `2022-11-04T14:29:20Z/0 System Administrator: "test"`}},
		"another language, the day is": {payload(t, "journal-display-german.txt"), itsm.Dates{}, []string{`2022-10-31T00:05:00Z/0 Jörg: "alt"`, `2022-11-04T15:29:20Z/0 Anna - Maria (extern): "erste Zeile\n\nnach einer leeren Zeile"`}},
		"quotes of other journals": {payload(t, "journal-display-quoted.txt"), itsm.Dates{}, []string{
			`2026-11-23T10:04:05Z/0 Beth Anglin: "the first of this second"`,
			`2026-11-23T10:04:05Z/1 Beth Anglin: "He wrote to me:\n\n2026-11-20 09:00:00 - Joe Employee (Additional comments)\nIt hums.\n\nand 2026-11-20 09:00:00 - Joe Employee (Work notes)\nis no entry, nor is the next, which has no blank line above it\n2026-11-20 09:00:00 - Joe Employee (Work notes)\nnor one of the future\n\n2026-12-24 09:00:00 - Joe Employee (Work notes)\nend"`,
		}},
		"an entry without a text":        {"2026-11-23 10:04:05 - Beth Anglin (Work notes)\n\n\n", itsm.Dates{}, []string{`2026-11-23T10:04:05Z/0 Beth Anglin: ""`}},
		"no blank line at the end":       {"2026-11-23 10:04:05 - Beth Anglin (Work notes)\nx", itsm.Dates{}, []string{`2026-11-23T10:04:05Z/0 Beth Anglin: "x"`}},
		"no seconds":                     {"23.11.2026 10:04 - Beth Anglin (Work notes)\nx\n\n", itsm.Dates{}, []string{`2026-11-23T10:04:00Z/0 Beth Anglin: "x"`}},
		"half a day, small letters":      {"11-23-2026 10:04:05 pm - Beth Anglin (Work notes)\nx\n\n", itsm.Dates{}, []string{`2026-11-23T22:04:05Z/0 Beth Anglin: "x"`}},
		"a given format":                 {"10/09/2026 10:04:05 - Beth Anglin (Work notes)\nx\n\n", itsm.Dates{Layout: "02/01/2006 15:04:05"}, []string{`2026-09-10T10:04:05Z/0 Beth Anglin: "x"`}},
		"the hour in which a clock goes": {"2026-10-25 02:10:00 - B (Work notes)\nlater\n\n2026-10-25 02:50:00 - B (Work notes)\nearlier\n\n", itsm.Dates{Zone: berlin(t)}, []string{"earlier", "later"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, err := itsm.ParseJournal(tt.text, tt.dates)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, said(e))
				if slices.Contains(tt.want, e.Text) {
					got[len(got)-1] = e.Text
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADisplayValueThatIsNoJournalIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"the newest entry alone, as a raw value may be", "2026-11-23 10:04:05 - Beth Anglin\nno label", "2026-11-23 10:04:05 - (Work notes)\nno name",
		"2026-11-23 10:04:05 - Beth Anglin Work notes)\nx", "2026-11-23 - Beth Anglin (Work notes)\nx", "2026-11-23 10:04:05 - Beth Anglin ()\nx",
		"23. November 2026 10:04:05 - Beth Anglin (Work notes)\nx",
	} {
		if got, err := itsm.ParseJournal(text, itsm.Dates{}); !errors.Is(err, itsm.ErrDisplay) || got != nil {
			t.Errorf("%q: %v, %v; want that it cannot be read", text, got, err)
		}
	}
}

func TestAnEntryKeepsItsIdentityWhenOthersCome(t *testing.T) {
	t.Parallel()
	text, ids := "", map[string]string{}
	for i, at := range []string{"2026-11-23 10:04:05", "2026-11-23 10:04:05", "2026-11-23 10:04:06", "2026-11-23 10:04:06", "2026-11-23 10:05:00"} {
		text = fmt.Sprintf("%s - B (Work notes)\nentry %d\n\n%s", at, i, text)
		entries, err := itsm.ParseJournal(text, itsm.Dates{})
		if err != nil || len(entries) != i+1 {
			t.Fatal(entries, err)
		}
		for _, e := range entries {
			if was, known := ids[e.ID]; known && was != e.Text {
				t.Errorf("%s was %q and is %q", e.ID, was, e.Text)
			}
			ids[e.ID] = e.Text
		}
	}
	if len(ids) != 5 {
		t.Errorf("five entries had %d identities", len(ids))
	}
}

// shownRecord is a record with its display values, at a time that its user sees so.
func shownRecord(id, changed, shown string, journals map[string]string) map[string]any {
	type both struct {
		Value   string `json:"value"`
		Display string `json:"display_value"`
	}
	row := map[string]any{"sys_id": both{id, id}, "sys_updated_on": both{changed, shown}, "sys_mod_count": both{"1", "1"}}
	for element, text := range journals {
		row[element] = both{"", text}
	}
	return row
}

func TestJournalsOfRecordsAreReadByDisplayValue(t *testing.T) {
	t.Parallel()
	note := func(at, text string) string { return at + " - Beth Anglin (Work notes)\n" + text + "\n\n" }
	both := []string{"comments", "work_notes"}
	tests := map[string]struct {
		rows  []map[string]any
		dates itsm.Dates
		want  []string
		err   error
	}{
		"two fields of two records": {
			[]map[string]any{
				shownRecord("a", "2026-11-23 10:04:05", "2026-11-23 10:04:05", map[string]string{"comments": note("2026-11-23 10:00:00", "c2") + note("2026-11-23 09:00:00", "c1"), "work_notes": note("2026-11-23 10:04:05", "w")}),
				shownRecord("b", "2026-11-23 10:04:05", "2026-11-23 10:04:05", map[string]string{"work_notes": note("2026-11-23 10:04:05", "other")}),
			},
			itsm.Dates{},
			[]string{"a/comments/2026-11-23T09:00:00Z/0 c1", "a/comments/2026-11-23T10:00:00Z/0 c2", "a/work_notes/2026-11-23T10:04:05Z/0 w", "b/work_notes/2026-11-23T10:04:05Z/0 other"},
			nil,
		},
		"a record that was not asked for": {[]map[string]any{shownRecord("z", "2026-11-23 10:04:05", "2026-11-23 10:04:05", map[string]string{"comments": note("2026-11-23 10:00:00", "x")})}, itsm.Dates{}, nil, nil},
		"no journal at all":               {[]map[string]any{shownRecord("a", "", "", nil)}, itsm.Dates{}, nil, nil},
		"the user's zone": {
			[]map[string]any{shownRecord("a", "2026-11-23 10:04:05", "23.11.2026 11:04:05", map[string]string{"comments": note("23.11.2026 11:04:05", "winter") + note("01.07.2026 11:04:05", "summer")})},
			itsm.Dates{Zone: berlin(t)},
			[]string{"a/comments/2026-07-01T09:04:05Z/0 summer", "a/comments/2026-11-23T10:04:05Z/0 winter"},
			nil,
		},
		"another zone than was said": {[]map[string]any{shownRecord("a", "2026-11-23 10:04:05", "2026-11-23 11:04:05", map[string]string{"comments": note("2026-11-23 11:04:05", "x")})}, itsm.Dates{}, nil, itsm.ErrDisplay},
		"a format that is not known": {[]map[string]any{shownRecord("a", "2026-11-23 10:04:05", "Monday", map[string]string{"comments": note("Monday", "x")})}, itsm.Dates{}, nil, itsm.ErrDisplay},
		"a zone that nothing proves": {[]map[string]any{shownRecord("a", "", "", map[string]string{"comments": note("2026-11-23 11:04:05", "x")})}, itsm.Dates{}, nil, itsm.ErrDisplay},
		"what is no journal":         {[]map[string]any{shownRecord("a", "2026-11-23 10:04:05", "2026-11-23 10:04:05", map[string]string{"comments": "x"})}, itsm.Dates{}, nil, itsm.ErrDisplay},
		"the day stands first, as the record's own time shows": {
			[]map[string]any{shownRecord("a", "2026-11-23 10:04:05", "23/11/2026 10:04:05", map[string]string{"comments": note("10/09/2026 10:00:00", "September")})},
			itsm.Dates{},
			[]string{"a/comments/2026-09-10T10:00:00Z/0 September"},
			nil,
		},
		"the day stands first, as the record before showed": {
			[]map[string]any{
				shownRecord("a", "2026-11-23 10:04:05", "23/11/2026 10:04:05", map[string]string{"comments": note("23/11/2026 10:00:00", "x")}),
				shownRecord("b", "2026-10-10 10:04:05", "10/10/2026 10:04:05", map[string]string{"comments": note("10/09/2026 10:00:00", "September")}),
			},
			itsm.Dates{},
			[]string{"a/comments/2026-11-23T10:00:00Z/0 x", "b/comments/2026-09-10T10:00:00Z/0 September"},
			nil,
		},
		"the day stands first, as an entry shows": {
			[]map[string]any{shownRecord("a", "2026-10-10 10:04:05", "10/10/2026 10:04:05", map[string]string{"comments": note("10/09/2026 10:00:00", "September") + note("31/08/2026 10:00:00", "August")})},
			itsm.Dates{},
			[]string{"a/comments/2026-08-31T10:00:00Z/0 August", "a/comments/2026-09-10T10:00:00Z/0 September"},
			nil,
		},
		"days and months that nothing tells apart": {[]map[string]any{shownRecord("a", "2026-10-10 10:04:05", "10/10/2026 10:04:05", map[string]string{"comments": note("10/09/2026 10:00:00", "x")})}, itsm.Dates{}, nil, itsm.ErrDisplay},
		"days and months that a given format tells apart": {
			[]map[string]any{shownRecord("a", "2026-10-10 10:04:05", "10/10/2026 10:04:05", map[string]string{"comments": note("10/09/2026 10:00:00", "x")})},
			itsm.Dates{Layout: "01/02/2006 15:04:05"},
			[]string{"a/comments/2026-10-09T10:00:00Z/0 x"},
			nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{answer: func(_ *http.Request, w http.ResponseWriter) {
				if err := json.NewEncoder(w).Encode(map[string]any{"result": tt.rows}); err != nil {
					t.Error(err)
				}
			}}
			var got []string
			var failed error
			for e, err := range client(t, d).JournalText(t.Context(), "incident", []string{"a", "b"}, both, tt.dates) {
				if failed = err; err == nil {
					got = append(got, e.ID+" "+e.Text)
					if !strings.HasPrefix(e.ID, e.Record+"/"+e.Element+"/") {
						t.Errorf("%+v", e)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(failed, tt.err) {
				t.Errorf("error %v, want %v; entries (-want +got):\n%s", failed, tt.err, diff)
			}
			if tt.err != nil && rest.OutcomeOf(failed) != rest.Unknown {
				t.Errorf("outcome %s", rest.OutcomeOf(failed))
			}
			if q := d.asked[0].URL.Query(); q.Get("sysparm_display_value") != "all" {
				t.Errorf("asked %s", q)
			}
		})
	}
}

func FuzzParseJournal(f *testing.F) {
	for _, name := range []string{"journal-display.txt", "journal-display-german.txt", "journal-display-quoted.txt"} {
		f.Add(read(f, name))
	}
	f.Add("2026-11-23 10:04:05 - B (W)")
	f.Add("1/1/2026 1:04 am - ) - (()) ((W))\n\n\n1/1/2026 1:04 AM - B (W)")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := itsm.ParseJournal(text, itsm.Dates{})
		if err == nil && len(entries) == 0 && strings.TrimSpace(text) != "" {
			t.Errorf("%q was taken for no journal", text)
		}
		ids, length := map[string]bool{}, 0
		for _, e := range entries {
			length += len(e.Text)
			if ids[e.ID] || e.By == "" {
				t.Errorf("entry %+v of %q", e, text)
			}
			ids[e.ID] = true
		}
		if length > len(text) {
			t.Errorf("the entries of %q are longer than it is", text)
		}
	})
}
