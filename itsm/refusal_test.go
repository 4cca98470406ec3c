package itsm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/itsm"
	"bridge/rest"
)

// ways are a call of each kind.
func ways() map[string]func(context.Context, *itsm.Client) error {
	incident := itsm.Ask{Table: "incident"}
	return map[string]func(context.Context, *itsm.Client) error{
		"get":         func(ctx context.Context, c *itsm.Client) error { _, err := c.Get(ctx, incident, "x"); return err },
		"changes":     func(ctx context.Context, c *itsm.Client) error { return last(c.Changes(ctx, incident, time.Time{})) },
		"records":     func(ctx context.Context, c *itsm.Client) error { return last(c.Records(ctx, incident, []string{"x"})) },
		"count":       func(ctx context.Context, c *itsm.Client) error { _, err := c.Count(ctx, "incident", ""); return err },
		"approvals":   func(ctx context.Context, c *itsm.Client) error { return last(c.Approvals(ctx, []string{"x"})) },
		"attachments": func(ctx context.Context, c *itsm.Client) error { return last(c.Attachments(ctx, "incident", "x")) },
		"dictionary":  func(ctx context.Context, c *itsm.Client) error { return last(c.Dictionary(ctx, "incident")) },
		"choices":     func(ctx context.Context, c *itsm.Client) error { return last(c.Choices(ctx, "incident", "state")) },
		"journal": func(ctx context.Context, c *itsm.Client) error {
			return last(c.Journal(ctx, []string{"x"}, []string{"comments"}, time.Time{}))
		},
		"journal by display value": func(ctx context.Context, c *itsm.Client) error {
			return last(c.JournalText(ctx, "incident", []string{"x"}, []string{"comments"}, itsm.Dates{}))
		},
		"update": func(ctx context.Context, c *itsm.Client) error {
			_, err := c.Update(ctx, incident, "x", map[string]string{"state": "6"})
			return err
		},
		"create": func(ctx context.Context, c *itsm.Client) error {
			_, err := c.Create(ctx, incident, map[string]string{"state": "1"})
			return err
		},
	}
}

// html answers with a page, as a browser would be.
func html(status int, body string) func(*http.Request, http.ResponseWriter) {
	return func(r *http.Request, w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		fixed(status, body)(r, w)
	}
}

// cut is a body that ends before its announced length.
type cut struct{ io.Reader }

func (cut) Close() error { return nil }
func (c cut) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// breaking is a way on which each body breaks off.
type breaking struct{ next http.RoundTripper }

func (b breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := b.next.RoundTrip(r)
	if reply != nil {
		reply.Body = cut{reply.Body}
	}
	return reply, err
}

