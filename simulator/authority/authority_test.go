package authority_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bridge/simulator/authority"
)

const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

// desk is an authority under test, with a clock that a test moves.
type desk struct {
	*testing.T
	*authority.Server
	now time.Time
}

func newAuthority(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, now: time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)}
	d.Server = authority.New(authority.Config{Tenant: tenant, ClientID: "app", ClientSecret: "secret", Now: func() time.Time { return d.now }})
	return d
}

func (d *desk) ask(method, path, form string) *httptest.ResponseRecorder {
	d.Helper()
	r := httptest.NewRequestWithContext(d.Context(), method, "https://login.test/"+path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func (d *desk) read(w *httptest.ResponseRecorder) map[string]any {
	d.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		d.Fatalf("%v in %d %s", err, w.Code, w.Body)
	}
	return out
}

const (
	byToken = tenant + "/oauth2/v2.0/token"
	secret  = "client_id=app&client_secret=secret"
	scope   = "&scope=https%3A%2F%2Fmmd.test%2F.default"
	client  = "grant_type=client_credentials"
)

func TestATokenRequestIsAnswered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, form string
		code       int
		word       string
	}{
		"an application with its secret":   {byToken, client + "&" + secret + scope, http.StatusOK, ""},
		"a wrong secret":                   {byToken, client + "&client_id=app&client_secret=x" + scope, http.StatusUnauthorized, "invalid_client"},
		"no secret":                        {byToken, client + "&client_id=app" + scope, http.StatusUnauthorized, "invalid_client"},
		"an application that there is not": {byToken, client + "&client_id=x&client_secret=secret" + scope, http.StatusBadRequest, "unauthorized_client"},
		"a scope that is not the default":  {byToken, client + "&" + secret + "&scope=x", http.StatusBadRequest, "invalid_scope"},
		"no scope":                         {byToken, client + "&" + secret, http.StatusBadRequest, "invalid_scope"},
		"the grant as the document has it": {byToken, "grant_type=client_credential&" + secret + scope, http.StatusBadRequest, "unsupported_grant_type"},
		"another tenant":                   {"other/oauth2/v2.0/token", client + "&" + secret + scope, http.StatusBadRequest, "invalid_tenant"},
		"a path that there is not":         {tenant + "/nothing", "", http.StatusNotFound, "not_found"},
		"an assertion that is none":        {byToken, client + "&client_id=app&client_assertion=x" + scope, http.StatusUnauthorized, "invalid_client"},
		"a refresh token that is none":     {byToken, "grant_type=refresh_token&refresh_token=x&client_id=app", http.StatusBadRequest, "invalid_grant"},
		"a code that is none":              {byToken, "grant_type=authorization_code&code=x&client_id=app", http.StatusBadRequest, "invalid_grant"},
		"a device code that is none":       {byToken, "grant_type=device_code&device_code=x&client_id=app", http.StatusBadRequest, "bad_verification_code"},
		"the first generation":             {tenant + "/oauth2/token", client + "&" + secret + "&resource=https://mmd.test", http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newAuthority(t)
			w := d.ask("POST", tt.path, tt.form)
			got := d.read(w)
			word, _ := got["error"].(string)
			if w.Code != tt.code || word != tt.word {
				t.Fatalf("%d %s, want %d %s", w.Code, w.Body, tt.code, tt.word)
			}
			token, _ := got["access_token"].(string)
			if who, good := d.Who(token); good != (tt.code == http.StatusOK) || good && who != "app" {
				t.Errorf("the token is good: %v, of %q", good, who)
			}
			if strings.HasSuffix(tt.path, "/oauth2/token") && got["expires_in"] != "3600" {
				t.Errorf("expires_in %v, want a text", got["expires_in"])
			}
			if strings.Contains(w.Body.String(), "client_secret") || strings.Contains(w.Body.String(), `secret=`) {
				t.Errorf("a secret comes back: %s", w.Body)
			}
		})
	}
}

