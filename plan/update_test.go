package plan_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
)

// both is a link's two sides and what the ledger knows of them, at one minute after the other.
type both struct {
	*testing.T
	plan.Planner
	rule           *mapping.TicketRule
	story          plan.Story
	record, ticket mapping.Row
	now, listed    time.Time
	last           plan.Promise
}

// bothUnder links a record, state 1 and priority 3, with a ticket, active and severity 3.
func bothUnder(t *testing.T, owner string) *both {
	t.Helper()
	src, err := os.ReadFile("../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(src), "    update:\n")
	update, _, _ := strings.Cut(text, "    # Notes go both ways")
	changed := strings.Replace(string(src), update, `      state: { value: "{{ ticket.state }}", map: { active: "2", paused: "3", resolved: "6" } }
      priority: "{{ ticket.severity }}"
      close_notes: "{{ ticket.id }} is {{ ticket.state }}"
      correlation_id: "{{ ticket.id }}"
`, 1)
	changed = strings.Replace(changed, "owner: { state: mmd }", "owner: "+owner, 1)
	rules, problems := mapping.Load("mappings.yaml", []byte(changed), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	b := &both{T: t, Planner: plan.Planner{Rules: rules, NotesEvery: time.Minute}, rule: rules.Tickets[0], now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	b.record = mapping.Row{"sys_id": {Value: "r"}, "number": {Value: "INC1"}, "active": {Value: "true"}, "sys_mod_count": {Value: "1"}}
	for field, value := range map[string]string{"state": "1", "priority": "3", "close_notes": "", "correlation_id": ""} {
		b.record[field] = mapping.Cell{Value: value}
	}
	b.ticket = mapping.Row{"id": {Value: "T"}, "state": {Value: "active"}, "severity": {Value: "3"}}
	create := plan.Op{Key: "ticket.create/r/1", Kind: plan.TicketCreate, State: plan.Done, Attempt: 1, Basis: plan.Basis{Seen: b.now, Record: b.record}}
	b.story.Link = plan.Link{ID: "ticket/r", Record: "r", Number: "INC1", Generation: 1}
	b.take(b.LinkedRecord(b.rule, b.story, b.seen()))
	b.take(b.Linked(b.rule, b.story.Link, create, plan.Ticket{ID: "T", Row: b.ticket, Seen: b.now}))
	return b
}

func (b *both) seen() plan.Record {
	return plan.Record{Table: "incident", Row: maps.Clone(b.record), Seen: b.now}
}

func (b *both) take(p plan.Promise) {
	b.last = p
	for _, link := range p.Links {
		b.story.Link = link
	}
	b.story.Ops = append(b.story.Ops, p.Ops...)
}

// does plays one step: "record state=6" or "ticket state=resolved" moves a side, "poll"
// reads the record, then the ticket, "send" does what is owed, "again" decides it again,
// "lost" does it and its answer is lost: "send" finds it then.
func (b *both) does(step string) {
	b.Helper()
	b.now = b.now.Add(time.Minute)
	what, change, _ := strings.Cut(step, " ")
	field, value, _ := strings.Cut(change, "=")
	switch what {
	case "record":
		b.record[field] = mapping.Cell{Value: value}
	case "ticket":
		b.ticket[field] = mapping.Cell{Value: value}
	case "poll":
		b.take(b.LinkedRecord(b.rule, b.story, b.seen()))
		b.now = b.now.Add(time.Second)
		b.take(b.LinkedTicket(b.rule, b.story, plan.Ticket{ID: "T", Row: maps.Clone(b.ticket), Seen: b.now, Since: b.listed}, b.seen()))
		b.listed = b.now
	case "send", "again", "lost":
		for i, op := range b.story.Ops {
			if op.Kind != plan.RecordUpdate || op.State.Ended() {
				continue
			}
			if what == "lost" {
				b.story.Ops[i].State, b.story.Ops[i].Attempt = plan.Unknown, 1
				b.written(b.sets(op))
				continue
			}
			if what == "again" {
				decided, follow := b.Again(op, b.story.Link, b.seen())
				b.story.Ops[i] = decided
				b.take(follow)
				continue
			}
			b.story.Ops[i].State = plan.Done
			b.story.Link = plan.Updated(b.story.Link, b.sets(op), op.Basis.Record, b.written(b.sets(op)))
		}
	default:
		b.Fatalf("%q is no step", step)
	}
}

func (b *both) sets(op plan.Op) (set map[string]string) {
	b.Helper()
	if err := json.Unmarshal(op.Body, &set); err != nil {
		b.Fatal(err)
	}
	return set
}

func (b *both) written(set map[string]string) mapping.Row {
	for field, value := range set {
		b.record[field] = mapping.Cell{Value: value}
	}
	return b.record
}

// owed is what the record is owed, and what is held.
func (b *both) owed() map[string]string {
	out := map[string]string{}
	for _, op := range b.story.Ops {
		if op.Kind == plan.RecordUpdate && op.State == plan.Promised {
			maps.Copy(out, b.sets(op))
		}
	}
	for field, value := range b.story.Link.Held {
		out[field] = "held: " + value
	}
	return out
}

func TestAFieldThatBothSidesMoveIsItsOwners(t *testing.T) {
	t.Parallel()
	const mmd, itsm, hold = "{ state: mmd }", "{ state: itsm, close_notes: itsm }", "{ state: hold, close_notes: mmd }"
	resolved := map[string]string{"state": "6", "close_notes": "T is resolved"}
	notes := map[string]string{"close_notes": "T is resolved"}
	held := map[string]string{"state": "held: 6", "close_notes": "T is resolved"}
	for _, tt := range []struct {
		name, owner string
		steps       []string
		owed        map[string]string
	}{
		{"only the ticket moves", itsm, []string{"poll", "ticket state=resolved", "poll"}, resolved},
		{"only the record moves", mmd, []string{"poll", "record state=3", "poll", "poll"}, nil},
		{"the record moves, and polls later the ticket", itsm, []string{"poll", "record state=3", "poll", "poll", "ticket state=resolved", "poll"}, resolved},
		{"both move between two polls, and it is the ticket's", mmd, []string{"poll", "record state=3", "ticket state=resolved", "poll"}, resolved},
		{"both move between two polls, and it is the record's", itsm, []string{"poll", "record state=3", "ticket state=resolved", "poll"}, notes},
		{"both move between two polls, and it is held", hold, []string{"poll", "record state=3", "ticket state=resolved", "poll"}, held},
		{"the record moves after the poll, and it is the record's", itsm, []string{"poll", "ticket state=resolved", "poll", "record state=3", "again"}, notes},
		{"the record moves after the poll, and it is held", hold, []string{"poll", "ticket state=resolved", "poll", "record state=3", "again"}, held},
		{"the record moves while the write waits, and is polled", itsm, []string{"poll", "ticket state=resolved", "poll", "record state=3", "poll", "again"}, notes},
		{"the record moves while the write waits, and is polled and held", hold, []string{"poll", "ticket state=resolved", "poll", "record state=3", "poll", "again"}, held},
		{"what is held stays held when another field of the ticket moves", hold, []string{"poll", "record state=3", "ticket state=resolved", "poll", "send", "ticket severity=1", "poll"}, map[string]string{"state": "held: 6", "priority": "1"}},
		{"what is held ends when the record agrees", hold, []string{"poll", "record state=3", "ticket state=resolved", "poll", "send", "record state=6", "poll"}, nil},
		{"what is held ends when the ticket agrees", hold, []string{"poll", "record state=3", "ticket state=resolved", "poll", "send", "ticket state=paused", "poll"}, map[string]string{"close_notes": "T is paused"}},
		{"what a person set is left when another field of the ticket moves", mmd, []string{"poll", "record state=3", "poll", "ticket severity=1", "poll"}, map[string]string{"priority": "1"}},
		{"what a person set is left when nothing it is made of moves", mmd, []string{"poll", "record correlation_id=mine", "poll", "ticket severity=1", "poll"}, map[string]string{"priority": "1"}},
		{"what nobody moved is set when another field of the ticket moves", mmd, []string{"poll", "ticket state=resolved", "poll", "ticket severity=1", "poll"}, map[string]string{"state": "6", "close_notes": "T is resolved", "priority": "1"}},
		{"what the bridge wrote is no person's, also if its answer is lost", itsm, []string{"poll", "ticket state=resolved", "poll", "lost", "poll", "send", "ticket state=active", "poll"}, map[string]string{"state": "2", "close_notes": "T is active"}},
		{"what the bridge wrote is no person's, also while its answer is lost", itsm, []string{"poll", "ticket state=resolved", "poll", "lost", "poll", "ticket state=active", "poll"}, map[string]string{"state": "2", "close_notes": "T is active"}},
		{"what the bridge wrote after a person is no person's", itsm, []string{"poll", "record state=3", "poll", "poll", "ticket state=resolved", "poll", "send", "ticket severity=1", "record close_notes=", "poll"}, map[string]string{"priority": "1"}},
		{"what the bridge wrote is no person's", itsm, []string{"poll", "ticket state=resolved", "poll", "send", "ticket state=active", "poll"}, map[string]string{"state": "2", "close_notes": "T is active"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bothUnder(t, tt.owner)
			b.does("send")
			for _, step := range tt.steps {
				b.does(step)
			}
			if tt.owed == nil {
				tt.owed = map[string]string{}
			}
			if diff := cmp.Diff(tt.owed, b.owed()); diff != "" {
				t.Errorf("the record is owed (-want +got):\n%s", diff)
			}
			if said := strings.Contains(b.story.Link.Notice, "both sides moved"); said != (b.story.Link.Held["state"] != "") {
				t.Errorf("it is said: %q, and held is %v", b.story.Link.Notice, b.story.Link.Held)
			}
		})
	}
}

// Two changes since an update was sent can be its own and a person's: a person decides
// where the ticket does not win.
func TestAnUpdateIsUnclearWhereAPersonMayHaveUndoneIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, owner, rev string
		unclear          bool
	}{
		{"nothing has changed", "{ state: hold }", "1", false},
		{"one change that is not ours", "{ state: hold }", "2", false},
		{"two changes, and it is held", "{ state: hold }", "3", true},
		{"two changes, and it is the record's", "{ state: itsm }", "3", true},
		{"two changes, and it is the ticket's", "{ state: mmd }", "3", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bothUnder(t, tt.owner)
			b.does("send")
			b.does("poll")
			b.does("ticket state=resolved")
			b.does("poll")
			op := b.story.Ops[len(b.story.Ops)-1]
			b.record["sys_mod_count"] = mapping.Cell{Value: tt.rev}
			if why := b.Unclear(op, b.story.Link, b.seen()); why != "" != tt.unclear {
				t.Errorf("unclear: %q", why)
			}
		})
	}
}

// What only the update can have written shows that it was done, whatever people did since.
func TestAnUpdateShowsByWhatNamesItsTicket(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, rev, notes string
		shows            bool
	}{
		{"a person has moved another field since", "3", "T is resolved", true},
		{"nobody has: the desk did not take the other field", "2", "T is resolved", false},
		{"it is not there", "3", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bothUnder(t, "{ state: mmd }")
			for _, step := range []string{"send", "poll", "ticket state=resolved", "poll"} {
				b.does(step)
			}
			op := b.story.Ops[len(b.story.Ops)-1]
			b.record["sys_mod_count"], b.record["close_notes"] = mapping.Cell{Value: tt.rev}, mapping.Cell{Value: tt.notes}
			if plan.Shows(op, b.story.Link, b.seen()) != tt.shows {
				t.Errorf("shows: %t\n%s", !tt.shows, op.Body)
			}
		})
	}
}
