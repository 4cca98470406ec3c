package mapping_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
)

// both is a file with a rule of each kind, and every key that a rule can have.
const both = `version: 1
tickets:
  - name: incident
    was: [incidents, old]
    table: incident
    query: active=true
    when: state != "8"
    start: { from: 2026-11-01 }
    limits: { creates: 5 }
    create:
      title: "{{ number }}: {{ short_description }}"
      description: "{{ description }}"
      type: Incident
      category: Devices
      subcategory: Other
      severity: 4
      contact: { givenName: a, surname: b, email: "{{ caller_id.email }}", phoneNumber: d }
    update:
      correlation_id: "{{ ticket.id }}"
      close_code: { when: 'ticket.state == "resolved" and record.state not in ["6", "7"]', value: Done }
      u_owner: "{{ nextActionOwner }}"
      state: { when: record.u_locked != "true", value: "{{ ticket.state }}", map: { active: "2", resolved: "6" } }
    notes:
      history: none
      to_record: { field: work_notes, when: 'not (text startsWith "[internal]")' }
      to_ticket: { fields: [comments, u_public_notes], when: 'author != "system" and record.u_silent != "true"' }
    tell_ticket: [priority]
    owner: { state: mmd, close_code: hold }
    reopen: new
    leave: go_on
elevations:
  - name: elevation
    was: [rights]
    table: sc_task
    query: [active=true, short_descriptionLIKEelevation]
    approved: request_item.approval
    approval: { not_by: [opened_by], within: 24h }
    create:
      partnerTicketId: "{{ ticket_of(parent) }}"
      deviceName: "{{ cmdb_ci.name }}"
      title: "{{ number }}: {{ short_description }}"
      category: Devices
      subcategory: Elevation
      planOfAction: "{{ description }}"
    close: { when: 'state in ["3", "4"]', actionsTaken: ["{{ close_notes }}", "Closed with {{ number }}"] }
    close_after: 7d
    report: work_notes
`

func loadBoth(t *testing.T) *mapping.Rules {
	t.Helper()
	rules, problems := mapping.Load("mappings.yaml", []byte(both), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

func TestEveryKeyOfATicketRuleIsRead(t *testing.T) {
	t.Parallel()
	r := loadBoth(t).Ticket("incident")
	if r.Table != "incident" || r.Line != 3 || r.Creates != 5 || !r.Display || r.History || r.Reopen != "new" || r.Leave != "go_on" {
		t.Errorf("table %s, line %d, creates %d, display %v, history %v, reopen %s, leave %s", r.Table, r.Line, r.Creates, r.Display, r.History, r.Reopen, r.Leave)
	}
	if want := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC); !r.Start.Equal(want) {
		t.Errorf("start %s, want %s", r.Start, want)
	}
	if diff := cmp.Diff(map[string]string{"state": "mmd", "close_code": "hold"}, r.Owner); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"close_code", "correlation_id", "state", "u_owner"}, r.UpdateFields); diff != "" {
		t.Errorf("fields of update (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nextActionOwner", "state"}, r.TicketFields); diff != "" {
		t.Errorf("fields of the ticket (-want +got):\n%s", diff)
	}
	want := strings.Fields(`active caller_id.email close_code comments correlation_id description number priority short_description state sys_class_name
		sys_created_by sys_created_on sys_id sys_mod_count sys_updated_by sys_updated_on u_locked u_owner u_public_notes u_silent`)
	if diff := cmp.Diff(want, r.Fields); diff != "" {
		t.Errorf("what is asked for is not what the rule names (-want +got):\n%s", diff)
	}
}

func TestEveryKeyOfAnElevationRuleIsRead(t *testing.T) {
	t.Parallel()
	r := loadBoth(t).Elevation("elevation")
	if r.Within != 24*time.Hour || r.CloseAfter != 7*24*time.Hour || r.Report != "work_notes" || r.Creates != -1 || r.Display || !r.Start.IsZero() {
		t.Errorf("within %s, close after %s, report %s, creates %d, display %v, start %s", r.Within, r.CloseAfter, r.Report, r.Creates, r.Display, r.Start)
	}
	got := [][]string{r.Approved, r.NotBy, r.TicketRefs}
	if diff := cmp.Diff([][]string{{"request_item.approval"}, {"opened_by"}, {"parent"}}, got); diff != "" {
		t.Errorf("approved, not by, ticket references (-want +got):\n%s", diff)
	}
}

func TestARuleIsFoundByTheNamesThatItHad(t *testing.T) {
	t.Parallel()
	rules := loadBoth(t)
	for _, name := range []string{"incident", "incidents", "old"} {
		if rules.Ticket(name) != rules.Tickets[0] {
			t.Errorf("%s is not found", name)
		}
	}
	if rules.Ticket("rights") != nil || rules.Elevation("old") != nil || rules.Elevation("rights") != rules.Elevations[0] {
		t.Error("a rule of the other kind is found")
	}
}

