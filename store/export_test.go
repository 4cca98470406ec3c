package store

import (
	"context"
	"strings"
	"time"

	"bridge/plan"
)

// Freeze stops the writer in the middle of a transaction, as a process is stopped.
func (l *Ledger) Freeze(ctx context.Context, d time.Duration) error {
	return l.change(ctx, func(context.Context, tx) error {
		time.Sleep(d)
		return nil
	})
}

// ExplainLinks says how SQLite reads the links of a query.
func (l *Ledger) ExplainLinks(ctx context.Context, q plan.LinkQuery) (string, error) {
	list := linksOf(q)
	return l.explain(ctx, list.statement(list.where, page), list.where.args)
}

// ExplainOps says how SQLite reads the ops of a query.
func (l *Ledger) ExplainOps(ctx context.Context, q plan.OpQuery) (string, error) {
	list := opsOf(q)
	return l.explain(ctx, list.statement(list.where, page), list.where.args)
}

// ExplainSaid says how SQLite counts the links that have something to say.
func (l *Ledger) ExplainSaid(ctx context.Context) (string, error) {
	return l.explain(ctx, countSaid, nil)
}

func (l *Ledger) explain(ctx context.Context, statement string, args []any) (string, error) {
	found, err := l.read.query(ctx, "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		return "", err
	}
	defer found.Close() //nolint:errcheck // read to its end below
	var steps []string
	for found.Next() {
		var id, parent, unused int
		var step string
		if err := found.Scan(&id, &parent, &unused, &step); err != nil {
			return "", err
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "; "), found.Err()
}

// FreezeOn stops the writer in the middle of a transaction that has written a link.
func (l *Ledger) FreezeOn(ctx context.Context, link string, d time.Duration) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error {
		_, err := tx.exec(ctx, "UPDATE links SET version = version WHERE id = ?", link)
		time.Sleep(d)
		return err
	})
}

// UpgradeLock is the number of the lock that an upgrade on PostgreSQL takes.
func (l *Ledger) UpgradeLock() int64 { return l.number64("migrations") }

// PromiseSlowly promises an op, and commits that a while later.
func (l *Ledger) PromiseSlowly(ctx context.Context, op plan.Op, d time.Duration) error {
	return l.change(ctx, func(ctx context.Context, tx tx) error {
		_, err := putOp(ctx, tx, opDoc{op, encode(op)})
		time.Sleep(d)
		return err
	})
}