func TestEachFailureHasItsNameOnEachWay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer  func(*http.Request, http.ResponseWriter)
		is      error
		not     error
		outcome rest.Outcome
		// breaks says that the connection breaks within the body.
		breaks bool
	}{
		"credentials":              {answer: fixed(401, payload(t, "error-401.json")), is: itsm.ErrCredentials, not: itsm.ErrSignIn, outcome: rest.Refused},
		"an API that is closed":    {answer: fixed(403, payload(t, "error-403-endpoint.json")), is: itsm.ErrEndpoint, not: itsm.ErrWriteRight, outcome: rest.Impossible},
		"a scope that is missing":  {answer: fixed(403, payload(t, "error-403-scope.json")), is: itsm.ErrEndpoint, outcome: rest.Impossible},
		"a field of the query":     {answer: fixed(403, payload(t, "error-403-query.json")), is: itsm.ErrQueryRight, not: itsm.ErrWriteRight, outcome: rest.Impossible},
		"a journal that is closed": {answer: fixed(403, payload(t, "error-403-journal.json")), is: itsm.ErrQueryRight, outcome: rest.Impossible},
		"a record not writable":    {answer: fixed(403, payload(t, "error-403-acl.json")), is: itsm.ErrWriteRight, not: itsm.ErrQueryRight, outcome: rest.Impossible},
		"any right":                {answer: fixed(403, payload(t, "error-403-acl.json")), is: itsm.ErrAccess, not: itsm.ErrPolicy, outcome: rest.Impossible},
		"a 403 that says nothing":  {answer: fixed(403, ""), is: itsm.ErrAccess, not: itsm.ErrRule, outcome: rest.Impossible},
		"a data policy":            {answer: fixed(403, payload(t, "error-403-policy.json")), is: itsm.ErrPolicy, not: itsm.ErrAccess, outcome: rest.Impossible},
		"a business rule":          {answer: fixed(403, payload(t, "error-403-rule.json")), is: itsm.ErrRule, not: itsm.ErrAccess, outcome: rest.Impossible},
		"what is not there":        {answer: fixed(404, payload(t, "error-404.json")), is: itsm.ErrNotFound, outcome: rest.Impossible},
		"a full queue":             {answer: fixed(429, payload(t, "error-429.json")), is: itsm.ErrRate, outcome: rest.Refused},
		"a quota":                  {answer: fixed(500, payload(t, "error-500-quota.json")), not: itsm.ErrPartial, outcome: rest.Unknown},
		"a redirect": {answer: func(r *http.Request, w http.ResponseWriter) {
			w.Header().Set("Location", "https://idp.elsewhere.example/login")
			html(302, "")(r, w)
		}, is: itsm.ErrElsewhere, outcome: rest.Unknown},
		"a page":                            {answer: html(200, payload(t, "hibernating.html")), is: itsm.ErrPage, not: itsm.ErrTruncated, outcome: rest.Unknown},
		"a page for a 201":                  {answer: html(201, payload(t, "hibernating.html")), is: itsm.ErrPage, outcome: rest.Unknown},
		"no body":                           {answer: fixed(202, ""), is: itsm.ErrEmpty, not: itsm.ErrPage, outcome: rest.Unknown},
		"no body in a page's type":          {answer: html(200, " \n"), is: itsm.ErrEmpty, not: itsm.ErrPage, outcome: rest.Unknown},
		"an error beside a result":          {answer: fixed(200, payload(t, "partial.json")), is: itsm.ErrPartial, outcome: rest.Unknown},
		"an error within a broken result":   {answer: fixed(200, payload(t, "partial-malformed.txt")), is: itsm.ErrTruncated, outcome: rest.Unknown},
		"a body that ends early":            {answer: fixed(200, `{"result":[{"sys_id":"x"`), is: itsm.ErrTruncated, not: itsm.ErrPage, outcome: rest.Unknown},
		"a connection that ends in a reply": {answer: fixed(200, `{"result":[{"sys_id":"x"}]}`), is: itsm.ErrTruncated, outcome: rest.Unknown, breaks: true},
		"JSON without a result":             {answer: fixed(200, `{}`), not: itsm.ErrTruncated, outcome: rest.Unknown},
		"a result that is null":             {answer: fixed(200, `{"result":null}`), not: itsm.ErrTruncated, outcome: rest.Unknown},
	}
	for name, tt := range tests {
		for way, call := range ways() {
			t.Run(name+" on "+way, func(t *testing.T) {
				t.Parallel()
				d := &desk{answer: tt.answer}
				cfg := config(t, d)
				if tt.breaks {
					cfg.Transport = breaking{d}
				}
				err := call(t.Context(), open(t, cfg))
				described := way == "dictionary" || way == "choices"
				if err == nil || rest.OutcomeOf(err) != tt.outcome {
					t.Fatalf("outcome %s of %v, want %s", rest.OutcomeOf(err), err, tt.outcome)
				}
				if tt.is != nil && !errors.Is(err, tt.is) || tt.not != nil && errors.Is(err, tt.not) {
					t.Errorf("error %v, want %v and not %v", err, tt.is, tt.not)
				}
				// Describing looks first at what the table extends.
				if len(d.asked) != 1 && (!described || len(d.asked) > 2) {
					t.Errorf("asked %d times", len(d.asked))
				}
				for _, r := range d.asked {
					if r.URL.Host != "acme.service-now.com" {
						t.Errorf("credentials went to %s", r.URL)
					}
				}
				if said := fmt.Sprintf("%v %+v", err, err); strings.Contains(said, "canary") {
					t.Errorf("the error shows a secret: %s", said)
				}
			})
		}
	}
}

func TestAnotherRecordIsNotTakenForTheOneAskedFor(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, `{"result":{"sys_id":"b","number":"INC2"}}`)}
	if row, err := client(t, d).Get(t.Context(), itsm.Ask{Table: "incident"}, "a"); err == nil || row != nil {
		t.Errorf("%v, %v; want an error", row, err)
	}
	d.answer = fixed(http.StatusOK, `{"result":{"sys_id":"a","number":"INC1"}}`)
	if row, err := client(t, d).Get(t.Context(), itsm.Ask{Table: "incident"}, "a"); err != nil || row.Value("number") != "INC1" {
		t.Errorf("%v, %v", row, err)
	}
}

func TestACountThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	tests := map[string]int{`{"result":{"stats":{"count":"42"}}}`: 42, `{"result":{"stats":{"count":7}}}`: 7, `{"result":{"stats":{}}}`: -1, `{"result":{"stats":{"count":"many"}}}`: -1}
	for body, want := range tests {
		got, err := client(t, &desk{answer: fixed(http.StatusOK, body)}).Count(t.Context(), "incident", "active=true")
		if want < 0 && rest.OutcomeOf(err) != rest.Unknown || want >= 0 && (err != nil || got != want) || want < 0 && err == nil {
			t.Errorf("%s: %d, %v; want %d", body, got, err, want)
		}
	}
}

