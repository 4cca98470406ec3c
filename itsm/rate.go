package itsm

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"bridge/rest"
)

// Rate is what the instance last said of how often it may be asked
// (servicenow-api.md 6). No rule for this user: no header, and all is zero.
type Rate struct {
	// Limit is how many requests an hour the rule allows.
	Limit int
	// Remaining is how many are left; -1: the instance does not say.
	Remaining int
	// Reset is when the count begins anew.
	Reset time.Time
	// NotBefore is until when the instance wants to be left alone; until then calls
	// are refused here.
	NotBefore time.Time
}

// longest is the longest that a count lasts: rate rules are by the hour.
const longest = time.Hour

// Rate tells what the instance last said of how often it may be asked.
func (c *Client) Rate() Rate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rate
}

// quiet refuses a call while the instance wants to be left alone: the next poll
// would only use up what the hour has left for others.
func (c *Client) quiet(r rest.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.rate.NotBefore.Sub(c.now())
	if wait <= 0 {
		return nil
	}
	return &rest.Error{
		Method: r.Method, Path: r.Name, Outcome: rest.Refused, RetryAfter: wait,
		Err: fmt.Errorf("%w until %s: not asked", ErrRate, c.rate.NotBefore.UTC().Format(time.RFC3339)),
	}
}

// heed takes in what a reply says of how often the instance may be asked.
//
//	reply                                      until then nothing is asked
//	any refusal with Retry-After               as long as it says
//	429 with X-RateLimit-Reset alone           until the reset
//	any with X-RateLimit-Remaining: 0          until the reset
//	429 bare (the instance's queue was full)   the caller's own backoff
func (c *Client) heed(h http.Header, err error) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit, bad := strconv.Atoi(h.Get("X-RateLimit-Limit")); bad == nil {
		c.rate.Limit, c.rate.Remaining, c.rate.Reset = limit, -1, time.Time{}
		if left, bad := strconv.Atoi(h.Get("X-RateLimit-Remaining")); bad == nil {
			c.rate.Remaining = max(left, 0)
		}
		if reset, bad := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); bad == nil {
			c.rate.Reset = time.Unix(reset, 0)
		}
		if c.rate.Remaining == 0 {
			c.leave(now, min(c.rate.Reset.Sub(now), longest))
		}
	}
	c.leave(now, rest.RetryAfter(err))
}

// leave is how long the instance is left alone; a longer time that it has asked for
// before stands. The caller holds the lock.
func (c *Client) leave(now time.Time, wait time.Duration) {
	if until := now.Add(wait); wait > 0 && until.After(c.rate.NotBefore) {
		c.rate.NotBefore = until
	}
}
