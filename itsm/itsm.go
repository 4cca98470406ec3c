// Package itsm reads and writes a server with ServiceNow's table API: records,
// journals and approvals. It survives what real instances do (emptied pages,
// dropped conditions, web pages instead of JSON) and says what it saw; it decides
// nothing about it.
package itsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

	mu     sync.Mutex
	offset time.Duration
	known  bool
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
	return c, err
}

// Ask says which rows and which of their fields are wanted.
type Ask struct {
	Table string
	// Query is an encoded query; empty: all rows.
	Query  string
	Fields []string
	// Display asks for labels beside the raw values.
	Display bool
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
	var body struct {
		Result []Record        `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	out, err := c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "api/now/v2/table/" + url.PathEscape(table), Name: "table/" + table, Query: q, Into: &body})
	c.tick(out.Header)
	if err != nil {
		return page{}, classify(err)
	}
	if len(body.Error) > 0 && string(body.Error) != "null" {
		return page{}, partial(http.MethodGet, table, out.Body)
	}
	total, err := strconv.Atoi(out.Header.Get("X-Total-Count"))
	if err != nil {
		total = -1
	}
	return page{body.Result, total}, nil
}

// partial is a 200 that holds an error beside some rows (servicenow-api.md 1.9):
// the rows are not all.
func partial(method, table string, body []byte) error {
	code, message := explain(body)
	return &rest.Error{
		Method: method, Path: "table/" + table, Status: http.StatusOK, Code: code, Outcome: rest.Unknown, Complete: true,
		Err: fmt.Errorf("%w: %s", ErrPartial, message),
	}
}

// tick notes how far the instance's clock is ahead of ours.
func (c *Client) tick(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.known = at.Sub(c.now().Truncate(time.Second)), true
}

// Clock tells how far the instance's clock is ahead of ours, once a reply has said so.
func (c *Client) Clock() (offset time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset, c.known
}

// Records reads rows by sys_id, in batches. Rows that were not asked for are left
// out: an instance that drops a condition answers with the whole table.
func (c *Client) Records(ctx context.Context, ask Ask, ids []string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for some := range slices.Chunk(ids, many) {
			wanted := map[string]bool{}
			for _, id := range some {
				wanted[id] = true
			}
			got, err := c.list(ctx, ask.Table, ask.values("sys_idIN"+strings.Join(some, ",")+"^ORDERBYsys_id", len(some), 0))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range got.rows {
				if id := row.Value("sys_id"); wanted[id] {
					delete(wanted, id)
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	}
}

// Get reads one row; ErrNotFound when it is not there or may not be read.
func (c *Client) Get(ctx context.Context, ask Ask, id string) (Record, error) {
	var body struct {
		Result Record `json:"result"`
	}
	q := ask.values("", 1, 0)
	q.Del("sysparm_limit")
	out, err := c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: rowPath(ask.Table, id), Name: "table/" + ask.Table + "/ID", Query: q, Into: &body})
	c.tick(out.Header)
	return body.Result, classify(err)
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
	var body struct {
		Result Record          `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	table, q := ask.Table, ask.values("", 1, 0)
	q.Del("sysparm_limit")
	q.Set("sysparm_input_display_value", "false")
	out, err := c.rest.Do(ctx, rest.Request{Method: method, Path: path, Name: "table/" + table, Query: q, Body: set, Into: &body})
	c.tick(out.Header)
	switch {
	case err != nil:
		return nil, classify(err)
	case len(body.Error) > 0 && string(body.Error) != "null":
		return nil, partial(method, table, out.Body)
	case len(body.Result) == 0:
		return nil, &rest.Error{Method: method, Path: "table/" + table, Status: out.Status, Outcome: rest.Unknown, Complete: true, Err: errors.New("the reply shows no record")}
	}
	return body.Result, nil
}

func rowPath(table, id string) string {
	return "api/now/v2/table/" + url.PathEscape(table) + "/" + url.PathEscape(id)
}

// Count says how many rows a query finds, by the aggregate API.
func (c *Client) Count(ctx context.Context, table, query string) (int, error) {
	var body struct {
		Result struct {
			Stats struct{ Count string }
		}
	}
	q := url.Values{"sysparm_count": {"true"}}
	if query != "" {
		q.Set("sysparm_query", query)
	}
	_, err := c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "api/now/v1/stats/" + url.PathEscape(table), Name: "stats/" + table, Query: q, Into: &body})
	if err != nil {
		return 0, classify(err)
	}
	return strconv.Atoi(body.Result.Stats.Count)
}

// Record is one row as it came, by dotted path. A key that is absent was not
// readable; one that is there may be empty.
type Record map[string]Field

// Value is a field's raw value.
func (r Record) Value(path string) string { return r[path].Value }

// Paths lists the fields that came, sorted.
func (r Record) Paths() []string { return slices.Sorted(maps.Keys(r)) }

// Field is one field in any of the shapes of servicenow-api.md 1.5.
type Field struct {
	Value   string
	Display string
}

// UnmarshalJSON reads a text, {link,value}, {display_value,link[,value]},
// {display_value,value}, null, and bare numbers and booleans.
func (f *Field) UnmarshalJSON(raw []byte) error {
	*f = Field{}
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] == '"':
		return json.Unmarshal(raw, &f.Value)
	case raw[0] == '{':
		var o struct {
			Value        *scalar `json:"value"`
			DisplayValue *scalar `json:"display_value"`
			Link         string  `json:"link"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return err
		}
		if o.DisplayValue != nil {
			f.Display = string(*o.DisplayValue)
		}
		switch {
		case o.Value != nil:
			f.Value = string(*o.Value)
		case o.Link != "": // display mode has no value: the link ends with it
			f.Value = o.Link[strings.LastIndexByte(o.Link, '/')+1:]
		default:
			f.Value = f.Display
		}
		return nil
	case raw[0] == '[':
		return fmt.Errorf("a field is a text or an object, not a list: %.40s", raw)
	}
	f.Value = string(raw)
	return nil
}

// scalar is a text, a number or a boolean, as text.
type scalar string

func (s *scalar) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(s))
	}
	if string(raw) != "null" {
		*s = scalar(raw)
	}
	return nil
}
