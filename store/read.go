package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"bridge/plan"
)

// many is how many values one statement names.
const many = 500

// query collects the conditions of one statement.
type query struct {
	where []string
	args  []any
}

func (q *query) and(condition string, args ...any) {
	q.where = append(q.where, condition)
	q.args = append(q.args, args...)
}

// in adds a list, if there is one.
func in[T ~string](q *query, column string, values []T) {
	if values == nil {
		return
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	q.and(column+" IN ("+marks+")", args...)
}

func (q *query) sql(head, tail string) string {
	if len(q.where) == 0 {
		return head + tail
	}
	return head + " WHERE " + strings.Join(q.where, " AND ") + tail
}

// Links reads the links that a query selects, in the order of their ids.
func (l *Ledger) Links(ctx context.Context, q plan.LinkQuery) iter.Seq2[plan.Link, error] {
	return chunked(q.IDs, func(ids []string) iter.Seq2[plan.Link, error] {
		return chunked(q.Records, func(records []string) iter.Seq2[plan.Link, error] {
			return chunked(q.MMD, func(mmd []string) iter.Seq2[plan.Link, error] {
				some := q
				some.IDs, some.Records, some.MMD = ids, records, mmd
				return rows(ctx, l.read, linksOf(some))
			})
		})
	})
}

// chunked cuts a long list; a nil list is one chunk without a condition.
func chunked[T any](list []string, read func([]string) iter.Seq2[T, error]) iter.Seq2[T, error] {
	if list == nil {
		return read(nil)
	}
	return func(yield func(T, error) bool) {
		for some := range slices.Chunk(list, many) {
			for item, err := range read(some) {
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// linksOf is the list that a query selects.
func linksOf(q plan.LinkQuery) list[plan.Link] {
	var s query
	in(&s, "id", q.IDs)
	in(&s, "record", q.Records)
	in(&s, "mmd", q.MMD)
	if q.MMD != nil {
		s.and("mmd != ''") // the index is of these
	}
	if q.Kind != "" {
		s.and("kind = ?", string(q.Kind))
	}
	if q.Rule != "" {
		s.and("rule = ?", q.Rule)
	}
	if q.Table != "" {
		s.and("of_table = ?", q.Table)
	}
	if q.Open || !q.NotesDueBy.IsZero() {
		s.and("ended = 0")
	}
	if !q.NotesDueBy.IsZero() {
		s.and("mmd != '' AND kind = ? AND notes_due <= ?", string(plan.TicketLink), micros(q.NotesDueBy))
	}
	out := list[plan.Link]{
		head: "SELECT version, doc FROM links", key: "id", where: s, limit: q.Limit, last: func(link plan.Link) any { return link.ID },
		scan: document(func(link *plan.Link, version int64) { link.Version = version }),
	}
	if q.Brief {
		out.head, out.scan = "SELECT id, kind, rule, of_table, record, mmd, linked FROM links", brief
	}
	if q.Newest {
		out.where.and("mmd != ''")
		out.key, out.limit = "linked DESC", min(cmp.Or(q.Limit, page), page) // one page: two may be linked at one moment
	}
	return out
}

// brief reads what a link has columns for.
func brief(found *sql.Rows) (link plan.Link, err error) {
	var linked int64
	err = found.Scan(&link.ID, &link.Kind, &link.Rule, &link.Table, &link.Record, &link.MMD, &linked)
	if linked != 0 {
		link.Linked = time.UnixMicro(linked).UTC()
	}
	return link, err
}

// Ops reads the ops that a query selects, in the order of their promises.
func (l *Ledger) Ops(ctx context.Context, q plan.OpQuery) iter.Seq2[plan.Op, error] {
	return chunked(q.Keys, func(keys []string) iter.Seq2[plan.Op, error] {
		return chunked(q.Links, func(links []string) iter.Seq2[plan.Op, error] {
			return chunked(q.Marks, func(marks []string) iter.Seq2[plan.Op, error] {
				some := q
				some.Keys, some.Links, some.Marks = keys, links, marks
				return rows(ctx, l.read, opsOf(some))
			})
		})
	})
}

// opsOf is the list that a query selects.
func opsOf(q plan.OpQuery) list[plan.Op] {
	var s query
	in(&s, "key", q.Keys)
	in(&s, "link", q.Links)
	in(&s, "mark", q.Marks)
	if q.Marks != nil {
		s.and("mark != ''") // the index is of these
	}
	in(&s, "state", q.States)
	in(&s, "kind", q.Kinds)
	if q.Rule != "" {
		s.and("rule = ?", q.Rule)
	}
	if q.Owed || q.States != nil && !slices.ContainsFunc(q.States, plan.State.Ended) {
		s.and("ended = 0")
	}
	out := opList(s)
	if q.Brief {
		out.head, out.scan = "SELECT seq, ended, kind, doc FROM ops", briefOp
	}
	return out
}

// briefOp reads an op, and of one that has ended not the rows that it was decided on. What
// an elevation was opened for is compared with its task for as long as it is open.
func briefOp(found *sql.Rows) (plan.Op, error) {
	var seq, ended int64
	var kind plan.Kind
	var doc []byte
	if err := found.Scan(&seq, &ended, &kind, &doc); err != nil {
		return plan.Op{}, err
	}
	brief := ended != 0 && kind != plan.ElevationCreate
	var op struct {
		plan.Op
		Basis struct { // instead of the op's own
			Seen, Since time.Time
			Rev         string
			Approvals   []string
		}
	}
	into := any(&op.Op)
	if brief {
		into = &op
	}
	err := json.Unmarshal(doc, into)
	if brief {
		op.Op.Basis = plan.Basis{Seen: op.Basis.Seen, Since: op.Basis.Since, Rev: op.Basis.Rev, Approvals: op.Basis.Approvals}
	}
	op.Seq = seq
	return op.Op, err
}

func (l *Ledger) opsWhere(ctx context.Context, where query) iter.Seq2[plan.Op, error] {
	return rows(ctx, l.read, opList(where))
}

func opList(where query) list[plan.Op] {
	return list[plan.Op]{
		head: "SELECT seq, doc FROM ops", key: "seq", where: where,
		last: func(op plan.Op) any { return op.Seq }, scan: document(func(op *plan.Op, seq int64) { op.Seq = seq }),
	}
}

// page is how many rows are read before the caller sees them: a connection is not
// held while the caller works, since it may want to write.
const page = 1000

// list is one list of things, in the order of its key.
type list[T any] struct {
	// head is the SELECT without its conditions, key what it is ordered by.
	head, key string
	where     query
	// limit is how many are read at most; 0: all.
	limit int
	// last gives the key of an item, from which the next page goes on.
	last func(T) any
	scan func(*sql.Rows) (T, error)
}

// behind is the condition for what comes after an item.
func (l list[T]) behind(item T) query {
	out := query{where: slices.Clone(l.where.where), args: slices.Clone(l.where.args)}
	out.and(l.key+" > ?", l.last(item))
	return out
}

// statement reads a page of the list.
func (l list[T]) statement(where query, size int) string {
	return where.sql(l.head, fmt.Sprintf(" ORDER BY %s LIMIT %d", l.key, size))
}

// rows reads a list page by page, by key: what changes meanwhile shifts nothing.
func rows[T any](ctx context.Context, db *reader, l list[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		left := l.limit
		for where := l.where; ; {
			size := page
			if l.limit > 0 {
				size = min(page, left)
			}
			some, err := readPage(ctx, db, l.statement(where, size), where.args, l.scan)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("read the ledger: %w", err))
				return
			}
			for _, item := range some {
				if !yield(item, nil) {
					return
				}
			}
			if left -= len(some); len(some) < page || left == 0 {
				return
			}
			where = l.behind(some[len(some)-1])
		}
	}
}

func readPage[T any](ctx context.Context, db *reader, statement string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	found, err := db.query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer found.done()
	return readRows(found.Rows, scan)
}

func readRows[T any](found *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer found.Close() //nolint:errcheck // read to its end below
	var out []T
	for found.Next() {
		item, err := scan(found)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, found.Err()
}

// document reads a number and a document.
func document[T any](number func(*T, int64)) func(*sql.Rows) (T, error) {
	return func(found *sql.Rows) (item T, err error) {
		var n int64
		var doc []byte
		if err := found.Scan(&n, &doc); err != nil {
			return item, err
		}
		err = json.Unmarshal(doc, &item)
		number(&item, n)
		return item, err
	}
}

func readOp(row interface{ Scan(to ...any) error }) (plan.Op, error) {
	var op plan.Op
	var seq int64
	var doc []byte
	if err := row.Scan(&seq, &doc); err != nil {
		return op, err
	}
	err := json.Unmarshal(doc, &op)
	op.Seq = seq
	return op, err
}

// Due lists the links that have an op to send or to look for, the oldest first, and
// those where a line is to take the place of a parked note.
func (l *Ledger) Due(ctx context.Context, now time.Time) ([]string, error) {
	found, err := l.read.query(ctx, `SELECT link FROM (
			SELECT link, due, seq FROM ops WHERE state IN ('promised', 'unknown') AND due <= ?
			UNION ALL
			SELECT link, due, seq FROM ops WHERE ended = 0 AND state = 'parked' AND frozen = 0 AND kind IN ('ticket.note', 'record.note') AND due <= ? AND key NOT LIKE '%/missing'
		) AS things GROUP BY link ORDER BY min(due), min(seq)`, micros(now), micros(now.Add(-plan.NoteBlocks)))
	if err != nil {
		return nil, fmt.Errorf("read what is due: %w", err)
	}
	defer found.Close() //nolint:errcheck // read to its end below
	var out []string
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, found.Err()
}

// Story reads a link and what is owed under it, as they stand at one moment.
func (l *Ledger) Story(ctx context.Context, id string) (plan.Story, error) {
	var story plan.Story
	found, err := l.read.query(ctx, `SELECT 0 AS part, version AS number, doc FROM links WHERE id = ?
		UNION ALL SELECT 1, seq, doc FROM ops WHERE link = ? AND ended = 0 ORDER BY part, number`, id, id)
	if err != nil {
		return story, fmt.Errorf("read link %s: %w", id, err)
	}
	defer found.Close() //nolint:errcheck // read to its end below
	for found.Next() {
		var part, number int64
		var doc []byte
		if err := found.Scan(&part, &number, &doc); err != nil {
			return story, err
		}
		if part == 0 {
			err = json.Unmarshal(doc, &story.Link)
			story.Link.Version = number
		} else {
			var op plan.Op
			err = json.Unmarshal(doc, &op)
			op.Seq = number
			story.Ops = append(story.Ops, op)
		}
		if err != nil {
			return story, fmt.Errorf("read link %s: %w", id, err)
		}
	}
	return story, found.Err()
}

// NextDue is when an op is to be sent or looked for next, after a time; zero: nothing waits.
func (l *Ledger) NextDue(ctx context.Context, after time.Time) (time.Time, error) {
	var due sql.NullInt64
	err := l.read.row(ctx, "SELECT min(due) FROM ops WHERE state IN ('promised', 'unknown') AND due > ?", micros(after)).Scan(&due)
	if err != nil || !due.Valid {
		return time.Time{}, err
	}
	return time.UnixMicro(due.Int64).UTC(), nil
}

// Notes reads the notes that were seen on both sides of links.
func (l *Ledger) Notes(ctx context.Context, links []string) ([]plan.Note, error) {
	var out []plan.Note
	for some := range slices.Chunk(links, many) {
		var s query
		in(&s, "link", some)
		notes, err := readPage(ctx, l.read, s.sql("SELECT 0, doc FROM notes", " ORDER BY link, side, id"), s.args, document(func(*plan.Note, int64) {}))
		if err != nil {
			return nil, fmt.Errorf("read notes: %w", err)
		}
		out = append(out, notes...)
	}
	return out, nil
}

// Cursor says how far a feed was read; the zero cursor: never.
func (l *Ledger) Cursor(ctx context.Context, feed string) (plan.Cursor, error) {
	c := plan.Cursor{Feed: feed}
	var doc []byte
	err := l.read.row(ctx, "SELECT doc FROM cursors WHERE feed = ?", feed).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read cursor %s: %w", feed, err)
	}
	return c, json.Unmarshal(doc, &c)
}

// Holds lists what is held.
func (l *Ledger) Holds(ctx context.Context) ([]plan.Hold, error) {
	out, err := readPage(ctx, l.read, "SELECT 0, doc FROM holds ORDER BY rule, what", nil, document(func(*plan.Hold, int64) {}))
	if err != nil {
		return nil, fmt.Errorf("read which rules are held: %w", err)
	}
	return out, nil
}

// Meta reads a small fact; empty: it is not known.
func (l *Ledger) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := l.read.row(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// Counts says how the ledger stands.
func (l *Ledger) Counts(ctx context.Context, now time.Time) (plan.Counts, error) {
	var c plan.Counts
	err := l.read.row(ctx, `SELECT count(*),
			count(*) FILTER (WHERE state = 'promised' AND due <= ?), count(*) FILTER (WHERE state = 'promised' AND due > ?),
			count(*) FILTER (WHERE state IN ('begun', 'unknown')), count(*) FILTER (WHERE state = 'parked'), count(*) FILTER (WHERE state = 'doubt')
		FROM ops WHERE ended = 0`, micros(now), micros(now)).Scan(&c.Owed, &c.Due, &c.Waiting, &c.Unknown, &c.Parked, &c.Doubt)
	if err != nil {
		return c, fmt.Errorf("count what is owed: %w", err)
	}
	err = l.read.row(ctx, `SELECT (SELECT count(*) FROM holds), count(*) FILTER (WHERE twins > 0), count(*) FILTER (WHERE vanished > 0),
			count(*) FILTER (WHERE ended = 0), count(*) FILTER (WHERE ended != 0)
		FROM links`).Scan(&c.Held, &c.Twins, &c.Vanished, &c.LinksOpen, &c.LinksEnded)
	if err != nil {
		return c, fmt.Errorf("count the links: %w", err)
	}
	if err := l.read.row(ctx, countSaid).Scan(&c.Noticed, &c.Unheard); err != nil {
		return c, fmt.Errorf("count the links that have something to say: %w", err)
	}
	return c, nil
}

// countSaid reads an index that has those links and no others.
const countSaid = `SELECT count(*) FILTER (WHERE noticed > 0), count(*) FILTER (WHERE unheard > 0)
	FROM links WHERE ended = 0 AND (noticed > 0 OR unheard > 0)`
