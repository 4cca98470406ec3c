// Package rest holds one JSON conversation with one server: resty for requests
// and JSON, retryablehttp for the retries inside one call, limits on what is
// read, typed errors that carry the outcome of the call. It judges nothing: what
// a status means to an op is for its caller to say.
package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/hashicorp/go-retryablehttp"
)

// Limits on what is read and waited for.
const (
	maxBody  = 32 << 20
	maxError = 64 << 10
	// patience is the longest Retry-After that is slept in place; a longer one goes
	// back to the caller.
	patience = 3 * time.Second
	retries  = 3
)

// Config says where the conversation goes and who is asked for credentials.
type Config struct {
	// Base is the URL that paths are relative to.
	Base *url.URL
	// Transport is the way there.
	Transport http.RoundTripper
	// Authorize sets the credentials of one attempt.
	Authorize func(context.Context, *http.Request) error
	// Renew throws the credentials of a refused request away, so that Authorize
	// gets new ones. Nil: they cannot be renewed.
	Renew func(refused *http.Request)
	// Explain reads the server's error envelope.
	Explain func(body []byte) (code, message string)
	// Observe hears of each attempt.
	Observe func(Call)
	// Timeout is for one attempt; 0 is 30 seconds.
	Timeout time.Duration
	Now     func() time.Time
}

// Call is one attempt, for counts and measures.
type Call struct {
	Method, Name string
	Status       int
	Took         time.Duration
	Err          error
}

// Client is one conversation.
type Client struct {
	cfg  Config
	http *resty.Client

	mu     sync.Mutex
	offset time.Duration
	known  bool
}

// New refuses a conversation that would not be private.
func New(cfg Config) (*Client, error) {
	if cfg.Base == nil || cfg.Base.Scheme != "https" || cfg.Base.Host == "" {
		return nil, fmt.Errorf("url %q: an https URL is needed", cfg.Base)
	}
	if cfg.Authorize == nil || cfg.Transport == nil || cfg.Now == nil {
		return nil, errors.New("a conversation needs a transport, credentials and a clock")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	c := &Client{cfg: cfg}
	inner := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     attempt{c},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: retries, RetryWaitMin: 200 * time.Millisecond, RetryWaitMax: patience,
		CheckRetry: retry, Backoff: backoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	c.http = resty.NewWithClient(&http.Client{
		Transport:     &retryablehttp.RoundTripper{Client: inner},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	c.http.SetRetryCount(0).SetResponseBodyLimit(maxBody).SetLogger(silent{}).SetDisableWarn(true)
	return c, nil
}

// silent keeps resty from writing to stderr on its own.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Request is one call.
type Request struct {
	Method string
	// Path is relative to the base and escaped as it stands.
	Path string
	// Name is the call's name in counts: its path without identities.
	Name  string
	Query url.Values
	// Body is sent as JSON, Form as a form.
	Body any
	Form url.Values
	// Into receives the JSON of a success; nil: only 204 is one.
	Into   any
	Header http.Header
}

// Response is what a success said besides its body.
type Response struct {
	Status int
	Header http.Header
	// Body is the whole reply.
	Body []byte
}

// Do makes one call: reads are tried again inside it, writes only if nothing was
// certainly written. A 401 renews the credentials once.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	for renewed := false; ; renewed = true {
		out, sent, err := c.once(ctx, r)
		var e *Error
		if renewed || c.cfg.Renew == nil || !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
			return out, err
		}
		c.cfg.Renew(sent)
	}
}

func (c *Client) once(ctx context.Context, r Request) (Response, *http.Request, error) {
	track := &tracker{method: r.Method, name: r.Name}
	ctx = context.WithValue(ctx, trackerKey{}, track)
	q := c.http.R().SetContext(ctx).SetHeader("Accept", "application/json")
	maps.Copy(q.Header, r.Header)
	if r.Body != nil {
		q.SetHeader("Content-Type", "application/json").SetBody(r.Body)
	}
	if r.Form != nil {
		q.SetFormDataFromValues(r.Form)
	}
	target := *c.cfg.Base
	target.RawQuery = r.Query.Encode()
	full, err := target.Parse(strings.TrimSuffix(target.EscapedPath(), "/") + "/" + strings.TrimPrefix(r.Path, "/"))
	if err != nil {
		return Response{}, nil, &Error{Method: r.Method, Path: r.Name, Outcome: Refused, Err: err}
	}
	full.RawQuery = target.RawQuery
	reply, err := q.Execute(r.Method, full.String())
	out, err := c.read(r, track, reply, err)
	return out, track.request, err
}

