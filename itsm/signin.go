package itsm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"bridge/rest"
)

// Auth says as whom the bridge signs in.
type Auth struct {
	// Type is basic, oauth_password, oauth_client_credentials or api_key.
	Type                   string
	Username, Password     string
	ClientID, ClientSecret string
	Key                    string
}

func (a Auth) check() error {
	switch a.Type {
	case "basic", "oauth_password", "oauth_client_credentials", "api_key":
		return nil
	}
	return fmt.Errorf("auth type %q is not known", a.Type)
}

// patience is how long a refused sign-in is not tried again: hot loops lock accounts.
const patience = time.Minute

// usualLife is how long a token lives where the instance does not say.
const usualLife = 30 * time.Minute

// signIn sets the credentials of each request.
type signIn struct {
	auth Auth
	rest *rest.Client
	now  func() time.Time

	// one lets one caller ask; who waits for its turn may give up.
	one    *semaphore.Weighted
	mu     sync.Mutex // of what is below, and never held while the instance is asked
	token  string
	spent  time.Time
	failed error
	until  time.Time
	// refused is a token that a call was refused with; returned is when the endpoint
	// gave that very one again.
	refused  string
	returned time.Time
}

func newSignIn(cfg Config) (*signIn, error) {
	s := &signIn{auth: cfg.Auth, now: cfg.Now, one: semaphore.NewWeighted(1)}
	conversation, err := rest.New(rest.Config{
		Base: cfg.URL, Transport: cfg.Transport, Observe: cfg.Observe, Timeout: cfg.Timeout, Now: cfg.Now,
		Authorize: func(context.Context, *http.Request) error { return nil }, Explain: explain,
	})
	s.rest = conversation
	return s, err
}

func (s *signIn) authorize(ctx context.Context, r *http.Request) error {
	switch s.auth.Type {
	case "basic":
		r.SetBasicAuth(s.auth.Username, s.auth.Password)
	case "api_key":
		r.Header.Set("x-sn-apikey", s.auth.Key)
	default:
		token, err := s.bearer(ctx)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// renew is what a 401 calls; credentials that do not change cannot be renewed.
func (s *signIn) renew() func(*http.Request) {
	if s.auth.Type == "basic" || s.auth.Type == "api_key" {
		return nil
	}
	return func(r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r == nil || s.token == "" || r.Header.Get("Authorization") != "Bearer "+s.token {
			return
		}
		if now := s.now(); s.token == s.refused && now.Sub(s.returned) < patience {
			s.fail(fmt.Errorf("%w: the token endpoint gives the token again that the instance refuses", ErrSignIn), now.Add(patience))
		}
		s.refused, s.token = s.token, ""
	}
}

// fail remembers a refusal. The caller holds the lock.
func (s *signIn) fail(err error, until time.Time) { s.failed, s.until = err, until }

// bearer gives the token in use or gets one: one caller asks, the others wait. An
// instance gives the same token while it lives, also one that it refuses. A refusal
// is a matter of configuration and is not tried again for a while.
func (s *signIn) bearer(ctx context.Context) (string, error) {
	if token, err := s.current(); token != "" || err != nil {
		return token, err
	}
	if err := s.one.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer s.one.Release(1)
	if token, err := s.current(); token != "" || err != nil {
		return token, err // somebody was here before
	}
	token, life, err := s.fetch(ctx)
	s.keep(token, life, err)
	return token, err
}

// current gives the token while it may be used, or the refusal while it is to be heeded.
func (s *signIn) current() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.token != "" && now.Before(s.spent) {
		return s.token, nil
	}
	if s.failed != nil && now.Before(s.until) {
		return "", s.failed
	}
	return "", nil
}

// keep remembers what the token endpoint said.
func (s *signIn) keep(token string, life time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err != nil {
		if status := rest.StatusOf(err); status >= 400 && status < 500 {
			s.fail(err, now.Add(max(patience, rest.RetryAfter(err))))
		}
		return
	}
	if token == s.refused {
		s.returned = now
	}
	s.failed, s.token, s.spent = nil, token, now.Add(max(life*9/10, time.Second))
}

// fetch asks the token endpoint.
func (s *signIn) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	form := url.Values{"client_id": {s.auth.ClientID}, "client_secret": {s.auth.ClientSecret}, "grant_type": {"client_credentials"}}
	if s.auth.Type == "oauth_password" {
		form.Set("grant_type", "password")
		form.Set("username", s.auth.Username)
		form.Set("password", s.auth.Password)
	}
	var reply struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   scalar `json:"expires_in"`
	}
	out, err := s.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: "oauth_token.do", Name: "oauth_token.do", Form: form, Into: &reply})
	if err != nil {
		err = classify(err, out)
		if e, ok := errors.AsType[*rest.Error](err); ok && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests {
			e.Err = named{ErrSignIn, errors.New("look at the credentials, and at the OAuth client on the instance")}
		}
		return "", 0, fmt.Errorf("sign in: %w", err)
	}
	if reply.AccessToken == "" {
		return "", 0, errors.New("sign in: the reply holds no access_token")
	}
	seconds, err := strconv.Atoi(string(reply.ExpiresIn))
	if err != nil {
		return reply.AccessToken, usualLife, nil //nolint:nilerr // a token without a term has the usual one
	}
	return reply.AccessToken, time.Duration(min(max(seconds, 0), 1<<30)) * time.Second, nil
}

// sessions gives each call in flight a session of its own: an instance works
// through the requests of one session one at a time, and opens a new one for each
// request without cookies.
type sessions struct {
	next http.RoundTripper
	mu   sync.Mutex
	free []map[string]string
}

// RoundTrip sends one request in a session that nobody else uses meanwhile.
func (s *sessions) RoundTrip(r *http.Request) (*http.Response, error) {
	jar := s.take()
	r = r.Clone(r.Context()) // another attempt of the same request may get another session
	for name, value := range jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // sent back to where it came from
	}
	reply, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, cookie := range reply.Cookies() {
		jar[cookie.Name] = cookie.Value
		if cookie.Value == "" || cookie.MaxAge < 0 {
			delete(jar, cookie.Name)
		}
	}
	if reply.StatusCode != http.StatusUnauthorized {
		s.put(jar)
	}
	return reply, nil
}

func (s *sessions) take() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		jar := s.free[n-1]
		s.free = s.free[:n-1]
		return jar
	}
	return map[string]string{}
}

func (s *sessions) put(jar map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, jar)
}
