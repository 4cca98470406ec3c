package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/plan"
)

// tooMany is how long a device with too many open elevation requests is left alone.
const tooMany = time.Minute

// errGone says that what was written to cannot be read any more.
var errGone = errors.New("it cannot be read any more")

// freshRows are records that were read again in batches, right before their ops
// are sent.
type freshRows struct {
	mu   sync.Mutex
	rows map[string]plan.Record
}

func (f *freshRows) put(rec plan.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows[rec.ID()] = rec
}

// take gives a record that was read since a time: its op may have waited for a place.
func (f *freshRows) take(id string, since time.Time) (plan.Record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rec, ok := f.rows[id]
	delete(f.rows, id)
	return rec, ok && !rec.Seen.Before(since)
}

// refresh reads in batches the records of links whose next op was decided too
// long ago.
func (p *pass) refresh(ctx context.Context, links []string) error {
	stale := map[string][]string{}
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Links: links, States: []plan.State{plan.Promised}}) {
		if err != nil {
			return fmt.Errorf("read what is due: %w", err)
		}
		if p.old(op) && !p.isHeld(op) && !op.Due.After(p.Now()) {
			if rule := p.Planner.Rules.Ticket(op.Rule); rule != nil {
				stale[rule.Name] = append(stale[rule.Name], recordOf(op))
			}
		}
	}
	for name, ids := range stale {
		rule := p.Planner.Rules.Ticket(name)
		for rec, err := range p.Desk.Records(ctx, askOf(rule), ids) {
			if err != nil {
				break // each op reads for itself then, and says why it cannot
			}
			p.fresh.put(plan.Record{Table: rule.Table, Row: row(rec), Seen: p.Now()})
		}
	}
	return nil
}

// old says that an op's observation is too old to be acted on.
func (p *pass) old(op plan.Op) bool {
	return (op.Kind == plan.TicketCreate || op.Kind == plan.RecordUpdate) && p.Now().Sub(op.Basis.Seen) > p.Fresh
}

// asksDesk says that an op is decided once more on what the desk says now.
func (p *pass) asksDesk(op plan.Op) bool { return op.Kind == plan.ElevationCreate || p.old(op) }

func recordOf(op plan.Op) string { return op.Basis.Record["sys_id"].Value }

func askOf(rule *mapping.TicketRule) itsm.Ask {
	return itsm.Ask{Table: rule.Table, Fields: rule.Fields, Display: rule.Display}
}

// again decides an op once more on what was just read, if what it was decided on
// is too old: a state decided hours ago never overwrites a person's newer one,
// and no ticket is opened for an incident that was cancelled meanwhile. An
// elevation is decided again every time.
func (p *pass) again(ctx context.Context, story plan.Story, op plan.Op) (plan.Op, bool, error) {
	switch {
	case !p.asksDesk(op):
		return op, true, nil
	case op.Kind == plan.ElevationCreate:
		return p.elevationAgain(ctx, story, op)
	}
	rec, ok := p.fresh.take(story.Link.Record, p.Now().Add(-p.Fresh))
	if !ok {
		var err error
		if rec, err = p.readRecord(ctx, story.Link); err != nil {
			return op, false, p.unread(ctx, story, op, err)
		}
	}
	rec.TicketOf = op.Basis.TicketOf
	decided, follow := p.Planner.Again(op, story.Link, rec)
	if !follow.Empty() { // it is written down first, and what is left of the op is sent then
		if decided.State == plan.Superseded {
			decided.Ended = rec.Seen
		}
		_, err := p.Ledger.Settle(ctx, decided, follow)
		return decided, false, err
	}
	if decided.State == plan.Promised {
		return decided, true, nil
	}
	return decided, false, p.end(ctx, story, decided)
}

// unread puts an op off whose record cannot be read now: the desk's refusal, whatever side
// the op is for.
func (p *pass) unread(ctx context.Context, story plan.Story, op plan.Op, err error) error {
	if errors.Is(err, errGone) {
		op.State, op.Reason, op.Due = plan.Parked, err.Error(), p.Now()
		op.Basis.Rev = "" // the next sight of it decides anew, also when it is as it was
		return p.end(ctx, story, op)
	}
	r := p.failed(err)
	r.reply.Outcome = plan.WasRefused
	p.count(plan.ITSM, op.Kind, r)
	_, err = p.Ledger.Settle(ctx, p.timing.Unread(op, r.reply), plan.Promise{At: p.Now()})
	return err
}

// end writes down an op that is not sent after all. What was to follow a create
// that is not wanted any more is cancelled before it.
func (p *pass) end(ctx context.Context, story plan.Story, op plan.Op) error {
	now := p.Now()
	promise := plan.Promise{At: now}
	if op.State == plan.Superseded {
		op.Ended = now
	}
	if op.Kind.Creates() && op.State == plan.Superseded {
		for _, behind := range story.Ops {
			if behind.Key == op.Key || behind.State.Ended() || behind.Frozen {
				continue
			}
			behind.State, behind.Ended, behind.Reason, behind.Basis.Rev = plan.Cancelled, now, "its ticket is not wanted any more: "+op.Reason, op.Basis.Rev
			if _, err := p.Ledger.Settle(ctx, behind, plan.Promise{At: now}); err != nil {
				return err
			}
		}
		link := story.Link
		link.Ended = now
		promise.Links = []plan.Link{link}
	}
	_, err := p.Ledger.Settle(ctx, op, promise)
	return err
}

// readRecord reads the record of a link as its rule asks for it.
func (p *pass) readRecord(ctx context.Context, link plan.Link) (plan.Record, error) {
	ask := itsm.Ask{Table: link.Table, Fields: []string{"sys_id", "number", "sys_mod_count"}}
	if rule := p.Planner.Rules.Ticket(link.Rule); rule != nil && link.Kind == plan.TicketLink {
		ask = askOf(rule)
	}
	rec, err := p.Desk.Get(ctx, ask, link.Record)
	if errors.Is(err, itsm.ErrNotFound) {
		return plan.Record{}, fmt.Errorf("record %s: %w", link.Number, errGone)
	}
	return plan.Record{Table: link.Table, Row: row(rec), Seen: p.Now()}, err
}

// elevationAgain reads the task and its approvals once more, right before rights
// are asked for.
func (p *pass) elevationAgain(ctx context.Context, story plan.Story, op plan.Op) (plan.Op, bool, error) {
	rule := p.Planner.Rules.Elevation(op.Rule)
	if rule == nil {
		op.State, op.Reason = plan.Parked, "its rule "+op.Rule+" is gone"
		return op, false, p.end(ctx, story, op)
	}
	reader := Poller{Desk: p.Desk, Ledger: p.Ledger, Planner: p.Planner, Now: p.Now}
	task, err := reader.task(ctx, rule, story.Link.Record)
	if err != nil {
		return op, false, p.unread(ctx, story, op, err)
	}
	if task.ParentOwes {
		op.Due, op.Reason = p.Now().Add(tooMany), "waits for the ticket of its parent"
		return op, false, p.end(ctx, story, op)
	}
	decided, follow := p.Planner.ElevateAgain(rule, story.Link, op, task)
	if decided.State == plan.Promised {
		return decided, true, nil
	}
	if decided.State == plan.Superseded {
		return decided, false, p.end(ctx, story, decided)
	}
	_, err = p.Ledger.Settle(ctx, decided, follow)
	return decided, false, err
}