func TestAnUpdateSetsWhatAppliesAndLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	r := loadBoth(t).Tickets[0]
	tests := map[string]struct {
		record, ticket map[string]string
		want           map[string]any
	}{
		"resolved": {
			map[string]string{"state": "2"},
			map[string]string{"id": "MMD-1", "state": "resolved"},
			map[string]any{"correlation_id": "MMD-1", "state": "6", "close_code": "Done"},
		},
		"closed already": {
			map[string]string{"state": "7"},
			map[string]string{"id": "MMD-1", "state": "resolved"},
			map[string]any{"correlation_id": "MMD-1", "state": "6"},
		},
		"kept back by a condition": {
			map[string]string{"state": "7", "u_locked": "true"},
			map[string]string{"id": "MMD-1", "state": "active"},
			map[string]any{"correlation_id": "MMD-1"},
		},
		"a state that no entry names": {
			map[string]string{"state": "2"},
			map[string]string{"id": "MMD-1", "state": "paused", "nextActionOwner": "Microsoft"},
			map[string]any{"correlation_id": "MMD-1", "u_owner": "Microsoft"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := r.Update(mapping.Input{Record: row(tt.record), Ticket: row(tt.ticket)})
			if diff := cmp.Diff(tt.want, draft.Body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(draft.Lacks) > 0 {
				t.Errorf("an update lacks %v", draft.Lacks)
			}
		})
	}
}

func row(fields map[string]string) mapping.Row {
	out := mapping.Row{}
	for name, v := range fields {
		out[name] = mapping.Cell{Value: v}
	}
	return out
}

func TestNotesAreSiftedByTheirConditions(t *testing.T) {
	t.Parallel()
	r := loadBoth(t).Tickets[0]
	note := func(author, text string) mapping.Row { return row(map[string]string{"author": author, "text": text}) }
	tests := map[string]struct {
		in         mapping.Input
		send, take bool
	}{
		"a person's":            {mapping.Input{Record: row(nil), Note: note("ada", "hello")}, true, true},
		"a machine's":           {mapping.Input{Record: row(nil), Note: note("system", "hello")}, false, true},
		"an internal one":       {mapping.Input{Record: row(nil), Note: note("ada", "[internal] no")}, true, false},
		"of a record kept mute": {mapping.Input{Record: row(map[string]string{"u_silent": "true"}), Note: note("ada", "hello")}, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			send, why := r.SendNote(tt.in)
			if send != tt.send || send != (why == "") {
				t.Errorf("send %v (%q), want %v", send, why, tt.send)
			}
			take, why := r.TakeNote(tt.in)
			if take != tt.take || take != (why == "") {
				t.Errorf("take %v (%q), want %v", take, why, tt.take)
			}
		})
	}
}

func TestATaskClosesItsElevation(t *testing.T) {
	t.Parallel()
	r := loadBoth(t).Elevations[0]
	tests := map[string]struct {
		task         map[string]string
		closes       bool
		why, actions string
	}{
		"work goes on":       {map[string]string{"state": "2", "number": "SCTASK1"}, false, "close.when (mappings.yaml:45) does not hold: state = 2", "Closed with SCTASK1"},
		"done, with notes":   {map[string]string{"state": "3", "close_notes": "Driver replaced."}, true, "close.when holds (mappings.yaml:45): state = 3", "Driver replaced."},
		"state is kept back": {map[string]string{"number": "SCTASK1"}, false, "close.when (mappings.yaml:45) does not hold: state was not readable", "Closed with SCTASK1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := mapping.Input{Record: row(tt.task)}
			closes, why := r.Closes(in)
			if closes != tt.closes || why != tt.why {
				t.Errorf("closes %v (%q), want %v (%q)", closes, why, tt.closes, tt.why)
			}
			if got := r.ActionsTaken(in); got != tt.actions {
				t.Errorf("actions taken: %q, want %q", got, tt.actions)
			}
		})
	}
}

func TestAnElevationIsDrafted(t *testing.T) {
	t.Parallel()
	task := map[string]string{"number": "SCTASK1", "short_description": "Local admin", "description": "Install a driver", "cmdb_ci.name": "MMD-1"}
	draft := loadBoth(t).Elevations[0].Create(mapping.Input{Record: row(task), TicketOf: map[string]string{"parent": "MMD-1-R"}})
	want := map[string]any{
		"partnerTicketId": "MMD-1-R", "deviceName": "MMD-1", "title": "SCTASK1: Local admin", "category": "Devices", "subcategory": "Elevation", "planOfAction": "Install a driver",
	}
	if diff := cmp.Diff(want, draft.Body); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delete(task, "cmdb_ci.name")
	draft = loadBoth(t).Elevations[0].Create(mapping.Input{Record: row(task)})
	if _, there := draft.Body["partnerTicketId"]; there || len(draft.Lacks) != 1 || draft.Lacks[0].Field != "deviceName" {
		t.Errorf("without a device and a link: %v, lacks %v", draft.Body, draft.Lacks)
	}
}

func TestAnchorsAndMergeKeysAreFollowed(t *testing.T) {
	t.Parallel()
	src := strings.NewReplacer(
		"    create:\n", "    create:\n      <<: *more\n",
		"contact: { givenName: a, surname: b, email: c, phoneNumber: d }", "contact: { <<: *contact, email: own }",
	).Replace(minimal)
	src = "x-contact: &contact { givenName: a, surname: b, email: c, phoneNumber: d }\nx-more: &more { usersOrDevicesImpacted: 2, category: Apps }\n" + src
	rules, problems := mapping.Load("m", []byte(src), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	body := rules.Tickets[0].Create(mapping.Input{Record: row(map[string]string{"number": "INC1", "short_description": "x"})}).Body
	want := map[string]any{"givenName": "a", "surname": "b", "email": "own", "phoneNumber": "d"}
	if diff := cmp.Diff(want, body["contact"]); diff != "" {
		t.Errorf("contact (-want +got):\n%s", diff)
	}
	if body["category"] != "Devices" || body["usersOrDevicesImpacted"] != 2 {
		t.Errorf("category %v, impacted %v: a key's own value comes first", body["category"], body["usersOrDevicesImpacted"])
	}
}
