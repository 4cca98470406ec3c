package mmd_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bridge/mmd"
	"bridge/simulator"
	"bridge/simulator/authority"
)

// clock is a time that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time         { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration)   { c.ahead.Add(int64(d)) }
func (p place) secret() mmd.Application { return p.proving(simulator.ClientSecret, nil) }

func (p place) proving(secret string, c *mmd.Certificate) mmd.Application {
	app := p.application()
	app.Secret, app.Certificate = secret, c
	return app
}

// certified is an application that the authority knows by its certificate.
func (p place) certified() mmd.Application {
	p.Helper()
	c, key := identity(p.T, time.Now().Add(time.Hour))
	p.world.Authority.Trust(c)
	made, err := mmd.ReadCertificate([]byte(inPEM("CERTIFICATE", c.Raw)+inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))), "")
	if err != nil {
		p.Fatal(err)
	}
	return p.proving("", made)
}

// signedIn is a user who has signed in once, and the file where that is kept.
func (p place) signedIn() (mmd.UserContext, string) {
	p.Helper()
	path := filepath.Join(p.TempDir(), "tokens")
	u := p.user(&mmd.TokenCache{Path: path, Key: cacheKey})
	if _, err := mmd.SignInInBrowser(p.Context(), u, p.browse, "ada@contoso.example"); err != nil {
		p.Fatal(err)
	}
	return u, path
}

func (p place) browse(address string) error { return browse(p.Context(), p.http, address) }

func (p place) applicationTokens(app mmd.Application, now func() time.Time) mmd.Tokens {
	p.Helper()
	tokens, err := mmd.NewApplicationTokens(app, now)
	if err != nil {
		p.Fatal(err)
	}
	return tokens
}

func (p place) userTokens(u mmd.UserContext, now func() time.Time) mmd.Tokens {
	p.Helper()
	tokens, err := mmd.NewUserTokens(u, now)
	if err != nil {
		p.Fatal(err)
	}
	return tokens
}

// contexts are the three ways to get tokens without a person.
func contexts() map[string]func(p place, now func() time.Time) mmd.Tokens {
	return map[string]func(p place, now func() time.Time) mmd.Tokens{
		"a secret":      func(p place, now func() time.Time) mmd.Tokens { return p.applicationTokens(p.secret(), now) },
		"a certificate": func(p place, now func() time.Time) mmd.Tokens { return p.applicationTokens(p.certified(), now) },
		"a user": func(p place, now func() time.Time) mmd.Tokens {
			u, _ := p.signedIn()
			return p.userTokens(u, now)
		},
	}
}

func TestARefusedTokenIsReplacedOnceForAllWhoHoldIt(t *testing.T) {
	t.Parallel()
	for name, source := range contexts() {
		t.Run("with "+name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			tokens := source(p, time.Now)
			first, err := tokens.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			given := p.world.Authority.Given()
			var wait sync.WaitGroup
			for range 20 {
				wait.Go(func() {
					tokens.Refused(first)
					if second, err := tokens.Token(t.Context()); err != nil || second == first {
						t.Errorf("the refused token again: %t, %v", second == first, err)
					}
				})
			}
			wait.Wait()
			if n := p.world.Authority.Given() - given; n != 1 {
				t.Errorf("%d tokens were given, want 1 for all who held the refused one", n)
			}
		})
	}
}

func TestATokenThatEndsSoonIsReplacedInTime(t *testing.T) {
	t.Parallel()
	for name, source := range contexts() {
		t.Run("with "+name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.world.Authority.Switch(func(s *authority.Switches) { s.Life = time.Minute })
			var c clock
			tokens := source(p, c.now)
			get := func() string {
				t.Helper()
				token, err := tokens.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return token
			}
			first := get()
			c.pass(20 * time.Second)
			if get() != first {
				t.Error("a token with two thirds of its life before it was replaced")
			}
			c.pass(20 * time.Second)
			if get() == first {
				t.Error("a token with a third of its life before it is still used")
			}
		})
	}
}

