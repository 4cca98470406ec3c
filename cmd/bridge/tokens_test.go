package main_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	main "bridge/cmd/bridge"
)

// pfx is a certificate with its key in a PFX file, which the authority knows.
func (s *stage) pfx(password string, until time.Time) []byte {
	s.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "bridge"}, NotBefore: until.Add(-time.Hour * 24 * 365), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.Fatal(err)
	}
	file, err := pkcs12.Modern.Encode(key, c, nil, password)
	if err != nil {
		s.Fatal(err)
	}
	s.world.Authority.Trust(c)
	return file
}

// put writes a file beside bridge.yaml.
func (s *stage) put(name string, content []byte) string {
	s.Helper()
	path := filepath.Join(filepath.Dir(s.config), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

func TestAnApplicationRunsWithAPFXFile(t *testing.T) {
	t.Parallel()
	const password = "canary-password"
	s := newStage(t)
	ended := time.Now().Add(-48 * time.Hour)
	s.authAs("type: client_certificate", "certificate_file: app.crt", "certificate_password_file: password") // its content tells what it is
	s.put("password", []byte(password+"\n"))
	s.world.Incident(s.users, "Laptop does not start", nil)
	for _, tt := range []struct {
		file []byte
		code int
		says []string
	}{
		{[]byte("nothing of the kind"), 2, []string{"mmd.auth", "app.crt", "neither PEM nor PFX"}},
		{s.pfx("another-canary", time.Now().Add(time.Hour)), 2, []string{"mmd.auth", "app.crt", "the password does not open it"}},
		{s.pfx(password, ended), 2, []string{"mmd.auth", "app.crt", "has expired on " + ended.UTC().Format(time.DateOnly)}},
		{s.pfx(password, time.Now().Add(time.Hour)), 0, []string{" created=1 "}},
	} {
		s.put("app.crt", tt.file)
		out := s.must(tt.code, "run", "--once")
		for _, want := range tt.says {
			if !strings.Contains(out, want) {
				t.Errorf("it does not say %q: %s", want, out)
			}
		}
		if strings.Contains(out, "canary") {
			t.Errorf("a secret shows: %s", out)
		}
	}
	if n := len(s.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

func TestATokenCacheThatCannotBeUsedStopsTheRunBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.authAs("type: user", "token_cache_file: tokens", "token_cache_key_file: key")
	s.put("key", []byte("canary-key-of-thirty-two-letters"))
	s.world.Incident(s.users, "Laptop does not start", nil)
	p := &person{stage: s}
	s.login(p, 0)
	path := filepath.Join(filepath.Dir(s.config), "tokens")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil func()
		says  string
	}{
		"another key":         {func() { s.put("key", []byte("another-canary-of-many-letters")) }, "was made with another key, or was changed"},
		"a short key":         {func() { s.put("key", []byte("canary")) }, "fewer than 16 characters"},
		"a file that was cut": {func() { s.put("tokens", whole[:len(whole)-9]) }, "was made with another key, or was changed"},
		"a file for others":   {func() { s.mode(path, 0o644) }, "can be read by others (mode 0644): chmod 600"},
	} {
		tt.spoil()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.world.Faults.Keep()
		out := s.must(2, "run", "--once") + s.login(p, 1)
		if strings.Count(out, tt.says) != 2 || strings.Contains(out, "canary") {
			t.Errorf("%s: it says %s", name, out)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
		if n := len(s.world.Faults.Log()); n != 0 {
			t.Errorf("%s: %d requests were sent", name, n)
		}
		s.put("key", []byte("canary-key-of-thirty-two-letters"))
		s.put("tokens", whole)
		s.mode(path, 0o600)
	}
	s.must(0, "run", "--once")
}

// login signs in on a device, and gives what the command said.
func (s *stage) login(p *person, want int) string {
	s.Helper()
	p.said.Reset()
	var out strings.Builder
	code := main.Run(s.Context(), &out, p, s.env, "login", "--config", s.config)
	if code != want {
		s.Fatalf("bridge login ended with %d, want %d\n%s%s", code, want, out.String(), p.said.String())
	}
	return out.String() + p.said.String()
}

// mode changes who may read a file.
func (s *stage) mode(path string, mode os.FileMode) {
	s.Helper()
	if err := os.Chmod(path, mode); err != nil {
		s.Fatal(err)
	}
}
