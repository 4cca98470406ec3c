package mmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
)

// Application says which application signs in, and where.
type Application struct {
	Authority *url.URL // https://login.microsoftonline.com/
	Tenant    string
	ClientID  string
	Secret    string
	Scopes    []string
	HTTP      *http.Client
}

// ApplicationTokens gives tokens of the application context: see "Get access to
// API with application context". The grant is client_credentials, whatever the
// document calls it. MSAL keeps a token until five minutes before its end; one
// that the server refuses is dropped, once for all who hold it.
type ApplicationTokens struct {
	app    Application
	mu     sync.Mutex
	client confidential.Client
	token  string
	spent  time.Time
	now    func() time.Time
}

// NewApplicationTokens makes a source of tokens; it asks for none yet.
func NewApplicationTokens(app Application, now func() time.Time) (*ApplicationTokens, error) {
	t := &ApplicationTokens{app: app, now: now}
	client, err := t.fresh()
	t.client = client
	return t, err
}

func (t *ApplicationTokens) fresh() (confidential.Client, error) {
	credential, err := confidential.NewCredFromSecret(t.app.Secret)
	if err != nil {
		return confidential.Client{}, err
	}
	authority := t.app.Authority.JoinPath(t.app.Tenant).String()
	return confidential.New(authority, t.app.ClientID, credential,
		confidential.WithHTTPClient(t.app.HTTP), confidential.WithInstanceDiscovery(microsofts(t.app.Authority.Hostname())))
}

// microsofts says that an authority is one that Microsoft's instance discovery knows.
func microsofts(host string) bool {
	return strings.HasSuffix(host, ".microsoftonline.com") || strings.HasSuffix(host, ".microsoftonline.us") || strings.HasSuffix(host, ".partner.microsoftonline.cn")
}

// Token gives the token that is in use, or gets one: one caller asks, the others wait.
func (t *ApplicationTokens) Token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.now().Before(t.spent) {
		return t.token, nil
	}
	result, err := t.client.AcquireTokenByCredential(ctx, t.app.Scopes)
	if err != nil {
		return "", signInError(t.app, err)
	}
	t.token = result.AccessToken
	// A token is used up to shortly before its end; a short one for half its life.
	life := result.ExpiresOn.Sub(t.now())
	t.spent = t.now().Add(max(life-5*time.Minute, life/2))
	return t.token, nil
}

// Refused drops a token that the server did not take, if it is still the one in use.
func (t *ApplicationTokens) Refused(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token != t.token {
		return // somebody was here before
	}
	t.token = ""
	if client, err := t.fresh(); err == nil { // MSAL's own cache still holds it
		t.client = client
	}
}

// ErrSignIn says that the authority did not take the credentials.
var ErrSignIn = errors.New("the authority did not take the credentials")

// signInError tells credentials that are refused from an authority that is away.
func signInError(app Application, err error) error {
	err = withoutSecret(err, app.Secret)
	var call msal.CallErr
	if errors.As(err, &call) && call.Resp != nil && (call.Resp.StatusCode == http.StatusUnauthorized || call.Resp.StatusCode == http.StatusBadRequest) {
		var said struct {
			Description string `json:"error_description"`
		}
		if text := err.Error(); strings.Contains(text, "{") {
			_ = json.NewDecoder(strings.NewReader(text[strings.IndexByte(text, '{'):])).Decode(&said)
		}
		return fmt.Errorf("sign in at %s: %w (%d) %s", app.Authority.Host, ErrSignIn, call.Resp.StatusCode, said.Description)
	}
	return fmt.Errorf("sign in at %s: %w", app.Authority.Host, err)
}

// withoutSecret keeps the client's secret out of an error that quotes a request.
func withoutSecret(err error, secret string) error {
	if secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), secret, dots))
}
