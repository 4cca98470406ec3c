package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite"

	"bridge/plan"
)

// Promise writes what was decided on an observation: all of it or nothing. It
// gives the keys of the ops that were not there before.
func (l *Ledger) Promise(ctx context.Context, p plan.Promise) (added []string, err error) {
	docs := written(p)
	err = l.change(ctx, func(ctx context.Context, tx tx) error {
		added, err = promise(ctx, tx, docs)
		return err
	})
	return added, err
}

// documents are a promise and what is written of it: that is made before the writer comes
// to it, since all others wait for the writer.
type documents struct {
	plan.Promise
	links []linkDoc
	ops   []opDoc
	notes []string
}

// opDoc is an op with its document.
type opDoc struct {
	plan.Op
	doc string
}

// linkDoc is a link as it will be, with its document, and the version that it had.
type linkDoc struct {
	plan.Link
	was int64
	doc string
}

func written(p plan.Promise) documents {
	d := documents{Promise: p}
	for _, link := range p.Links {
		was := link.Version
		link.Version++
		d.links = append(d.links, linkDoc{link, was, encode(link)})
	}
	for _, op := range p.Ops {
		d.ops = append(d.ops, opDoc{op, encode(op)})
	}
	for _, n := range p.Notes {
		d.notes = append(d.notes, encode(n))
	}
	return d
}

func promise(ctx context.Context, tx tx, p documents) ([]string, error) {
	for _, hold := range p.Holds {
		if err := putHold(ctx, tx, hold); err != nil {
			return nil, err
		}
	}
	for _, hold := range p.Freed {
		if err := freeHold(ctx, tx, hold); err != nil {
			return nil, err
		}
	}
	for _, link := range p.links {
		if err := putLink(ctx, tx, link); err != nil {
			return nil, err
		}
	}
	var added []string
	for _, op := range p.ops {
		is, err := putOp(ctx, tx, op)
		if err != nil {
			return nil, err
		}
		if is {
			added = append(added, op.Key)
		}
	}
	for i, n := range p.Notes {
		if _, err := tx.exec(ctx, "INSERT INTO notes (link, side, id, doc) VALUES (?, ?, ?, ?) ON CONFLICT (link, side, id) DO UPDATE SET doc = excluded.doc",
			n.Link, n.Side, n.ID, p.notes[i]); err != nil {
			return nil, fmt.Errorf("write note %s: %w", n.ID, err)
		}
	}
	if p.Cursor != nil {
		if _, err := tx.exec(ctx, "INSERT INTO cursors (feed, doc) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE SET doc = excluded.doc", p.Cursor.Feed, encode(p.Cursor)); err != nil {
			return nil, fmt.Errorf("write cursor %s: %w", p.Cursor.Feed, err)
		}
	}
	return added, nil
}

func putHold(ctx context.Context, tx tx, h plan.Hold) error {
	_, err := tx.exec(ctx, "INSERT INTO holds (rule, what, doc) VALUES (?, ?, ?) ON CONFLICT (rule, what) DO UPDATE SET doc = excluded.doc", h.Rule, h.What, encode(h))
	if err != nil {
		return fmt.Errorf("hold %s: %w", h.Rule, err)
	}
	return nil
}

func freeHold(ctx context.Context, tx tx, h plan.Hold) error {
	if _, err := tx.exec(ctx, "DELETE FROM holds WHERE rule = ? AND what = ?", h.Rule, h.What); err != nil {
		return fmt.Errorf("let go of %s: %w", h.Rule, err)
	}
	return nil
}

