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
func (p Planner) update(rule *mapping.TicketRule, link Link, basis Basis) (set, held map[string]string, left []string) {
	in := mapping.Input{Record: basis.Record, Ticket: basis.Ticket, TicketOf: basis.TicketOf}
	draft := rule.Update(in)
	var before mapping.Draft
	if basis.Before != nil {
		in.Ticket = basis.Before
		before = rule.Update(in)
	}
	set, held = map[string]string{}, map[string]string{}
	for _, field := range slices.Sorted(maps.Keys(draft.Body)) {
		value, _ := draft.Body[field].(string)
		cell, readable := basis.Record[field]
		if readable && cell.Value == value {
			continue
		}
		base, known := link.Base["record."+field]
		now := known && readable && base.Value != cell.Value
		_, holds := link.Held[field]
		turned := basis.Before == nil || before.Body[field] != draft.Body[field]
		switch owner := rule.Owner[field]; {
		case holds && owner == "hold":
			held[field] = value
		case !now && base.Moved.IsZero():
			set[field] = value
		case !turned:
			left = append(left, field)
		case !now && !base.Moved.After(basis.Since):
			set[field] = value
		case owner == "hold":
			held[field] = value
		case owner == "itsm":
			left = append(left, field)
		default:
			set[field] = value
		}
	}
	return set, held, left
}

// updateAgain decides an update once more on the record as it is now. What became of its
// fields that are held is promised with it.
func (p Planner) updateAgain(rule *mapping.TicketRule, op Op, link Link, rec Record) (Op, Promise) {
	op.Basis = p.basisAgain(rule, op, link, rec)
	set, held, left := p.update(rule, link, op.Basis)
	out := Promise{At: rec.Seen}
	if gone := away(rule, link, op.Basis); gone != "" && len(set)+len(held) > 0 {
		op.State, op.Reason = Superseded, gone
		link = link.clone()
		out.Ops = p.notSet(rule, &link, op, gone)
		out.Links = []Link{link}
		return op, out
	}
	if !maps.Equal(held, link.Held) {
		link = link.clone()
		out.Ops = p.hold(rule, &link, held, rec.Seen)
		out.Links = []Link{link}
	}
	switch {
	case len(set) > 0:
		op.Body = marshal(set)
	case len(held) > 0:
		op.State, op.Reason = Superseded, "both sides moved: nothing is set until they agree"
	case len(left) > 0:
		op.State, op.Reason = Superseded, fmt.Sprintf("a person moved %s, and it is left as it is", strings.Join(left, ", "))
	default:
		op.State, op.Reason = Superseded, "the record says so already"
	}
	return op, out
}

// notSet says on a record that is away what its ticket did, and that nothing is set for it
// before it is back.
func (p Planner) notSet(rule *mapping.TicketRule, link *Link, op Op, away string) []Op {
	if link.Untold == nil {
		link.Untold = maps.Clone(op.Basis.Before)
	}
	event := "away/" + strconv.Itoa(link.Base["ticket"].Turn)
	return p.report(rule.NotesTo.Field, *link, event, "Now: "+op.Why+". Nothing is set here: "+away+".", op.Basis.Seen)
}

// caughtUp decides what a record that is back is owed for what its ticket did meanwhile.
func (p Planner) caughtUp(rule *mapping.TicketRule, link Link, rec Record, left time.Time) Promise {
	basis := p.basis(rec)
	basis.Before, basis.Since = link.Untold, left
	link.Untold = nil
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
	set, held, left := p.update(rule, link, p.basisAgain(rule, op, link, rec))
	return len(set)+len(held)+len(left) > 0
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

// changes counts how often a record has changed since an op was decided on it; -1: that is
// not known.
func changes(op Op, rec Record) int {
	was, err1 := strconv.Atoi(op.Basis.Record["sys_mod_count"].Value)
	is, err2 := strconv.Atoi(rec.Rev())
	if err1 != nil || err2 != nil {
		return -1
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
	set, _, _ := p.update(rule, link, p.basisAgain(rule, op, link, rec))
	for _, field := range slices.Sorted(maps.Keys(set)) {
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
		if op.Kind != RecordUpdate || op.Attempt == 0 || op.State.Ended() {
			return false
		}
		sent, asked := sets(op)[field]
		return asked && sent == value
	})
}
