package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"bridge/plan"
)

// Recover makes what was begun and not settled unknown: the worker that sent it is
// gone, and it is looked for before anything is sent again. A link that a living
// worker has is left to it.
func (l *Ledger) Recover(ctx context.Context, now time.Time) (int, error) {
	begun := map[string][]plan.Op{}
	for op, err := range l.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Begun}}) {
		if err != nil {
			return 0, err
		}
		begun[op.Link] = append(begun[op.Link], op)
	}
	n := 0
	for link, ops := range begun {
		_, release, err := l.Claim(ctx, "link/"+link)
		if errors.Is(err, plan.ErrClaimed) {
			continue
		}
		if err != nil {
			return n, err
		}
		for _, op := range ops {
			op.State, op.Due, op.Reason = plan.Unknown, now, "the bridge stopped while it was being sent"
			if _, err = l.Settle(ctx, op, plan.Promise{}); err != nil {
				break
			}
			n++
		}
		release()
		if err != nil && !errors.Is(err, plan.ErrStale) { // stale: it was settled meanwhile
			return n, err
		}
	}
	return n, nil
}

// Hold stops something until a person lets it go on.
func (l *Ledger) Hold(ctx context.Context, h plan.Hold) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error { return putHold(ctx, tx, h) })
}

// Release ends one hold of a rule or a link; others that it has stand.
func (l *Ledger) Release(ctx context.Context, h plan.Hold) error {
	return l.put(ctx, "DELETE FROM holds WHERE rule = ? AND what = ?", h.Rule, h.What)
}

// SetMeta writes a small fact.
func (l *Ledger) SetMeta(ctx context.Context, key, value string) error {
	return l.put(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
}

func (l *Ledger) put(ctx context.Context, statement string, args ...any) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error {
		_, err := tx.exec(ctx, statement, args...)
		return err
	})
}

// Retry makes an op due now, on a person's word: what was parked is sent again, what
// was in doubt is looked for once more and then sent, and what waits does not wait any
// longer. What it was decided on is read again first.
func (l *Ledger) Retry(ctx context.Context, key, reason string, now time.Time) error {
	return l.byHand(ctx, key, []plan.State{plan.Parked, plan.Doubt, plan.Promised}, func(op *plan.Op) {
		if op.State == plan.Doubt {
			op.State, op.Due, op.Asked, op.Reason = plan.Unknown, now, true, "retried: "+reason+"; it is looked for once more, and then sent"
			op.Basis.Seen = time.Time{}
			return
		}
		if op.State == plan.Parked {
			op.Frozen = false
		}
		op.State, op.Due, op.Waits, op.Reason = plan.Promised, now, time.Time{}, "retried: "+reason
		op.Basis.Seen = time.Time{}
	})
}

// Drop cancels an op that was not sent, or that a person has looked for. It is
// never promised again by itself.
func (l *Ledger) Drop(ctx context.Context, key, reason string, now time.Time) error {
	return l.byHand(ctx, key, []plan.State{plan.Parked, plan.Doubt, plan.Promised}, func(op *plan.Op) {
		op.State, op.Ended, op.Frozen, op.Reason = plan.Cancelled, now, true, "dropped: "+reason
	})
}

// byHand changes one op that waits for a person.
func (l *Ledger) byHand(ctx context.Context, key string, states []plan.State, change func(*plan.Op)) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error {
		op, err := readOp(tx.row(ctx, "SELECT seq, doc FROM ops WHERE key = ?", key))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("there is no write %s in the ledger", key)
		}
		if err != nil {
			return err
		}
		if !slices.Contains(states, op.State) {
			return fmt.Errorf("%s is %s: only what is parked, in doubt or waiting is changed by hand", key, op.State)
		}
		was := op.State
		change(&op)
		return setOp(ctx, tx, op, op.Attempt, was)
	})
}
