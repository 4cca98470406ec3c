package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
)

// takeDown lets a story know what was promised.
func takeDown(story *plan.Story, promise plan.Promise) (owed []string) {
	known := map[string]int{}
	for i, n := range story.Notes {
		known[n.ID] = i
	}
	for _, n := range promise.Notes {
		if i, is := known[n.ID]; is {
			story.Notes[i] = n
		} else {
			story.Notes = append(story.Notes, n)
		}
	}
	keys := map[string]bool{}
	for _, op := range story.Ops {
		keys[op.Key] = true
	}
	for _, op := range promise.Ops {
		if keys[op.Key] {
			continue // as the ledger does
		}
		_, body, _ := strings.Cut(string(op.Body), `\n`)
		if op.Kind == plan.TicketNote {
			_, body, _ = strings.Cut(string(op.Body), `br\u003e`)
		}
		story.Ops, owed = append(story.Ops, op), append(owed, strings.TrimSuffix(body, `"}`))
	}
	for _, link := range promise.Links {
		story.Link = link
	}
	return owed
}

// A text that comes back is told again, both ways.
func TestEachEditIsTold(t *testing.T) {
	t.Parallel()
	p := planner(t)
	rule := p.Rules.Tickets[0]
	now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	var record, ticket []string
	texts := []string{"a", "b", "b", "a", "b", "a"}
	ofTicket := plan.Story{Link: plan.Link{ID: "ticket/r", Record: "r", MMD: "T", Number: "INC1", Created: now}}
	ofRecord := ofTicket
	for _, text := range texts {
		record = append(record, takeDown(&ofTicket, p.LinkedNotes(rule, ofTicket, []plan.VendorNote{by(t, "10 vera: "+text)}, now))...)
		ticket = append(ticket, takeDown(&ofRecord, p.LinkedRecord(rule, ofRecord, aRecord(now, text, true)))...)
	}
	if diff := cmp.Diff([]string{"a", `Edited, now:\nb`, `Edited, now:\na`, `Edited, now:\nb`, `Edited, now:\na`}, record); diff != "" {
		t.Errorf("told to the record (-want +got):\n%s", diff)
	}
	edited := func(text string) string { return `Edited, now:\u003cbr\u003e` + text }
	if diff := cmp.Diff([]string{"a", edited("b"), edited("a"), edited("b"), edited("a")}, ticket); diff != "" {
		t.Errorf("told to the ticket (-want +got):\n%s", diff)
	}
}

// What is written while a record is with another group is not for the vendor, nor is what is edited.
func TestAnEditOfARecordThatIsAwayIsNotPassedOn(t *testing.T) {
	t.Parallel()
	p := planner(t)
	rule := p.Rules.Tickets[0]
	now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	story := plan.Story{Link: plan.Link{ID: "ticket/r", Record: "r", MMD: "T", Number: "INC1", Created: now}}
	takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "a", true)))
	takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "a", false)))
	if story.Link.Left.IsZero() {
		t.Fatal("it did not leave")
	}
	if owed := takeDown(&story, p.LinkedRecord(rule, story, aRecord(now.Add(time.Hour), "b", false))); owed != nil {
		t.Errorf("the vendor is told %q", owed)
	}
	if owed := takeDown(&story, p.LinkedRecord(rule, story, aRecord(now.Add(2*time.Hour), "b", true))); len(owed) != 1 || !strings.Contains(owed[0], "is back") {
		t.Errorf("when it is back, the vendor is told %q", owed)
	}
}

// A rule that goes on now lets comments flow again of what left before.
func TestARecordThatIsAwayIsBackWhenItsRuleGoesOn(t *testing.T) {
	t.Parallel()
	p := planner(t)
	rule := p.Rules.Tickets[0]
	now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	story := plan.Story{Link: plan.Link{ID: "ticket/r", Record: "r", MMD: "T", Number: "INC1", Created: now}}
	takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "a", true)))
	takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "a", false)))
	rule.Leave = "go_on"
	owed := takeDown(&story, p.LinkedRecord(rule, story, aRecord(now.Add(time.Hour), "a", false)))
	if len(owed) != 1 || !strings.Contains(owed[0], "is back") || !story.Link.Left.IsZero() {
		t.Errorf("the ticket is told %q, and it is away since %s", owed, story.Link.Left)
	}
}

// aRecord is one with one comment, with our group or with another.
func aRecord(now time.Time, comment string, ours bool) plan.Record {
	group := "Microsoft Managed Desktop"
	if !ours {
		group = "Another"
	}
	return plan.Record{
		Table: "incident", Seen: now, Comments: []plan.Comment{{ID: "c1", Element: "comments", By: "ada", Text: comment, At: now}},
		Row: mapping.Row{"sys_id": {Value: "r"}, "number": {Value: "INC1"}, "active": {Value: "true"}, "state": {Value: "2"}, "assignment_group.name": {Value: group}},
	}
}
