package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// change is what an update makes of a record's fields.
type change struct {
	// set are those that it sets, held those that both sides moved, with the ticket's value.
	set, held map[string]string
	// left are those that stay as they are, hidden those that cannot be decided.
	left, hidden []string
}

func (c change) nothing() bool { return len(c.set)+len(c.held)+len(c.left)+len(c.hidden) == 0 }

// update gives the fields of the record that differ from what the rule makes of the
// ticket, and those that are left as a person set them: held, until both sides agree, or
// left to the record.
//
//	a person moved it since the bridge wrote it  the ticket's value for it moved  owner  result
//	no                                           any                              any    set
//	yes                                          no                               any    left
//	yes, and the ticket after that               yes                              any    set
//	yes, since the ticket was seen unmoved       yes                              mmd    set
//	yes, since the ticket was seen unmoved       yes                              itsm   left
//	yes, since the ticket was seen unmoved       yes                              hold   held
//	it is held, and they do not agree            any                              hold   held
//	what it is made of cannot be read            any                              any    hidden
//
// A turn is one change: what no owner is named for goes the way of those that have one, and
// stays as it is where none of them is set.
func (p Planner) update(rule *mapping.TicketRule, link Link, basis Basis) change {
	in := mapping.Input{Record: basis.Record, Ticket: basis.Ticket, TicketOf: basis.TicketOf}
	draft := rule.Update(in)
	var before mapping.Draft
	if basis.Before != nil {
		in.Ticket = basis.Before
		before = rule.Update(in)
	}
	turned := func(field string) bool { return basis.Before == nil || before.Body[field] != draft.Body[field] }
	out := change{set: map[string]string{}, held: map[string]string{}}
	kept, won := false, false
	for _, field := range slices.Sorted(maps.Keys(draft.Body)) {
		value, _ := draft.Body[field].(string)
		if cell, readable := basis.Record[field]; readable && cell.Value == value {
			continue
		}
		switch word := p.word(rule, link, basis, field, turned(field)); word {
		case "hidden":
			out.hidden, kept = append(out.hidden, field), true
		case "hold":
			out.held[field] = value
			kept = kept || turned(field)
		case "itsm":
			out.left = append(out.left, field)
			kept = kept || turned(field)
		default:
			out.set[field] = value
			won = won || turned(field) && rule.Owner[field] != ""
		}
	}
	if !kept || won || basis.Before == nil {
		return out
	}
	for _, field := range slices.Sorted(maps.Keys(out.set)) {
		if turned(field) && rule.Owner[field] == "" {
			delete(out.set, field)
			out.left = append(out.left, field)
		}
	}
	return out
}

// word says whose word counts for a field that differs: itsm, mmd, hold, or hidden.
func (p Planner) word(rule *mapping.TicketRule, link Link, basis Basis, field string, turned bool) string {
	cell, readable := basis.Record[field]
	base, known := link.Base["record."+field]
	now := known && readable && base.Value != cell.Value
	_, holds := link.Held[field]
	owner := rule.Owner[field]
	switch {
	case rule.Hides(field, basis.Record):
		return "hidden"
	case holds && owner == "hold":
		return owner
	case !now && base.Moved.IsZero():
		return "mmd"
	case !turned:
		return "itsm"
	case !now && base.Moved.Before(basis.Since):
		return "mmd"
	}
	return owner
}

// updateAgain decides an update once more on the record as it is now. What became of its
// fields that are held is promised with it.
func (p Planner) updateAgain(rule *mapping.TicketRule, op Op, link Link, rec Record) (Op, Promise) {
	if older := !p.Aged.IsZero() && !op.Promised.After(p.Aged); older && Shows(op, link, rec) { // it was done, and undone by a person since
		op.State, op.Reason = Superseded, "the record shows that it was done"
		return op, Promise{}
	}
	op.Basis = p.basisAgain(rule, op, link, rec)
	c := p.update(rule, link, op.Basis)
	out := Promise{At: rec.Seen}
	if gone := away(rule, link, op.Basis); gone != "" && len(c.set)+len(c.held) > 0 {
		link = link.clone()
		out.Ops = p.notSet(rule, &link, op, gone)
		out.Links = []Link{link}
		if names := identity(link, c.set); op.Basis.Before == nil && len(names) > 0 {
			op.Body = marshal(names)
			return op, out
		}
		op.State, op.Reason = Superseded, gone
		return op, out
	}
	if !maps.Equal(c.held, link.Held) {
		link = link.clone()
		out.Ops = p.hold(rule, &link, c.held, rec.Seen)
		out.Links = []Link{link}
	}
	return p.owed(op, c, rec), out
}

// owed gives an update the state that what it is to change gives it.
func (p Planner) owed(op Op, c change, rec Record) Op {
	switch {
	case len(c.set) > 0:
		op.Body = marshal(c.set)
	case len(c.hidden) > 0:
		op.State, op.Body, op.Due = Parked, nil, rec.Seen
		op.Reason = fmt.Sprintf("%s: %s cannot be decided: what it is made of cannot be read, a right is missing", rec.Number(), strings.Join(c.hidden, ", "))
	case len(c.held) > 0:
		op.State, op.Reason = Superseded, "both sides moved: nothing is set until they agree"
	case len(c.left) > 0:
		op.State, op.Reason = Superseded, fmt.Sprintf("a person moved %s, and it is left as it is", strings.Join(c.left, ", "))
	default:
		op.State, op.Reason = Superseded, "the record says so already"
	}
	return op
}

