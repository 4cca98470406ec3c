package plan_test

import (
	"slices"
	"testing"

	"bridge/plan"
)

// What was read of a journal under other identities than before is not news.
func TestCommentsThatOnlyLookNewAreToldApart(t *testing.T) {
	t.Parallel()
	text := func(at, says string) plan.Comment { return plan.Comment{ID: "r1/comments/" + at, Text: says} }
	row := func(id, says string) plan.Comment { return plan.Comment{ID: id, Text: says} }
	for _, tt := range []struct {
		name       string
		was, is    []plan.Comment
		fresh      []string
		mixed, out bool
	}{
		{"nothing is known", nil, []plan.Comment{text("10:00/0", "a")}, []string{"r1/comments/10:00/0"}, false, false},
		{"one more", []plan.Comment{text("10:00/0", "a")}, []plan.Comment{text("10:00/0", "a"), text("11:00/0", "a")}, []string{"r1/comments/10:00/0", "r1/comments/11:00/0"}, false, false},
		{"all at another time", []plan.Comment{text("10:00/0", "a"), text("10:05/0", "b")}, []plan.Comment{text("12:00/0", "a"), text("12:05/0", "b"), text("12:06/0", "c")}, []string{"r1/comments/12:06/0"}, false, true},
		{"one was taken away", []plan.Comment{text("10:00/0", "a")}, []plan.Comment{text("12:00/0", "b")}, []string{"r1/comments/12:00/0"}, false, true},
		{"a row was taken away, and said again", []plan.Comment{row("s1", "a")}, []plan.Comment{row("s2", "a")}, []string{"s2"}, false, true},
		{"rows before, text now", []plan.Comment{row("s1", "a")}, []plan.Comment{text("10:00/0", "a")}, []string{"r1/comments/10:00/0"}, true, true},
		{"text before, rows now", []plan.Comment{text("10:00/0", "a")}, []plan.Comment{row("s1", "b")}, []string{"s1"}, true, true},
		{"rows before, nothing now", []plan.Comment{row("s1", "a")}, nil, nil, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := planner(t)
			story := plan.Story{Link: plan.Link{ID: "ticket/r1", Record: "r1", MMD: "T", Number: "INC1"}}
			story.Notes = p.LinkedRecord(p.Rules.Tickets[0], story, plan.Record{Table: "incident", Comments: tt.was}).Notes
			if len(story.Notes) != len(tt.was) {
				t.Fatalf("%d notes are known: %v", len(story.Notes), story.Notes)
			}
			rec := plan.Record{Comments: tt.is}
			var fresh []string
			for _, c := range rec.Fresh(&story) {
				fresh = append(fresh, c.ID)
			}
			if !slices.Equal(fresh, tt.fresh) {
				t.Errorf("fresh are %v, want %v", fresh, tt.fresh)
			}
			if rec.Mixed(&story) != tt.mixed || rec.Lacks(&story) > 0 != tt.out {
				t.Errorf("mixed %v, lacks %v", rec.Mixed(&story), rec.Lacks(&story))
			}
		})
	}
}