func TestATokenEnds(t *testing.T) {
	t.Parallel()
	d := newAuthority(t)
	d.Switch(func(s *authority.Switches) { s.Life = time.Minute })
	give := func() string { return d.read(d.ask("POST", byToken, client+"&"+secret+scope))["access_token"].(string) }
	first := give()
	d.now = d.now.Add(59 * time.Second)
	if _, good := d.Who(first); !good {
		t.Error("it ended before its time")
	}
	d.now = d.now.Add(time.Second)
	if _, good := d.Who(first); good {
		t.Error("it outlived its time")
	}
	second := give()
	d.Revoke()
	if _, good := d.Who(second); good || !slices.Contains(d.Secrets(), second) || !slices.Contains(d.Secrets(), first) {
		t.Error("it is good after it was revoked, or forgotten as a secret")
	}
	d.Switch(func(s *authority.Switches) { s.Deny = true })
	if w := d.ask("POST", byToken, client+"&"+secret+scope); w.Code != http.StatusBadRequest || d.Given() != 2 {
		t.Errorf("without consent: %d, %d given", w.Code, d.Given())
	}
}

// certified makes a key and its certificate.
func certified(t *testing.T, now time.Time) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

func TestAnAssertionIsVerified(t *testing.T) {
	t.Parallel()
	d := newAuthority(t)
	key, certificate := certified(t, d.now)
	strange, _ := certified(t, d.now)
	d.Trust(certificate)
	thumb := sha256.Sum256(certificate.Raw)
	good := func() (map[string]any, map[string]any, *rsa.PrivateKey) {
		return map[string]any{"alg": "PS256", "x5t#S256": base64.StdEncoding.EncodeToString(thumb[:])}, map[string]any{
			"aud": "https://login.test/" + byToken, "iss": "app", "sub": "app", "jti": rand.Text(), "nbf": d.now.Unix(), "exp": d.now.Add(time.Minute).Unix(),
		}, key
	}
	sign := func(header, claims map[string]any, key *rsa.PrivateKey) string {
		text := encode(t, header) + "." + encode(t, claims)
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
		if header["alg"] == "RS256" {
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		}
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	for name, tt := range map[string]struct {
		spoil func(header, claims map[string]any)
		says  string
	}{
		"with PSS":             {func(_, _ map[string]any) {}, ""},
		"with PKCS 1":          {func(h, _ map[string]any) { h["alg"] = "RS256" }, ""},
		"with no algorithm":    {func(h, _ map[string]any) { h["alg"] = "none" }, "neither PS256 nor RS256"},
		"of another key":       {func(h, _ map[string]any) { h["x5t#S256"] = "AAAA" }, "not one of the application's"},
		"for another endpoint": {func(_, c map[string]any) { c["aud"] = "https://login.test/x" }, "another endpoint"},
		"of somebody else":     {func(_, c map[string]any) { c["sub"] = "x" }, "not the application"},
		"too old":              {func(_, c map[string]any) { c["exp"] = d.now.Add(-time.Second).Unix() }, "not valid at this time"},
		"too young":            {func(_, c map[string]any) { c["nbf"] = d.now.Add(time.Hour).Unix() }, "not valid at this time"},
		"without a name":       {func(_, c map[string]any) { delete(c, "jti") }, "used before"},
	} {
		header, claims, key := good()
		tt.spoil(header, claims)
		w := d.ask("POST", byToken, client+"&client_id=app"+scope+"&client_assertion="+sign(header, claims, key))
		if (w.Code == http.StatusOK) != (tt.says == "") || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	header, claims, _ := good()
	if w := d.ask("POST", byToken, client+"&client_id=app"+scope+"&client_assertion="+sign(header, claims, strange)); w.Code != http.StatusUnauthorized {
		t.Errorf("signed with another key: %d", w.Code)
	}
	once := sign(good())
	for _, code := range []int{http.StatusOK, http.StatusUnauthorized} {
		if w := d.ask("POST", byToken, client+"&client_id=app"+scope+"&client_assertion="+once); w.Code != code {
			t.Errorf("the same twice: %d, want %d", w.Code, code)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func TestABrowserBringsACodeBack(t *testing.T) {
	t.Parallel()
	verifier := "a-verifier-of-some-length-that-is-long-enough"
	sum := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {"http://localhost:9/back?x=1"}, "scope": {"openid offline_access https://mmd.test/.default"},
		"state": {"s"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "login_hint": {"bea@contoso.example"},
	}
	change := func(v url.Values, name, value string) url.Values {
		out := maps.Clone(v)
		out.Set(name, value)
		return out
	}
	d := newAuthority(t)
	code := func() string {
		w := d.ask("GET", tenant+"/oauth2/v2.0/authorize?"+ask.Encode(), "")
		back, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != http.StatusFound || back.Query().Get("state") != "s" {
			t.Fatalf("%d %s", w.Code, back)
		}
		return back.Query().Get("code")
	}
	redeem := func(code string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {"http://localhost:9/back?x=1"}}
	}
	first := code()
	if !slices.Contains(d.Secrets(), first) {
		t.Error("the code that comes back is no secret")
	}
	got := d.read(d.ask("POST", byToken, redeem(first).Encode()))
	token, _ := got["access_token"].(string)
	if who, good := d.Who(token); !good || who != "bea@contoso.example" || got["scope"] != "https://mmd.test/.default" || got["id_token"] == nil || got["client_info"] == nil {
		t.Errorf("signed in: %q %v", who, got["error_description"])
	}
	if w := d.ask("POST", byToken, redeem(first).Encode()); w.Code != http.StatusBadRequest {
		t.Errorf("the same code again: %d", w.Code)
	}
	if w := d.ask("POST", byToken, change(redeem(code()), "code_verifier", "x").Encode()); w.Code != http.StatusBadRequest {
		t.Errorf("another verifier: %d", w.Code)
	}
	if w := d.ask("POST", byToken, change(redeem(code()), "redirect_uri", "http://localhost:9/").Encode()); w.Code != http.StatusBadRequest {
		t.Errorf("another way back: %d", w.Code)
	}
	for name, value := range map[string]string{"client_id": "x", "redirect_uri": "", "response_type": "token", "code_challenge_method": "plain", "code_challenge": ""} {
		if w := d.ask("GET", tenant+"/oauth2/v2.0/authorize?"+change(ask, name, value).Encode(), ""); w.Code != http.StatusBadRequest {
			t.Errorf("%s %q: %d, want 400", name, value, w.Code)
		}
	}
	refresh := "grant_type=refresh_token&client_id=app&refresh_token=" + got["refresh_token"].(string)
	next := d.read(d.ask("POST", byToken, refresh))
	if next["access_token"] == token || next["refresh_token"] == nil {
		t.Errorf("refreshed: %v", next["error_description"])
	}
	if w := d.ask("POST", byToken, refresh); w.Code != http.StatusBadRequest {
		t.Errorf("a refresh token is good once: %d", w.Code)
	}
	page := d.ask("GET", tenant+"/oauth2/v2.0/authorize?"+change(ask, "response_mode", "form_post").Encode(), "").Body.String()
	if !strings.Contains(page, `method="post" action="http://localhost:9/back?x=1"`) || !strings.Contains(page, `name="state" value="s"`) {
		t.Errorf("a form that goes back by itself: %s", page)
	}
}

func TestADeviceWaitsForAPerson(t *testing.T) {
	t.Parallel()
	d := newAuthority(t)
	start := func() map[string]any {
		return d.read(d.ask("POST", tenant+"/oauth2/v2.0/devicecode", "client_id=app&scope=offline_access+https://mmd.test/.default"))
	}
	asked := start()
	if !slices.Contains(d.Secrets(), asked["device_code"].(string)) {
		t.Error("the code that the device keeps is no secret")
	}
	poll := func(asked map[string]any) map[string]any {
		return d.read(d.ask("POST", byToken, "grant_type=device_code&client_id=app&device_code="+asked["device_code"].(string)))
	}
	if got := poll(asked); got["error"] != "authorization_pending" {
		t.Errorf("before: %v", got)
	}
	if d.Approve("nothing", "") {
		t.Error("a code that no device shows was taken")
	}
	if page := d.ask("GET", tenant+"/oauth2/deviceauth?code="+asked["user_code"].(string), "").Body.String(); !strings.Contains(page, "You have signed in") {
		t.Errorf("the page says %s", page)
	}
	token, _ := poll(asked)["access_token"].(string)
	if who, good := d.Who(token); !good || who != "ada@contoso.onmicrosoft.com" {
		t.Errorf("signed in: %q", who)
	}
	if got := poll(asked); got["error"] != "bad_verification_code" {
		t.Errorf("again: %v", got)
	}
	asked = start()
	d.now = d.now.Add(15 * time.Minute)
	if got := poll(asked); got["error"] != "expired_token" || d.Approve(asked["user_code"].(string), "") {
		t.Errorf("too late: %v", got)
	}
	d.Switch(func(s *authority.Switches) { s.Approve = true })
	if got := poll(start()); got["access_token"] == nil {
		t.Errorf("switched to sign in at once: %v", got)
	}
}
