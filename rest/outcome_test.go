package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bridge/rest"
)

func TestAnErrorSaysEachThingOnce(t *testing.T) {
	t.Parallel()
	gone := errors.New("this device does not exist")
	for name, tt := range map[string]struct {
		err  rest.Error
		want string
	}{
		"what the server says, and what it is":    {rest.Error{Status: 404, Message: "No such thing.", Err: gone}, "GET devices/ID: 404 Not Found: No such thing.: this device does not exist"},
		"what it is, as the server says it":       {rest.Error{Status: 404, Message: "This device does not exist.", Err: gone}, "GET devices/ID: 404 Not Found: This device does not exist."},
		"what it is alone":                        {rest.Error{Status: 404, Err: gone}, "GET devices/ID: 404 Not Found: this device does not exist"},
		"a success that is none, and its request": {rest.Error{Status: 200, Err: gone, RequestID: "7"}, "GET devices/ID: this device does not exist (request 7)"},
	} {
		tt.err.Method, tt.err.Path = "GET", "devices/ID"
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// cut is a server whose reply ends too early.
type cut struct{}

func (cut) RoundTrip(*http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(`{"value":[`), iotest.ErrReader(io.ErrUnexpectedEOF))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(body)}, nil
}

func TestAReplyThatEndsTooEarlyIsCutOff(t *testing.T) {
	t.Parallel()
	c, err := rest.New(rest.Config{
		Base: &url.URL{Scheme: "https", Host: "server.test"}, Transport: cut{}, Now: time.Now,
		Authorize: func(context.Context, *http.Request) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var into any
	_, err = c.Do(t.Context(), rest.Request{Method: http.MethodPost, Path: "things", Name: "things", Into: &into})
	if rest.OutcomeOf(err) != rest.Unknown || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "POST things: the reply is cut off") {
		t.Errorf("%s: %v", rest.OutcomeOf(err), err)
	}
}
