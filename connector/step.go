package connector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bridge/plan"
)

// send takes one op through its steps. The begin is durable before the first
// byte; without it, nothing is sent. It gives what the link has to do next, if that is
// known without reading it again.
func (p *pass) send(ctx, held context.Context, story plan.Story, op plan.Op) (next *plan.Story, err error) {
	r, op, err := p.beginAndCall(ctx, held, story, op)
	if err != nil || r == nil {
		return nil, err
	}
	next, err = p.settle(ctx, story, op, *r)
	p.mark(time.Time{}, p.Now())
	return next, err
}

// beginAndCall takes one of the places of what is begun ahead, until the side has
// answered. What the op was decided on is looked at when it has its place: it may have
// waited for long. No result: it is not to be sent, or the bridge was told to stop.
func (p *pass) beginAndCall(ctx, held context.Context, story plan.Story, op plan.Op) (*result, plan.Op, error) {
	side := op.Kind.Side()
	if !take(ctx, p.begun[side]) {
		return nil, op, nil
	}
	defer release(p.begun[side])
	if p.stopped(op) {
		return nil, op, nil
	}
	op, ready, err := p.again(ctx, story, op)
	if err != nil || !ready {
		return nil, op, err
	}
	if op.Kind == plan.RecordUpdate {
		op.Basis.Begun = story.Link.Rev
	}
	began := p.Now() // the ledger may keep another clock's
	if op, err = p.Ledger.Begin(held, op, began); err != nil {
		return nil, op, fmt.Errorf("begin: %w", err)
	}
	p.mark(began, time.Time{})
	r := p.call(ctx, held, story.Link, op, began)
	return &r, op, nil
}

// mark notes when writing began and ended.
func (p *pass) mark(began, ended time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.report.FirstSend.IsZero() {
		p.report.FirstSend = began
	}
	if ended.After(p.report.LastSettle) {
		p.report.LastSettle = ended
	}
}

// call makes the call within the budget, which counts from begin. What was begun
// is finished even when the bridge is told to stop, and given up when the claim on
// its link is lost.
func (p *pass) call(ctx, held context.Context, link plan.Link, op plan.Op, began time.Time) result {
	side := op.Kind.Side()
	if !take(ctx, p.slots[side]) {
		return result{reply: plan.Reply{Outcome: plan.WasRefused, Reason: "handed back: the bridge was told to stop", At: p.Now()}}
	}
	defer release(p.slots[side])
	left := p.timing.Budget - p.Now().Sub(began)
	if held.Err() != nil {
		return result{reply: plan.Reply{Outcome: plan.WasRefused, Reason: "the claim on its link was lost before the first byte", At: p.Now()}}
	}
	if left <= 0 {
		return result{reply: plan.Reply{Outcome: plan.WasRefused, Reason: "the budget was used up before the first byte", At: p.Now()}}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	defer context.AfterFunc(held, cancel)()
	return p.write(ctx, link, op)
}

// settle writes down how a send ended, what was learnt, and what follows. It is
// written down even when the bridge is told to stop. An error here stops all
// sends: what the ledger does not know must not go on.
func (p *pass) settle(ctx context.Context, story plan.Story, op plan.Op, r result) (next *plan.Story, err error) {
	link := story.Link
	p.count(op.Kind.Side(), op.Kind, r)
	if err := p.broken(context.WithoutCancel(ctx), op, &r); err != nil {
		return nil, err
	}
	after := p.timing.After(op, r.reply)
	follow := plan.Promise{At: r.reply.At}
	if after.State == plan.Done {
		after.Result = r.id
	}
	if after.State == plan.Done || after.State == plan.Parked {
		follow = p.follow(link, after, r)
		follow.Ops = p.Planner.Doubted(follow.Ops, p.timing, r.reply.At)
		if r.before { // by this bridge, maybe, which said so: this ledger may be an older copy
			said(follow.Ops, r.reply.At, "follows from what was done before: it is looked for first")
		}
	}
	added, err := p.Ledger.Settle(context.WithoutCancel(ctx), after, follow)
	if err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	if after.State != plan.Done {
		p.Log.LogAttrs(ctx, slog.LevelWarn, "a write was not done", slog.String("op", op.Key), slog.String("number", link.Number),
			slog.Int("attempt", op.Attempt), slog.String("outcome", string(r.reply.Outcome)), slog.String("state", string(after.State)),
			slog.String("reason", r.reply.Reason))
	}
	if len(story.Ops) > 1 || len(added) != len(follow.Ops) {
		return nil, nil
	}
	return &plan.Story{Link: written(link, follow), Ops: follow.Ops}, nil
}

// written is a link as a promise leaves it in the ledger.
func written(link plan.Link, p plan.Promise) plan.Link {
	for _, changed := range p.Links {
		if changed.ID == link.ID {
			link = changed
			link.Version++
		}
	}
	return link
}

// count keeps the numbers of the report and the strikes of the side that answered.
func (p *pass) count(side plan.Side, kind plan.Kind, r result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.reply.Outcome {
	case plan.WasDone:
		p.report.Done[kind]++
		p.strikes[side] = 0
	case plan.WasRefused:
		if !r.peculiar {
			p.strikes[side]++
		}
	case plan.WasUnknown, plan.WasImpossible:
		p.strikes[side] = 0
	}
	if r.credentials != nil {
		p.report.refused(side, r.credentials)
	}
}

func take(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func release(slots chan struct{}) { <-slots }
