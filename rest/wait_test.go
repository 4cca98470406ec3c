package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/rest"
)

// answers is a server that always says the same.
type answers struct {
	status int
	header http.Header
	asked  int
}

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked++
	return &http.Response{StatusCode: a.status, Header: a.header.Clone(), Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestHoweverLongAServerAsksToBeLeftAloneItIs(t *testing.T) {
	t.Parallel()
	const day, century = 24 * time.Hour, 100 * 365 * 24 * time.Hour
	tests := map[string]struct {
		header map[string]string
		want   time.Duration
		asked  int
	}{
		"a second is waited in place":                           {map[string]string{"Retry-After": "1"}, time.Second, 4},
		"an hour is for the caller":                             {map[string]string{"Retry-After": "3600"}, time.Hour, 1},
		"a year":                                                {map[string]string{"Retry-After": "31536000"}, 365 * day, 1},
		"more than a duration counts is a century":              {map[string]string{"Retry-After": "9223372037"}, century, 1},
		"more than wraps to a little above none":                {map[string]string{"Retry-After": "18446744074"}, century, 1},
		"the largest number of 64 bits":                         {map[string]string{"Retry-After": "9223372036854775807"}, century, 1},
		"10^20 seconds":                                         {map[string]string{"Retry-After": "100000000000000000000"}, century, 1},
		"a date in a year":                                      {map[string]string{"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 366 * day, 1},
		"the last date that can be written":                     {map[string]string{"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, century, 1},
		"a reset that no clock reaches is an hour":              {map[string]string{"X-RateLimit-Limit": "1", "X-RateLimit-Reset": "100000000000000000000"}, time.Hour, 1},
		"a number below none is no time, nor asked for at once": {map[string]string{"Retry-After": "-5"}, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // which begins on 2000-01-01
				server := &answers{status: http.StatusTooManyRequests, header: http.Header{}}
				for k, v := range tt.header {
					server.header.Set(k, v)
				}
				client, err := rest.New(rest.Config{
					Base: &url.URL{Scheme: "https", Host: "server.test"}, Transport: server, Now: time.Now,
					Authorize: func(context.Context, *http.Request) error { return nil },
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = client.Do(t.Context(), rest.Request{Method: http.MethodGet, Path: "things", Name: "things"})
				if wait := rest.RetryAfter(err); wait != tt.want || server.asked != tt.asked {
					t.Errorf("to be left alone for %s after %d requests, want %s after %d: %v", wait, server.asked, tt.want, tt.asked, err)
				}
			})
		})
	}
}
