package itsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bridge/rest"
)

// errNoResult is a whole reply that shows nothing of what was asked for.
var errNoResult = errors.New("the reply shows no record")

// converse makes one call and reads its result. It asks nothing while the instance
// wants to be left alone, and takes no reply for whole that says that it is not.
func converse[T any](ctx context.Context, c *Client, r rest.Request) (T, http.Header, error) {
	var none T
	if err := c.quiet(r); err != nil {
		return none, nil, err
	}
	var body struct {
		Result *T              `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	r.Into = &body
	out, err := c.rest.Do(ctx, r)
	if err != nil {
		err = classify(err, out)
		c.heed(out.Header, err)
		return none, out.Header, err
	}
	c.heed(out.Header, nil)
	switch {
	case len(body.Error) > 0 && string(body.Error) != "null":
		return none, out.Header, partial(r, out.Body)
	case body.Result == nil:
		return none, out.Header, unsure(r, errNoResult)
	}
	return *body.Result, out.Header, nil
}

// partial is a 200 that holds an error beside some rows (servicenow-api.md 1.9):
// the rows are not all.
func partial(r rest.Request, body []byte) error {
	code, message := explain(body)
	e := unsure(r, fmt.Errorf("%w: %s", ErrPartial, message))
	e.Code = code
	return e
}

// unsure is a whole reply that does not show what was asked for.
func unsure(r rest.Request, err error) *rest.Error {
	return &rest.Error{Method: r.Method, Path: r.Name, Status: http.StatusOK, Outcome: rest.Unknown, Complete: true, Err: err}
}

// Clock tells how far the instance's clock is ahead of ours, once a reply has said so.
func (c *Client) Clock() (offset time.Duration, known bool) { return c.rest.Clock() }
