package mmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"golang.org/x/sync/semaphore"
)

// UserContext says as which application a person signs in, where, and where that is kept.
type UserContext struct {
	Authority *url.URL
	Tenant    string
	ClientID  string
	Scopes    []string
	HTTP      *http.Client
	Cache     *TokenCache
}

// UserTokens gives tokens of the user context: see "Get access to API with user
// context". A person has signed in before, with SignInOnDevice or SignInInBrowser;
// from then on tokens are refreshed without one.
type UserTokens struct {
	keeper
	user   UserContext
	client public.Client
}

// NewUserTokens makes a source of tokens; it asks for none yet.
func NewUserTokens(user UserContext, now func() time.Time) (*UserTokens, error) {
	client, err := user.open()
	if err != nil {
		return nil, err
	}
	t := &UserTokens{user: user, client: client}
	t.keeper = keeper{one: semaphore.NewWeighted(1), now: now, get: t.refresh, forget: user.Cache.Forget}
	return t, nil
}

// errNobody says that a person has to sign in first.
var errNobody = errors.New("nobody has signed in: bridge login")

// refresh gets a token for the one who has signed in.
func (t *UserTokens) refresh(ctx context.Context) (string, time.Time, error) {
	token, expires, err := t.silently(ctx)
	if errors.Is(err, ErrSignIn) && t.user.Cache.moved() {
		// Another process was faster, and what there is to refresh with is good once:
		// the next one is in the file.
		token, expires, err = t.silently(ctx)
	}
	return token, expires, err
}

// silently gets a token by what the cache file holds.
func (t *UserTokens) silently(ctx context.Context) (string, time.Time, error) {
	accounts, err := t.client.Accounts(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read the token cache: %w", err)
	}
	if len(accounts) == 0 {
		return "", time.Time{}, fmt.Errorf("%w: %w", ErrSignIn, errNobody)
	}
	result, err := t.client.AcquireTokenSilent(ctx, t.user.Scopes, public.WithSilentAccount(accounts[0]))
	switch {
	case err == nil:
		return result.AccessToken, result.ExpiresOn, nil
	case err.Error() == "no token found": // MSAL has no type for it
		return "", time.Time{}, fmt.Errorf("%w: there is nothing to refresh with: bridge login", ErrSignIn)
	}
	if err = signInError(t.now(), t.user.Authority.Host, "", err); errors.Is(err, ErrSignIn) {
		err = fmt.Errorf("%w: bridge login signs in again", err)
	}
	return "", time.Time{}, err
}

// SignInOnDevice signs a person in who enters a code on another device: show gets the
// authority's message that says where and which. It gives the name of who signed in.
func SignInOnDevice(ctx context.Context, user UserContext, show func(message string)) (string, error) {
	client, err := user.open()
	if err != nil {
		return "", err
	}
	code, err := client.AcquireTokenByDeviceCode(ctx, user.Scopes)
	if err != nil {
		// No clock: nobody but the person waits.
		return "", signInError(time.Time{}, user.Authority.Host, "", err)
	}
	show(code.Result.Message)
	return user.signedIn(ctx, client, code.AuthenticationResult)
}

// SignInInBrowser signs a person in with a browser: open gets the address to go to,
// and the answer comes back to a loopback address of this machine (PKCE). The hint
// names who is expected to sign in; empty: anybody.
func SignInInBrowser(ctx context.Context, user UserContext, open func(address string) error, hint string) (string, error) {
	client, err := user.open()
	if err != nil {
		return "", err
	}
	return user.signedIn(ctx, client, func(ctx context.Context) (public.AuthResult, error) {
		return client.AcquireTokenInteractive(ctx, user.Scopes, public.WithOpenURL(open), public.WithLoginHint(hint))
	})
}

// signedIn waits for a person, and forgets who had signed in before: the cache is
// one person's.
func (u UserContext) signedIn(ctx context.Context, client public.Client, wait func(context.Context) (public.AuthResult, error)) (string, error) {
	result, err := wait(ctx)
	if err != nil {
		return "", signInError(time.Time{}, u.Authority.Host, "", err)
	}
	accounts, err := client.Accounts(ctx)
	if err != nil {
		return "", fmt.Errorf("read the token cache: %w", err)
	}
	for _, account := range accounts {
		if account.HomeAccountID == result.Account.HomeAccountID {
			continue
		}
		if err := client.RemoveAccount(ctx, account); err != nil {
			return "", fmt.Errorf("forget who had signed in before: %w", err)
		}
	}
	return result.Account.PreferredUsername, nil
}

// open makes MSAL's client on the cache.
func (u UserContext) open() (public.Client, error) {
	if u.Cache == nil {
		return public.Client{}, errors.New("a user's tokens need a cache")
	}
	if err := u.Cache.check(); err != nil {
		return public.Client{}, err
	}
	return public.New(u.ClientID, public.WithAuthority(u.Authority.JoinPath(u.Tenant).String()), public.WithHTTPClient(direct(u.HTTP)),
		public.WithCache(u.Cache), public.WithInstanceDiscovery(microsofts(u.Authority.Hostname())))
}
