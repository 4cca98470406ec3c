package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair makes a certificate that signs itself, and its key, as PEM.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bridge"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// withTLS is base with something under itsm.tls.
func withTLS(keys string) string {
	return strings.Replace(base, "\nmmd:", "\n  tls: { "+keys+" }\nmmd:", 1)
}

func TestTheCAFileDecidesWhoIsTrusted(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for _, tt := range []struct {
		name, text string
		trusted    bool
	}{
		{"a server that ca_file names", withTLS("ca_file: ca.pem"), true},
		{"the same server without it", base, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "ca.pem"), ca)
			c, err := loadIn(t, dir, tt.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.ITSM.TLS}}
			defer client.CloseIdleConnections()
			reply, err := client.Get(server.URL)
			if err == nil {
				defer reply.Body.Close() //nolint:errcheck // it is empty
			}
			if (err == nil) != tt.trusted {
				t.Errorf("trusted: %v, want %v (%v)", err == nil, tt.trusted, err)
			}
		})
	}
}

func TestTheSystemsRootsStayTrusted(t *testing.T) {
	t.Parallel()
	ca, _ := pair(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.pem"), ca)
	c, err := loadIn(t, dir, withTLS("ca_file: ca.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want.AppendCertsFromPEM([]byte(ca))
	if !c.ITSM.TLS.RootCAs.Equal(want) {
		t.Error("the roots are not the system's and ca_file's")
	}
	if c.MMD.TLS.RootCAs != nil {
		t.Error("one side's ca_file is trusted for the other")
	}
}

func TestTLSIsNewEnoughAndVerified(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "c.pem"), certificate)
	write(t, filepath.Join(dir, "k.pem"), key)
	c, err := loadIn(t, dir, withTLS("client_cert_file: c.pem, client_key_file: k.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for side, config := range map[string]*tls.Config{"itsm": c.ITSM.TLS, "mmd": c.MMD.TLS} {
		if config.MinVersion != tls.VersionTLS12 || config.InsecureSkipVerify {
			t.Errorf("%s: version %x, skips verification: %v", side, config.MinVersion, config.InsecureSkipVerify)
		}
	}
	if len(c.ITSM.TLS.Certificates) != 1 || len(c.MMD.TLS.Certificates) != 0 {
		t.Error("the client certificate is not the one side's alone")
	}
}

func TestBadCertificatesAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	other, _ := pair(t)
	for _, tt := range []struct{ name, keys, want string }{
		{"no PEM at all", "ca_file: text", "bridge.yaml:4:19: ca_file text holds no certificate in PEM form"},
		{"a key of another", "client_cert_file: other, client_key_file: k.pem", "bridge.yaml:4:28: client_cert_file and client_key_file are no pair"},
		{"a key that is not there", "client_cert_file: c.pem, client_key_file: none", "bridge.yaml:4:52: client_key_file none cannot be read"},
		{"a key alone", "client_key_file: k.pem", "bridge.yaml:4:27: itsm.tls.client_key_file needs itsm.tls.client_cert_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{"c.pem": certificate, "k.pem": key, "other": other, "text": "no"} {
				write(t, filepath.Join(dir, name), text)
			}
			_, err := loadIn(t, dir, withTLS(tt.keys), nil)
			if got := said(err); !strings.HasPrefix(got, tt.want) || strings.Contains(got, key) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
