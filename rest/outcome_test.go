package rest_test

import (
	"errors"
	"testing"

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
