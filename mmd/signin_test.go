package mmd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"bridge/mmd"
	"bridge/simulator"
)

// place is a simulated authority and vendor, over TLS.
type place struct {
	*testing.T
	world *simulator.World
	base  string
	http  *http.Client
}

func newPlace(t *testing.T) place {
	t.Helper()
	w := simulator.New(simulator.Config{})
	running, err := w.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(running.CA)
	return place{t, w, running.URL, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}}
}

func (p place) application() mmd.Application {
	return mmd.Application{
		Authority: p.url("/"), Tenant: simulator.Tenant, ClientID: simulator.ClientID, Scopes: []string{"https://api.test/.default"}, HTTP: p.http,
	}
}

func (p place) user(cache *mmd.TokenCache) mmd.UserContext {
	return mmd.UserContext{
		Authority: p.url("/"), Tenant: simulator.Tenant, ClientID: simulator.ClientID, Scopes: []string{"https://api.test/.default"}, HTTP: p.http, Cache: cache,
	}
}

func (p place) url(path string) *url.URL {
	p.Helper()
	u, err := url.Parse(p.base + path)
	if err != nil {
		p.Fatal(err)
	}
	return u
}

// reads lists the tickets with these tokens: the API's word on whether they are good.
func (p place) reads(tokens mmd.Tokens) error {
	p.Helper()
	c, err := mmd.New(mmd.Config{URL: p.url("/support/odata/v1/"), Tenant: simulator.Tenant, Tokens: tokens, Transport: p.http.Transport, Now: time.Now})
	if err != nil {
		p.Fatal(err)
	}
	for _, err := range c.Tickets.List(p.Context(), mmd.ListOptions{}) {
		return err
	}
	return nil
}

// identity makes a certificate with its key.
func identity(t *testing.T, until time.Time) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bridge"}, NotBefore: until.Add(-2 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestAnApplicationSignsInWithASecretOrACertificate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, key := identity(t, time.Now().Add(time.Hour))
	p.world.Authority.Trust(c)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, c, nil, "canary-password")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.LegacyDES.Encode(key, c, nil, "canary-password")
	if err != nil {
		t.Fatal(err)
	}
	issuer, _ := identity(t, time.Now().Add(-time.Hour)) // its end is not the application's
	bySecret := p.application()
	bySecret.Secret = simulator.ClientSecret
	wrong := p.application()
	wrong.Secret = "canary-secret"
	for name, tt := range map[string]struct {
		app   mmd.Application
		file  []byte
		wants error
	}{
		"a secret":                         {bySecret, nil, nil},
		"a secret that is wrong":           {wrong, nil, mmd.ErrSignIn},
		"a certificate, PEM with PKCS #8":  {p.application(), []byte(inPEM("PRIVATE KEY", pkcs8) + inPEM("CERTIFICATE", c.Raw)), nil},
		"a certificate, PEM with PKCS #1":  {p.application(), []byte(inPEM("CERTIFICATE", c.Raw) + inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))), nil},
		"a certificate, PFX":               {p.application(), pfx, nil},
		"a certificate, PFX of old tools":  {p.application(), legacy, nil},
		"a certificate behind its issuer":  {p.application(), []byte(inPEM("CERTIFICATE", issuer.Raw) + inPEM("CERTIFICATE", c.Raw) + inPEM("PRIVATE KEY", pkcs8)), nil},
		"a certificate that is a stranger": {p.application(), nil, mmd.ErrSignIn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error // its own: the others run beside it
			switch {
			case tt.file != nil:
				if tt.app.Certificate, err = mmd.ReadCertificate(tt.file, "canary-password"); err != nil {
					t.Fatal(err)
				}
			case tt.app.Secret == "":
				other, otherKey := identity(t, time.Now().Add(time.Hour))
				file := inPEM("CERTIFICATE", other.Raw) + inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(otherKey))
				if tt.app.Certificate, err = mmd.ReadCertificate([]byte(file), ""); err != nil {
					t.Fatal(err)
				}
			}
			tokens, err := mmd.NewApplicationTokens(tt.app, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			err = p.reads(tokens)
			if !errors.Is(err, tt.wants) || (tt.wants == nil) != (err == nil) {
				t.Errorf("it reads with %v, want %v", err, tt.wants)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret shows: %v", err)
			}
		})
	}
}

func TestACertificateThatCannotServeSaysWhy(t *testing.T) {
	t.Parallel()
	c, key := identity(t, time.Now().Add(time.Hour))
	_, stranger := identity(t, time.Now().Add(time.Hour))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	onCurve, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, c, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	cert, rsaKey := inPEM("CERTIFICATE", c.Raw), inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	for name, tt := range map[string]struct{ file, password, says string }{
		"nothing":                  {"", "", "neither PEM nor PFX"},
		"something else":           {"MZ\x90\x00 not a certificate", "", "neither PEM nor PFX"},
		"a certificate alone":      {cert, "", "holds no private key"},
		"a key alone":              {rsaKey, "", "holds no certificate"},
		"somebody else's key":      {cert + inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(stranger)), "", "belongs to none of its certificates"},
		"a key on a curve":         {cert + inPEM("PRIVATE KEY", onCurve), "", "takes RSA keys"},
		"an encrypted key":         {cert + inPEM("ENCRYPTED PRIVATE KEY", []byte("x")), "", "openssl pkcs12 -export"},
		"a damaged key":            {cert + inPEM("PRIVATE KEY", []byte("canary")), "", "its private key cannot be read"},
		"a damaged certificate":    {inPEM("CERTIFICATE", []byte("x")) + rsaKey, "", "its certificate cannot be read"},
		"PFX and a wrong password": {string(pfx), "wrong", "the password does not open it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mmd.ReadCertificate([]byte(tt.file), tt.password)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want it to say %q", err, tt.says)
			}
		})
	}
	old, oldKey := identity(t, time.Now().Add(-time.Hour))
	expired, err := mmd.ReadCertificate([]byte(inPEM("CERTIFICATE", old.Raw)+inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(oldKey))), "")
	if err != nil {
		t.Fatal(err)
	}
	app := newPlace(t).application()
	app.Certificate = expired
	if _, err := mmd.NewApplicationTokens(app, time.Now); err == nil || !strings.Contains(err.Error(), "has expired on "+old.NotAfter.UTC().Format(time.DateOnly)) {
		t.Errorf("an expired certificate: %v", err)
	}
}

func FuzzReadCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "")
	f.Add([]byte{0x30, 0x82}, "x")
	f.Fuzz(func(t *testing.T, content []byte, password string) {
		if c, err := mmd.ReadCertificate(content, password); (c == nil) == (err == nil) {
			t.Errorf("certificate %v, error %v", c, err)
		}
	})
}

const cacheKey = "canary-key-of-thirty-two-letters"

func TestAUserSignsInOnceAndIsRefreshedFromThenOn(t *testing.T) {
	t.Parallel()
	for name, signIn := range map[string]func(p place, u mmd.UserContext) (string, error){
		"on a device": func(p place, u mmd.UserContext) (string, error) {
			return mmd.SignInOnDevice(p.Context(), u, func(message string) {
				code := regexp.MustCompile(`\b[A-Z0-9]{8,9}\b`).FindString(message)
				if !p.world.Authority.Approve(code, "ada@contoso.example") {
					p.Errorf("no device shows the code of %q", message)
				}
			})
		},
		"in a browser": func(p place, u mmd.UserContext) (string, error) {
			return mmd.SignInInBrowser(p.Context(), u, func(address string) error { return browse(p.Context(), p.http, address) }, "ada@contoso.example")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			path := filepath.Join(t.TempDir(), "tokens")
			u := p.user(&mmd.TokenCache{Path: path, Key: cacheKey})
			before, err := mmd.NewUserTokens(u, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.reads(before); !errors.Is(err, mmd.ErrSignIn) || !strings.Contains(err.Error(), "bridge login") {
				t.Errorf("before anybody has signed in: %v", err)
			}
			if who, err := signIn(p, u); err != nil || who != "ada@contoso.example" {
				t.Fatalf("signed in as %q, %v", who, err)
			}
			if err := p.reads(before); err != nil {
				t.Errorf("the process that waited: %v", err)
			}
			// Another process begins with what the file holds.
			later, err := mmd.NewUserTokens(p.user(&mmd.TokenCache{Path: path, Key: cacheKey}), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			first, err := later.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			later.Refused(first)
			if second, err := later.Token(t.Context()); err != nil || second == first {
				t.Errorf("a token that was refused is given again (%v)", err)
			}
			if err := p.reads(later); err != nil {
				t.Errorf("refreshed without a person: %v", err)
			}
			sealed(t, path, p.world.Secrets())
			p.world.Authority.Revoke()
			token, err := later.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			later.Refused(token)
			if err := p.reads(later); !errors.Is(err, mmd.ErrSignIn) || !strings.Contains(err.Error(), "bridge login") {
				t.Errorf("after everything was revoked: %v", err)
			}
		})
	}
}

// sealed looks for what the file must not show, and at who may read it.
func sealed(t *testing.T, path string, secrets []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(secrets, "ada@contoso", "RefreshToken", cacheKey) {
		if secret != "" && strings.Contains(string(content), secret) {
			t.Errorf("the file shows %q", secret)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestATokenCacheThatCannotBeUsedIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := mmd.SignInInBrowser(t.Context(), p.user(&mmd.TokenCache{Path: good, Key: cacheKey}),
		func(address string) error { return browse(t.Context(), p.http, address) }, ""); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(string(content))
	changed[len(changed)-1] ^= 1
	for name, tt := range map[string]struct {
		content []byte
		mode    os.FileMode
		key     string
		says    string
	}{
		"another key":          {content, 0o600, "another-key-of-many-letters", "was made with another key, or was changed"},
		"a byte was changed":   {changed, 0o600, cacheKey, "was made with another key, or was changed"},
		"it was cut":           {content[:30], 0o600, cacheKey, "no token cache of this version"},
		"it is something else": {[]byte("{}"), 0o600, cacheKey, "no token cache of this version"},
		"others can read it":   {content, 0o640, cacheKey, "can be read by others (mode 0640)"},
		"the key is short":     {content, 0o600, "canary", "fewer than 16 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tokens")
			if err := os.WriteFile(path, tt.content, tt.mode); err != nil {
				t.Fatal(err)
			}
			tokens, err := mmd.NewUserTokens(p.user(&mmd.TokenCache{Path: path, Key: tt.key}), time.Now)
			if err == nil {
				_, err = tokens.Token(t.Context())
			}
			if !errors.Is(err, mmd.ErrTokenCache) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want it to say %q", err, tt.says)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(tt.content) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// browse does what a browser does: it goes where it is sent, or sends the form it is given.
func browse(ctx context.Context, c *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := c.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it is read below
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	action := regexp.MustCompile(`action="([^"]+)"`).FindSubmatch(page)
	if action == nil {
		return nil // it followed the redirect to us
	}
	form := url.Values{}
	for _, input := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllSubmatch(page, -1) {
		form.Set(string(input[1]), string(input[2]))
	}
	if request, err = http.NewRequestWithContext(ctx, http.MethodPost, string(action[1]), strings.NewReader(form.Encode())); err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	back, err := c.Do(request)
	if err != nil {
		return err
	}
	return back.Body.Close()
}
