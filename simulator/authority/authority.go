// Package authority stands in for the identity authority: it signs applications and
// users of one tenant in and gives them tokens. Everybody whom it asks for consent
// consents; it keeps no directory and checks no password.
package authority

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says which application there is, and who uses it.
type Config struct {
	Tenant                 string
	ClientID, ClientSecret string
	// Certificates are what the application may sign assertions with.
	Certificates []*x509.Certificate
	// User is who signs in where a person is asked to; empty: ada@contoso.onmicrosoft.com.
	User string
	Now  func() time.Time
}

// Server is the authority.
type Server struct {
	cfg Config

	mu       sync.Mutex
	switches Switches
	tokens   map[string]grant
	codes    map[string]code
	devices  map[string]*device
	used     map[string]time.Time
	given    int
	// handed is all that was ever handed out and let somebody in.
	handed []string
}

// Switches are what an operator of the authority may set. The zero value gives tokens of
// an hour, and waits for a person where a device asks.
type Switches struct {
	// Life is how long an access token lives; 0 is an hour.
	Life time.Duration `json:"life"`
	// Approve signs a user in at once where a device asks.
	Approve bool `json:"approve"`
	// Deny refuses whoever asks, as after a withdrawn consent.
	Deny bool `json:"deny"`
}

// grant is what a token was given for.
type grant struct {
	kind, who, scope string
	until            time.Time
}

// New makes an authority with one tenant and one application.
func New(cfg Config) *Server {
	if cfg.User == "" {
		cfg.User = "ada@contoso.onmicrosoft.com"
	}
	return &Server{cfg: cfg, tokens: map[string]grant{}, codes: map[string]code{}, devices: map[string]*device{}, used: map[string]time.Time{}}
}

// Switch changes how it behaves, between two requests.
func (s *Server) Switch(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// Trust adds a certificate that the application may sign assertions with.
func (s *Server) Trust(c *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Certificates = append(s.cfg.Certificates, c)
}

// Who gives the application or user that an access token was given to, while it is good.
func (s *Server) Who(token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tokens[token]
	return g.who, g.kind == access && s.cfg.Now().Before(g.until)
}

// Revoke makes all tokens worthless at once, those to refresh with as well.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Given counts the access tokens that were given.
func (s *Server) Given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// Secrets gives all tokens and codes that were ever handed out: what must be found in no
// log, for it was written while they were good.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handed)
}

// ServeHTTP answers discovery, both generations of the token endpoint, and the places
// where people sign in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store, no-cache")
	tenant, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !strings.EqualFold(tenant, s.cfg.Tenant) {
		s.fail(w, problem{http.StatusBadRequest, "invalid_tenant", 90002, "Tenant '" + tenant + "' not found."})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	base := "https://" + r.Host + "/" + tenant
	switch path {
	case "v2.0/.well-known/openid-configuration":
		s.discover(w, base)
	case "discovery/v2.0/keys":
		reply(w, http.StatusOK, map[string]any{"keys": []any{}})
	case "oauth2/v2.0/token", "oauth2/token":
		s.token(w, r, base+"/"+path)
	case "oauth2/v2.0/devicecode":
		s.ask(w, r, base)
	case "oauth2/deviceauth":
		s.approve(w, r)
	case "oauth2/v2.0/authorize":
		s.authorize(w, r)
	default:
		s.fail(w, problem{http.StatusNotFound, "not_found", 900144, "The path does not exist."})
	}
}

func (s *Server) discover(w http.ResponseWriter, base string) {
	reply(w, http.StatusOK, map[string]any{
		"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "issuer": base + "/v2.0", "jwks_uri": base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_modes_supported":              []string{"query", "form_post"}, "response_types_supported": []string{"code"},
		"scopes_supported": []string{"openid", "profile", "email", "offline_access"}, "subject_types_supported": []string{"pairwise"},
	})
}

// problem is an error as the authority writes it.
type problem struct {
	status  int
	word    string
	code    int
	message string
}

func (s *Server) fail(w http.ResponseWriter, p problem) {
	reply(w, p.status, map[string]any{
		"error": p.word, "error_description": "AADSTS" + number(p.code) + ": " + p.message, "error_codes": []int{p.code},
		"timestamp": s.cfg.Now().UTC().Format("2006-01-02 15:04:05Z"), "trace_id": rand.Text(), "correlation_id": rand.Text(),
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
