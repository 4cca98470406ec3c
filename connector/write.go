package connector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
	"bridge/rest"
)

// result is what came of one call or one look: the reply, and what it showed.
type result struct {
	reply plan.Reply
	// id is what the other side made, ticket the ticket itself.
	id     string
	ticket *plan.Ticket
	// elevation is the elevation request that a look found.
	elevation plan.Elevation
	// text is what was found under the mark of a note.
	text string
	// after is the record as the reply shows it.
	after mapping.Row
	// err is what the side answered, if it was no success.
	err error
	// credentials is the error when they were refused.
	credentials error
	// before says that it was done before this call, by somebody.
	before bool
	// peculiar says that a refusal is about this one object, not about the side.
	peculiar bool
}

// write makes the one call that an op owes.
func (p *pass) write(ctx context.Context, link plan.Link, op plan.Op) result {
	switch op.Kind {
	case plan.TicketCreate:
		return p.createTicket(ctx, op)
	case plan.TicketNote:
		return p.addNote(ctx, link, op)
	case plan.RecordNote, plan.RecordUpdate:
		return p.updateRecord(ctx, link, op)
	case plan.ElevationCreate:
		return p.createElevation(ctx, op)
	case plan.ElevationClose:
		return p.closeElevation(ctx, link, op)
	}
	return p.impossible("unknown kind of op " + string(op.Kind))
}

func (p *pass) createTicket(ctx context.Context, op plan.Op) result {
	var body mmd.NewTicket
	if err := json.Unmarshal(op.Body, &body); err != nil {
		return p.impossible("the body is not a ticket: " + err.Error())
	}
	made, err := p.TicketWriter.Create(ctx, body)
	if err != nil {
		return p.failed(err)
	}
	t := ticket(made, p.Now())
	return p.done(result{id: made.ID, ticket: &t})
}

func (p *pass) addNote(ctx context.Context, link plan.Link, op plan.Op) result {
	var body struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(op.Body, &body); err != nil {
		return p.impossible("the body is not a note: " + err.Error())
	}
	if err := p.TicketWriter.AddNote(ctx, link.MMD, body.Text); err != nil {
		return p.failed(err)
	}
	return p.done(result{})
}

// updateRecord patches a record. A reply that does not show what was asked for is
// read once more; what still differs is parked, with its name.
func (p *pass) updateRecord(ctx context.Context, link plan.Link, op plan.Op) result {
	var set map[string]string
	if err := json.Unmarshal(op.Body, &set); err != nil {
		return p.impossible("the body is not a set of fields: " + err.Error())
	}
	reply, err := p.DeskWriter.Update(ctx, p.replyOf(link, set), link.Record, set)
	if err != nil {
		return p.failed(err)
	}
	after := row(reply)
	if ignored := ignores(op, set, link, after); len(ignored) > 0 {
		again, err := p.readRecord(ctx, link)
		if err != nil {
			return p.failed(&rest.Error{Method: "GET", Path: link.Table, Outcome: rest.Unknown, Complete: true, Err: err})
		}
		if ignored = ignores(op, set, link, again.Row); len(ignored) > 0 {
			return p.impossible("the desk answered 200 and did not take " + strings.Join(ignored, ", "))
		}
		after = again.Row
	}
	if op.Kind == plan.RecordNote && !next(link.Rev, after["sys_mod_count"].Value) {
		return p.seek(ctx, link, op, after)
	}
	return p.done(result{after: after})
}

// seek looks for a work note in the journal when its record moved by more than it, or by
// nobody knows how much: a desk that ignores it answers 200 too.
//
//	the journal shows             result
//	it                            done
//	none of that field, as ever   done: the desk's word counts
//	others, or none as yet        unknown: it is looked for, and not sent again
func (p *pass) seek(ctx context.Context, link plan.Link, op plan.Op, after mapping.Row) result {
	others := false
	for entry, err := range p.Desk.Journal(ctx, []string{link.Record}, plan.FieldsOf(op), time.Time{}) {
		if err != nil {
			break
		}
		if plan.MarkOf(entry.Text) == op.Mark {
			return p.done(result{after: after})
		}
		others = true
	}
	if wrote, err := p.wrote(ctx, link, plan.RecordNote); err == nil && wrote && !others {
		return p.done(result{after: after})
	}
	out := p.failed(&rest.Error{Method: "GET", Path: link.Table, Outcome: rest.Unknown, Err: errors.New("the desk answered 200, and the journal does not show it")})
	out.reply.Acknowledged = true
	return out
}

// next says that a revision is the one right after another.
func next(before, after string) bool {
	was, err1 := strconv.Atoi(before)
	is, err2 := strconv.Atoi(after)
	return err1 == nil && err2 == nil && is == was+1
}

// ignores names the fields that a reply shows otherwise than they were asked for.
// A journal field cannot be compared: it shows by the record having moved.
func ignores(op plan.Op, set map[string]string, link plan.Link, after mapping.Row) []string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(set)) {
		cell, shown := after[field]
		switch {
		case op.Kind == plan.RecordNote:
			if rev := after["sys_mod_count"].Value; rev != "" && rev == link.Rev {
				out = append(out, field)
			}
		case shown && cell.Value != set[field]:
			out = append(out, field)
		}
	}
	return out
}

