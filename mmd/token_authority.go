package mmd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"bridge/rest"
)

// ErrSignIn says that the authority did not take the credentials.
var ErrSignIn = errors.New("the authority did not take the credentials")

const (
	// maxAnswer is more than any answer of an authority needs.
	maxAnswer = 1 << 20
	// maxSaid is how much of an authority's words an error repeats.
	maxSaid = 400
)

// busy is an authority that wants to be left alone for a while.
type busy struct {
	err  error
	wait time.Duration
}

func (b *busy) Error() string { return b.err.Error() }
func (b *busy) Unwrap() error { return b.err }

// direct is the way to the authority, and to nobody else: what is sent there are
// credentials, and a redirect would carry them on. Answers are read through a limit,
// which MSAL has not.
func direct(given *http.Client) *http.Client {
	own := http.Client{Transport: rest.Transport(nil), Timeout: time.Minute}
	if given != nil {
		own = *given
	}
	if own.Transport == nil {
		own.Transport = rest.Transport(nil)
	}
	own.Transport = narrow{own.Transport}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// narrow lets answers through up to a length.
type narrow struct{ inner http.RoundTripper }

func (n narrow) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := n.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

// microsofts says that an authority is one that Microsoft's instance discovery knows.
func microsofts(host string) bool {
	return strings.HasSuffix(host, ".microsoftonline.com") || strings.HasSuffix(host, ".microsoftonline.us") || strings.HasSuffix(host, ".partner.microsoftonline.cn")
}

// signInError tells credentials that are refused from an authority that is away. MSAL
// quotes whole answers in its errors, tokens included: of those, it keeps the
// authority's own words for what is wrong, and nothing else.
func signInError(now time.Time, host, secret string, err error) error {
	if call, ok := errors.AsType[msal.CallErr](err); ok && call.Resp != nil {
		status := call.Resp.StatusCode
		said, refused := refusal(call.Resp)
		said = withoutSecret(said, secret)
		if refused {
			return fmt.Errorf("sign in at %s: %w (%d)%s", host, ErrSignIn, status, said)
		}
		away := fmt.Errorf("sign in at %s: the authority answers %d%s", host, status, said)
		if wait := rest.Wait(call.Resp.Header, now); wait > 0 {
			return &busy{away, wait}
		}
		return away
	}
	if _, ok := errors.AsType[msal.InvalidJsonErr](err); ok {
		return fmt.Errorf("sign in at %s: the authority's answer cannot be read", host)
	}
	if text := err.Error(); withoutSecret(text, secret) != text {
		return fmt.Errorf("sign in at %s: %s", host, withoutSecret(text, secret))
	}
	return fmt.Errorf("sign in at %s: %w", host, err)
}

// refusal reads what an authority says is wrong, and whether that is the credentials.
func refusal(answer *http.Response) (said string, refused bool) {
	var problem struct {
		Word        string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		problem.Word, problem.Description = "", "" // a page that came from elsewhere
	}
	if said = strings.Join(strings.Fields(cmp.Or(problem.Description, problem.Word)), " "); said != "" {
		said = " " + said
	}
	if len(said) > maxSaid {
		said = strings.ToValidUTF8(said[:maxSaid], "") + "…"
	}
	switch problem.Word {
	case "temporarily_unavailable", "server_error": // of itself, not of who asks
		return said, false
	}
	return said, answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusBadRequest
}

// withoutSecret keeps the client's secret out of a text that quotes a request.
func withoutSecret(text, secret string) string {
	if secret == "" {
		return text
	}
	return strings.NewReplacer(secret, dots, url.QueryEscape(secret), dots).Replace(text)
}
