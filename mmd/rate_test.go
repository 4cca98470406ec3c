package mmd_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/mmd"
	"bridge/rest"
)

// busy refuses its first request with a Retry-After, and answers the others.
type busy struct {
	status int
	after  string
	asked  int
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	b.asked++
	reply := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"value":[]}`)), Request: r}
	if b.asked == 1 {
		reply.StatusCode = b.status
		reply.Header.Set("Retry-After", b.after)
		reply.Header.Set("X-RateLimit-Limit", "100")
		reply.Header.Set("X-RateLimit-Reset", "9999999999")
	}
	return reply, nil
}

func TestAServiceThatWantsToBeLeftAloneIsLeftAloneByAllParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		after  string
		quiet  time.Duration
	}{
		{"429 for ten minutes", http.StatusTooManyRequests, "600", 10 * time.Minute},
		{"503 for an hour", http.StatusServiceUnavailable, "3600", time.Hour},
		{"500 without a time", http.StatusInternalServerError, "", 0},
		{"404 with what is left of a limit", http.StatusNotFound, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				way := &busy{status: tt.status, after: tt.after}
				c, err := mmd.New(mmd.Config{
					URL: &url.URL{Scheme: "https", Host: "mmd.test", Path: "/"}, Tenant: tenant, Tokens: &fixed{}, Transport: way, Now: time.Now,
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
					if err == nil || rest.StatusOf(err) != tt.status {
						t.Fatalf("the first answer: %v", err)
					}
				}
				_, err = c.Tickets.Notes(t.Context(), "MMD-1")
				if tt.quiet == 0 {
					if err != nil || way.asked != 2 {
						t.Errorf("%d requests: %v", way.asked, err)
					}
					return
				}
				time.Sleep(tt.quiet - time.Second)
				for range 3 {
					_, err = c.Tickets.Notes(t.Context(), "MMD-1")
				}
				if !errors.Is(err, mmd.ErrRate) || rest.OutcomeOf(err) != rest.Refused || rest.RetryAfter(err) != time.Second || way.asked != 1 {
					t.Errorf("%d requests, %s to wait: %v", way.asked, rest.RetryAfter(err), err)
				}
				if err := c.Tickets.AddNote(t.Context(), "MMD-1", "Hello"); rest.OutcomeOf(err) != rest.Refused {
					t.Errorf("a write is %v: %v", rest.OutcomeOf(err), err)
				}
				time.Sleep(time.Second)
				if _, err := c.Tickets.Notes(t.Context(), "MMD-1"); err != nil || way.asked != 2 {
					t.Errorf("after that: %d requests: %v", way.asked, err)
				}
			})
		})
	}
}
