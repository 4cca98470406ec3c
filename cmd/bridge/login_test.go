package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	main "bridge/cmd/bridge"
)

// person reads what the command says, and enters the code on a device.
type person struct {
	*stage
	said bytes.Buffer
}

func (p *person) Write(text []byte) (int, error) {
	p.said.Write(text)
	if code := regexp.MustCompile(`\b[A-Z0-9]{8,9}\b`).FindString(p.said.String()); code != "" {
		p.world.Authority.Approve(code, "ada@contoso.example")
	}
	return len(text), nil
}

// authAs changes how the stage signs in to the vendor.
func (s *stage) authAs(lines ...string) {
	s.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^    client_secret_file: .*mmd.*$`).ReplaceAllString(string(text), "    "+strings.Join(lines, "\n    "))
	changed = strings.Replace(changed, "type: client_secret", "", 1)
	if changed == string(text) {
		s.Fatalf("no secret to change in\n%s", text)
	}
	if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
		s.Fatal(err)
	}
}

func TestAPersonSignsInAndTheBridgeRunsForThem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.says(2, "only a user signs in by hand", "login")
	s.authAs("type: user", "token_cache_file: tokens", "token_cache_key: canary-key-of-thirty-two-letters")
	s.says(1, "bridge login", "run", "--once")
	p := &person{stage: s}
	var out bytes.Buffer
	if code := main.Run(context.Background(), &out, p, s.env, "login", "--config", s.config); code != 0 || !strings.Contains(out.String(), "signed in as ada@contoso.example") {
		t.Fatalf("login ended with %d\n%s%s", code, out.String(), p.said.String())
	}
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
	s.world.Authority.Revoke()
	if out := s.must(1, "mmd", "tickets"); strings.Contains(out, "canary") {
		t.Errorf("a secret shows: %s", out)
	}
}

func TestAnApplicationRunsWithItsCertificate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bridge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(s.config), "app.pem")
	write := func(blocks ...*pem.Block) {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.authAs("type: client_certificate", "certificate_file: app.pem")
	s.says(2, "app.pem: it holds no private key", "run", "--once")
	write(&pem.Block{Type: "CERTIFICATE", Bytes: der}, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.says(1, "the authority did not take the credentials", "run", "--once")
	s.world.Authority.Trust(c)
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
}