// identity is what tells a record which ticket is its own.
func identity(link Link, set map[string]string) map[string]string {
	if set["correlation_id"] != link.MMD {
		return nil
	}
	return map[string]string{"correlation_id": link.MMD}
}

// notSet says on a record that is away what its ticket did, and that nothing is set for it
// before it is back.
func (p Planner) notSet(rule *mapping.TicketRule, link *Link, op Op, away string) []Op {
	if link.Untold == nil {
		link.Untold, link.UntoldSince = mapping.Row{"id": {}}, op.Basis.Since
		maps.Copy(link.Untold, op.Basis.Before)
	}
	event := "away/" + strconv.Itoa(link.Base["ticket"].Turn)
	return p.report(rule.NotesTo.Field, *link, event, "Now: "+op.Why+". Nothing is set here: "+away+".", op.Basis.Seen)
}

// caughtUp decides what a record that is back is owed for what its ticket did meanwhile.
func (p Planner) caughtUp(rule *mapping.TicketRule, link Link, rec Record) Promise {
	basis := p.basis(rec)
	basis.Before, basis.Since = link.Untold, link.UntoldSince
	link.Untold, link.UntoldSince = nil, time.Time{}
	t := Ticket{ID: link.MMD, Row: knownTicket(rule, link), Seen: rec.Seen}
	return p.turn(rule, link, t, basis, fmt.Sprintf("%s is back, and its ticket moved meanwhile", rec.Number()))
}

// basisAgain is what an update is decided on once more: the record as it is now, and the
// ticket as the ledger knows it, which may have moved on to what the record says already.
func (p Planner) basisAgain(rule *mapping.TicketRule, op Op, link Link, rec Record) Basis {
	basis := p.basis(rec)
	basis.Since, basis.Before = op.Basis.Since, op.Basis.Before
	if op.Basis.Ticket != nil {
		basis.Ticket = maps.Clone(op.Basis.Ticket)
		maps.Copy(basis.Ticket, knownTicket(rule, link))
	}
	return basis
}

// Differs says whether an update still owes its record something: not when it was done.
func (p Planner) Differs(op Op, link Link, rec Record) bool {
	rule := p.Rules.Ticket(op.Rule)
	if rule == nil {
		return false
	}
	return !p.update(rule, link, p.basisAgain(rule, op, link, rec)).nothing()
}

// Shows says that a record shows what only this update can have written: a value that
// names the ticket, and was not there before. What it shows otherwise, people changed
// since; where nobody did, the desk did not take it.
func Shows(op Op, link Link, rec Record) bool {
	if changes(op, rec) == 1 {
		return false
	}
	for field, value := range sets(op) {
		if link.MMD != "" && strings.Contains(value, link.MMD) && rec.Row[field].Value == value && op.Basis.Record[field].Value != value {
			return true
		}
	}
	return false
}

// changes counts how often a record has changed since an op was decided on it, but for what
// the bridge itself wrote before that op; -1: that is not known.
func changes(op Op, rec Record) int {
	was, err1 := strconv.Atoi(op.Basis.Record["sys_mod_count"].Value)
	is, err2 := strconv.Atoi(rec.Rev())
	if err1 != nil || err2 != nil {
		return -1
	}
	if begun, err := strconv.Atoi(op.Basis.Begun); err == nil {
		was = max(was, begun)
	}
	return is - was
}

// Unclear says why it cannot be told of an update, which the record does not show, whether
// a person has undone it. That matters where the ticket does not win.
//
//	changes since it was decided  what differs is the record's own, or held  unclear
//	one at most                   any                                        no: it was somebody else's
//	more                          no                                         no: the ticket wins
//	more                          yes                                        yes
func (p Planner) Unclear(op Op, link Link, rec Record) string {
	rule := p.Rules.Ticket(op.Rule)
	n := changes(op, rec)
	if rule == nil || n < 2 {
		return ""
	}
	c := p.update(rule, link, p.basisAgain(rule, op, link, rec))
	for _, field := range slices.Sorted(maps.Keys(c.set)) {
		if owner := rule.Owner[field]; owner == "itsm" || owner == "hold" {
			return fmt.Sprintf("sent %d×, and %s has changed %d times since: a person may have set %s back; look at it, then retry or drop it", op.sent(), rec.Number(), n, field)
		}
	}
	return ""
}

// sets is what an update sets.
func sets(op Op) (set map[string]string) {
	if err := json.Unmarshal(op.Body, &set); err != nil {
		return nil
	}
	return set
}

// Updated says what follows from a record's reply to an update: what the bridge
// itself wrote is the baseline, and no news. What others wrote stays news.
func Updated(link Link, set map[string]string, before, after mapping.Row) Link {
	link = link.clone()
	for field := range set {
		if cell, ok := after[field]; ok {
			base := link.Base["record."+field]
			base.Value, base.Label, base.Moved = cell.Value, label(cell), time.Time{}
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

// ours says that an update which was sent, and whose outcome is not known yet,
// gives a field this value.
func ours(ops []Op, field, value string) bool {
	return slices.ContainsFunc(ops, func(op Op) bool {
		if op.Kind != RecordUpdate || op.sent() == 0 || op.State.Ended() {
			return false
		}
		sent, asked := sets(op)[field]
		return asked && sent == value
	})
}
