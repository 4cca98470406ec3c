package authority

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"time"
)

// code is what a browser brings back from signing in: good once, for ten minutes.
type code struct {
	who, scope, redirect, challenge string
	until                           time.Time
}

// device is one that waits for a person to sign in elsewhere.
type device struct {
	user, scope, who string
	until            time.Time
}

// authorize is where a browser goes: the user signs in without being asked anything, and
// the browser is sent back with a code.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || back.Host == "":
		s.fail(w, problem{http.StatusBadRequest, "invalid_request", 50011, "The redirect URI is missing or not valid."})
		return
	case q.Get("client_id") != s.cfg.ClientID:
		s.fail(w, problem{http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier was not found in the directory."})
		return
	case q.Get("response_type") != "code" || q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256":
		s.fail(w, problem{http.StatusBadRequest, "invalid_request", 9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption."})
		return
	}
	text := rand.Text()
	s.handed = append(s.handed, text)
	s.codes[text] = code{
		who: cmp.Or(q.Get("login_hint"), s.cfg.User), scope: q.Get("scope"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"),
		until: s.cfg.Now().Add(10 * time.Minute),
	}
	answer := url.Values{"code": {text}, "state": {q.Get("state")}, "session_state": {rand.Text()}}
	if q.Get("response_mode") == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<html><body onload="document.forms[0].submit()"><form method="post" action="%s">`, html.EscapeString(back.String())) //nolint:errcheck // the browser has gone
		for name := range answer {
			fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(answer.Get(name))) //nolint:errcheck // the browser has gone
		}
		fmt.Fprint(w, `</form></body></html>`) //nolint:errcheck // the browser has gone
		return
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // it signs in for any application that names itself
}

// byCode redeems a code, with the verifier that its challenge was made of.
func (s *Server) byCode(r *http.Request, endpoint string) (grant, *problem) {
	if p := s.application(r, endpoint, false); p != nil {
		return grant{}, p
	}
	text := r.PostForm.Get("code")
	c, known := s.codes[text]
	delete(s.codes, text)
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case !known || !s.cfg.Now().Before(c.until):
		return grant{}, &problem{http.StatusBadRequest, "invalid_grant", 70008, "The provided authorization code has expired, was used before or is not known."}
	case r.PostForm.Get("redirect_uri") != c.redirect:
		return grant{}, &problem{http.StatusBadRequest, "invalid_grant", 500112, "The reply address does not match the one of the authorization."}
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return grant{}, &problem{http.StatusBadRequest, "invalid_grant", 501481, "The Code_Verifier does not match the code_challenge."}
	}
	return grant{kind: access, who: c.who, scope: c.scope}, nil
}

// ask gives a device the code that a person is to type elsewhere.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, base string) {
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.PostForm.Get("client_id") != s.cfg.ClientID {
		s.fail(w, problem{http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier was not found in the directory."})
		return
	}
	d := &device{user: rand.Text()[:9], scope: r.PostForm.Get("scope"), until: s.cfg.Now().Add(15 * time.Minute)}
	if s.switches.Approve {
		d.who = s.cfg.User
	}
	text := rand.Text() + rand.Text()
	s.devices[text] = d
	s.handed = append(s.handed, text) // the code for a person is meant to be shown
	where := base + "/oauth2/deviceauth"
	reply(w, http.StatusOK, map[string]any{
		"device_code": text, "user_code": d.user, "verification_uri": where, "expires_in": 900, "interval": 5,
		"message": "To sign in, use a web browser to open the page " + where + " and enter the code " + d.user + " to authenticate.",
	})
}

// Approve signs a user in for the device that shows a code. false: no device does.
func (s *Server) Approve(userCode, upn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signIn(userCode, upn)
}

func (s *Server) signIn(userCode, upn string) bool {
	for _, d := range s.devices {
		if d.user == userCode && s.cfg.Now().Before(d.until) {
			d.who = cmp.Or(upn, s.cfg.User)
			return true
		}
	}
	return false
}

// approve is the page where a person types the code of a device.
func (s *Server) approve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if s.signIn(r.FormValue("code"), r.FormValue("user")) {
		fmt.Fprint(w, "<p>You have signed in. You may close this page.</p>") //nolint:errcheck // the browser has gone
		return
	}
	fmt.Fprint(w, `<form>Code: <input name="code"> <button>Sign in</button></form>`) //nolint:errcheck // the browser has gone
}

// byDevice redeems a device's code, as soon as a person has signed in.
func (s *Server) byDevice(r *http.Request) (grant, *problem) {
	text := r.PostForm.Get("device_code")
	d := s.devices[text]
	switch {
	case d == nil:
		return grant{}, &problem{http.StatusBadRequest, "bad_verification_code", 70000, "The device code is not known."}
	case !s.cfg.Now().Before(d.until):
		return grant{}, &problem{http.StatusBadRequest, "expired_token", 70020, "The device code has expired."}
	case d.who == "":
		return grant{}, &problem{http.StatusBadRequest, "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."}
	}
	delete(s.devices, text)
	return grant{kind: access, who: d.who, scope: d.scope}, nil
}
