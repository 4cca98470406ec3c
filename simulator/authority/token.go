package authority

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The kinds of token.
const (
	access  = "access"
	refresh = "refresh"
)

func number(n int) string { return strconv.Itoa(n) }

// token answers both token endpoints: which grant, then whether it is good.
func (s *Server) token(w http.ResponseWriter, r *http.Request, endpoint string) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		s.fail(w, problem{http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests."})
		return
	}
	var g grant
	var p *problem
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		g, p = s.byApplication(r, endpoint)
	case "authorization_code":
		g, p = s.byCode(r, endpoint)
	case "refresh_token":
		g, p = s.byRefresh(r)
	case "device_code", "urn:ietf:params:oauth:grant-type:device_code":
		g, p = s.byDevice(r)
	default:
		p = &problem{http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."}
	}
	if p == nil && s.switches.Deny {
		p = &problem{http.StatusBadRequest, "invalid_grant", 65001, "The user or administrator has not consented to use the application."}
	}
	if p != nil {
		s.fail(w, *p)
		return
	}
	s.grant(w, g, strings.HasSuffix(endpoint, "/oauth2/token"))
}

// byApplication is client credentials: a secret, or an assertion that was signed.
func (s *Server) byApplication(r *http.Request, endpoint string) (grant, *problem) {
	if p := s.application(r, endpoint, true); p != nil {
		return grant{}, p
	}
	scope := r.PostForm.Get("scope")
	if scope == "" {
		scope = r.PostForm.Get("resource")
	}
	if strings.HasSuffix(endpoint, "/v2.0/token") && !strings.HasSuffix(strings.Fields(scope + " -")[0], "/.default") {
		return grant{}, &problem{http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."}
	}
	return grant{kind: access, who: s.cfg.ClientID, scope: scope}, nil
}

// application checks who the application is; a public client says no more than its id.
func (s *Server) application(r *http.Request, endpoint string, confidential bool) *problem {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, secret = user, password
	}
	if id != s.cfg.ClientID {
		return &problem{http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier was not found in the directory."}
	}
	if assertion := r.PostForm.Get("client_assertion"); assertion != "" {
		if err := s.verify(assertion, endpoint); err != nil {
			return &problem{http.StatusUnauthorized, "invalid_client", 700027, "The assertion is not valid: " + err.Error() + "."}
		}
		return nil
	}
	if secret == "" && !confidential {
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(s.cfg.ClientSecret)) != 1 {
		return &problem{http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided."}
	}
	return nil
}

// byRefresh takes a token to refresh with, once: the answer carries the next.
func (s *Server) byRefresh(r *http.Request) (grant, *problem) {
	if p := s.application(r, "", false); p != nil {
		return grant{}, p
	}
	text := r.PostForm.Get("refresh_token")
	g := s.tokens[text]
	if g.kind != refresh || !s.cfg.Now().Before(g.until) {
		return grant{}, &problem{http.StatusBadRequest, "invalid_grant", 70008, "The refresh token has expired or was revoked."}
	}
	delete(s.tokens, text)
	return g, nil
}

// grant writes down an access token and hands it over; users get one to refresh with,
// and say who they are.
func (s *Server) grant(w http.ResponseWriter, g grant, first bool) {
	life := s.switches.Life
	if life == 0 {
		life = time.Hour
	}
	out := map[string]any{"token_type": "Bearer", "access_token": s.note(grant{access, g.who, g.scope, s.cfg.Now().Add(life)})}
	s.given++
	seconds := int(life.Seconds())
	out["expires_in"], out["ext_expires_in"] = seconds, seconds
	if first { // the first generation writes numbers as texts
		out["expires_in"], out["ext_expires_in"] = number(seconds), number(seconds)
	}
	if g.who != s.cfg.ClientID {
		out["scope"] = resources(g.scope)
		out["id_token"] = s.identity(g.who)
		out["client_info"] = encode(map[string]string{"uid": subject(g.who), "utid": s.cfg.Tenant})
		if strings.Contains(" "+g.scope+" ", " offline_access ") {
			out["refresh_token"] = s.note(grant{refresh, g.who, g.scope, s.cfg.Now().Add(90 * 24 * time.Hour)})
		}
	}
	reply(w, http.StatusOK, out)
}

// resources leaves out of a scope what is not about a resource.
func resources(scope string) string {
	var out []string
	for word := range strings.FieldsSeq(scope) {
		if word != "openid" && word != "offline_access" && word != "profile" {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

// note writes a new token down.
func (s *Server) note(g grant) string {
	text := g.kind + "-" + rand.Text() + rand.Text()
	s.tokens[text] = g
	s.handed = append(s.handed, text)
	return text
}

// identity is an id token. Nobody here verifies one: it says who signed in, and carries
// no signature worth the name.
func (s *Server) identity(upn string) string {
	now := s.cfg.Now()
	return encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." + encode(map[string]any{
		"aud": s.cfg.ClientID, "iss": "https://login.example/" + s.cfg.Tenant + "/v2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"name": upn, "preferred_username": upn, "upn": upn, "oid": subject(upn), "sub": subject(upn), "tid": s.cfg.Tenant, "ver": "2.0",
	}) + "."
}

// subject is a stable identifier of a user.
func subject(upn string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("user " + upn))
}

func encode(v any) string {
	raw, _ := json.Marshal(v) //nolint:errchkjson // texts and numbers
	return base64.RawURLEncoding.EncodeToString(raw)
}
