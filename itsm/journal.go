package itsm

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"bridge/rest"
)

// Entry is one entry of a journal. Of rows, ID is the sys_id and By the user name; of
// a display value see ParseJournal.
type Entry struct {
	ID      string
	Element string
	Record  string
	Text    string
	By      string
	Created time.Time
}

// Journal lists the journal rows of records, oldest first, ties by sys_id. Each
// row is looked at again for what was asked: an instance that drops a condition
// answers with everybody's. An instance that closes sys_journal_field to this user
// answers with no row at all: JournalText reads another way.
func (c *Client) Journal(ctx context.Context, ids, elements []string, since time.Time) iter.Seq2[Entry, error] {
	ask := Ask{Table: "sys_journal_field", Fields: []string{"sys_id", "name", "element", "element_id", "value", "sys_created_on", "sys_created_by"}}
	return func(yield func(Entry, error) bool) {
		if len(elements) == 0 {
			return
		}
		for some := range slices.Chunk(ids, many) {
			query := Where(If("element_id", In, some...), If("element", In, elements...)).OrderBy("sys_created_on", "sys_id")
			if !since.IsZero() {
				query = query.And(If("sys_created_on", AtLeast, since.UTC().Format(time.DateTime)))
			}
			for row, err := range c.all(ctx, ask, query) {
				if err != nil {
					yield(Entry{}, err)
					return
				}
				e := Entry{
					ID: row.Value("sys_id"), Element: row.Value("element"), Record: row.Value("element_id"), Text: row.Value("value"),
					By: row.Value("sys_created_by"), Created: rowTime(row.Value("sys_created_on")),
				}
				if slices.Contains(some, e.Record) && slices.Contains(elements, e.Element) && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Approval is one row of sysapproval_approver: one person's word.
type Approval struct {
	ID       string
	Of       string
	Approver string
	State    string
	Updated  time.Time
}

// Approvals lists the approval rows of objects.
func (c *Client) Approvals(ctx context.Context, ids []string) iter.Seq2[Approval, error] {
	ask := Ask{Table: "sysapproval_approver", Fields: []string{"sys_id", "sysapproval", "approver", "state", "sys_updated_on"}}
	return func(yield func(Approval, error) bool) {
		for some := range slices.Chunk(ids, many) {
			for row, err := range c.all(ctx, ask, Where(If("sysapproval", In, some...)).OrderBy("sys_id")) {
				if err != nil {
					yield(Approval{}, err)
					return
				}
				a := Approval{
					ID: row.Value("sys_id"), Of: row.Value("sysapproval"), Approver: row.Value("approver"), State: row.Value("state"),
					Updated: rowTime(row.Value("sys_updated_on")),
				}
				if slices.Contains(some, a.Of) && !yield(a, nil) {
					return
				}
			}
		}
	}
}

// all reads every row of a query whose order does not change under way, by offset.
func (c *Client) all(ctx context.Context, ask Ask, query Query) iter.Seq2[Record, error] {
	text, err := query.Encode()
	return c.byOffset(err, func(offset int) (page, error) {
		return c.list(ctx, ask.Table, ask.values(text, c.page, offset))
	})
}

// byOffset reads page after page; first is an error from before the first.
func (c *Client) byOffset(first error, next func(offset int) (page, error)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if first != nil {
			yield(nil, first)
			return
		}
		seen, told := map[string]bool{}, -1
		for offset := 0; ; {
			got, err := next(offset)
			if err != nil {
				yield(nil, err)
				return
			}
			told = max(told, got.total)
			if got.total < 0 && len(got.rows) == 0 && offset < told {
				yield(nil, unsure(rest.Request{Method: http.MethodGet, Name: "table"}, fmt.Errorf("the list ends at row %d, and had %d", offset, told)))
				return
			}
			before := len(seen)
			for _, row := range got.rows {
				if id := row.Value("sys_id"); !seen[id] {
					seen[id] = true
					if !yield(row, nil) {
						return
					}
				}
			}
			offset += got.reach(offset, c.page, len(seen) > before)
			if got.total >= 0 && offset >= got.total || got.total < 0 && len(seen) == before {
				return
			}
		}
	}
}

// rowTime reads a raw time, which is UTC; an unreadable one is the zero time.
func rowTime(raw string) time.Time {
	t, err := time.Parse(time.DateTime, raw)
	if err != nil {
		return time.Time{}
	}
	return t
}
