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

// Application says which application signs in, where, and with what: a secret, or a
// certificate.
type Application struct {
	Authority   *url.URL // https://login.microsoftonline.com/
	Tenant      string
	ClientID    string
	Secret      string
	Certificate *Certificate
	Scopes      []string
	HTTP        *http.Client
}

// ApplicationTokens gives tokens of the application context: see "Get access to
// API with application context". The grant is client_credentials, whatever the
// document calls it.
type ApplicationTokens struct {
	keeper
	app    Application
	client confidential.Client
}

// NewApplicationTokens makes a source of tokens; it asks for none yet.
func NewApplicationTokens(app Application, now func() time.Time) (*ApplicationTokens, error) {
	if app.Certificate != nil {
		if err := app.Certificate.valid(now()); err != nil {
			return nil, err
		}
	}
	t := &ApplicationTokens{app: app}
	t.keeper = keeper{now: now, get: t.acquire, forget: t.renew}
	client, err := t.fresh()
	t.client = client
	return t, err
}

func (t *ApplicationTokens) fresh() (confidential.Client, error) {
	credential, err := t.app.credential()
	if err != nil {
		return confidential.Client{}, err
	}
	authority := t.app.Authority.JoinPath(t.app.Tenant).String()
	return confidential.New(authority, t.app.ClientID, credential,
		confidential.WithHTTPClient(t.app.HTTP), confidential.WithInstanceDiscovery(microsofts(t.app.Authority.Hostname())))
}

// credential is what the application proves itself with.
func (a Application) credential() (confidential.Credential, error) {
	if a.Certificate != nil {
		return confidential.NewCredFromCert(a.Certificate.chain, a.Certificate.key)
	}
	return confidential.NewCredFromSecret(a.Secret)
}

func (t *ApplicationTokens) acquire(ctx context.Context) (string, time.Time, error) {
	result, err := t.client.AcquireTokenByCredential(ctx, t.app.Scopes)
	if err != nil {
		return "", time.Time{}, signInError(t.app.Authority.Host, t.app.Secret, err)
	}
	return result.AccessToken, result.ExpiresOn, nil
}

// renew drops MSAL's own cache, which still holds the token that was refused.
func (t *ApplicationTokens) renew() {
	if client, err := t.fresh(); err == nil {
		t.client = client
	}
}

// microsofts says that an authority is one that Microsoft's instance discovery knows.
func microsofts(host string) bool {
	return strings.HasSuffix(host, ".microsoftonline.com") || strings.HasSuffix(host, ".microsoftonline.us") || strings.HasSuffix(host, ".partner.microsoftonline.cn")
}

// keeper keeps a token until shortly before its end. MSAL keeps one until five
// minutes before its end; one that the server refuses is dropped, once for all who
// hold it.
type keeper struct {
	mu    sync.Mutex
	token string
	spent time.Time
	now   func() time.Time
	// get asks for a token, forget drops what would give the same one again.
	get    func(ctx context.Context) (token string, expires time.Time, err error)
	forget func()
}

// Token gives the token that is in use, or gets one: one caller asks, the others wait.
func (k *keeper) Token(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.token != "" && k.now().Before(k.spent) {
		return k.token, nil
	}
	token, expires, err := k.get(ctx)
	if err != nil {
		return "", err
	}
	k.token = token
	// A token is used up to shortly before its end; a short one for half its life.
	life := expires.Sub(k.now())
	k.spent = k.now().Add(max(life-5*time.Minute, life/2))
	return k.token, nil
}

// Refused drops a token that the server did not take, if it is still the one in use.
func (k *keeper) Refused(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if token != k.token {
		return // somebody was here before
	}
	k.token = ""
	k.forget()
}

// ErrSignIn says that the authority did not take the credentials.
var ErrSignIn = errors.New("the authority did not take the credentials")

// signInError tells credentials that are refused from an authority that is away.
func signInError(host, secret string, err error) error {
	err = withoutSecret(err, secret)
	var call msal.CallErr
	if errors.As(err, &call) && call.Resp != nil && (call.Resp.StatusCode == http.StatusUnauthorized || call.Resp.StatusCode == http.StatusBadRequest) {
		var said struct {
			Description string `json:"error_description"`
		}
		if text := err.Error(); strings.Contains(text, "{") {
			_ = json.NewDecoder(strings.NewReader(text[strings.IndexByte(text, '{'):])).Decode(&said)
		}
		return fmt.Errorf("sign in at %s: %w (%d) %s", host, ErrSignIn, call.Resp.StatusCode, said.Description)
	}
	return fmt.Errorf("sign in at %s: %w", host, err)
}

// withoutSecret keeps the client's secret out of an error that quotes a request.
func withoutSecret(err error, secret string) error {
	if secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), secret, dots))
}
