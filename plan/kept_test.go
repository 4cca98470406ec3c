package plan_test

import (
	"strings"
	"testing"
	"time"

	"bridge/mapping"
	"bridge/plan"
)

// What a rule does not pass on, it does not pass on as an edit either.
func TestAnEditThatTheRuleKeepsBackIsNotPassedOn(t *testing.T) {
	rules, problems := mapping.Load("m.yaml", []byte(strings.Replace(keepingBack, "WHEN", `'not (note.text contains "internal")'`, 1)), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p := plan.Planner{Rules: rules, Pair: plan.Pair{Host: "h", Tenant: "t"}}
	rule := p.Rules.Tickets[0]
	now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	story := plan.Story{Link: plan.Link{ID: "ticket/r", Record: "r", MMD: "T", Number: "INC1", Created: now}}
	if owed := takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "a", true))); len(owed) != 1 {
		t.Fatal(owed)
	}
	if owed := takeDown(&story, p.LinkedRecord(rule, story, aRecord(now, "internal: the password is 1234", true))); len(owed) != 0 {
		t.Errorf("a comment that the rule keeps back is told to the vendor as an edit: %q", owed)
	}
}

const keepingBack = `version: 1
tickets:
  - name: incident
    table: incident
    query: [active=true, assignment_group.name=Microsoft Managed Desktop]
    create:
      title: "{{ number }}: {{ short_description }}"
      description: "{{ short_description }}"
      type: Incident
      category: Devices
      subcategory: Other
      severity: 3
      contact: { givenName: a, surname: b, email: c@d.example, phoneNumber: "1" }
    notes:
      to_record: { field: work_notes }
      to_ticket: { fields: [comments], when: WHEN }
`
