// Package mmd is a client for the Microsoft Managed Desktop API, as its document
// describes it: devices, users, tickets and their notes, elevation requests. It
// sends what the document shows and reads what servers answer; it plans nothing
// and repeats no write.
package mmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"bridge/rest"
)

// Page is how many objects a list asks for at once.
const Page = 100

// Config says which tenant is spoken for, and how.
type Config struct {
	// URL is the service's root: https://mmdls.microsoft.com/support/odata/v1/.
	URL       *url.URL
	Tenant    string
	Tokens    Tokens
	Transport http.RoundTripper
	Observe   func(rest.Call)
	Timeout   time.Duration
	// Page is how many objects a list asks for at once; 0 is 100.
	Page int
	Now  func() time.Time
}

// Tokens gives access tokens. A token that was refused is given back, so that
// the next one is new.
type Tokens interface {
	Token(ctx context.Context) (string, error)
	Refused(token string)
}

// Client is one service a part of the API.
type Client struct {
	Tickets    *Tickets
	Elevations *Elevations
	Devices    *Devices
	Users      *Users
}

// service is what the parts share.
type service struct {
	rest   *conversation
	tenant string
	page   int
}

// Tickets are the support tickets of the tenant.
type Tickets struct{ service }

// Clock tells how far the service's clock is ahead of ours, once a reply has said so.
func (t *Tickets) Clock() (offset time.Duration, known bool) { return t.rest.Clock() }

// Elevations are the elevation requests of the tenant.
type Elevations struct{ service }

// Devices are the tenant's managed devices.
type Devices struct{ service }

// Users are the people who have a managed device.
type Users struct{ service }

// New makes a client. It refuses a URL that is not https.
func New(cfg Config) (*Client, error) {
	if cfg.Tenant == "" || cfg.Tokens == nil {
		return nil, errors.New("a tenant and a source of tokens are needed")
	}
	way, err := rest.New(rest.Config{
		Base: cfg.URL, Transport: cfg.Transport, Observe: cfg.Observe, Timeout: cfg.Timeout, Now: cfg.Now,
		Authorize: func(ctx context.Context, r *http.Request) error {
			token, err := cfg.Tokens.Token(ctx)
			if err != nil {
				return fmt.Errorf("get a token: %w", err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		},
		Renew: func(r *http.Request) {
			if r != nil {
				cfg.Tokens.Refused(bearer(r))
			}
		},
		Explain: explain,
	})
	if err != nil {
		return nil, err
	}
	s := service{rest: &conversation{rest: way, now: cfg.Now, known: map[string]reach{}}, tenant: cfg.Tenant, page: cfg.Page}
	if s.page <= 0 {
		s.page = Page
	}
	return &Client{Tickets: &Tickets{s}, Elevations: &Elevations{s}, Devices: &Devices{s}, Users: &Users{s}}, nil
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	header := r.Header.Get("Authorization")
	return header[min(len(scheme), len(header)):]
}

// problem is what the server says of a failure.
type problem struct{ Code, Message text }

// explain reads the document's error envelope: {"error":{"code":"404","message":"…"}}.
func explain(body []byte) (code, message string) {
	var envelope struct{ Error problem }
	if err := json.Unmarshal(body, &envelope); err != nil {
		return "", ""
	}
	return string(envelope.Error.Code), string(envelope.Error.Message)
}

// NewestFirst is the order in which a list of tickets shows at its top what is new.
const NewestFirst = "createdDateTime desc"

// ListOptions narrow a list. The zero value lists everything.
type ListOptions struct {
	Filter  Filter
	OrderBy string
	// Top is how many objects are wanted at most, Skip how many are passed over.
	Top, Skip int
	// Search is the searchText of devices and users.
	Search string
}

// query writes the options of one page.
func (o ListOptions) query(skip, top int) url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("$filter", string(o.Filter))
	set("$orderby", o.OrderBy)
	set("searchText", o.Search)
	q.Set("$skip", strconv.Itoa(skip))
	q.Set("$top", strconv.Itoa(top))
	return q
}

// segment escapes one part of a path.
func segment(s string) string { return url.PathEscape(s) }

// text reads a string, or a number as it stands, or null as nothing.
type text string

// UnmarshalJSON reads one. Most texts have nothing escaped in them, and stand as they are.
func (t *text) UnmarshalJSON(raw []byte) error {
	if plain(raw) {
		*t = text(raw[1 : len(raw)-1])
		return nil
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err == nil {
		if s != nil {
			*t = text(*s)
		}
		return nil
	}
	*t = text(raw)
	return nil
}

// plain says that a JSON text has nothing escaped in it, and is UTF-8.
func plain(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '"' || !utf8.Valid(raw) {
		return false
	}
	return !bytes.ContainsFunc(raw[1:len(raw)-1], func(r rune) bool { return r == '"' || r == '\\' || r < ' ' })
}

// optional is a value that a reply may not have: null, or not there at all.
type optional[T any, P interface {
	*T
	json.Unmarshaler
}] struct {
	value *T
	came  bool
}

// UnmarshalJSON reads one, or null.
func (o *optional[T, P]) UnmarshalJSON(raw []byte) error {
	o.came = true
	if string(raw) == "null" {
		return nil
	}
	o.value = new(T)
	return P(o.value).UnmarshalJSON(raw)
}

// gaps are which of an object's fields that may be null did not come, a bit for each.
type gaps uint16

func missing(came ...bool) (out gaps) {
	for i, c := range came {
		if !c {
			out |= 1 << i
		}
	}
	return out
}

// of names them, in the order of missing.
func (g gaps) of(names ...string) (out []string) {
	for i, name := range names {
		if g&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
