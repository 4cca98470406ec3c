package mmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"bridge/rest"
)

// ErrRate says that the service wants to be left alone for a while.
var ErrRate = errors.New("the service wants to be left alone")

// conversation is what the parts of the API share: one that asked to be left alone is
// left alone by all of them.
type conversation struct {
	rest *rest.Client
	now  func() time.Time

	mu sync.Mutex
	// notBefore is until when calls are refused here.
	notBefore time.Time
	// known is how far the lists of each collection reach.
	known map[string]reach
}

// Clock tells how far the service's clock is ahead of ours, once a reply has said so.
func (c *conversation) Clock() (offset time.Duration, known bool) { return c.rest.Clock() }

// Do makes one call. It asks nothing while the service wants to be left alone, and
// remembers a Retry-After however long it is: the next poll would only be refused too.
func (c *conversation) Do(ctx context.Context, r rest.Request) (rest.Response, error) {
	if err := c.quiet(r); err != nil {
		return rest.Response{}, err
	}
	out, err := c.rest.Do(ctx, r)
	if b, waits := errors.AsType[*busy](err); waits {
		if e, ok := errors.AsType[*rest.Error](err); ok {
			e.RetryAfter = b.wait // the authority's wish, and it is kept there
		}
	}
	if out.Header.Get("Retry-After") != "" || rest.StatusOf(err) == http.StatusTooManyRequests {
		c.leave(rest.RetryAfter(err)) // a limit stands on other replies too, and asks for nothing
	}
	return out, err
}

func (c *conversation) quiet(r rest.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.notBefore.Sub(c.now())
	if wait <= 0 {
		return nil
	}
	return &rest.Error{
		Method: r.Method, Path: r.Name, Outcome: rest.Refused, RetryAfter: wait,
		Err: fmt.Errorf("%w until %s: not asked", ErrRate, c.notBefore.UTC().Format(time.RFC3339)),
	}
}

// leave is how long the service is left alone; a longer time that it has asked for
// before stands.
func (c *conversation) leave(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.now().Add(wait); wait > 0 && until.After(c.notBefore) {
		c.notBefore = until
	}
}
