package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"bridge/mmd"
	"bridge/plan"
)

// ErrLost says that the ledger knows nothing, and that the vendor shows what this
// bridge made: a ledger was lost, and nothing is sent with an empty one.
var ErrLost = errors.New("the ledger is empty and the vendor shows tickets that carry this bridge's mark: bridge relink rebuilds it, and sends nothing while it does")

// ErrUnfinished says that a relink goes on, or was interrupted.
var ErrUnfinished = errors.New("bridge relink was not finished: wait for it, or run it again")

// clockGap is how long a process may have slept before it looks again whether its
// ledger is the newest.
const clockGap = time.Hour

// metaAged is where the ledger keeps until when it may have forgotten what was done.
const metaAged = "aged"

// metaRelink is there while a relink is not finished.
const metaRelink = "relink"

// aged reads until when the ledger may have forgotten what was done.
func aged(ctx context.Context, ledger Ledger) (time.Time, error) {
	text, err := ledger.Meta(ctx, metaAged)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, text)
}

// forgotten reads until when links ended that the ledger has let go of, by any clock.
func forgotten(ctx context.Context, ledger Ledger) (time.Time, error) {
	text, err := ledger.Meta(ctx, plan.MetaForgotten)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	until, err := time.Parse(time.RFC3339Nano, text)
	return until.Add(skew), err
}

// prove looks, before anything is sent, whether the two sides show something of ours
// that the ledger does not know: it was set back then.
//
//	ledger     the sides show                         result
//	empty      none of our marks                      it is new
//	empty      our marks                              ErrLost: relink
//	not empty  our marks that it knows as sent        it is whole
//	not empty  a mark that it does not know as sent   it was set back: what is owed is looked for first
//	any        marks from before links were pruned    nothing: it may have forgotten them
func (p *Poller) prove(ctx context.Context) error {
	unfinished, err := p.Ledger.Meta(ctx, metaRelink)
	if err != nil {
		return err
	}
	if unfinished != "" {
		return ErrUnfinished
	}
	newest, empty, err := p.newest(ctx)
	if err != nil {
		return err
	}
	pruned, err := forgotten(ctx, p.Ledger)
	if err != nil {
		return err
	}
	marks, err := p.marksSince(ctx, newest, pruned)
	if err != nil {
		return err
	}
	if empty && len(marks) > 0 {
		// Another worker may have made its first ticket while the list was read.
		if _, empty, err = p.newest(ctx); err != nil {
			return err
		}
	}
	if empty && len(marks) > 0 {
		return ErrLost
	}
	notes, err := p.notesSince(ctx)
	if err != nil {
		return err
	}
	maps.Copy(marks, notes)
	return p.known(ctx, marks)
}

// known looks for marks in the ledger: one that was never sent, as far as it knows,
// proves that it was set back.
func (p *Poller) known(ctx context.Context, marks map[string]string) error {
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Marks: keys(marks)}) {
		if err != nil {
			return err
		}
		// What waits to be sent anew was refused, unless its words stay as they were sent.
		refused := op.State == plan.Promised && !op.Frozen
		if op.Attempt > 0 && !refused || op.State == plan.Unknown {
			delete(marks, op.Mark)
		}
	}
	for mark, where := range marks {
		p.Log.LogAttrs(ctx, slog.LevelError, "the ledger was set back: it does not know what was sent", slog.String("mark", mark), slog.String("found", where))
		return p.setBack(ctx)
	}
	return p.lookFirst(ctx)
}

// lookFirst has the notes looked for that an earlier process owed and, as far as this
// ledger knows, never sent, or sent and saw refused: an empty list may have hidden that
// it was set back.
func (p *Poller) lookFirst(ctx context.Context) error {
	var owed []plan.Op
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Promised}, Kinds: []plan.Kind{plan.TicketNote, plan.RecordNote}}) {
		if err != nil {
			return err
		}
		owed = append(owed, op)
	}
	now := p.Now()
	for _, op := range owed {
		op = firstLook(op, now, "owed since before the start: it is looked for first")
		if _, err := p.Ledger.Settle(ctx, op, plan.Promise{At: now}); err != nil && !errors.Is(err, plan.ErrStale) {
			return err
		}
	}
	return nil
}

// firstLook has an op looked for before it is sent; absence counts at once.
func firstLook(op plan.Op, now time.Time, reason string) plan.Op {
	op.State, op.Begun, op.Due, op.Waits, op.Unsent, op.Reason = plan.Unknown, op.Promised, now, now, true, reason
	return op
}

