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
	"bridge/simulator"
)

// throttled refuses its first request with a Retry-After, and answers the others.
type throttled struct {
	status int
	after  string
	asked  int
}

func (b *throttled) RoundTrip(r *http.Request) (*http.Response, error) {
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
				way := &throttled{status: tt.status, after: tt.after}
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

// dated writes each Retry-After as a date.
type dated struct{ inner http.RoundTripper }

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := d.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if wait, err := time.ParseDuration(reply.Header.Get("Retry-After") + "s"); err == nil {
		reply.Header.Set("Retry-After", time.Now().Add(wait).UTC().Format(http.TimeFormat))
	}
	return reply, nil
}

func TestAnAuthorityIsNotAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rule  simulator.Rule
		quiet time.Duration
		wait  time.Duration
	}{
		{"refused credentials", simulator.Rule{Kind: simulator.Answer, Status: 401, Body: `{"error":"invalid_client"}`}, time.Minute, 0},
		{"429 for ten minutes", simulator.Rule{Kind: simulator.TooMany, RetryAfter: 600}, 10 * time.Minute, 10 * time.Minute},
		{"503 for an hour", simulator.Rule{Kind: simulator.Error503, RetryAfter: 3600}, time.Hour, time.Hour},
		{"503 until a date", simulator.Rule{Kind: simulator.Error503, RetryAfter: 3600}, time.Hour, time.Hour},
		{"500", simulator.Rule{Kind: simulator.Error500}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				world := simulator.New(simulator.Config{})
				world.Faults.Keep()
				way := world.Transport()
				if strings.Contains(tt.name, "date") {
					way = dated{way}
				}
				tokens, err := mmd.NewApplicationTokens(mmd.Application{
					Authority: &url.URL{Scheme: "https", Host: "login.test", Path: "/"}, Tenant: simulator.Tenant, ClientID: simulator.ClientID,
					Secret: simulator.ClientSecret, Scopes: []string{"https://mmd.test/.default"}, HTTP: &http.Client{Transport: way},
				}, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				c, err := mmd.New(mmd.Config{
					URL: &url.URL{Scheme: "https", Host: "mmd.test", Path: "/support/odata/v1/"}, Tenant: simulator.Tenant, Tokens: tokens, Transport: world.Transport(), Now: time.Now,
				})
				if err != nil {
					t.Fatal(err)
				}
				asked := func() int {
					n := 0
					for _, r := range world.Faults.Log() {
						if strings.HasSuffix(r.Path, "/token") {
							n++
						}
					}
					return n
				}
				call := func() error {
					for _, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
						return err
					}
					return nil
				}
				rule := tt.rule
				rule.Side, rule.Path, rule.Times = simulator.SideAuthority, "/token", 1
				world.Faults.Add(rule)
				if err := call(); err == nil || rest.RetryAfter(err) != tt.wait || rest.OutcomeOf(err) != rest.Refused {
					t.Fatalf("%v, after %s", err, rest.RetryAfter(err))
				}
				if tt.quiet > 0 {
					time.Sleep(tt.quiet - time.Second)
					if err := call(); err == nil || tt.wait > 0 && rest.RetryAfter(err) != time.Second || asked() != 1 {
						t.Errorf("asked %d times: %v, after %s", asked(), err, rest.RetryAfter(err))
					}
					time.Sleep(time.Second)
				}
				if err := call(); err != nil || asked() != 2 {
					t.Errorf("afterwards: asked %d times: %v", asked(), err)
				}
			})
		})
	}
}
