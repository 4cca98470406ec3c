package itsm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bridge/itsm"
	"bridge/rest"
)

// gate is an instance with a token endpoint. It hands out the same token while that
// lives.
type gate struct {
	mu sync.Mutex
	// token is what the endpoint gives, and what the tables take unless revoked.
	token   string
	life    string
	revoked bool
	// refuse is what the endpoint answers instead; 0: it signs in.
	refuse  int
	answer  string
	headers map[string]string
	// signIns and calls are how often each was asked.
	signIns, calls int
	forms          []string
}

func (g *gate) serve(r *http.Request, w http.ResponseWriter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/oauth_token.do" {
		g.signIns++
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		g.forms = append(g.forms, r.PostForm.Get("grant_type")+" "+r.PostForm.Get("client_id")+" "+r.PostForm.Get("username"))
		if g.refuse != 0 {
			for name, value := range g.headers {
				w.Header().Set(name, value)
			}
			fixed(g.refuse, g.answer)(r, w)
			return
		}
		fixed(http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer"%s}`, g.token, g.life))(r, w)
		return
	}
	g.calls++
	if g.revoked || r.Header.Get("Authorization") != "Bearer "+g.token {
		fixed(http.StatusUnauthorized, `{"error":{"message":"User Not Authenticated","detail":"Required to provide Auth information"},"status":"failure"}`)(r, w)
		return
	}
	fixed(http.StatusOK, `{"result":{"sys_id":"x"}}`)(r, w)
}

func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func signedIn(t *testing.T, g *gate, kind string) *itsm.Client {
	t.Helper()
	cfg := config(t, &desk{answer: g.serve})
	cfg.Now = time.Now
	cfg.Auth = itsm.Auth{Type: kind, Username: "bridge", Password: "canary-password", ClientID: "client", ClientSecret: "canary-secret"}
	return open(t, cfg)
}

func get(ctx context.Context, c *itsm.Client) error {
	_, err := c.Get(ctx, itsm.Ask{Table: "incident"}, "x")
	return err
}

func TestATokenIsFetchedOnceAndUsedWhileItLives(t *testing.T) {
	t.Parallel()
	for kind, form := range map[string]string{"oauth_password": "password client bridge", "oauth_client_credentials": "client_credentials client "} {
		for life, wait := range map[string]time.Duration{`,"expires_in":1799`: 27 * time.Minute, `,"expires_in":"1799"`: 27 * time.Minute, ``: 27 * time.Minute, `,"expires_in":null`: 27 * time.Minute, `,"expires_in":0`: time.Second} {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{token: "canary-token", life: life}
				c := signedIn(t, g, kind)
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() {
						if err := get(t.Context(), c); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				if g.signIns != 1 || g.calls != 8 || g.forms[0] != form {
					t.Errorf("%d sign-ins as %q for %d calls", g.signIns, g.forms, g.calls)
				}
				time.Sleep(wait)
				if err := get(t.Context(), c); err != nil || g.signIns != 2 {
					t.Errorf("%s%s: %v, %d sign-ins after the token had lived", kind, life, err, g.signIns)
				}
			})
		}
	}
}

func TestARefusedSignInIsNotTriedInALoop(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status  int
		answer  string
		headers map[string]string
		is      error
		shown   int
		wait    time.Duration
	}{
		"access denied":    {401, payload(t, "oauth-server-error.json"), nil, itsm.ErrSignIn, 401, time.Minute},
		"a client unknown": {400, `{"error":"invalid_client"}`, nil, itsm.ErrSignIn, 401, time.Minute},
		"OAuth is off":     {404, "", nil, itsm.ErrSignIn, 401, time.Minute},
		"a rate limit":     {429, payload(t, "error-429.json"), map[string]string{"Retry-After": "1800"}, itsm.ErrRate, 0, 30 * time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gate{token: "canary-token", refuse: tt.status, answer: tt.answer, headers: tt.headers}
				c := signedIn(t, g, "oauth_password")
				for range 5 {
					err := get(t.Context(), c)
					if !errors.Is(err, tt.is) || rest.OutcomeOf(err) != rest.Refused || rest.StatusOf(err) != tt.shown {
						t.Errorf("error %v, outcome %s, status %d", err, rest.OutcomeOf(err), rest.StatusOf(err))
					}
					if errors.Is(tt.is, itsm.ErrSignIn) && !errors.Is(err, itsm.ErrCredentials) {
						t.Errorf("%v is not about credentials", err)
					}
					if strings.Contains(fmt.Sprint(err), "canary") {
						t.Errorf("the error shows a secret: %v", err)
					}
				}
				if g.signIns != 1 || g.calls != 0 {
					t.Errorf("%d sign-ins and %d calls", g.signIns, g.calls)
				}
				g.set(func(g *gate) { g.refuse = 0 })
				time.Sleep(tt.wait - time.Second)
				if err := get(t.Context(), c); err == nil {
					t.Error("tried again too early")
				}
				time.Sleep(time.Second)
				if err := get(t.Context(), c); err != nil || g.signIns != 2 {
					t.Errorf("%v, %d sign-ins once it could be tried again", err, g.signIns)
				}
			})
		})
	}
}

