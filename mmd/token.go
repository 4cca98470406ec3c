package mmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"golang.org/x/sync/semaphore"
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
	if err := app.Certificate.valid(now()); err != nil {
		return nil, err
	}
	app.HTTP = direct(app.HTTP)
	t := &ApplicationTokens{app: app}
	t.keeper = keeper{one: semaphore.NewWeighted(1), now: now, get: t.acquire, forget: t.renew, patience: time.Minute}
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
	if err := t.app.Certificate.valid(t.now()); err != nil { // it expires while the service runs
		return "", time.Time{}, fmt.Errorf("%w: %w", ErrSignIn, err)
	}
	result, err := t.client.AcquireTokenByCredential(ctx, t.app.Scopes)
	if err != nil {
		return "", time.Time{}, signInError(t.now(), t.app.Authority.Host, t.app.Secret, err)
	}
	return result.AccessToken, result.ExpiresOn, nil
}

// renew drops MSAL's own cache, which still holds the token that was refused.
func (t *ApplicationTokens) renew() {
	if client, err := t.fresh(); err == nil {
		t.client = client
	}
}

// keeper keeps a token until shortly before its end. MSAL keeps one until five
// minutes before its end; one that the server refuses is dropped, once for all who
// hold it.
type keeper struct {
	// one lets one caller ask; who waits for its turn may give up.
	one *semaphore.Weighted
	mu  sync.Mutex // of what is below, and never held while somebody is asked
	// token is in use until spent. refused: the server did not take the last one.
	token   string
	spent   time.Time
	refused bool
	// failed stands until then: the authority refused what the configuration says, or
	// wants to be left alone.
	failed error
	until  time.Time

	now func() time.Time
	// patience is how long credentials that were refused are not tried again.
	patience time.Duration
	// get asks for a token, forget drops what would give the same one again.
	get    func(ctx context.Context) (token string, expires time.Time, err error)
	forget func()
}

// Token gives the token that is in use, or gets one: one caller asks, the others wait.
func (k *keeper) Token(ctx context.Context) (string, error) {
	if token, err := k.current(); token != "" || err != nil {
		return token, err
	}
	if err := k.one.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer k.one.Release(1)
	if token, err := k.current(); token != "" || err != nil {
		return token, err // somebody was here before
	}
	if k.drop() {
		k.forget()
	}
	token, expires, err := k.get(ctx)
	if err != nil {
		k.fail(err)
		return "", err
	}
	k.keep(token, expires)
	return token, nil
}

// current gives the token while it may be used, or why there is none while that is to
// be heeded.
func (k *keeper) current() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	switch {
	case k.token != "" && now.Before(k.spent):
		return k.token, nil
	case k.failed != nil && now.Before(k.until):
		if _, waits := errors.AsType[*busy](k.failed); waits {
			return "", &busy{k.failed, k.until.Sub(now)}
		}
		return "", k.failed
	}
	return "", nil
}

// fail remembers a failure after which asking again at once is of no use.
func (k *keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed, k.until = err, time.Time{}
	if b, waits := errors.AsType[*busy](err); waits {
		k.until = k.now().Add(b.wait)
	} else if errors.Is(err, ErrSignIn) {
		k.until = k.now().Add(k.patience)
	}
}

// drop says that the last token was refused, once.
func (k *keeper) drop() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.refused
	k.refused = false
	return was
}

// keep takes a token into use up to shortly before its end; a short one for half its life.
func (k *keeper) keep(token string, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.token, k.failed = token, nil
	life := expires.Sub(k.now())
	k.spent = k.now().Add(max(life-5*time.Minute, life/2))
}

// Refused drops a token that the server did not take, if it is still the one in use.
func (k *keeper) Refused(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if token == k.token && token != "" { // else somebody was here before
		k.token, k.refused = "", true
	}
}
