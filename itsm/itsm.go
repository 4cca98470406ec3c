// Package itsm reads and writes a server with ServiceNow's table API: records,
// journals, approvals, counts, and what a table is made of. It survives what real
// instances do (emptied pages, dropped conditions, web pages instead of JSON) and
// says what it saw; it decides nothing about it. It refuses to send a query that the
// instance would run as a script, to follow the instance to another host, and to ask
// while the instance wants to be left alone.
package itsm

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bridge/rest"
)

// Page is how many rows a list asks for at once.
const Page = 200

// many is how many sys_ids one query names: URLs stay below 8,000 characters.
const many = 100

// Config says which instance is spoken to, and how.
type Config struct {
	URL       *url.URL
	Auth      Auth
	Transport http.RoundTripper
	Observe   func(rest.Call)
	Timeout   time.Duration
	// Page is how many rows a list asks for at once; 0 is 200.
	Page int
	Now  func() time.Time
}

// Client speaks to one instance.
type Client struct {
	rest *rest.Client
	page int
	now  func() time.Time

	mu   sync.Mutex
	rate Rate
}

// New makes a client. It refuses a URL that is not https.
func New(cfg Config) (*Client, error) {
	if err := cfg.Auth.check(); err != nil {
		return nil, err
	}
	c := &Client{page: cfg.Page, now: cfg.Now}
	if c.page <= 0 {
		c.page = Page
	}
	signIn, err := newSignIn(cfg)
	if err != nil {
		return nil, err
	}
	c.rest, err = rest.New(rest.Config{
		Base: cfg.URL, Transport: &sessions{next: cfg.Transport}, Observe: cfg.Observe, Timeout: cfg.Timeout, Now: cfg.Now,
		Authorize: signIn.authorize, Renew: signIn.renew(), Explain: explain,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Ask says which rows and which of their fields are wanted.
type Ask struct {
	Table string
	// Query is an encoded query; empty: all rows.
	Query string
	// Above and UpTo bound the sys_ids of Changes; empty: no bound.
	Above, UpTo string
	Fields      []string
	// Display asks for labels beside the raw values.
	Display bool
	// Page is how many rows Changes asks for at once, for one who wants only a few; 0, or
	// more than the client's: as many as the client always asks for.
	Page int
}

// system are the fields that paging itself needs.
func system() []string { return []string{"sys_id", "sys_updated_on", "sys_mod_count"} }

func (a Ask) values(query string, limit, offset int) url.Values {
	fields := slices.Clone(a.Fields)
	for _, f := range system() {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	q := url.Values{
		"sysparm_fields":                     {strings.Join(fields, ",")},
		"sysparm_display_value":              {display(a.Display)},
		"sysparm_exclude_reference_link":     {"true"},
		"sysparm_suppress_pagination_header": {"true"},
		"sysparm_limit":                      {strconv.Itoa(limit)},
	}
	if query != "" {
		q.Set("sysparm_query", query)
	}
	if offset > 0 {
		q.Set("sysparm_offset", strconv.Itoa(offset))
	}
	return q
}

func display(all bool) string {
	if all {
		return "all"
	}
	return "false"
}

// page is one page of rows; total is how many there are before access rules, or
// -1 where the server does not say.
type page struct {
	rows  []Record
	total int
}

func (c *Client) list(ctx context.Context, table string, q url.Values) (page, error) {
	return c.pageOf(ctx, rest.Request{Path: "api/now/v2/table/" + url.PathEscape(table), Name: "table/" + table, Query: q})
}

func (c *Client) pageOf(ctx context.Context, r rest.Request) (page, error) {
	r.Method = http.MethodGet
	rows, header, err := converse[[]Record](ctx, c, r)
	if err != nil {
		return page{}, err
	}
	total, err := strconv.Atoi(header.Get("X-Total-Count"))
	if err != nil {
		total = -1
	}
	return page{rows, total}, nil
}

// Records reads rows by sys_id, in batches. Rows that were not asked for are left
// out: an instance that drops a condition answers with the whole table.
func (c *Client) Records(ctx context.Context, ask Ask, ids []string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for some := range slices.Chunk(ids, many) {
			if !c.batch(ctx, ask, some, yield) {
				return
			}
		}
	}
}

// batch reads the rows of one batch, and says whether more are wanted.
func (c *Client) batch(ctx context.Context, ask Ask, ids []string, yield func(Record, error) bool) bool {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for {
		got, err := c.chosen(ctx, ask, ids)
		if err != nil {
			yield(nil, err)
			return false
		}
		before := len(wanted)
		for _, row := range got.rows {
			if id := row.Value("sys_id"); wanted[id] {
				delete(wanted, id)
				if !yield(row, nil) {
					return false
				}
			}
		}
		// Of those that there are it may have given fewer than it was asked for.
		if len(wanted) == 0 || len(wanted) == before || len(got.rows) >= min(got.total, len(ids)) {
			return true
		}
		ids = slices.Sorted(maps.Keys(wanted))
	}
}

func (c *Client) chosen(ctx context.Context, ask Ask, ids []string) (page, error) {
	query, err := Where(If("sys_id", In, ids...)).OrderBy("sys_id").Encode()
	if err != nil {
		return page{}, err
	}
	return c.list(ctx, ask.Table, ask.values(query, len(ids), 0))
}

// Get reads one row; ErrNotFound when it is not there or may not be read.
func (c *Client) Get(ctx context.Context, ask Ask, id string) (Record, error) {
	q := ask.values("", 1, 0)
	q.Del("sysparm_limit")
	r := rest.Request{Method: http.MethodGet, Path: rowPath(ask.Table, id), Name: "table/" + ask.Table + "/ID", Query: q}
	row, _, err := converse[Record](ctx, c, r)
	if got, came := row["sys_id"]; err == nil && came && got.Value != id {
		return nil, unsure(r, errors.New("the reply shows another record"))
	}
	return row, err
}

// Update patches one row with raw values and returns what was asked of it, as the
// reply shows it.
func (c *Client) Update(ctx context.Context, ask Ask, id string, set map[string]string) (Record, error) {
	return c.write(ctx, http.MethodPatch, rowPath(ask.Table, id), ask, set)
}

// Create inserts one row with raw values and returns what was asked of it, as the
// reply shows it.
func (c *Client) Create(ctx context.Context, ask Ask, set map[string]string) (Record, error) {
	return c.write(ctx, http.MethodPost, "api/now/v2/table/"+url.PathEscape(ask.Table), ask, set)
}

func (c *Client) write(ctx context.Context, method, path string, ask Ask, set map[string]string) (Record, error) {
	q := ask.values("", 1, 0)
	q.Del("sysparm_limit")
	q.Set("sysparm_input_display_value", "false")
	r := rest.Request{Method: method, Path: path, Name: "table/" + ask.Table, Query: q, Body: set}
	row, _, err := converse[Record](ctx, c, r)
	switch {
	case err != nil:
		return nil, err
	case len(row) == 0:
		return nil, unsure(r, errNoResult)
	}
	return row, nil
}

func rowPath(table, id string) string {
	return "api/now/v2/table/" + url.PathEscape(table) + "/" + url.PathEscape(id)
}

// Count says how many rows a query finds, by the aggregate API. Rows that may not
// be read are counted too.
func (c *Client) Count(ctx context.Context, table, query string) (int, error) {
	text, err := Encoded(query).Encode()
	if err != nil {
		return 0, err
	}
	r := rest.Request{Method: http.MethodGet, Path: "api/now/v1/stats/" + url.PathEscape(table), Name: "stats/" + table, Query: url.Values{"sysparm_count": {"true"}}}
	if text != "" {
		r.Query.Set("sysparm_query", text)
	}
	type stats struct {
		Stats struct {
			Count scalar `json:"count"`
		} `json:"stats"`
	}
	got, _, err := converse[stats](ctx, c, r)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(got.Stats.Count))
	if err != nil {
		return 0, unsure(r, errors.New("the reply shows no count"))
	}
	return n, nil
}