// newest is when the newest link that the ledger knows was made.
func (p *Poller) newest(ctx context.Context) (newest time.Time, empty bool, err error) {
	for _, kind := range []plan.LinkKind{plan.TicketLink, plan.ElevationLink} {
		for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: kind, Newest: true, Brief: true, Limit: 1}) {
			if err != nil {
				return time.Time{}, false, err
			}
			if link.Linked.After(newest) {
				newest = link.Linked
			}
		}
	}
	if !newest.IsZero() {
		return newest, false, nil
	}
	for _, err := range p.Ledger.Links(ctx, plan.LinkQuery{Brief: true, Limit: 1}) {
		return time.Time{}, false, err
	}
	return time.Time{}, true, nil
}

// marksSince lists what carries this bridge's mark, newest first, back to a time, and
// no further than to what was forgotten.
func (p *Poller) marksSince(ctx context.Context, since, pruned time.Time) (map[string]string, error) {
	marks := map[string]string{}
	if !since.IsZero() {
		since = since.Add(-skew)
	}
	var err error
	if len(p.Planner.Rules.Tickets) > 0 {
		err = p.looks(ctx, plan.TicketLink, func(known *sight) error {
			for t, err := range p.Tickets.List(ctx, mmd.ListOptions{OrderBy: "createdDateTime desc"}) {
				if err != nil {
					return err
				}
				known.saw(t.ID)
				if mark := plan.MarkOf(t.Description); p.Planner.Pair.Owns(mark) && t.Created.After(pruned) {
					marks[mark] = "ticket " + t.ID
				}
				if t.Created.Before(since) && known.seen {
					break
				}
			}
			return nil
		})
	}
	if err == nil && len(p.Planner.Rules.Elevations) > 0 {
		err = p.looks(ctx, plan.ElevationLink, func(known *sight) error {
			for e, err := range p.Elevations.List(ctx, mmd.ListOptions{}) {
				if err != nil {
					return err
				}
				known.saw(e.ID)
				if mark := plan.MarkOf(e.PlanOfAction); p.Planner.Pair.Owns(mark) && e.Created.After(since) && e.Created.After(pruned) {
					marks[mark] = "elevation request " + e.ID
				}
			}
			return nil
		})
	}
	return marks, err
}

// looks lists what the vendor shows, and again when it shows nothing that is known to
// exist: an empty list may be one by mistake, and would prove that the ledger is whole.
//
//	it shows something that is known  the newest known ticket, by its id  result
//	yes                               –                                   believed
//	never                             is not there (404), or none known   believed
//	never                             is there                            no proof: nothing is sent
func (p *Poller) looks(ctx context.Context, kind plan.LinkKind, list func(known *sight) error) error {
	known, err := newestKnown(ctx, p.Ledger, kind)
	if err != nil {
		return err
	}
	for range bareLooks {
		if err := list(known); err != nil {
			return &sideError{err: fmt.Errorf("look whether the ledger is the newest: %w", err)}
		}
		if known.seen || known.newest == "" && kind != plan.TicketLink {
			return nil
		}
	}
	if known.newest == "" || kind != plan.TicketLink {
		return nil
	}
	_, err = p.Tickets.Get(ctx, known.newest)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return nil
	case err != nil:
		return &sideError{err: fmt.Errorf("look whether the ledger is the newest: %w", err)}
	}
	return &sideError{err: fmt.Errorf("the list of tickets does not show %s, which is there: what it does not show proves nothing", known.newest)}
}

// bareLooks is how often a list is asked for that shows nothing that is known to exist.
const bareLooks = 3

// setBack writes down that the ledger was set back, and makes what it owes unknown.
func (p *Poller) setBack(ctx context.Context) error {
	now := p.Now()
	if err := p.Ledger.SetMeta(ctx, metaAged, now.Format(time.RFC3339Nano)); err != nil {
		return err
	}
	p.Planner.Aged = now
	var err error
	if p.Timing.Lag, err = Lag(ctx, p.Ledger); err != nil {
		return err
	}
	var owed []plan.Op
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Promised}}) {
		if err != nil {
			return err
		}
		owed = append(owed, op)
	}
	for _, op := range p.Planner.Doubted(owed, p.Timing, now) {
		if op.State != plan.Unknown {
			continue
		}
		if _, err := p.Ledger.Settle(ctx, op, plan.Promise{At: now}); err != nil {
			return err
		}
	}
	return nil
}

// promise writes what was decided. What a lost ledger may have done is looked for
// before it is sent.
func (p *Poller) promise(ctx context.Context, promise plan.Promise) ([]string, error) {
	promise.Ops = p.Planner.Doubted(promise.Ops, p.Timing, p.Now())
	for i, op := range promise.Ops {
		if since, hides := p.hiding[op.Link]; hides && op.State == plan.Promised && op.Kind == plan.TicketNote && !op.Fact.After(since.Add(skew)) {
			promise.Ops[i] = firstLook(op, p.Now(), "its ticket hid its notes when the ledger was compared with it: it is looked for first")
		}
	}
	return p.Ledger.Promise(ctx, promise)
}