// limits answers with rate headers.
func limits(status int, headers map[string]string) func(*http.Request, http.ResponseWriter) {
	return func(r *http.Request, w http.ResponseWriter) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		fixed(status, `{"result":{"sys_id":"x"}}`)(r, w)
	}
}

func TestAnInstanceIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	t.Parallel()
	// The bubble's clock begins at midnight of 2000-01-01.
	in := func(d time.Duration) string {
		return fmt.Sprint(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Unix())
	}
	tests := map[string]struct {
		status  int
		headers map[string]string
		want    time.Duration
	}{
		"a number of seconds":                   {429, map[string]string{"Retry-After": "3600"}, time.Hour},
		"however long":                          {429, map[string]string{"Retry-After": "604800"}, 7 * 24 * time.Hour},
		"a date":                                {429, map[string]string{"Retry-After": "Sat, 01 Jan 2000 02:00:00 GMT"}, 2 * time.Hour},
		"a date that is past":                   {429, map[string]string{"Retry-After": "Fri, 31 Dec 1999 02:00:00 GMT"}, 0},
		"maintenance":                           {503, map[string]string{"Retry-After": "600"}, 10 * time.Minute},
		"a reset beside a 429":                  {429, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Reset": in(20 * time.Minute)}, 20 * time.Minute},
		"Retry-After before the reset":          {429, map[string]string{"Retry-After": "60", "X-RateLimit-Limit": "100", "X-RateLimit-Reset": in(20 * time.Minute)}, time.Minute},
		"a full queue":                          {429, nil, 0},
		"a reply that leaves none":              {200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in(30 * time.Minute)}, 30 * time.Minute},
		"a reply that leaves some":              {200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": in(30 * time.Minute)}, 0},
		"a reply that does not say what it is":  {200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Reset": in(30 * time.Minute)}, 0},
		"a refusal for another reason":          {404, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Reset": in(30 * time.Minute)}, 0},
		"a reset that no rule can mean":         {200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in(48 * time.Hour)}, time.Hour},
		"a reset that is past":                  {200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in(-time.Hour)}, 0},
		"headers that say nothing":              {429, map[string]string{"Retry-After": "soon", "X-RateLimit-Limit": "many", "X-RateLimit-Reset": "then"}, 0},
		"a short one, which is waited in place": {429, map[string]string{"Retry-After": "2"}, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &desk{answer: limits(tt.status, tt.headers)}
				cfg := config(t, d)
				cfg.Now = time.Now
				c := open(t, cfg)
				ask := itsm.Ask{Table: "incident"}
				_, first := c.Get(t.Context(), ask, "x")
				if tt.status != 200 && rest.RetryAfter(first) != tt.want {
					t.Errorf("the refusal asks for %s, want %s", rest.RetryAfter(first), tt.want)
				}
				d.answer = limits(200, nil)
				asked := len(d.asked)
				if tt.want > 0 {
					time.Sleep(tt.want / 2)
					for way, call := range ways() {
						err := call(t.Context(), c)
						if !errors.Is(err, itsm.ErrRate) || rest.OutcomeOf(err) != rest.Refused || rest.RetryAfter(err) != tt.want-tt.want/2 {
							t.Errorf("%s: %v, outcome %s, after %s; want that it waits for %s", way, err, rest.OutcomeOf(err), rest.RetryAfter(err), tt.want-tt.want/2)
						}
					}
					if len(d.asked) != asked {
						t.Errorf("asked %d times while the instance was to be left alone", len(d.asked)-asked)
					}
					if other := open(t, cfg); last(other.Records(t.Context(), ask, []string{"y"})) != nil && len(d.asked) == asked {
						t.Error("another client was stopped too")
					}
					time.Sleep(tt.want - tt.want/2)
				}
				if _, err := c.Get(t.Context(), ask, "x"); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestWhatTheInstanceSaysOfItsLimitsCanBeRead(t *testing.T) {
	t.Parallel()
	d := &desk{answer: limits(200, nil)}
	c := client(t, d)
	get := func() itsm.Rate {
		if _, err := c.Get(t.Context(), itsm.Ask{Table: "incident"}, "x"); err != nil {
			t.Fatal(err)
		}
		return c.Rate()
	}
	if got := get(); got != (itsm.Rate{}) {
		t.Errorf("no rule, and %+v", got)
	}
	reset := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	d.answer = limits(200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Reset": fmt.Sprint(reset.Unix())})
	if got := get(); got.Limit != 100 || got.Remaining != -1 || !got.Reset.Equal(reset) || !got.NotBefore.IsZero() {
		t.Errorf("%+v", got)
	}
	d.answer = limits(200, map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(reset.Unix())})
	if got := get(); got.Remaining != 0 || !got.NotBefore.Equal(reset) {
		t.Errorf("%+v", got)
	}
}
