package itsm

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is what the token endpoint gave.
type token struct {
	text, kind string
	until      time.Time
}

// meter counts the calls of an hour.
type meter struct {
	hour  time.Time
	calls int
}

// sign writes what every answer of an instance carries, a session for who has none.
func (s *Server) sign(q *request) {
	s.calls++
	q.header.Set("X-Transaction-Id", strconv.FormatInt(0xc2e8b1900000+s.calls, 16))
	if _, err := q.Cookie("JSESSIONID"); err != nil {
		session := strconv.FormatInt(0x5e5510000000+s.calls, 16)
		s.handed = append(s.handed, session)
		q.header.Add("Set-Cookie", "JSESSIONID="+session+"; Path=/; HttpOnly; SameSite=None; Secure")
		q.header.Add("Set-Cookie", "glide_user_route=glide.f6d1; Max-Age=2147483647; Path=/; HttpOnly; Secure")
	}
}

// admitted looks at the four ways to sign in, and at the certificate where one is asked for.
func (s *Server) admitted(q *request) bool {
	if s.switches.ClientCertificate && (q.TLS == nil || len(q.TLS.VerifiedChains) == 0) {
		return false
	}
	if user, password, ok := q.BasicAuth(); ok {
		return !s.switches.NoBasic && same(user, s.cfg.Username) && same(password, s.cfg.Password)
	}
	if key := q.Header.Get("X-Sn-Apikey"); key != "" {
		return !s.switches.NoKey && same(key, s.cfg.Key)
	}
	text, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	t := s.tokens[text]
	return ok && t.kind == "access" && s.cfg.Now().Before(t.until)
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// tooMany answers for the rate rule, if there is one and it is broken.
func (s *Server) tooMany(q *request) bool {
	limit := s.switches.RatePerHour
	if limit <= 0 {
		return false
	}
	now := s.cfg.Now()
	if hour := now.Truncate(time.Hour); !hour.Equal(s.meter.hour) {
		s.meter = meter{hour: hour}
	}
	s.meter.calls++
	reset := s.meter.hour.Add(time.Hour)
	q.header.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	q.header.Set("X-Ratelimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	q.header.Set("X-Ratelimit-Rule", "a9a4c2d5c0a8016400d5b2f4b2d1e7f0")
	if s.meter.calls <= limit {
		return false
	}
	q.header.Set("Retry-After", strconv.Itoa(int(reset.Sub(now).Seconds())+1))
	q.fail(http.StatusTooManyRequests, "Rate limit exceeded", "Rate limit of "+strconv.Itoa(limit)+" requests per hour for Table API exceeded")
	return true
}

// EndTokens makes all tokens worthless.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// token answers /oauth_token.do: the same tokens while they live, and one answer for
// nearly everything that is wrong.
func (s *Server) token(q *request) {
	if q.Method != http.MethodPost || q.ParseForm() != nil || !strings.HasPrefix(q.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		q.json(http.StatusUnauthorized, map[string]string{"error_description": "unspecified error", "error": "invalid_request"})
		return
	}
	form := q.PostForm
	ok := same(form.Get("client_id"), s.cfg.ClientID) && same(form.Get("client_secret"), s.cfg.ClientSecret)
	refresh := true
	switch form.Get("grant_type") {
	case "client_credentials":
		ok, refresh = ok && !s.switches.NoClientGrant, false
	case "password":
		ok = ok && !s.switches.NoPasswordGrant && same(form.Get("username"), s.cfg.Username) && same(form.Get("password"), s.cfg.Password)
	case "refresh_token":
		t := s.tokens[form.Get("refresh_token")]
		ok = ok && t.kind == "refresh" && s.cfg.Now().Before(t.until)
	default:
		ok = false
	}
	if !ok {
		q.json(http.StatusUnauthorized, map[string]string{"error_description": "access_denied", "error": "server_error"})
		return
	}
	life := s.switches.TokenLife
	if life == 0 {
		life = 30 * time.Minute
	}
	access := s.give("access", life)
	out := map[string]any{
		"access_token": access.text, "scope": "useraccount", "token_type": "Bearer", "expires_in": int(access.until.Sub(s.cfg.Now()).Seconds()),
	}
	if refresh {
		out["refresh_token"] = s.give("refresh", 100*24*time.Hour).text
	}
	q.json(http.StatusOK, out)
}

// give finds the token of a kind that still lives, or makes one.
func (s *Server) give(kind string, life time.Duration) token {
	now := s.cfg.Now()
	for text, t := range s.tokens {
		switch {
		case !now.Before(t.until):
			delete(s.tokens, text)
		case t.kind == kind:
			return t
		}
	}
	raw := make([]byte, 24)
	rand.Read(raw)
	t := token{hex.EncodeToString(raw), kind, now.Add(life)}
	s.tokens[t.text] = t
	s.handed = append(s.handed, t.text)
	return t
}

// Secrets gives the tokens and sessions that were ever given: what must be found in no
// log, for it was written while they were good.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handed)
}
