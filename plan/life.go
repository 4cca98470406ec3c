package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// Quiet says that a link may end, but for a last look at both sides.
//
//	record    ticket    owed      quiet for end_after  result
//	inactive  resolved  nothing   yes                  may end
//	any other                                          stays open
func (p Planner) Quiet(story Story, now time.Time) bool {
	link := story.Link
	return p.EndAfter > 0 && link.Ended.IsZero() && link.MMD != "" &&
		link.Base["ticket.state"].Value == "resolved" && link.Base["record.active"].Value == "false" &&
		now.Sub(link.Moved) > p.EndAfter && !slices.ContainsFunc(story.Ops, func(op Op) bool { return !op.State.Ended() })
}

// End ends a link that is quiet, if the last look at its record shows nothing new.
func (p Planner) End(story Story, rec Record) Promise {
	if !p.Quiet(story, rec.Seen) || rec.Row["active"].Value != "false" || rec.Rev() != story.Link.Rev {
		return Promise{}
	}
	link := story.Link.clone()
	link.Ended, link.EndedBy = rec.Seen, fmt.Sprintf("both sides were quiet for %s", p.EndAfter)
	return Promise{Links: []Link{link}, At: rec.Seen}
}

// Reopened decides what becomes of a record that is opened again after its link
// ended. The vendor's API cannot open a resolved ticket again.
//
//	ended by  reopen  result
//	a person  any     nothing
//	quiet     note    the link goes on, and the ticket is told
//	quiet     new     a ticket of the next generation
//	quiet     hold    stays ended, said once on the record
func (p Planner) Reopened(rule *mapping.TicketRule, why string, story Story, rec Record) Promise {
	link := story.Link
	switch {
	case link.ByHand || link.Rev == rec.Rev():
		return Promise{}
	case rule.Reopen == "new":
		return p.NewRecord(rule, why, rec, &story)
	}
	link = link.clone()
	link.Rev = rec.rev()
	text := fmt.Sprintf("%s was opened again (%s).", rec.Number(), why)
	if rule.Reopen == "hold" {
		link.Notice = text + " Its ticket " + link.MMD + " is resolved: a person decides."
		said := p.report(rule.NotesTo.Field, link, "reopened", link.Notice+" Nothing is sent to the vendor.", rec.Seen)
		held := Hold{Rule: link.ID, What: HoldsReopened, Since: rec.Seen, Reason: link.Notice + " bridge resume " + rec.Number() + " lets its notes flow again"}
		return Promise{Links: []Link{link}, Ops: said, Holds: []Hold{held}, At: rec.Seen}
	}
	link.Ended, link.EndedBy, link.Left, link.Notice = time.Time{}, "", time.Time{}, ""
	told := p.event(&link, "reopened", text, rec.Seen)
	out := p.LinkedRecord(rule, Story{Link: link, Notes: story.Notes, Ops: story.Ops}, rec)
	p.stir(&out.Links[0], rec.Seen)
	out.Ops = append([]Op{told}, out.Ops...)
	return out
}

// OpenedAgain lets a link go on whose ticket the vendor opens again after it ended, and
// says so on the record. One that a person ended stays so, and one that is not with the
// vendor any more.
func (p Planner) OpenedAgain(rule *mapping.TicketRule, link Link, t Ticket) Promise {
	if link.Ended.IsZero() || link.ByHand || t.Row["state"].Value == "resolved" || link.Base["ticket.state"].Value != "resolved" {
		return Promise{}
	}
	link = link.clone()
	link.Ended, link.EndedBy, link.Notice = time.Time{}, "", ""
	times := link.Base["event.opened"]
	times.Turn++
	link.Base["event.opened"] = times
	p.stir(&link, t.Seen)
	said := p.report(rule.NotesTo.Field, link, "opened/"+strconv.Itoa(times.Turn), "Ticket "+link.MMD+" was opened again by Microsoft.", t.Seen)
	return Promise{Links: []Link{link}, Ops: said, Freed: []Hold{{Rule: link.ID, What: HoldsReopened}}, At: t.Seen}
}

// leave follows a record out of its rule's query, and back into it. Closing is no
// leaving, and what cannot be read proves nothing.
//
//	active  in the query  was out  result
//	yes     no            no       told once; comments stop, but for those of this move
//	yes     yes           yes      told once; comments flow again
//	no      any           any      as before
func (p Planner) leave(rule *mapping.TicketRule, link *Link, rec Record) []Op {
	goesOn := rule.Leave == "go_on"
	if goesOn && link.Left.IsZero() || rec.Row["active"].Value == "false" || !goesOn && !decides(rule, *link, rec.Row) {
		return nil
	}
	in, why := rule.InQuery(rec.Row)
	in = in || goesOn // also if it left before the rule said so
	switch {
	case !in && link.Left.IsZero():
		link.Left = rec.Seen
		return []Op{p.event(link, "left", fmt.Sprintf("%s is not with Microsoft Managed Desktop any more (%s): its comments are not passed on.", rec.Number(), why), rec.Seen)}
	case in && !link.Left.IsZero():
		link.Left = time.Time{}
		return []Op{p.event(link, "back", rec.Number()+" is back: its comments are passed on again.", rec.Seen)}
	}
	return nil
}

