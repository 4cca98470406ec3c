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
	// Since is when it was last seen as the ledger knows it; zero: that is not known.
	Since time.Time
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
	basis := p.basis(Record{Row: create.Basis.Record, Seen: create.Basis.Seen, TicketOf: create.Basis.TicketOf})
	basis.Since = create.Basis.Seen
	return p.turn(rule, link, t, basis, "ticket "+t.ID+" is linked")
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
	basis := p.basis(rec)
	basis.Since, basis.Before = t.Since, knownTicket(rule, link)
	for _, op := range story.Ops {
		if op.Kind != RecordUpdate || op.State.Ended() {
			continue
		}
		basis.Before = op.Basis.Before // what that was to tell is told now
		if op.State != Parked {
			basis.Since = op.Basis.Since // else people have moved since, before this turn
		}
		break
	}
	out := p.turn(rule, link, t, basis, strings.Join(changes, ", "))
	if !slices.ContainsFunc(out.Ops, func(op Op) bool { return op.Kind == RecordUpdate }) {
		out.Ops = append(out.Ops, overtaken(story.Ops, t.Seen)...)
	}
	return out
}

// overtaken ends the updates that wait, since their ticket has moved on to what asks for none.
func overtaken(ops []Op, now time.Time) (out []Op) {
	for _, op := range ops {
		if op.Kind == RecordUpdate && !op.Frozen && (op.State == Promised || op.State == Parked) {
			op.State, op.Ended, op.Reason, op.Basis.Rev = Superseded, now, "its ticket moved on, and nothing is owed for it", "overtaken "+op.Basis.Rev
			out = append(out, op)
		}
	}
	return out
}

// takenAsItStands begins the notice of a link whose ledger was set back.
const takenAsItStands = "the ledger was set back, and its ticket's state is taken as it stands: ticket "

// TicketGone is the notice of a link whose ticket is not shown any more.
const TicketGone = "the ticket cannot be read any more (404)"

// ShownAgain is a link without the notice that its ticket is not shown.
func ShownAgain(link Link) Link {
	link.Notice = link.without(TicketGone)
	return link
}

// knownTicket is the ticket as its record was last told of it.
func knownTicket(rule *mapping.TicketRule, link Link) mapping.Row {
	row := mapping.Row{"id": {Value: link.MMD}}
	for _, field := range rule.TicketFields {
		if base, known := link.Base["ticket."+field]; known {
			row[field] = mapping.Cell{Value: base.Value}
		}
	}
	return row
}

// turn counts one turn of the ticket, moves its baselines and promises what the
// record is owed for it.
func (p Planner) turn(rule *mapping.TicketRule, link Link, t Ticket, basis Basis, why string) Promise {
	for _, field := range rule.TicketFields {
		link.Base["ticket."+field] = Baseline{Value: t.Row[field].Value}
	}
	turns := link.Base["ticket"]
	turns.Turn++
	link.Base["ticket"] = turns
	item := strconv.Itoa(link.Generation) + "." + strconv.Itoa(turns.Turn)
	op := Op{
		Key: key(RecordUpdate, link.Record, item), Link: link.ID, Rule: rule.Name, Kind: RecordUpdate, State: Promised,
		Why: why, Promised: t.Seen, Due: t.Seen, Basis: basis,
	}
	op.Basis.Ticket = t.Row
	op.Fact = t.Seen
	out := Promise{At: t.Seen}
	link.Notice = link.without(takenAsItStands, TicketGone)
	if p.old(&link, OfTicket) && turns.Turn > 1 {
		link.Notice = takenAsItStands + t.ID
		out.Links = []Link{link}
		return out
	}
	c := p.update(rule, link, op.Basis)
	if gone := away(rule, link, op.Basis); gone != "" && len(c.set)+len(c.held) > 0 {
		out.Ops = p.notSet(rule, &link, op, gone)
		c = change{set: identity(link, c.set)}
	} else {
		explain(&op, rule.Update(mapping.Input{Record: op.Basis.Record, Ticket: op.Basis.Ticket, TicketOf: op.Basis.TicketOf}))
		if basis.Before == nil && len(c.held) > 0 { // the record is read again first: it is older than its baselines
			maps.Copy(c.set, c.held)
			c.held, op.Basis.Seen = nil, time.Time{}
		}
		out.Ops = p.hold(rule, &link, c.held, t.Seen)
	}
	out.Links = []Link{link}
	if op = p.owed(op, c, Record{Row: op.Basis.Record, Seen: t.Seen}); op.State != Superseded {
		out.Ops = append(out.Ops, op)
	}
	return out
}

func orEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}
