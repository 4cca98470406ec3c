package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Authority is the identity authority: it gives tokens of the application context
// (client credentials) and knows which are good.
type Authority struct {
	cfg    Config
	mu     sync.Mutex
	tokens map[string]time.Time
	given  int
	// Life is how long a token lives; 0 is an hour.
	Life time.Duration
}

func newAuthority(cfg Config) *Authority {
	return &Authority{cfg: cfg, tokens: map[string]time.Time{}}
}

// Good says whether a token was given here and still lives.
func (a *Authority) Good(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg.Now().Before(a.tokens[token])
}

// Revoke ends all tokens at once.
func (a *Authority) Revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens = map[string]time.Time{}
}

// Given counts the tokens that were given.
func (a *Authority) Given() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given
}

// ServeHTTP answers discovery and the token endpoint of its one tenant.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := "https://" + r.Host + "/" + a.cfg.Tenant
	switch r.URL.Path {
	case "/" + a.cfg.Tenant + "/v2.0/.well-known/openid-configuration":
		reply(w, http.StatusOK, map[string]any{
			"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "issuer": base + "/v2.0", "jwks_uri": base + "/discovery/v2.0/keys",
		})
	case "/" + a.cfg.Tenant + "/oauth2/v2.0/token":
		a.token(w, r)
	default:
		reply(w, http.StatusNotFound, map[string]any{"error": "not_found"})
	}
}

func (a *Authority) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		reply(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type", "error_description": "AADSTS70003: the grant type is not supported."})
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, secret = user, password
	}
	if id != a.cfg.ClientID || secret != a.cfg.ClientSecret {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	raw := make([]byte, 24)
	rand.Read(raw)
	token := "token-" + hex.EncodeToString(raw)
	a.mu.Lock()
	defer a.mu.Unlock()
	life := a.Life
	if life == 0 {
		life = time.Hour
	}
	a.tokens[token] = a.cfg.Now().Add(life)
	a.given++
	reply(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()), "access_token": token})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
