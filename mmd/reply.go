package mmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"bridge/rest"
)

// ErrPartial says that a success holds an error: a server that fails in mid-answer can
// only say so behind what it has already sent, and that is not all.
var ErrPartial = errors.New("the reply is not complete")

// The whole replies that do not show what was asked for.
var (
	errNoList   = errors.New("the reply shows no list")
	errNoObject = errors.New("the reply shows no object")
)

// reply is a collection, or an error, or both.
type reply[T any] struct {
	// Value points to a list before anything is read into it. A list that came is not
	// nil, an empty one neither; of one that is null the pointer is gone.
	Value *[]T
	Error json.RawMessage
	// Next is where an OData server that cuts a page short has the others.
	Next text `json:"@odata.nextLink"`
}

// next is the query of that; nil: there are no others. What else it names, a host above
// all, is not followed.
func (r reply[T]) next() url.Values {
	_, query, _ := strings.Cut(string(r.Next), "?")
	if r.Next == "" {
		return nil
	}
	values, _ := url.ParseQuery(query) // what can be read of it
	return values
}

func (r reply[T]) came() bool { return r.Value == nil || *r.Value != nil }

func (r reply[T]) items() []T {
	if r.Value == nil {
		return nil
	}
	return *r.Value
}

// read reads one page of a collection, and how the next is asked for where the server
// says that one follows.
func read[T any](ctx context.Context, s service, at place, q url.Values) (items []T, next url.Values, err error) {
	page := reply[T]{Value: new([]T)}
	_, err = s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: at.path, Name: at.name, Query: q, Into: &page})
	switch {
	case err != nil:
		return nil, nil, err
	case said(page.Error):
		return nil, nil, unsure(at.name, partial(page.Error))
	case !page.came():
		return nil, nil, unsure(at.name, errNoList)
	}
	return page.items(), page.next(), nil
}

// one reads an entity, or a collection of one: the document shows both. id gives what it
// is known by; without one nothing came that was asked for.
func one[T any](ctx context.Context, s service, path, name string, id func(T) string) (T, error) {
	var none T
	var raw json.RawMessage
	if _, err := s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: path, Name: name, Into: &raw}); err != nil {
		return none, err
	}
	many := reply[T]{Value: new([]T)}
	if err := json.Unmarshal(raw, &many); err == nil && said(many.Error) {
		return none, unsure(name, partial(many.Error))
	} else if err == nil && len(many.items()) > 1 {
		return none, unsure(name, fmt.Errorf("the reply shows %d objects where one was asked for", len(many.items())))
	}
	var out T
	if items := many.items(); len(items) == 1 {
		out = items[0]
	} else if err := json.Unmarshal(raw, &out); err != nil {
		return none, unsure(name, err)
	}
	if id(out) == "" {
		return none, unsure(name, errNoObject)
	}
	return out, nil
}

func said(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// partial is ErrPartial with what the server says of it, if that can be read.
func partial(raw json.RawMessage) error {
	var p problem
	if json.Unmarshal(raw, &p) != nil || p.Message == "" {
		return ErrPartial
	}
	return fmt.Errorf("%w: %s", ErrPartial, p.Message)
}

// unsure is a whole reply that does not show what was asked for.
func unsure(name string, err error) *rest.Error {
	return &rest.Error{Method: http.MethodGet, Path: name, Status: http.StatusOK, Outcome: rest.Unknown, Complete: true, Err: err}
}