// decides says that all fields of a rule's query can be read. A right that is missing may
// also show as nothing: of what is referred to as before, or of a field that is never
// empty, that proves nothing.
func decides(rule *mapping.TicketRule, link Link, row mapping.Row) bool {
	return !slices.ContainsFunc(rule.Query.Fields(), func(field string) bool {
		cell, readable := row[field]
		if !readable || cell.Value != "" {
			return !readable
		}
		dot := strings.LastIndexByte(field, '.')
		if dot < 0 {
			return field == "active" || field == "state"
		}
		base, known := link.Base["record."+field[:dot]]
		return row[field[:dot]].Value != "" && (!known || base.Value == row[field[:dot]].Value)
	})
}

// away says of a record why it is nobody's here to set any more: it is active, and out of
// its rule's query. Empty: it is not.
func away(rule *mapping.TicketRule, link Link, basis Basis) string {
	row := basis.Record
	if rule.Leave == "go_on" || row["active"].Value == "false" || !decides(rule, link, row) {
		return ""
	}
	if in, why := rule.InQuery(row); !in {
		return fmt.Sprintf("%s is not with Microsoft Managed Desktop any more (%s)", label(row["number"]), why)
	}
	return ""
}

// event tells the ticket what happened to its record, and counts how often it has.
func (p Planner) event(link *Link, name, text string, now time.Time) Op {
	base := link.Base["event."+name]
	base.Turn++
	link.Base["event."+name] = base
	op := p.ticketNote(*link, "event/"+name+"/"+strconv.Itoa(base.Turn), "1", now)
	op.Rule, op.Why, op.Fact = link.Rule, name+": "+text, now
	if !p.Aged.IsZero() && !link.Created.After(p.Aged) {
		op.Fact = link.Created // a ledger that is lost may have told it at any time since
	}
	op.Body = marshal(map[string]any{"text": forTicket(head("bridge", now, link.Number, op.Mark), text)})
	return op
}

// agree ends the holding of fields on which both sides say the same again, of those that
// the rule holds no more, and of all fields of a record that is closed.
func agree(rule *mapping.TicketRule, link *Link, row mapping.Row) {
	if row["active"].Value == "false" && link.Held != nil {
		link.Held = nil
		link.Notice = link.without(bothMoved)
	}
	for field, wanted := range link.Held {
		if cell, readable := row[field]; readable && cell.Value == wanted || rule.Owner[field] != "hold" {
			delete(link.Held, field)
			if len(link.Held) == 0 {
				link.Notice = link.without(bothMoved)
			}
		}
	}
}

// hold says once on the record that both sides moved a field, and keeps it as it is.
func (p Planner) hold(rule *mapping.TicketRule, link *Link, held map[string]string, now time.Time) []Op {
	var fresh []string
	for field, wanted := range held {
		if is, known := link.Held[field]; !known || is != wanted {
			fresh = append(fresh, field)
		}
	}
	link.Held = held
	link.Notice = link.without(bothMoved)
	if len(held) == 0 {
		return nil
	}
	link.Notice = fmt.Sprintf(bothMoved+"%s: nothing is set until they agree", strings.Join(slices.Sorted(maps.Keys(held)), ", "))
	if len(fresh) == 0 {
		return nil
	}
	slices.Sort(fresh)
	event := "held/" + strconv.Itoa(link.Base["ticket"].Turn) + "/" + strings.Join(fresh, "/")
	return p.report(rule.NotesTo.Field, *link, event, link.Notice+".", now)
}

// bothMoved begins the notice of a link that holds fields.
const bothMoved = "both sides moved "

// without gives a link's notice, and none if it begins so: what it says is not so any more.
func (l Link) without(begins ...string) string {
	if slices.ContainsFunc(begins, func(text string) bool { return strings.HasPrefix(l.Notice, text) }) {
		return ""
	}
	return l.Notice
}

// GoOn lets a link go on that was held, on a person's word. One that a person ended stays
// so. Fields that were held stay as they are.
func GoOn(link Link, hold Hold, now time.Time) Link {
	link.Calmed, link.Notice, link.Held = now, "", nil
	if hold.What == HoldsReopened && !link.ByHand {
		link.Ended, link.EndedBy, link.Rev = time.Time{}, "", ""
	}
	return link
}
