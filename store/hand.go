package store

import (
	"context"
	"database/sql"
	"encoding/json"
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

// RecoverByHand does what Recover does for a command, which may run beside a worker: what
// a living one has begun is left to it. On SQLite that is all, on PostgreSQL what is under
// the links that it claims.
func (l *Ledger) RecoverByHand(ctx context.Context, now time.Time) (int, error) {
	if l.file == "" || l.lock != nil {
		return l.Recover(ctx, now)
	}
	for _, err := range l.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Begun}}) {
		if err != nil {
			return 0, err
		}
		alone, err := takeLock(l.file+".lock", l.holder) // for a moment: a worker that starts meanwhile could send
		if _, working := errors.AsType[*Locked](err); working {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		n, err := l.Recover(ctx, now)
		return n, errors.Join(err, alone.free())
	}
	return 0, nil
}

// Revise changes a link and what was promised under it on a person's word, all of it or
// nothing: decide is given how they stand, gives the ops as they are to stand and what
// follows, and may be asked again. It gives how they stand then.
func (l *Ledger) Revise(ctx context.Context, link string, decide func(plan.Story) ([]plan.Op, plan.Promise, error)) (after plan.Story, err error) {
	return after, l.persist(ctx, func(ctx context.Context, tx tx) (err error) {
		after, err = revise(ctx, tx, link, decide)
		return err
	})
}

// persist tries a person's word again that meets what a worker has just written.
func (l *Ledger) persist(ctx context.Context, do func(context.Context, tx) error) (err error) {
	for range revisions {
		if err = l.change(ctx, do); !errors.Is(err, plan.ErrStale) {
			break
		}
	}
	return err
}

// revisions is how often a person's word is tried beside workers that write the same link.
const revisions = 10

func revise(ctx context.Context, tx tx, link string, decide func(plan.Story) ([]plan.Op, plan.Promise, error)) (plan.Story, error) {
	story, err := wholeStory(ctx, tx, link)
	if err != nil {
		return story, err
	}
	was := map[string]plan.State{}
	for _, op := range story.Ops {
		was[op.Key] = op.State
	}
	ops, p, err := decide(story)
	if err != nil {
		return story, err
	}
	for _, op := range ops {
		if err := setOp(ctx, tx, opDoc{op, encode(op)}, op.Attempt, was[op.Key]); err != nil {
			return story, err
		}
	}
	if _, err := promise(ctx, tx, written(p)); err != nil {
		return story, err
	}
	return wholeStory(ctx, tx, link)
}

// wholeStory reads a link and all that was ever promised under it.
func wholeStory(ctx context.Context, tx tx, id string) (story plan.Story, err error) {
	if story.Link, err = readLink(ctx, tx, id); err != nil {
		return story, err
	}
	found, err := tx.QueryContext(ctx, tx.bind("SELECT seq, doc FROM ops WHERE link = ? ORDER BY seq"), id)
	if err != nil {
		return story, fmt.Errorf("read the ops of link %s: %w", id, err)
	}
	story.Ops, err = readRows(found, document(func(op *plan.Op, seq int64) { op.Seq = seq }))
	return story, err
}

func readLink(ctx context.Context, tx tx, id string) (link plan.Link, err error) {
	var version int64
	var doc []byte
	if err := tx.row(ctx, "SELECT version, doc FROM links WHERE id = ?", id).Scan(&version, &doc); err != nil {
		return link, fmt.Errorf("read link %s: %w", id, err)
	}
	if err := json.Unmarshal(doc, &link); err != nil {
		return link, fmt.Errorf("read link %s: %w", id, err)
	}
	link.Version = version
	return link, nil
}

// Hold stops something until a person lets it go on.
func (l *Ledger) Hold(ctx context.Context, h plan.Hold) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error { return putHold(ctx, tx, h) })
}

// Release ends one hold of a rule or a link; others that it has stand.
func (l *Ledger) Release(ctx context.Context, h plan.Hold) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error { return freeHold(ctx, tx, h) })
}

// GoOn ends holds that a person has looked at, all of them or none: one that was held anew
// since, for more, stands. decide gives a link as it goes on.
func (l *Ledger) GoOn(ctx context.Context, holds []plan.Hold, decide func(plan.Link, plan.Hold) plan.Link) error {
	return l.persist(ctx, func(ctx context.Context, tx tx) error {
		for _, h := range holds {
			if err := goOn(ctx, tx, h, decide); err != nil {
				return err
			}
		}
		return nil
	})
}

func goOn(ctx context.Context, tx tx, h plan.Hold, decide func(plan.Link, plan.Hold) plan.Link) error {
	out, err := tx.exec(ctx, "DELETE FROM holds WHERE rule = ? AND what = ? AND doc = ?", h.Rule, h.What, encode(h))
	if err != nil {
		return fmt.Errorf("let go of %s: %w", h.Rule, err)
	}
	if err := moved(out, "what is held of "+h.Rule); err != nil {
		return err
	}
	link, err := readLink(ctx, tx, h.Rule)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // it is a rule that was held
	}
	if err != nil {
		return err
	}
	_, err = promise(ctx, tx, written(plan.Promise{Links: []plan.Link{decide(link, h)}}))
	return err
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
		return setOp(ctx, tx, opDoc{op, encode(op)}, op.Attempt, was)
	})
}