// replyOf is what a reply is asked for: what was set, with its label if the rule
// tells labels, and the revision.
func (p *pass) replyOf(link plan.Link, set map[string]string) itsm.Ask {
	rule := p.Planner.Rules.Ticket(link.Rule)
	return itsm.Ask{Table: link.Table, Fields: slices.Sorted(maps.Keys(set)), Display: rule != nil && rule.Display}
}

func (p *pass) createElevation(ctx context.Context, op plan.Op) result {
	var body mmd.NewElevation
	if err := json.Unmarshal(op.Body, &body); err != nil {
		return p.impossible("the body is not an elevation request: " + err.Error())
	}
	made, err := p.ElevationWriter.Create(ctx, body)
	if err != nil {
		r := p.failed(err)
		if errors.Is(err, mmd.ErrTooManyOpen) {
			r.peculiar = true
			r.reply.After = max(r.reply.After, tooMany)
		}
		return r
	}
	return p.done(result{id: made.ID})
}

func (p *pass) closeElevation(ctx context.Context, link plan.Link, op plan.Op) result {
	var body struct {
		ActionsTaken string `json:"actionsTaken"`
	}
	if err := json.Unmarshal(op.Body, &body); err != nil {
		return p.impossible("the body does not say what was done: " + err.Error())
	}
	err := p.ElevationWriter.Close(ctx, op.Closes(link), body.ActionsTaken)
	if err != nil && !errors.Is(err, mmd.ErrAlreadyClosed) {
		return p.failed(err)
	}
	return p.done(result{before: err != nil})
}

// done is a call whose reply shows that it was done.
func (p *pass) done(r result) result {
	r.reply = plan.Reply{Outcome: plan.WasDone, Complete: true, At: p.Now()}
	return r
}

// impossible is a call that was not made, since it could never succeed.
func (p *pass) impossible(reason string) result {
	return result{reply: plan.Reply{Outcome: plan.WasImpossible, Reason: reason, Complete: true, At: p.Now()}, peculiar: true}
}

// failed turns a side's error into a reply: its outcome is the client's word.
func (p *pass) failed(err error) result {
	r := result{err: err, reply: plan.Reply{Reason: err.Error(), After: rest.RetryAfter(err), At: p.Now()}}
	switch rest.OutcomeOf(err) {
	case rest.Refused:
		r.reply.Outcome = plan.WasRefused
	case rest.Impossible:
		r.reply.Outcome = plan.WasImpossible
	case rest.Done, rest.Unknown:
		r.reply.Outcome = plan.WasUnknown
	}
	if e, ok := errors.AsType[*rest.Error](err); ok {
		r.reply.Complete = e.Complete
	}
	if badCredentials(err) {
		r.credentials = err
	}
	return r
}

// follow is what an op that ended brings with it.
func (p *pass) follow(link plan.Link, op plan.Op, r result) plan.Promise {
	out := plan.Promise{At: r.reply.At}
	done := op.State == plan.Done
	switch op.Kind {
	case plan.TicketCreate:
		if done && op.Undo {
			return plan.Unwanted(link, r.id, r.reply.At)
		}
		if rule := p.Planner.Rules.Ticket(op.Rule); done && rule != nil && r.ticket != nil {
			return p.Planner.Linked(rule, link, op, *r.ticket)
		}
	case plan.RecordUpdate:
		var set map[string]string
		if err := json.Unmarshal(op.Body, &set); done && err == nil && r.after != nil {
			out.Links = []plan.Link{plan.Updated(link, set, op.Basis.Record, r.after)}
			if r.after["sys_mod_count"].Value == "" { // it was found: what others wrote since is read again
				out.Links[0].Rev = ""
			}
		}
	case plan.RecordNote:
		if done && r.after != nil {
			out.Links = []plan.Link{plan.Wrote(link, link.Rev, r.after["sys_mod_count"].Value)}
		}
	case plan.TicketNote:
	case plan.ElevationCreate:
		rule := p.Planner.Rules.Elevation(op.Rule)
		r.elevation.ID = r.id
		switch {
		case done && op.Undo:
			return p.Planner.Undone(cmp.Or(rule, plan.RuleGone(op.Rule)), link, op, r.elevation, r.reply.At)
		case rule == nil:
		case done:
			return p.Planner.Opened(rule, link, op, r.elevation, r.reply.At)
		default:
			return p.Planner.Refused(rule, link, r.reply.Reason, r.reply.At)
		}
	case plan.ElevationClose:
		rule := p.Planner.Rules.Elevation(op.Rule)
		switch {
		case !done || rule == nil:
		case op.Of != "":
			return p.Planner.LateClosed(rule, link, op.Of, r.reply.At)
		default:
			return p.Planner.Closed(rule, link, fmt.Sprintf("%s.", strings.TrimSuffix(actionsOf(op), ".")), r.reply.At)
		}
	}
	return out
}

func actionsOf(op plan.Op) string {
	var body struct {
		ActionsTaken string `json:"actionsTaken"`
	}
	if err := json.Unmarshal(op.Body, &body); err != nil {
		return op.Why
	}
	return body.ActionsTaken
}
