package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// tell gives the note that tells the ticket of a changed field, and counts the turn.
func (p Planner) tell(link *Link, field string, rec Record) (Op, bool) {
	base, known := link.Base["record."+field]
	cell, readable := rec.Row[field]
	if !known || !readable || base.Value == cell.Value {
		return Op{}, false
	}
	was := base.Label
	if was == "" {
		was = "empty"
	}
	now := label(cell)
	if now == "" {
		now = "empty"
	}
	base.Turn++
	link.Base["record."+field] = base
	item := "tell/" + field + "/" + strconv.Itoa(base.Turn)
	text := fmt.Sprintf("%s: %s, was %s", fieldName(field), now, was)
	who, when := rec.Row["sys_updated_by"].Value, instanceTime(rec.Row["sys_updated_on"].Value, rec.Seen)
	op := p.ticketNote(*link, item, "1", rec.Seen)
	op.Body = marshal(map[string]any{"text": forTicket(head(who, when, link.Number, op.Mark), text)})
	op.Why = "tell_ticket: " + field + " changed from " + was + " to " + now
	return op, true
}

// comments promises a note for each comment that was not seen before and is not
// the bridge's own. Without send they are only written down as seen, but for those of
// the move by which the record left, and of the one that gave it back.
func (p Planner) comments(rule *mapping.TicketRule, story Story, rec Record, send bool) Promise {
	seen := p.seen(story, ITSM, RecordNote)
	var out Promise
	for _, c := range rec.Comments {
		if seen.has(c.ID) {
			edit := p.commentEdited(rule, story, rec, c, seen)
			if !send {
				edit.Ops = nil
			}
			out.Add(edit)
			continue
		}
		note := Note{Link: story.Link.ID, Side: ITSM, ID: c.ID, Hash: hash(c.Text), Seen: rec.Seen}
		if mark := seen.claim(c.Text, c.At); mark != "" {
			note.Mark = mark
			out.Notes = append(out.Notes, note)
			continue
		}
		out.Notes = append(out.Notes, note)
		ok, why := rule.SendNote(sending(rec, c))
		at := c.At.Add(-rec.Ahead)
		before := !rule.History && at.Before(story.Link.Created)
		if !ok || !send && !ofMove(story.Link, at) && !ofReturn(rule, story.Link, rec, c) || before {
			continue
		}
		if why == "" {
			why = c.Element + " by " + c.By
		}
		pieces := parts(c.Text, ticketChars)
		for i, piece := range pieces {
			op := p.ticketNote(story.Link, c.ID, strconv.Itoa(i+1), rec.Seen)
			op.Rule, op.Why, op.Fact, op.Basis.Rev = rule.Name, why, c.At, p.rev(rec.Row)
			op.Body = marshal(map[string]any{"text": forTicket(head(c.By, c.At, rec.Number(), op.Mark), piece)})
			out.Ops = append(out.Ops, op)
		}
	}
	return out
}

// sending is what a rule looks at to say whether a comment goes to the vendor.
func sending(rec Record, c Comment) mapping.Input {
	return mapping.Input{Record: rec.Row, Note: mapping.Row{
		"text": {Value: c.Text}, "author": {Value: c.By}, "field": {Value: c.Element}, "at": {Value: c.At.UTC().Format(time.RFC3339)},
	}}
}

// ofMove says that what was written at a time was there when its record was seen to leave,
// and is read only now: the journal did not show all of it then.
func ofMove(link Link, at time.Time) bool { return !link.Left.IsZero() && !at.After(link.Left) }

// ofReturn says that a comment is of the newest change of a record that is seen to be back:
// what is older may have been written while it was away.
func ofReturn(rule *mapping.TicketRule, link Link, rec Record, c Comment) bool {
	in, _ := rule.InQuery(rec.Row)
	moved, err := time.Parse(time.DateTime, rec.Row["sys_updated_on"].Value)
	return !link.Left.IsZero() && in && err == nil && !c.At.Before(moved)
}

func (p Planner) ticketNote(link Link, item, part string, now time.Time) Op {
	return Op{
		Key: key(TicketNote, link.Record, item, part), Link: link.ID, Kind: TicketNote, State: Promised,
		Mark: p.Pair.Mark(link.Record, TicketNote, item, part), Promised: now, Due: now, Basis: Basis{Seen: now},
	}
}

// commentEdited tells the ticket of a comment whose text changed after it was passed on.
func (p Planner) commentEdited(rule *mapping.TicketRule, story Story, rec Record, c Comment, seen seenNotes) Promise {
	if seen.ids[c.ID] == hash(c.Text) {
		return Promise{}
	}
	note := Note{Link: story.Link.ID, Side: ITSM, ID: c.ID, Hash: hash(c.Text), Seen: rec.Seen, Mark: seen.marks[c.ID]}
	out := Promise{Notes: []Note{note}}
	passedOn := key(TicketNote, story.Link.Record, c.ID, "1")
	if ok, _ := rule.SendNote(sending(rec, c)); !ok {
		return out
	}
	if note.Mark != "" || !slices.ContainsFunc(story.Ops, func(op Op) bool { return op.Key == passedOn && op.State != Cancelled }) {
		return out
	}
	item := editOf(story, TicketNote, c.ID, note.Hash)
	for i, piece := range parts(edited+c.Text, ticketChars) {
		op := p.ticketNote(story.Link, item, strconv.Itoa(i+1), rec.Seen)
		op.Rule, op.Why, op.Fact = rule.Name, c.Element+" by "+c.By+" was edited", c.At
		op.Body = marshal(map[string]any{"text": forTicket(head(c.By, c.At, rec.Number(), op.Mark), piece)})
		out.Ops = append(out.Ops, op)
	}
	return out
}

// editOf names an edit of a note: by its words, and by how often it came to say them.
func editOf(story Story, kind Kind, id, hash string) string {
	item := id + "/edit/" + hash
	first := key(kind, story.Link.Record, item)
	times := 0
	for _, op := range story.Ops {
		if strings.HasPrefix(op.Key, first) && strings.HasSuffix(op.Key, "/1") {
			times++
		}
	}
	if times == 0 {
		return item
	}
	return item + "/" + strconv.Itoa(times+1)
}

// edited goes before the new text of something that was passed on before.
const edited = "Edited, now:\n"

// fieldName is a column's name as people read it: assignment_group is "Assignment group".
func fieldName(column string) string {
	words := strings.ReplaceAll(strings.TrimPrefix(column, "u_"), "_", " ")
	if words == "" {
		return column
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
