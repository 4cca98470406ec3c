package itsm_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bridge/simulator/itsm"
)

func TestRequestsThatAreNotAnswered(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, tt := range map[string]struct {
		method, path string
		change       func(*http.Request)
		code         int
		text         string
	}{
		"a table that there is not":   {"GET", "/api/now/table/foo", nil, 400, "Invalid table foo"},
		"a path that there is not":    {"GET", "/api/now/nonsense", nil, 400, "Requested URI does not represent any resource"},
		"a record that there is not":  {"GET", "/api/now/table/incident/x", nil, 404, "No Record found"},
		"nothing found in version 1":  {"GET", "/api/now/v1/table/incident?sysparm_query=number=x", nil, 404, "No Record found"},
		"nothing found in version 2":  {"GET", "/api/now/v2/table/incident?sysparm_query=number=x", nil, 200, `{"result":[]}`},
		"nobody signs in":             {"GET", "/api/now/table/incident", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "User Not Authenticated"},
		"a wrong password":            {"GET", "/api/now/table/incident", func(r *http.Request) { r.SetBasicAuth("bridge", "x") }, 401, "User Not Authenticated"},
		"a wrong key":                 {"GET", "/api/now/table/incident", func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("x-sn-apikey", "x") }, 401, "User Not Authenticated"},
		"no Accept":                   {"GET", "/api/now/table/incident", func(r *http.Request) { r.Header.Del("Accept") }, 400, "Accept"},
		"an Accept of something else": {"GET", "/api/now/table/incident", header("Accept", "text/csv"), 406, "Not acceptable"},
		"a body of something else":    {"POST", "/api/now/table/incident", header("Content-Type", "text/csv"), 415, "Unsupported media type"},
		"a verb that there is not":    {"PUT", "/api/now/table/incident", nil, 405, "Method not allowed"},
		"a body that is too large":    {"POST", "/api/now/table/incident", func(r *http.Request) { r.ContentLength = 11 << 20 }, 400, "Rejected large REST payload"},
		"a count without saying so":   {"GET", "/api/now/stats/incident", nil, 400, "No request parameter for aggregate operation specified"},
		"an offset before the first":  {"GET", "/api/now/table/incident?sysparm_offset=-1", nil, 400, "never negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			change := tt.change
			if change == nil {
				change = func(*http.Request) {}
			}
			w := d.ask(tt.method, tt.path, "{}", change)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, tt.code, tt.text)
			}
			if w.Header().Get("Date") != "Thu, 01 Oct 2026 08:00:00 GMT" {
				t.Errorf("Date %q is not the desk's clock", w.Header().Get("Date"))
			}
		})
	}
}

func TestTokensOfTheDesk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.people()
	get := func(form string) *httptest.ResponseRecorder {
		return d.ask("POST", "/oauth_token.do", form, func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		})
	}
	read := func(w *httptest.ResponseRecorder) (out struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Seconds int    `json:"expires_in"`
	},
	) {
		d.read(w, &out)
		return out
	}
	client := "&client_id=id&client_secret=client-secret"
	first := read(get("grant_type=client_credentials" + client))
	if first.Access == "" || first.Seconds != 1800 || first.Refresh != "" {
		t.Errorf("client credentials: %d seconds, refresh %v", first.Seconds, first.Refresh != "")
	}
	d.wait(60)
	second := read(get("grant_type=password&username=bridge&password=secret" + client))
	if second.Access != first.Access || second.Seconds != 1740 || second.Refresh == "" {
		t.Errorf("the token that lives comes again, with what remains: %v, %d", second.Access == first.Access, second.Seconds)
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+first.Access) }
	if w := d.ask("GET", "/api/now/table/incident", "", bearer); w.Code != http.StatusOK {
		t.Errorf("with the token: %d", w.Code)
	}
	d.EndTokens()
	if w := d.ask("GET", "/api/now/table/incident", "", bearer); w.Code != http.StatusUnauthorized {
		t.Errorf("with a token that was ended: %d", w.Code)
	}
	third := read(get("grant_type=password&username=bridge&password=secret" + client))
	d.wait(1800)
	fourth := read(get("grant_type=refresh_token&refresh_token=" + url.QueryEscape(third.Refresh) + client))
	if fourth.Access == "" || fourth.Access == third.Access || !slices.Contains(d.Secrets(), first.Access) || !slices.Contains(d.Secrets(), third.Refresh) {
		t.Errorf("refreshed: %v, %d secrets", fourth.Access != third.Access, len(d.Secrets()))
	}
	for _, bad := range []string{
		"grant_type=client_credentials&client_id=id&client_secret=x", "grant_type=password&username=bridge&password=x" + client, "grant_type=magic" + client,
		"grant_type=refresh_token&refresh_token=" + fourth.Access + client,
	} {
		if w := get(bad); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"error":"server_error"`) {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
}

func TestGatesForSigningIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("x-sn-apikey", "key") }
	if w := d.ask("GET", "/api/now/table/incident", "", key); w.Code != http.StatusOK {
		t.Errorf("with a key: %d", w.Code)
	}
	d.Switch(func(s *itsm.Switches) { s.NoBasic, s.NoKey = true, true })
	if w := d.ask("GET", "/api/now/table/incident", "", key); w.Code != http.StatusUnauthorized {
		t.Errorf("a key where none is taken: %d", w.Code)
	}
	if w := d.ask("GET", "/api/now/table/incident", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("basic where it is barred: %d", w.Code)
	}
	d.Switch(func(s *itsm.Switches) { *s = itsm.Switches{ClientCertificate: true} })
	if w := d.ask("GET", "/api/now/table/incident", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d", w.Code)
	}
	certified := func(r *http.Request) { r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}} }
	if w := d.ask("GET", "/api/now/table/incident", "", certified); w.Code != http.StatusOK {
		t.Errorf("with a certificate: %d", w.Code)
	}
}

func TestARateRule(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Switch(func(s *itsm.Switches) { s.RatePerHour = 2 })
	d.wait(600)
	for range 2 {
		if w := d.ask("GET", "/api/now/table/incident", ""); w.Code != http.StatusOK || w.Header().Get("X-RateLimit-Limit") != "2" {
			t.Errorf("within the rate: %d %v", w.Code, w.Header())
		}
	}
	if w := d.ask("GET", "/api/now/table/incident", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "3001" || w.Header().Get("X-RateLimit-Reset") == "" {
		t.Errorf("over the rate: %d %v", w.Code, w.Header())
	}
	d.wait(3000)
	if w := d.ask("GET", "/api/now/table/incident", ""); w.Code != http.StatusOK {
		t.Errorf("an hour later: %d", w.Code)
	}
}