// canaries are in no error: what was given, what proves the application, and what
// an answer held that could not be read.
func canaries(t *testing.T, p place, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range append(p.world.Secrets(), "canary", "access-", "refresh-", simulator.ClientSecret, url.QueryEscape(simulator.ClientSecret), cacheKey) {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%q shows in %v", secret, err)
		}
	}
	if n := len(err.Error()); n > 1000 {
		t.Errorf("an error of %d bytes", n)
	}
}

func TestNoFaultOfTheAuthorityShowsASecretOrIsTakenForARefusal(t *testing.T) {
	t.Parallel()
	for name, source := range contexts() {
		t.Run("with "+name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range simulator.Kinds() {
				p := newPlace(t)
				tokens := source(p, time.Now)
				if token, err := tokens.Token(t.Context()); err == nil { // the next one is asked for
					tokens.Refused(token)
				}
				p.world.Faults.Add(simulator.Rule{
					Side: simulator.SideAuthority, Path: "/token", Kind: kind, Times: -1,
					Status: http.StatusBadGateway, Body: strings.Repeat("a page that quotes "+simulator.ClientSecret+" ", 100),
				})
				_, err := tokens.Token(t.Context())
				canaries(t, p, err)
				if errors.Is(err, mmd.ErrSignIn) {
					t.Errorf("%s: taken for refused credentials: %v", kind, err)
				}
				p.world.Faults.Clear()
				if _, err := tokens.Token(t.Context()); err != nil && (name != "a user" || !kind.Executes()) {
					t.Errorf("%s: after it was over: %v", kind, err)
				}
			}
		})
	}
}

func TestWhatTheAuthoritySaysOfItselfIsNoRefusal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status  int
		body    string
		refused bool
		says    string
	}{
		"a token behind which the answer breaks": {200, `{"access_token":"canary-access","refresh_token":"canary-refresh","expires_in":3600`, false, "cannot be read"},
		"it is busy":                             {400, `{"error":"temporarily_unavailable","error_description":"AADSTS90033: try later"}`, false, "AADSTS90033"},
		"it is broken":                           {400, `{"error":"server_error"}`, false, "server_error"},
		"a grant that ended":                     {400, `{"error":"invalid_grant","error_description":"AADSTS700082: ended.\r\nTrace ID: 1"}`, true, "AADSTS700082: ended. Trace ID: 1"},
		"a secret that it quotes":                {401, `{"error":"invalid_client","error_description":"AADSTS7000215: not ` + simulator.ClientSecret + `"}`, true, "AADSTS7000215: not •••"},
		"a page of a proxy":                      {407, `<html>` + simulator.ClientSecret + `</html>`, false, "407"},
		"many words":                             {400, `{"error":"invalid_grant","error_description":"` + strings.Repeat("ä ", 9000) + `"}`, true, "ä"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			tokens := p.applicationTokens(p.secret(), time.Now)
			p.world.Faults.Add(simulator.Rule{Side: simulator.SideAuthority, Path: "/token", Kind: simulator.Answer, Times: -1, Status: tt.status, Body: tt.body})
			_, err := tokens.Token(t.Context())
			canaries(t, p, err)
			if err == nil || errors.Is(err, mmd.ErrSignIn) != tt.refused || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v; want %q, a refusal: %t", err, tt.says, tt.refused)
			}
		})
	}
}

// roundTrip is a way to the authority that a test bends.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCredentialsStayWithTheAuthority(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	app := p.secret()
	var hosts []string
	app.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Hostname())
		if r.Method == http.MethodPost {
			return &http.Response{
				StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example/token"}}, Body: http.NoBody, Request: r,
			}, nil
		}
		return p.http.Transport.RoundTrip(r)
	})}
	if _, err := p.applicationTokens(app, time.Now).Token(t.Context()); err == nil || errors.Is(err, mmd.ErrSignIn) || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirect: %v", err)
	}
	for _, host := range hosts {
		if host != p.url("/").Hostname() {
			t.Errorf("something was sent to %s", host)
		}
	}
}

func TestAnAnswerWithoutEndIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	app := p.secret()
	var read atomic.Int64
	app.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			return p.http.Transport.RoundTrip(r)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(io.LimitReader(endless{&read}, 64<<20)), Request: r}, nil
	})}
	if _, err := p.applicationTokens(app, time.Now).Token(t.Context()); err == nil {
		t.Error("a token came of it")
	}
	if n := read.Load(); n > 4<<20 {
		t.Errorf("%d bytes were read", n)
	}
}

type endless struct{ read *atomic.Int64 }

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read.Add(int64(len(b)))
	return len(b), nil
}

func TestACertificateThatExpiresWhileTheServiceRunsSaysWhen(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var c clock
	tokens := p.applicationTokens(p.certified(), c.now)
	if _, err := tokens.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.pass(2 * time.Hour)
	if _, err := tokens.Token(t.Context()); !errors.Is(err, mmd.ErrSignIn) || !strings.Contains(err.Error(), "has expired on ") {
		t.Errorf("after its end: %v", err)
	}
}

func TestAUserWithoutAnythingToRefreshWithSignsInAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.world.Authority.Switch(func(s *authority.Switches) { s.Life = time.Minute })
	inner := p.http.Transport
	p.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		answer, err := inner.RoundTrip(r)
		if err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/token") {
			return answer, err
		}
		var said map[string]any
		err = errors.Join(json.NewDecoder(answer.Body).Decode(&said), answer.Body.Close())
		delete(said, "refresh_token")
		text, more := json.Marshal(said)
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return answer, errors.Join(err, more)
	})
	u, _ := p.signedIn()
	if _, err := p.userTokens(u, time.Now).Token(t.Context()); !errors.Is(err, mmd.ErrSignIn) || !strings.Contains(err.Error(), "bridge login") {
		t.Errorf("without a token to refresh with: %v", err)
	}
}

func TestTwoProcessesShareACacheFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.world.Authority.Switch(func(s *authority.Switches) { s.Life = time.Minute })
	u, path := p.signedIn()
	one, two := p.userTokens(u, time.Now), p.userTokens(p.user(&mmd.TokenCache{Path: path, Key: cacheKey}), time.Now)
	// The other process is faster: what the first one is about to redeem is good only once.
	var met atomic.Bool
	p.world.Faults.Watch(func(r simulator.Request) {
		if r.Side == simulator.SideAuthority && r.Method == http.MethodPost && met.CompareAndSwap(false, true) {
			if _, err := two.Token(t.Context()); err != nil {
				t.Errorf("the faster one: %v", err)
			}
		}
	}, nil)
	if _, err := one.Token(t.Context()); err != nil {
		t.Errorf("the slower one: %v", err)
	}
}

func TestAFileThatIsRemovedSignsTheUserOut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	u, path := p.signedIn()
	tokens := p.userTokens(u, time.Now)
	token, err := tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tokens.Refused(token)
	if _, err := tokens.Token(t.Context()); !errors.Is(err, mmd.ErrSignIn) {
		t.Errorf("after the file was removed: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there again: %v", err)
	}
}

func TestNobodyIsAskedToSignInForACacheThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, path := p.signedIn()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, cache := range map[string]*mmd.TokenCache{
		"another key":           {Path: path, Key: "another-canary-of-many-letters"},
		"a folder is not there": {Path: filepath.Join(path+".d", "tokens"), Key: cacheKey},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			asked := func(string) { t.Error("a person was asked"); stop() }
			_, onDevice := mmd.SignInOnDevice(ctx, p.user(cache), asked)
			_, inBrowser := mmd.SignInInBrowser(ctx, p.user(cache), func(address string) error { asked(address); return nil }, "")
			for _, err := range []error{inBrowser, onDevice} {
				canaries(t, p, err)
				if !errors.Is(err, mmd.ErrTokenCache) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file was changed (%v)", err)
	}
}