// putLink writes a link if it is as it was when it was read.
func putLink(ctx context.Context, tx tx, link linkDoc) error {
	twins, vanished := link.Unseen()
	columns := []any{
		link.Rule, link.Table, link.MMD, micros(link.Linked), micros(link.Ended), micros(link.NotesDue), len(twins), len(vanished),
		number(link.Notice != ""), number(link.Unheard != ""),
	}
	var out sql.Result
	var err error
	if link.was == 0 {
		out, err = tx.exec(ctx, `INSERT INTO links (rule, of_table, mmd, linked, ended, notes_due, twins, vanished, noticed, unheard, version, doc, id, kind, record)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			append(columns, link.Version, link.doc, link.ID, link.Kind, link.Record)...)
	} else {
		out, err = changeLink(ctx, tx, link, columns)
	}
	if err != nil {
		return fmt.Errorf("write link %s (%s): %w", link.ID, link.MMD, err)
	}
	return moved(out, "link "+link.ID)
}

// changeLink writes a link over that version of it; its kind and its record are in its
// id. Most changes meet no column that an index has: each of those would be written twice.
func changeLink(ctx context.Context, tx tx, link linkDoc, columns []any) (sql.Result, error) {
	out, err := tx.exec(ctx, `UPDATE links SET version = ?, doc = ? WHERE id = ? AND version = ?
		AND rule = ? AND of_table = ? AND mmd = ? AND linked = ? AND ended = ? AND notes_due = ? AND twins = ? AND vanished = ? AND noticed = ? AND unheard = ?`,
		append([]any{link.Version, link.doc, link.ID, link.was}, columns...)...)
	if err != nil {
		return nil, err
	}
	if n, err := out.RowsAffected(); err != nil || n > 0 {
		return out, err
	}
	return tx.exec(ctx, `UPDATE links SET rule = ?, of_table = ?, mmd = ?, linked = ?, ended = ?, notes_due = ?, twins = ?, vanished = ?, noticed = ?, unheard = ?,
		version = ?, doc = ? WHERE id = ? AND version = ?`, append(columns, link.Version, link.doc, link.ID, link.was)...)
}

// moved turns a write that met nothing into ErrStale.
func moved(out sql.Result, what string) error {
	n, err := out.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%s: %w", what, plan.ErrStale)
	}
	return nil
}

// putOp promises an op. One that is known is decided anew only if it was never
// sent, or definitely refused, and was decided on something else; what was sent
// stays as it is. A close that a person dropped, or that had no effect, is promised again
// for another reason.
func putOp(ctx context.Context, tx tx, op opDoc) (added bool, err error) {
	out, err := tx.exec(ctx, `INSERT INTO ops (key, link, rule, kind, state, mark, attempt, frozen, rev, due, ended, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO NOTHING`,
		op.Key, op.Link, op.Rule, op.Kind, op.State, op.Mark, op.Attempt, number(op.Frozen), op.Basis.Rev, micros(op.Due), micros(op.Ended), op.doc)
	if orphaned(err) {
		return false, fmt.Errorf("promise %s: its link is not there any more: %w", op.Key, plan.ErrStale)
	}
	if err != nil {
		return false, fmt.Errorf("promise %s: %w", op.Key, err)
	}
	if n, err := out.RowsAffected(); err != nil || n > 0 {
		return n > 0, err
	}
	was, err := readOp(tx.row(ctx, "SELECT seq, doc FROM ops WHERE key = ?", op.Key))
	if err != nil {
		return false, fmt.Errorf("read %s: %w", op.Key, err)
	}
	ended := was.Kind == plan.ElevationClose && (was.State == plan.Cancelled || was.State == plan.Done)
	sent := was.Frozen || was.State == plan.Begun || was.State == plan.Unknown || was.State == plan.Doubt || was.State == plan.Done
	if sent && !ended || was.Basis.Rev == op.Basis.Rev {
		return false, nil
	}
	op.Seq, op.Attempt, op.Refused, op.Promised = was.Seq, was.Attempt, was.Refused, was.Promised
	return false, setOp(ctx, tx, opDoc{op.Op, encode(op.Op)}, was.Attempt, was.State)
}

// orphaned says that a write names a link that is not there: it was forgotten since.
func orphaned(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == foreignKeyViolation
	}
	e, ok := errors.AsType[*sqlite3.Error](err)
	return ok && e.Code() == constraintForeignKey
}

// foreignKeyViolation is foreign_key_violation (PostgreSQL, appendix A),
// constraintForeignKey SQLITE_CONSTRAINT_FOREIGNKEY.
const (
	foreignKeyViolation  = "23503"
	constraintForeignKey = 787
)
