package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
	"bridge/store"
)

func TestLinksAreSelectedByWhatTheirReaderNeeds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		for n := range 6 { // linked in the other order of their ids; the first has no ticket, the last has ended
			link := aLink(n)
			link.Linked, link.MMD = noon.Add(-time.Duration(n)*time.Minute), "ticket "+link.Record
			switch n {
			case 0:
				link.MMD, link.Linked = "", time.Time{}
			case 2:
				link.Table = "problem"
			case 5:
				link.Ended = noon
			}
			promise(t, l, plan.Promise{Links: []plan.Link{link}})
		}
		for _, tt := range []struct {
			name  string
			query plan.LinkQuery
			want  []string
		}{
			{"all, by id", plan.LinkQuery{}, []string{"r00000", "r00001", "r00002", "r00003", "r00004", "r00005"}},
			{"no more than asked for", plan.LinkQuery{Limit: 2}, []string{"r00000", "r00001"}},
			{"more than there are", plan.LinkQuery{Limit: 100}, []string{"r00000", "r00001", "r00002", "r00003", "r00004", "r00005"}},
			{"of a table", plan.LinkQuery{Table: "problem"}, []string{"r00002"}},
			{"open ones of a table", plan.LinkQuery{Table: "incident", Open: true}, []string{"r00000", "r00001", "r00003", "r00004"}},
			{"the newest that have both halves", plan.LinkQuery{Newest: true, Limit: 3}, []string{"r00001", "r00002", "r00003"}},
			{"the newest of a table", plan.LinkQuery{Newest: true, Table: "problem"}, []string{"r00002"}},
			{"of no record", plan.LinkQuery{Records: []string{}}, nil},
		} {
			for _, brief := range []bool{false, true} {
				tt.query.Brief = brief
				var got []string
				for link, err := range l.Links(t.Context(), tt.query) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, link.Record)
					if known := link.Base != nil; known == brief {
						t.Errorf("%s, brief: %v: the link came with %v", tt.name, brief, link.Base)
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s, brief: %v (-want +got):\n%s", tt.name, brief, diff)
				}
			}
		}
		for link, err := range l.Links(t.Context(), plan.LinkQuery{Newest: true, Brief: true, Limit: 1}) {
			want := plan.Link{
				ID: "ticket/r00001", Kind: plan.TicketLink, Rule: "incident", Table: "incident", Record: "r00001",
				MMD: "ticket r00001", Linked: noon.Add(-time.Minute),
			}
			if diff := cmp.Diff(want, link); diff != "" || err != nil {
				t.Errorf("a link in brief, %v (-want +got):\n%s", err, diff)
			}
		}
	})
}

// TestNoQueryOfTheLoopReadsAWholeTable asks SQLite how it would read each.
func TestNoQueryOfTheLoopReadsAWholeTable(t *testing.T) {
	t.Parallel()
	l := open(t, store.Config{URL: "sqlite::memory:", Worker: true, Holder: "the test"})
	one, many := []string{"a"}, slices.Repeat([]string{"a"}, 200)
	for _, some := range [][]string{one, many} {
		for name, q := range map[string]plan.LinkQuery{
			"links_mmd":                             {MMD: some, Kind: plan.TicketLink},
			"links_record":                          {Records: some, Kind: plan.TicketLink},
			"links_record, open":                    {Records: some, Kind: plan.ElevationLink, Open: true},
			"PRIMARY KEY":                           {IDs: some},
			"links_notes_due":                       {NotesDueBy: noon},
			"links_linked":                          {Kind: plan.TicketLink, Newest: true, Brief: true, Limit: 1000},
			"COVERING INDEX links_open":             {Kind: plan.TicketLink, Open: true, Brief: true},
			"COVERING INDEX links_open, of a table": {Kind: plan.TicketLink, Table: "incident", Open: true, Brief: true, Limit: 1},
			"COVERING INDEX links_open, of a rule":  {Kind: plan.ElevationLink, Rule: "elevation", Open: true, Brief: true},
		} {
			how, err := l.ExplainLinks(t.Context(), q)
			want, _, _ := strings.Cut(name, ",")
			if err != nil || !strings.Contains(how, want) {
				t.Errorf("%s: it is read so: %s, %v", name, how, err)
			}
		}
		for name, q := range map[string]plan.OpQuery{
			"ops_link":            {Links: some},
			"ops_mark":            {Marks: some, Kinds: []plan.Kind{plan.TicketCreate}},
			"(key=?)":             {Keys: some},
			"ops_owed":            {States: []plan.State{plan.Promised}},
			"ops_owed, of a kind": {States: []plan.State{plan.Doubt, plan.Parked}, Kinds: []plan.Kind{plan.TicketNote}},
			"ops_owed, all":       {Owed: true},
		} {
			how, err := l.ExplainOps(t.Context(), q)
			want, _, _ := strings.Cut(name, ",")
			if err != nil || !strings.Contains(how, want) {
				t.Errorf("%s: it is read so: %s, %v", name, how, err)
			}
		}
	}
}

func TestLinksThatHaveSomethingToSayAreCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		counted := func(noticed, unheard int) {
			t.Helper()
			if c, err := l.Counts(t.Context(), noon); err != nil || c.Noticed != noticed || c.Unheard != unheard {
				t.Errorf("%+v, %v: want %d noticed, %d unheard", c, err, noticed, unheard)
			}
		}
		var links []plan.Link
		for n := range 4 {
			links = append(links, aLink(n))
		}
		links[0].Notice, links[1].Unheard = "it is gone", "no right"
		links[2].Notice, links[2].Ended = "it is gone", noon
		promise(t, l, plan.Promise{Links: links})
		counted(1, 1)
		for n := range links {
			links[n].Version = 1
		}
		links[0].Unheard, links[3].Notice = "no right", "it is gone"
		promise(t, l, plan.Promise{Links: links})
		counted(2, 2)
		for n := range links {
			links[n].Version, links[n].Notice, links[n].Unheard = 2, "", ""
		}
		promise(t, l, plan.Promise{Links: links})
		counted(0, 0)
	})
	l := open(t, store.Config{URL: "sqlite::memory:", Worker: true, Holder: "the test"})
	if how, err := l.ExplainSaid(t.Context()); err != nil || !strings.Contains(how, "COVERING INDEX links_said") {
		t.Errorf("they are counted so: %s, %v", how, err)
	}
}

// What ended is not decided on again: its rows are most of what an old link's ops hold.
func TestABriefReadOfOpsLeavesOutTheRowsOfThoseThatEnded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		row := mapping.Row{"state": {Value: "2", Display: "In Progress"}}
		basis := plan.Basis{
			Seen: noon, Since: noon.Add(-time.Hour), Rev: "r", Approvals: []string{"a"},
			Record: row, Ticket: row, Before: row, TicketOf: map[string]string{"parent": "T"},
		}
		waits, ended := aCreate(aLink(1)), aCreate(aLink(2))
		waits.Basis, ended.Basis = basis, basis
		ended.State, ended.Ended, ended.Body, ended.Reason = plan.Done, noon, []byte(`{"a":"b"}`), "why"
		opened := ended
		opened.Key, opened.Kind = "elevation.create/x/1", plan.ElevationCreate
		promise(t, l, plan.Promise{Links: []plan.Link{aLink(1), aLink(2)}, Ops: []plan.Op{waits, ended, opened}})
		waits.Seq, ended.Seq, opened.Seq = 1, 2, 3
		for _, brief := range []bool{false, true} {
			if brief {
				ended.Basis = plan.Basis{Seen: noon, Since: noon.Add(-time.Hour), Rev: "r", Approvals: []string{"a"}}
			}
			var got []plan.Op
			for op, err := range l.Ops(t.Context(), plan.OpQuery{Brief: brief}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, op)
			}
			if diff := cmp.Diff([]plan.Op{waits, ended, opened}, got); diff != "" {
				t.Errorf("brief: %t (-want +got):\n%s", brief, diff)
			}
		}
	})
}
