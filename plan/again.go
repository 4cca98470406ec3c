package plan

import (
	"strings"

	"bridge/mapping"
)

// Again decides an unsent op once more on what was just read.
//
//	op             what was read now         result
//	ticket.create  rule holds, fields there  promised, rendered again
//	ticket.create  rule holds, was sent      promised as it was sent: it was not found
//	ticket.create  rule holds, a field gone  parked
//	ticket.create  rule does not hold        superseded: no ticket is wanted any more
//	ticket.create  what decides is hidden    parked: a right is missing
//	record.update  something still differs   promised, rendered again
//	record.update  nothing differs           superseded: the record says so already
//	record.update  what differs is not its   superseded, and said as its owner wants it
func (p Planner) Again(op Op, link Link, rec Record) (Op, Promise) {
	rule := p.Rules.Ticket(op.Rule)
	if rule == nil {
		op.State, op.Reason = Parked, "its rule "+op.Rule+" is gone"
		return op, Promise{}
	}
	if op.Kind == RecordUpdate {
		return p.updateAgain(rule, op, link, rec)
	}
	if ok, why := rule.Matches(rec.Row); !ok {
		return p.unwanted(op, rec, rule.Undecided(rec.Row), "the record has moved: "+why), Promise{}
	}
	if op.Frozen {
		return op, Promise{}
	}
	fresh := p.create(rule, link, rec)
	fresh.Promised, fresh.Seq, fresh.Attempt, fresh.Refused, fresh.Why, fresh.Begun = op.Promised, op.Seq, op.Attempt, op.Refused, op.Why, op.Begun
	return fresh, Promise{}
}

// unwanted ends a create that its rule does not take any more, or parks it while that
// cannot be known. What is seen later decides anew, also if it is what was seen before.
func (p Planner) unwanted(op Op, rec Record, hidden, why string) Op {
	op.Basis.Rev, op.Frozen = unwantedRev+p.rev(rec.Row), false
	op.State, op.Reason = Superseded, why
	if hidden != "" {
		op.State, op.Reason, op.Due = Parked, rec.Number()+": "+hidden, rec.Seen
	}
	return op
}

// unwantedRev goes before the fingerprint of what made an op unwanted: the same seen
// under a rule that takes it is another one.
const unwantedRev = "unwanted "

// sentBefore has a create looked for first that was sent before it was not wanted any
// more: it may have been done since.
func sentBefore(op *Op, story *Story) {
	if story == nil || op.State != Promised {
		return
	}
	for _, was := range story.Ops {
		if was.Key == op.Key && was.Attempt > 0 && strings.HasPrefix(was.Basis.Rev, unwantedRev) {
			op.State, op.Begun, op.Waits, op.Unsent, op.Reason = Unknown, was.Begun, op.Due, true, "it was sent before, and not found: it is looked for first"
		}
	}
}

// ElevateAgain decides an elevation once more on the task and approvals that were
// just read. An approval that is gone supersedes it; one that cannot be proven
// any more parks it, and says so on the task.
func (p Planner) ElevateAgain(rule *mapping.ElevationRule, link Link, op Op, task Task) (Op, Promise) {
	ok, reason := rule.Matches(task.Row)
	d := approvals(rule, task.Row, task.Approvals, task.Now)
	if !ok || d.withdrawn() {
		hidden := ""
		if ok {
			reason = d.why
		} else {
			hidden = rule.Undecided(task.Row)
		}
		op = p.unwanted(op, task.Record, hidden, "not approved any more: "+reason)
		if op.State == Parked {
			return op, p.Refused(rule, link, op.Reason, task.Seen)
		}
		return op, Promise{}
	}
	if closed, why := rule.Closes(mapping.Input{Record: task.Row, TicketOf: task.TicketOf}); closed {
		return p.unwanted(op, task.Record, "", "its task is to be closed: "+why), Promise{}
	}
	if d.consent == Approved && !d.anew(link, task, p.Aged) {
		return p.unwanted(op, task.Record, "", "not approved any more: what it was promised on is gone, and the approval that is left was used before"), Promise{}
	}
	device := deviceOf(rule, task.Row)
	link.Given = d.given(givenTo(rule, &Story{Link: link, Ops: []Op{op}}), device)
	d = d.as(rule, link.Given, device, task.Now)
	fresh := p.elevate(rule, link, task, d)
	fresh.Promised, fresh.Seq, fresh.Attempt, fresh.Refused, fresh.Begun = op.Promised, op.Seq, op.Attempt, op.Refused, op.Begun
	if fresh.State == Parked {
		said := p.report(rule.Report, link, "refused"+d.consent.event(), "No elevation request was opened: "+fresh.Reason, task.Seen)
		return fresh, Promise{Links: missConsent(link, d), Ops: said, At: task.Seen}
	}
	return fresh, Promise{}
}
