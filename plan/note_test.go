package plan_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
)

// planner is one with the rules of mappings.yaml.
func planner(t *testing.T) plan.Planner {
	t.Helper()
	src, err := os.ReadFile("../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Load("mappings.yaml", src, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return plan.Planner{Rules: rules, Pair: plan.Pair{Host: "itsm.test", Tenant: "tenant"}, NotesEvery: time.Minute, NotesMax: time.Hour, Settle: 5 * time.Minute}
}

// by writes a vendor's note: "10 vera: text" was written ten seconds after the hour.
func by(t *testing.T, short string) plan.VendorNote {
	t.Helper()
	head, text, ok := strings.Cut(short, ": ")
	second, sender, named := strings.Cut(head, " ")
	if !ok || !named {
		t.Fatalf("%q is no note", short)
	}
	raw := "2026-11-23T10:00:" + second + "Z"
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		t.Fatal(err)
	}
	return plan.VendorNote{Sender: sender, Text: text, At: at, Raw: raw}
}

func TestANoteIsKnownByItsTimeItsSenderAndItsText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		first, then []string
		want        []string // what the second read owes the record
	}{
		{"the same again", []string{"10 vera: a", "20 vera: b"}, []string{"10 vera: a", "20 vera: b"}, nil},
		{"one more", []string{"10 vera: a"}, []string{"10 vera: a", "20 vera: b"}, []string{"b"}},
		{"an empty list proves nothing", []string{"10 vera: a"}, nil, nil},
		{"equals in another order", []string{"10 vera: a", "10 vera: b"}, []string{"10 vera: b", "10 vera: a"}, nil},
		{"the same text twice is two notes", []string{"10 vera: a"}, []string{"10 vera: a", "10 vera: a"}, []string{"a"}},
		{"one before it was deleted", []string{"10 vera: a", "10 vera: b", "10 vera: c"}, []string{"10 vera: b", "10 vera: c"}, nil},
		{"edited", []string{"10 vera: a", "20 vera: b"}, []string{"10 vera: a", "20 vera: x"}, []string{"Edited, now:\nx"}},
		{"edited among equals", []string{"10 vera: a", "10 vera: b"}, []string{"10 vera: x", "10 vera: b"}, []string{"Edited, now:\nx"}},
		{"re-signed", []string{"10 vera: a"}, []string{"10 Vera V.: a"}, nil},
		{"another of the same time and text", []string{"10 vera: a"}, []string{"10 vera: a", "10 hugo: a"}, []string{"a"}},
		{"re-signed and edited is new", []string{"10 vera: a"}, []string{"10 hugo: x"}, []string{"x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := planner(t)
			rule := p.Rules.Tickets[0]
			now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
			story := plan.Story{Link: plan.Link{ID: "ticket/a", Record: "a", MMD: "T", Number: "INC1", Created: now.Add(-2 * time.Hour)}}
			read := func(short []string) (owed []string) {
				var notes []plan.VendorNote
				for _, s := range short {
					notes = append(notes, by(t, s))
				}
				promise := p.LinkedNotes(rule, story, notes, now)
				known := map[string]int{}
				for i, n := range story.Notes {
					known[n.ID] = i
				}
				for _, n := range promise.Notes {
					if i, ok := known[n.ID]; ok {
						story.Notes[i] = n
					} else {
						story.Notes = append(story.Notes, n)
					}
				}
				story.Ops, story.Link = append(story.Ops, promise.Ops...), promise.Links[0]
				for _, op := range promise.Ops {
					_, body, _ := strings.Cut(string(op.Body), `\n`)
					owed = append(owed, strings.ReplaceAll(strings.TrimSuffix(body, `"}`), `\n`, "\n"))
				}
				return owed
			}
			read(tt.first)
			if diff := cmp.Diff(tt.want, read(tt.then)); diff != "" {
				t.Errorf("owed to the record (-want +got):\n%s", diff)
			}
			if again := read(tt.then); again != nil {
				t.Errorf("the third read owes %q", again)
			}
		})
	}
}

func TestOurOwnNotesAreNeverNews(t *testing.T) {
	t.Parallel()
	p := planner(t)
	rule := p.Rules.Tickets[0]
	now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	mark := p.Pair.Mark("a", plan.TicketNote, "c1", "1")
	story := plan.Story{
		Link: plan.Link{ID: "ticket/a", Record: "a", MMD: "T", Number: "INC1"},
		Ops:  []plan.Op{{Key: "ticket.note/a/c1/1", Link: "ticket/a", Kind: plan.TicketNote, State: plan.Done, Mark: mark, Ended: now}},
	}
	ours := by(t, "10 bridge: ada · 2026-11-23T09:00:00Z · INC1 · "+mark+"\nHello.")
	quoted := by(t, "20 vera: ada · 2026-11-23T09:00:00Z · INC1 · "+mark+"\nHello.")
	first := p.LinkedNotes(rule, story, []plan.VendorNote{ours}, now)
	if len(first.Ops) != 0 || len(first.Notes) != 1 || first.Notes[0].Mark != mark {
		t.Fatalf("our own note: %+v", first)
	}
	story.Notes = first.Notes
	if second := p.LinkedNotes(rule, story, []plan.VendorNote{ours, quoted}, now); len(second.Ops) != 1 {
		t.Errorf("a quotation by a person is news: %+v", second.Ops)
	}
	ours.Text = "ada · 2026-11-23T09:00:00Z · INC1 · " + mark + "\nHello, edited by the vendor."
	if edited := p.LinkedNotes(rule, story, []plan.VendorNote{ours}, now); len(edited.Ops) != 0 {
		t.Errorf("an edit of our own words: %+v", edited.Ops)
	}
	// The ledger is lost: what it may have written is recognised by the pair's mark.
	lost := p
	lost.Aged = now
	forgotten := plan.Story{Link: story.Link}
	ours = by(t, "10 bridge: bridge · 2026-11-23T09:00:00Z · INC1 · "+p.Pair.Mark("a", plan.TicketNote, "tell/state/7", "1")+"\nState: New, was Old")
	if got := lost.LinkedNotes(rule, forgotten, []plan.VendorNote{ours}, now); len(got.Ops) != 0 {
		t.Errorf("what a lost ledger told is no news: %+v", got.Ops)
	}
	if got := p.LinkedNotes(rule, forgotten, []plan.VendorNote{ours}, now); len(got.Ops) != 1 {
		t.Errorf("a mark that this ledger does not know is a person's: %+v", got.Ops)
	}
}

// A link that was found does not repeat what was said before, also if its ticket shows
// nothing at first, and loses nothing that is said after.
func TestAFoundLinkTakesDownWhatWasSaidBefore(t *testing.T) {
	t.Parallel()
	p := planner(t)
	rule := p.Rules.Tickets[0]
	found := time.Date(2026, 11, 23, 10, 0, 30, 0, time.UTC)
	story := plan.Story{Link: plan.Link{ID: "ticket/a", Record: "a", MMD: "T", Number: "INC1", Created: found, Adopted: true}}
	for i, read := range []struct{ notes, owed []string }{
		{nil, nil},
		{[]string{"10 vera: old"}, nil},
		{[]string{"10 vera: old", "50 vera: new"}, []string{"new"}},
	} {
		var notes []plan.VendorNote
		for _, n := range read.notes {
			notes = append(notes, by(t, n))
		}
		if diff := cmp.Diff(read.owed, takeDown(&story, p.LinkedNotes(rule, story, notes, found.Add(time.Minute)))); diff != "" {
			t.Errorf("read %d owes (-want +got):\n%s", i, diff)
		}
	}
}
