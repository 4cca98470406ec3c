package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bridge/mapping"
)

// LinkedRecord decides what a linked record's move means for its ticket: new
// comments are notes, and a mapped change is told.
func (p Planner) LinkedRecord(rule *mapping.TicketRule, story Story, rec Record) Promise {
	link := story.Link.clone()
	away := !link.Left.IsZero()
	out := p.comments(rule, story, rec, !away)
	old := p.old(&link, OfRecord)
	for _, field := range rule.TellTicket {
		if away || old {
			break // the baselines move, and nobody is told
		}
		if ours(story.Ops, field, rec.Row[field].Value) {
			continue // the answer was lost, not the write: it is no news
		}
		if op, ok := p.tell(&link, field, rec); ok {
			op.Rule = rule.Name
			out.Ops = append(out.Ops, op)
		}
	}
	out.Ops = append(out.Ops, p.leave(rule, &link, rec)...)
	out.Ops = append(out.Ops, p.replanned(story.Ops, rec)...)
	switch n := unsaid(link, out); {
	case !away || !link.Left.IsZero() || n == 0:
	case old:
		link.Notice = fmt.Sprintf("the ledger was set back to a time when %s was with another group: comments written since %s may not have been passed on",
			rec.Number(), story.Link.Left.UTC().Format(time.RFC3339))
	default:
		link.Notice = fmt.Sprintf("%s is back: comments that were read only now were not passed on, since they may be from before: %d", rec.Number(), n)
	}
	p.baselines(rule, &link, rec, story.Ops)
	lacks(&link, rec.Lacking, rec.Seen)
	agree(rule, &link, rec.Row)
	out.Holds = p.flood(link, story.Ops, out.Ops, rec.Seen)
	if link.Rev != rec.Rev() || len(out.Ops) > 0 {
		p.stir(&link, rec.Seen)
	}
	link.Rev, link.Number, link.Unheard = rec.rev(), rec.Number(), rec.Unheard
	switch in, _ := rule.InQuery(rec.Row); {
	case link.Untold == nil:
	case rec.Row["active"].Value == "false":
		link.Untold = nil // what is opened again after that is another story
	case link.Left.IsZero() && (in || rule.Leave == "go_on"):
		told := p.caughtUp(rule, link, rec)
		link, out.Ops = told.Links[0], append(out.Ops, told.Ops...)
	}
	out.Links, out.At = []Link{link}, rec.Seen
	return out
}

// replanned promises the parked updates of a record once more that says something else now
// than when they were decided on.
func (p Planner) replanned(ops []Op, rec Record) (out []Op) {
	for _, op := range ops {
		if op.Kind != RecordUpdate || op.State != Parked || op.Frozen || !says(op.Basis.Record, rec.Row) {
			continue
		}
		op.State, op.Due, op.Reason, op.Basis.Rev, op.Basis.Seen = Promised, rec.Seen, "its record changed: it is decided once more", p.rev(rec.Row), time.Time{}
		out = append(out, op)
	}
	return out
}

// says tells whether a record says something else than it did, but for who changed it and when.
func says(was, is mapping.Row) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(is)), func(field string) bool {
		cell, known := was[field]
		return !strings.HasPrefix(field, "sys_") && (!known || cell.Value != is[field].Value)
	})
}

// unsaid counts the comments that are new and not passed on.
func unsaid(link Link, out Promise) (n int) {
	for _, note := range out.Notes {
		said := func(op Op) bool { return op.Key == key(TicketNote, link.Record, note.ID, "1") }
		if note.Mark == "" && !slices.ContainsFunc(out.Ops, said) {
			n++
		}
	}
	return n
}

// stir makes the ticket's notes due one interval from now: something happened.
func (p Planner) stir(link *Link, now time.Time) {
	link.Moved, link.NotesWait = now, p.NotesEvery
	if due := now.Add(p.NotesEvery); link.NotesDue.IsZero() || due.Before(link.NotesDue) {
		link.NotesDue = due
	}
}

// compared are the fields of a record that its rule compares.
func compared(rule *mapping.TicketRule) []string {
	return slices.Concat([]string{"active"}, rule.TellTicket, rule.UpdateFields, rule.Query.References())
}

// Unseen says that a field of an open link's record is compared from now on, and was not
// before: what it says is taken down before it moves.
func (p Planner) Unseen(link Link, row mapping.Row) bool {
	rule := p.Rules.Ticket(link.Rule)
	if rule == nil || link.MMD == "" || !link.Ended.IsZero() {
		return false
	}
	return slices.ContainsFunc(compared(rule), func(field string) bool {
		_, shown := row[field]
		_, seen := link.Base["record."+field]
		return shown && !seen
	})
}

// baselines writes down what the record's fields say that the rule compares, and which of
// them a person moved. ops are those of its link: what they wrote is no person's.
func (p Planner) baselines(rule *mapping.TicketRule, link *Link, rec Record, ops []Op) {
	for _, field := range compared(rule) {
		cell, ok := rec.Row[field]
		if !ok {
			continue
		}
		base, known := link.Base["record."+field]
		if known && base.Value != cell.Value && !ours(ops, field, cell.Value) {
			base.Moved = rec.Seen
		}
		base.Value = cell.Value
		base.Label = label(cell)
		link.Base["record."+field] = base
	}
}
