package itsm

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"
)

// Entry is one journal row.
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
// answers with everybody's.
func (c *Client) Journal(ctx context.Context, ids, elements []string, since time.Time) iter.Seq2[Entry, error] {
	fields := []string{"sys_id", "name", "element", "element_id", "value", "sys_created_on", "sys_created_by"}
	return func(yield func(Entry, error) bool) {
		for some := range slices.Chunk(ids, many) {
			query := "element_idIN" + strings.Join(some, ",") + "^elementIN" + strings.Join(elements, ",")
			if !since.IsZero() {
				query += "^sys_created_on>=" + since.UTC().Format(time.DateTime)
			}
			ask := Ask{Table: "sys_journal_field", Query: query + "^ORDERBYsys_created_on^ORDERBYsys_id", Fields: fields}
			for row, err := range c.all(ctx, ask) {
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
	return func(yield func(Approval, error) bool) {
		for some := range slices.Chunk(ids, many) {
			ask := Ask{
				Table: "sysapproval_approver", Query: "sysapprovalIN" + strings.Join(some, ",") + "^ORDERBYsys_id",
				Fields: []string{"sys_id", "sysapproval", "approver", "state", "sys_updated_on"},
			}
			for row, err := range c.all(ctx, ask) {
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
func (c *Client) all(ctx context.Context, ask Ask) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		seen := map[string]bool{}
		for offset := 0; ; offset += c.page {
			got, err := c.list(ctx, ask.Table, ask.values(ask.Query, c.page, offset))
			if err != nil {
				yield(nil, err)
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
			if got.total >= 0 && offset+c.page >= got.total || got.total < 0 && len(seen) == before {
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