func TestASignInThatFailsOtherwiseIsTriedAgainWithTheNextCall(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request, http.ResponseWriter){
		"a page":     html(http.StatusOK, payload(t, "hibernating.html")),
		"no token":   fixed(http.StatusOK, `{"scope":"useraccount"}`),
		"an outage":  fixed(http.StatusInternalServerError, ""),
		"no reply":   fixed(http.StatusAccepted, ""),
		"not signed": fixed(http.StatusFound, ""),
	} {
		d := &desk{answer: answer}
		cfg := config(t, d)
		cfg.Auth = itsm.Auth{Type: "oauth_client_credentials", ClientID: "client", ClientSecret: "canary-secret"}
		c := open(t, cfg)
		if err := get(t.Context(), c); err == nil || errors.Is(err, itsm.ErrCredentials) || rest.OutcomeOf(err) != rest.Refused {
			t.Errorf("%s: %v, outcome %s", name, err, rest.OutcomeOf(err))
		}
		d.answer = func(r *http.Request, w http.ResponseWriter) {
			if r.URL.Path == "/oauth_token.do" {
				fixed(http.StatusOK, payload(t, "oauth-token.json"))(r, w)
				return
			}
			fixed(http.StatusOK, `{"result":{"sys_id":"x"}}`)(r, w)
		}
		if err := get(t.Context(), c); err != nil {
			t.Errorf("%s: %v on the next call", name, err)
		}
	}
}

func TestARevokedTokenIsRenewedOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{token: "canary-1", life: `,"expires_in":1799`}
		c := signedIn(t, g, "oauth_password")
		if err := get(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		g.set(func(g *gate) { g.token = "canary-2" })
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := get(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if g.signIns != 2 {
			t.Errorf("%d sign-ins for two tokens", g.signIns)
		}
	})
}

func TestTheSameTokenMayComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{token: "canary-token", life: `,"expires_in":1799`}
		c := signedIn(t, g, "oauth_password")
		if err := get(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		// A node that has not heard of it yet refuses a good token: it is given again.
		g.set(func(g *gate) { g.revoked = true })
		if err := get(t.Context(), c); !errors.Is(err, itsm.ErrCredentials) {
			t.Fatal(err)
		}
		g.set(func(g *gate) { g.revoked = false })
		if err := get(t.Context(), c); err != nil || g.signIns != 2 {
			t.Errorf("%v, %d sign-ins", err, g.signIns)
		}
		time.Sleep(10 * time.Minute)
		// One that stays refused is not fetched with every call.
		g.set(func(g *gate) { g.revoked, g.signIns, g.calls = true, 0, 0 })
		for range 20 {
			if err := get(t.Context(), c); !errors.Is(err, itsm.ErrCredentials) || rest.OutcomeOf(err) != rest.Refused || rest.StatusOf(err) != http.StatusUnauthorized {
				t.Errorf("%v, outcome %s", err, rest.OutcomeOf(err))
			}
		}
		if g.signIns > 2 || g.calls > 4 {
			t.Errorf("%d sign-ins and %d calls for a token that stays refused", g.signIns, g.calls)
		}
		g.set(func(g *gate) { g.revoked = false })
		time.Sleep(time.Minute)
		if err := get(t.Context(), c); err != nil {
			t.Errorf("once it is taken again: %v", err)
		}
	})
}

func TestAKeyAndAPasswordAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, `{"result":{"sys_id":"x"}}`)}
	cfg := config(t, d)
	cfg.Auth = itsm.Auth{Type: "api_key", Key: "canary-key"}
	if err := get(t.Context(), open(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if err := get(t.Context(), client(t, d)); err != nil {
		t.Fatal(err)
	}
	name, password, ok := d.asked[1].BasicAuth()
	if d.asked[0].Header.Get("X-Sn-Apikey") != "canary-key" || d.asked[0].Header.Get("Authorization") != "" || !ok || name != "bridge" || password != "canary-password" {
		t.Errorf("headers %v and %v", d.asked[0].Header, d.asked[1].Header)
	}
	cfg.Auth = itsm.Auth{Type: "none"}
	if _, err := itsm.New(cfg); err == nil {
		t.Error("an unknown kind of sign-in was taken")
	}
}

// lobby is an instance that opens a session for each call without cookies, and says
// when two calls were in one session at the same time.
type lobby struct {
	mu       sync.Mutex
	sessions int
	busy     map[string]bool
	wrong    []string
	// fail is how many calls after the first four are answered with a 502.
	calls, fail int
}

func (l *lobby) enter(r *http.Request, w http.ResponseWriter) (session string, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cookies := r.CookiesNamed("JSESSIONID")
	if len(cookies) > 1 {
		l.wrong = append(l.wrong, "one call in two sessions: "+r.Header.Get("Cookie"))
	}
	if len(cookies) > 0 {
		session = cookies[0].Value
	} else {
		l.sessions++
		session = fmt.Sprint("s", l.sessions)
		w.Header().Add("Set-Cookie", "JSESSIONID="+session+"; Path=/; HttpOnly; Secure")
		w.Header().Add("Set-Cookie", "glide_user=; Max-Age=0")
	}
	if l.busy[session] {
		l.wrong = append(l.wrong, "two calls at a time in "+session)
	}
	l.busy[session] = true
	l.calls++
	return session, l.calls > 4 && l.calls <= 4+l.fail
}

func (l *lobby) serve(r *http.Request, w http.ResponseWriter) {
	session, failed := l.enter(r, w)
	time.Sleep(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, session)
	if failed {
		fixed(http.StatusBadGateway, "")(r, w)
		return
	}
	fixed(http.StatusOK, `{"result":{"sys_id":"x"}}`)(r, w)
}

func TestCallsInFlightHaveSessionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, fail := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			l := &lobby{busy: map[string]bool{}, fail: fail}
			c := open(t, config(t, &desk{answer: l.serve}))
			for range 5 {
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						if err := get(t.Context(), c); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			}
			if l.sessions != 4 || len(l.wrong) > 0 {
				t.Errorf("%d sessions for four workers: %v", l.sessions, l.wrong)
			}
		})
	}
}