// read turns what came into a success or a typed error.
func (c *Client) read(r Request, track *tracker, reply *resty.Response, err error) (Response, error) {
	e := &Error{Method: r.Method, Path: r.Name, Outcome: Unknown}
	if err != nil {
		e.Err = scrub(err)
		var before *notSent
		if !track.wrote || errors.As(err, &before) {
			e.Outcome = Refused
		}
		if errors.Is(err, resty.ErrResponseBodyTooLarge) {
			e.Err = fmt.Errorf("the reply is longer than %d MiB", maxBody>>20)
		}
		if reply != nil && reply.RawResponse != nil {
			e.Status = reply.StatusCode()
			if errors.Is(err, io.ErrUnexpectedEOF) {
				e.Err = fmt.Errorf("the reply is cut off: %w", e.Err)
			}
		}
		return Response{}, e
	}
	body := reply.Body()
	out := Response{Status: reply.StatusCode(), Header: reply.Header(), Body: body}
	c.tick(out.Header)
	e.Status, e.RequestID = out.Status, requestID(out.Header)
	e.Complete = true
	if out.Status < 200 || out.Status > 299 {
		c.explain(e, out)
		return out, e
	}
	if err := decode(r, out); err != nil {
		e.Err = err
		var cut *truncated
		e.Complete = !errors.As(err, &cut)
		return out, e
	}
	return out, nil
}

// tick notes how far the server's clock is ahead of ours.
func (c *Client) tick(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.known = at.Sub(c.cfg.Now().Truncate(time.Second)), true
}

// Clock tells how far the server's clock is ahead of ours, once a reply has said so.
func (c *Client) Clock() (offset time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset, c.known
}

// explain fills in what the server says of its refusal.
func (c *Client) explain(e *Error, out Response) {
	e.Outcome = outcomeOf(out.Status)
	e.RetryAfter = Wait(out.Header, c.cfg.Now())
	body := out.Body[:min(len(out.Body), maxError)]
	if c.cfg.Explain != nil && isJSON(out.Header) {
		e.Code, e.Message = c.cfg.Explain(body)
	}
	if e.Message == "" && !isJSON(out.Header) && len(body) > 0 {
		e.Message = "not JSON but " + contentType(out.Header)
	}
}

func requestID(h http.Header) string {
	for _, name := range []string{"X-Transaction-Id", "X-Ms-Request-Id", "Request-Id", "X-Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// attempt is the innermost transport: one attempt, with its own time limit and
// credentials.
type attempt struct{ c *Client }

func (a attempt) RoundTrip(r *http.Request) (*http.Response, error) {
	track, _ := r.Context().Value(trackerKey{}).(*tracker)
	ctx, cancel := context.WithTimeout(r.Context(), a.c.cfg.Timeout)
	r = r.Clone(ctx) // a transport may read an attempt's headers after it gave up
	r.Header.Del("Idempotency-Key")
	r.Header.Del("X-Idempotency-Key") // with one, net/http would send a POST twice
	if err := a.c.cfg.Authorize(ctx, r); err != nil {
		cancel()
		return nil, &notSent{err}
	}
	if track != nil {
		track.request = r
	}
	began := a.c.cfg.Now()
	reply, err := a.c.cfg.Transport.RoundTrip(r)
	if track != nil {
		track.wrote = track.wrote || !neverWrote(err)
	}
	call := Call{Method: r.Method, Took: a.c.cfg.Now().Sub(began), Err: err}
	if track != nil {
		call.Name = track.name
	}
	if reply != nil {
		call.Status = reply.StatusCode
		reply.Body = &ending{reply.Body, cancel}
	} else {
		cancel()
	}
	if a.c.cfg.Observe != nil {
		a.c.cfg.Observe(call)
	}
	return reply, err
}

// ending ends the attempt's time limit with its body.
type ending struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (e *ending) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close()
}

// tracker follows one call through its layers: retryablehttp asks only for the
// context.
type tracker struct {
	method, name string
	// wrote says that at least one attempt may have reached the server.
	wrote   bool
	request *http.Request
}

type trackerKey struct{}
