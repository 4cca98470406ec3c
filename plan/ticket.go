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

// Ticket is what the MMD side said about one ticket, as it came.
type Ticket struct {
	ID          string
	Description string
	Row         mapping.Row
	Created     time.Time
	Seen        time.Time
}

// Moved says that one of the ticket's fields that the rule reads is not what the
// ledger last knew.
func Moved(rule *mapping.TicketRule, link Link, t Ticket) bool {
	for _, field := range rule.TicketFields {
		if base, known := link.Base["ticket."+field]; !known || base.Value != t.Row[field].Value {
			return true
		}
	}
	return false
}

// Linked says what follows from a ticket that was made (or adopted) for a record:
// the link has its other half, and the first turn of updates is owed. One that was
// resolved long ago and is found by its mark ended and was forgotten.
func (p Planner) Linked(rule *mapping.TicketRule, link Link, create Op, t Ticket) Promise {
	if create.Attempt == 0 && create.State == Done && t.Row["state"].Value == "resolved" && p.forgot(create.Fact) {
		return Promise{Links: []Link{p.remembered(link.clone(), rule.TicketFields, t)}, At: t.Seen}
	}
	link = link.with(t.ID, t.Seen)
	link.NotesWait, link.NotesDue = 0, time.Time{}
	p.stir(&link, t.Seen)
	return p.turn(rule, link, t, Record{Table: link.Table, Row: create.Basis.Record, Seen: create.Basis.Seen, TicketOf: create.Basis.TicketOf},
		"ticket "+t.ID+" is linked")
}

// LinkedTicket decides what a ticket's move means for its record: one op carries
// all fields of one turn.
func (p Planner) LinkedTicket(rule *mapping.TicketRule, story Story, t Ticket, rec Record) Promise {
	if !Moved(rule, story.Link, t) {
		link := story.Link.clone()
		if !p.old(&link, OfTicket) {
			return Promise{}
		}
		return Promise{Links: []Link{link}, At: t.Seen}
	}
	var changes []string
	for _, field := range rule.TicketFields {
		if was, is := story.Link.Base["ticket."+field].Value, t.Row[field].Value; was != is {
			changes = append(changes, fmt.Sprintf("ticket %s %s → %s", field, orEmpty(was), orEmpty(is)))
		}
	}
	link := story.Link.clone()
	p.stir(&link, t.Seen)
	return p.turn(rule, link, t, rec, strings.Join(changes, ", "))
}

// turn counts one turn of the ticket, moves its baselines and promises what the
// record is owed for it.
func (p Planner) turn(rule *mapping.TicketRule, link Link, t Ticket, rec Record, why string) Promise {
	for _, field := range rule.TicketFields {
		link.Base["ticket."+field] = Baseline{Value: t.Row[field].Value}
	}
	turns := link.Base["ticket"]
	turns.Turn++
	link.Base["ticket"] = turns
	item := strconv.Itoa(link.Generation) + "." + strconv.Itoa(turns.Turn)
	op := Op{
		Key: key(RecordUpdate, link.Record, item), Link: link.ID, Rule: rule.Name, Kind: RecordUpdate, State: Promised,
		Why: why, Promised: t.Seen, Due: t.Seen, Basis: p.basis(rec),
	}
	op.Basis.Ticket = t.Row
	op.Fact = t.Seen
	out := Promise{At: t.Seen}
	if p.old(&link, OfTicket) && turns.Turn > 1 {
		link.Notice = "the ledger was set back: the state of ticket " + t.ID + " is taken as it stands"
		out.Links = []Link{link}
		return out
	}
	set, held := p.update(rule, link, op.Basis)
	explain(&op, rule.Update(mapping.Input{Record: op.Basis.Record, Ticket: op.Basis.Ticket, TicketOf: op.Basis.TicketOf}))
	link.Notice = ""
	out.Ops = p.hold(rule, &link, held, t.Seen)
	out.Links = []Link{link}
	if len(set) > 0 {
		op.Body = marshal(set)
		out.Ops = append(out.Ops, op)
	}
	return out
}

// update gives the fields of the record that differ from what the rule makes of
// the ticket, and says which of them were left to the other side's owner.
//
//	record since its baseline  owner  result
//	not moved                  any    set
//	moved                      mmd    set
//	moved                      itsm   left alone
//	moved                      hold   left alone, and said
func (p Planner) update(rule *mapping.TicketRule, link Link, basis Basis) (set, held map[string]string) {
	draft := rule.Update(mapping.Input{Record: basis.Record, Ticket: basis.Ticket, TicketOf: basis.TicketOf})
	set, held = map[string]string{}, map[string]string{}
	for _, field := range slices.Sorted(maps.Keys(draft.Body)) {
		value, _ := draft.Body[field].(string)
		cell, readable := basis.Record[field]
		if readable && cell.Value == value {
			continue
		}
		base, known := link.Base["record."+field]
		if moved := known && readable && base.Value != cell.Value; moved {
			switch rule.Owner[field] {
			case "itsm":
				continue
			case "hold":
				held[field] = value
				continue
			}
		}
		set[field] = value
	}
	return set, held
}

// Updated says what follows from a record's reply to an update: what the bridge
// itself wrote is the baseline, and no news. What others wrote stays news.
func Updated(link Link, set map[string]string, before, after mapping.Row) Link {
	link = link.clone()
	for field := range set {
		if cell, ok := after[field]; ok {
			base := link.Base["record."+field]
			base.Value, base.Label = cell.Value, label(cell)
			link.Base["record."+field] = base
		}
	}
	return Wrote(link, before["sys_mod_count"].Value, after["sys_mod_count"].Value)
}

// Wrote moves the link's revision past the bridge's own write, if nobody else wrote in between.
func Wrote(link Link, before, after string) Link {
	was, err1 := strconv.Atoi(before)
	is, err2 := strconv.Atoi(after)
	if err1 == nil && err2 == nil && is <= was+1 && link.Rev == before {
		link.Rev = after
	}
	return link
}

func orEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}
