package itsm

import (
	"context"
	"iter"
	"strings"
	"time"
)

// Changes lists the rows of a query that changed since, oldest first. It pages by
// key (sys_updated_on, sys_id), because rows that change while they are read would
// shift every offset; pages that access rules have emptied are stepped over by
// offset, because a short page is not the end. A row is given again only if it
// changed while it was read.
func (c *Client) Changes(ctx context.Context, ask Ask, since time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w := &walk{client: c, ask: ask, seen: map[string]string{}}
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
	// from is the second from which rows are asked for; empty: from the first.
	from string
	// tie is the sys_id behind which the rows of that one second are asked for.
	tie string
	// offset steps over emptied pages, and over everything once the order is not
	// to be trusted.
	offset   int
	unsorted bool
	seen     map[string]string
	done     bool
}

// next reads one page and finds where the one behind it begins.
func (w *walk) next(ctx context.Context) ([]Record, error) {
	limit := w.client.page
	got, err := w.client.list(ctx, w.ask.Table, w.ask.values(w.query(), limit, w.offset))
	if err != nil {
		return nil, err
	}
	var fresh []Record
	first, end := "", ""
	for _, row := range got.rows {
		id, at := row.Value("sys_id"), row.Value("sys_updated_on")
		if at == "" || at < end {
			w.unsorted = true
		}
		if first == "" {
			first = at
		}
		end = at
		if w.seen[id] != row.Value("sys_mod_count")+" "+at {
			w.seen[id] = row.Value("sys_mod_count") + " " + at
			fresh = append(fresh, row)
		}
	}
	// Without a count, a page that brings nothing new is the end.
	last := got.total >= 0 && w.offset+limit >= got.total || got.total < 0 && len(fresh) == 0
	w.step(got.rows, limit, last, first == end)
	return fresh, nil
}

// step decides where the next page begins.
//
//	page                      next
//	last, of one second       the seconds behind it
//	last                      none
//	emptied                   the same query, further on
//	unsorted                  the same query, further on
//	all of one second         the rest of that second, by sys_id
//	else                      from its last second on
func (w *walk) step(rows []Record, limit int, last, tied bool) {
	switch {
	case last && w.tie != "":
		w.tie, w.offset = "", 0
		w.from = ">" + w.from
	case last:
		w.done = true
	case len(rows) == 0 || w.unsorted:
		w.offset += limit
	case w.tie != "", tied:
		behind := rows[len(rows)-1]
		w.tie, w.offset, w.from = behind.Value("sys_id"), 0, behind.Value("sys_updated_on")
	default:
		w.from, w.offset = rows[len(rows)-1].Value("sys_updated_on"), 0
	}
}

// query adds the window to each group of the rule's query: what stands before
// ^NQ does not carry over.
func (w *walk) query() string {
	window := ""
	switch {
	case w.tie != "":
		window = "sys_updated_on=" + w.from + "^sys_id>" + w.tie
	case strings.HasPrefix(w.from, ">"):
		window = "sys_updated_on" + w.from
	case w.from != "":
		window = "sys_updated_on>=" + w.from
	}
	groups := strings.Split(w.ask.Query, "^NQ")
	for i, g := range groups {
		groups[i] = join(strings.TrimSuffix(g, "^EQ"), window)
	}
	return join(strings.Join(groups, "^NQ"), "ORDERBYsys_updated_on^ORDERBYsys_id")
}

// join puts two parts of a query together; either may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "^" + b
}
