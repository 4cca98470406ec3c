package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	main "bridge/cmd/bridge"
)

// browser reads which address the command shows, and goes there.
type browser struct {
	client *http.Client
	said   bytes.Buffer
	went   chan error
}

// newBrowser trusts the stage's authority.
func newBrowser(s *stage) *browser {
	s.Helper()
	ca, err := os.ReadFile(filepath.Join(filepath.Dir(s.config), "ca.pem"))
	if err != nil {
		s.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &browser{client: &http.Client{Transport: transport, Timeout: 30 * time.Second}, went: make(chan error, 1)}
}

func (b *browser) Write(text []byte) (int, error) {
	b.said.Write(text)
	if address, found := strings.CutPrefix(string(text), "Sign in at "); found {
		go func() { b.went <- b.visit(strings.TrimSpace(address)) }()
	}
	return len(text), nil
}

// visit goes to an address, and sends the form that it is given.
func (b *browser) visit(address string) error {
	answer, err := b.client.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	action := regexp.MustCompile(`action="([^"]+)"`).FindSubmatch(page)
	if action == nil {
		return nil // it was sent back by a redirect
	}
	form := url.Values{}
	for _, input := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllSubmatch(page, -1) {
		form.Set(string(input[1]), string(input[2]))
	}
	back, err := b.client.PostForm(string(action[1]), form)
	if err != nil {
		return err
	}
	return back.Body.Close()
}

func TestAPersonSignsInWithABrowser(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ browser, told string }{
		"that the command opens":           {"true", "\n"},
		"that the person opens themselves": {filepath.Join(t.TempDir(), "none"), "open the address yourself\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.env["BROWSER"] = tt.browser
			s.authAs("type: user", "token_cache_file: tokens", "token_cache_key: canary-key-of-thirty-two-letters")
			if out := s.must(1, "mmd", "tickets"); !strings.HasSuffix(out, ": bridge login\n") || strings.Count(out, "\n") != 1 {
				t.Errorf("it says %s", out)
			}
			b := newBrowser(s)
			var out bytes.Buffer
			code := main.Run(t.Context(), &out, b, s.env, "login", "--browser", "--user", "bea@contoso.example", "--config", s.config)
			if err := <-b.went; err != nil {
				t.Fatal(err)
			}
			want := "signed in as bea@contoso.example; kept in " + filepath.Join(filepath.Dir(s.config), "tokens") + "\n"
			if code != 0 || out.String() != want || !strings.HasSuffix(b.said.String(), tt.told) {
				t.Fatalf("login ended with %d\n%s%s", code, &out, &b.said)
			}
			s.must(0, "mmd", "tickets")
		})
	}
}

func TestAPersonWhoIsNotTheExpectedOneIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.authAs("type: user", "token_cache_file: tokens", "token_cache_key: canary-key-of-thirty-two-letters")
	p := &person{stage: s}
	var out bytes.Buffer
	code := main.Run(t.Context(), &out, p, s.env, "login", "--device", "--user", "bea@contoso.example", "--config", s.config)
	if code != 0 || !strings.HasSuffix(p.said.String(), "this is not bea@contoso.example: bridge login again to change it\n") {
		t.Errorf("login ended with %d\n%s%s", code, &out, &p.said)
	}
	if out := s.must(2, "login", "--device", "--browser"); !strings.Contains(out, "none of the others can be") {
		t.Errorf("it says %s", out)
	}
}
