package itsm

import (
	"context"
	"iter"
	"maps"
	"time"
)

// Changes lists the rows of a query that changed since, oldest first. It pages by
// key (sys_updated_on, sys_id), because rows that change while they are read would
// shift every offset; pages that access rules have emptied are stepped over by
// offset, because a short page is not the end. A query with an order of its own is read
// in that order, by offset: a key that the rows do not follow would lose some. A row is
// given again only if it changed while it was read.
func (c *Client) Changes(ctx context.Context, ask Ask, since time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w := &walk{client: c, ask: ask, query: Encoded(ask.Query), seen: map[string]seen{}}
		w.unsorted = w.query.sorted()
		if ask.Above != "" {
			w.query = w.query.And(If("sys_id", More, ask.Above))
		}
		if ask.UpTo != "" {
			w.query = w.query.And(If("sys_id", AtMost, ask.UpTo))
		}
		if !since.IsZero() {
			w.from = since.UTC().Format(time.DateTime)
		}
		for !w.done {
			rows, err := w.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// walk is where a read of changes stands.
type walk struct {
	client *Client
	ask    Ask
	query  Query
	// from is the second from which rows are asked for; empty: from the first.
	from string
	// behind says that the rows of that second itself are not wanted any more.
	behind bool
	// tie is the sys_id behind which the rows of that one second are asked for.
	tie string
	// offset steps over emptied pages, and over everything once the order is not
	// to be trusted.
	offset   int
	unsorted bool
	// seen are the rows given that the window may still show.
	seen map[string]seen
	done bool
}

// seen is how a row stood when it was given.
type seen struct{ at, mod string }

// next reads one page and finds where the one behind it begins.
func (w *walk) next(ctx context.Context) ([]Record, error) {
	limit := w.client.page
	if w.ask.Page > 0 {
		limit = min(limit, w.ask.Page)
	}
	query, err := w.window().Encode()
	if err != nil {
		return nil, err
	}
	got, err := w.client.list(ctx, w.ask.Table, w.ask.values(query, limit, w.offset))
	if err != nil {
		return nil, err
	}
	var fresh []Record
	first, end := "", ""
	for _, row := range got.rows {
		id, at := row.Value("sys_id"), row.Value("sys_updated_on")
		if at == "" || at < end || at < w.from {
			w.unsorted = true
		}
		if first == "" {
			first = at
		}
		end = at
		now := seen{at, row.Value("sys_mod_count")}
		if at != "" && at < w.from || w.seen[id] == now {
			continue // given before, or never asked for: the window was dropped
		}
		w.seen[id] = now
		fresh = append(fresh, row)
	}
	// Without a count, an empty page is the end: nothing tells it from an emptied one.
	reach := got.reach(w.offset, limit, len(fresh) > 0)
	last := got.total >= 0 && w.offset+reach >= got.total || got.total < 0 && len(got.rows) == 0
	w.step(got.rows, reach, last, len(fresh) == 0, first == end)
	return fresh, nil
}

// reach is how many rows the instance has looked at for a page: those that were asked
// for, some of which access rules may have left out. It may also have cut the page, and
// given fewer than it was asked for; as long as there is something new, what is missing
// is asked for again.
func (p page) reach(offset, limit int, fresh bool) int {
	there := limit
	if p.total >= 0 {
		there = min(limit, p.total-offset)
	}
	if fresh && len(p.rows) < there {
		return len(p.rows)
	}
	return limit
}

// step decides where the next page begins.
//
//	page                      next
//	last, of one second       the seconds behind it
//	last                      none
//	emptied, or nothing new   the same query, further on
//	unsorted                  the same query, further on
//	all of one second         the rest of that second, by sys_id
//	else                      from its last second on
func (w *walk) step(rows []Record, reach int, last, stale, tied bool) {
	switch {
	case last && w.tie != "":
		w.tie, w.offset, w.behind = "", 0, true
	case last:
		w.done = true
	case stale || w.unsorted:
		w.offset += reach
	case w.tie != "", tied:
		behind := rows[len(rows)-1]
		w.tie, w.offset, w.from = behind.Value("sys_id"), 0, behind.Value("sys_updated_on")
		w.forget()
	default:
		w.from, w.offset, w.behind = rows[len(rows)-1].Value("sys_updated_on"), 0, false
		w.forget()
	}
}

// forget drops what the window has passed: a long read stays small.
func (w *walk) forget() {
	maps.DeleteFunc(w.seen, func(_ string, s seen) bool { return s.at < w.from })
}

// window narrows the rule's query to where the read stands.
func (w *walk) window() Query {
	q := w.query
	switch {
	case w.tie != "":
		q = q.And(If("sys_updated_on", Equals, w.from), If("sys_id", More, w.tie))
	case w.behind:
		q = q.And(If("sys_updated_on", More, w.from))
	case w.from != "":
		q = q.And(If("sys_updated_on", AtLeast, w.from))
	}
	return q.OrderBy("sys_updated_on", "sys_id")
}
