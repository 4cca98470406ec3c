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
	"iter"
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
	s := service{rest: &conversation{rest: way, now: cfg.Now}, tenant: cfg.Tenant, page: cfg.Page}
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

// stalePages is how many pages in a row may bring nothing new: a server that gives
// the same page for ever does not hold the list for ever.
const stalePages = 3

// place is a path, and its name without identities. Objects that only look alike have no
// id: two of them on one page are two.
type place struct {
	path, name string
	lookAlike  bool
}

// list pages through a collection until a page is short. Objects that arrive in
// mid-list shift the pages: what was seen is not given twice.
func list[T any](ctx context.Context, s service, at place, o ListOptions, id func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]int{} // on which page
		given, stale := 0, 0
		for skip, number := o.Skip, 1; ; number++ {
			top := s.page
			if o.Top > 0 {
				top = min(top, o.Top-given)
			}
			page, err := read[T](ctx, s, at, o.query(skip, top))
			if err != nil {
				yield(none, err)
				return
			}
			stale++
			for _, item := range page {
				if key := id(item); key != "" {
					if on, known := seen[key]; known && (on != number || !at.lookAlike) {
						continue
					}
					seen[key] = number
				}
				given, stale = given+1, 0
				if !yield(item, nil) {
					return
				}
			}
			if len(page) < top || o.Top > 0 && given >= o.Top || stale == stalePages {
				return
			}
			skip += len(page)
		}
	}
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
