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

// handful is how much one commit lets go of: other writes wait meanwhile.
const handful = 200

// Prune empties ops that ended before a time of their bodies, and of the rows that they
// were decided on: their story stays. One that was never sent may have only those.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (int, error) {
	var full query
	full.and("ended > 0 AND ended < ?", micros(before))
	full.and(`(doc LIKE '%"Body":{%' OR doc LIKE '%"Record":{%' OR doc LIKE '%"Ticket":{%'
		OR doc LIKE '%"Before":{%' OR doc LIKE '%"TicketOf":{%')`)
	n := 0
	var old []string
	for op, err := range l.opsWhere(ctx, full) {
		if err != nil {
			return n, err
		}
		if old = append(old, op.Key); len(old) < handful {
			continue
		}
		if err := l.empty(ctx, old, before); err != nil {
			return n, err
		}
		n, old = n+len(old), old[:0]
	}
	return n + len(old), l.empty(ctx, old, before)
}

// empty empties the bodies of ops, but of those that are wanted again since.
func (l *Ledger) empty(ctx context.Context, old []string, before time.Time) error {
	if len(old) == 0 {
		return nil
	}
	return l.change(ctx, func(ctx context.Context, tx tx) error {
		for _, key := range old {
			op, err := readOp(tx.row(ctx, "SELECT seq, doc FROM ops WHERE key = ? AND ended > 0 AND ended < ?", key, micros(before)))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read %s: %w", key, err)
			}
			op.Body, op.Basis.Record, op.Basis.Ticket, op.Basis.Before, op.Basis.TicketOf = nil, nil, nil, nil, nil
			if err := setOp(ctx, tx, opDoc{op, encode(op)}, op.Attempt, op.State); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget lets go of links that ended before a time, with their ops and notes, and
// writes down until when: what is older than that and unknown is looked for before it
// is sent.
//
//	the link                             result
//	open, or ended since                 kept
//	owes something, or did since then    kept
//	held, or with a twin or a lost note  kept until a person has looked at it
//	ended, or a write dropped, by hand   kept: the word of a person stands
//	any other                            forgotten
func (l *Ledger) Forget(ctx context.Context, before time.Time) (int, error) {
	var ended query
	ended.and("ended > 0 AND ended < ? AND twins = 0 AND vanished = 0", micros(before))
	var old []plan.Link
	for link, err := range rows(ctx, l.read, list[plan.Link]{
		head: "SELECT version, doc FROM links", key: "id", where: ended,
		last: func(link plan.Link) any { return link.ID }, scan: document(func(link *plan.Link, version int64) { link.Version = version }),
	}) {
		if err != nil {
			return 0, err
		}
		if !link.ByHand {
			old = append(old, plan.Link{ID: link.ID, Version: link.Version, Ended: link.Ended})
		}
	}
	n := 0
	for batch := range slices.Chunk(old, handful) {
		gone := 0
		err := l.change(ctx, func(ctx context.Context, tx tx) (err error) {
			gone, err = forget(ctx, tx, batch, before)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("forget links that ended: %w", err)
		}
		n += gone
	}
	return n, nil
}

// await waits for what another session writes under a link, on PostgreSQL: what is asked
// after that sees it.
func (t tx) await(ctx context.Context, link string) error {
	if t.lock == "" {
		return nil
	}
	_, err := t.exec(ctx, "SELECT 1 FROM links WHERE id = ?"+t.lock, link)
	return err
}

// forget deletes those links of a batch that nothing happened to since they were read.
func forget(ctx context.Context, tx tx, batch []plan.Link, before time.Time) (n int, err error) {
	var last time.Time
	for _, link := range batch {
		if err := tx.await(ctx, link.ID); err != nil {
			return 0, err
		}
		out, err := tx.exec(ctx, `UPDATE links SET version = version + 1 WHERE id = ? AND version = ?
			AND NOT EXISTS (SELECT 1 FROM ops WHERE link = links.id AND (ended = 0 OR ended >= ? OR state = 'cancelled' AND frozen = 1))
			AND NOT EXISTS (SELECT 1 FROM holds WHERE rule = links.id)`, link.ID, link.Version, micros(before))
		if err != nil {
			return 0, err
		}
		if mine, err := out.RowsAffected(); err != nil || mine == 0 {
			if err != nil {
				return 0, err
			}
			continue
		}
		for _, statement := range []string{"DELETE FROM notes WHERE link = ?", "DELETE FROM ops WHERE link = ?", "DELETE FROM links WHERE id = ?"} {
			if _, err := tx.exec(ctx, statement, link.ID); err != nil {
				return 0, err
			}
		}
		n++
		if link.Ended.After(last) {
			last = link.Ended
		}
	}
	if n == 0 {
		return 0, nil
	}
	_, err = tx.exec(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE excluded.value > meta.value",
		plan.MetaForgotten, last.UTC().Format("2006-01-02T15:04:05.000000Z")) // texts of one length, in the order of time
	return n, err
}

// Size is how many bytes the ledger takes up, with what is free in it.
func (l *Ledger) Size(ctx context.Context) (bytes int64, err error) {
	if err := l.read.row(ctx, l.size).Scan(&bytes); err != nil {
		return 0, fmt.Errorf("measure the ledger: %w", err)
	}
	return bytes, nil
}
