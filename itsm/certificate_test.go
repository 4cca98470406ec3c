package itsm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"bridge/itsm"
	"bridge/rest"
)

// issued is a certificate for a client, signed by itself, and what trusts it.
func issued(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestAnInstanceThatDemandsAClientCertificate(t *testing.T) {
	t.Parallel()
	ours, trusted := issued(t, "bridge")
	stranger, _ := issued(t, "stranger")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.TLS.PeerCertificates[0].Subject.CommonName; name != "bridge" || r.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s came in by TLS %x", name, r.TLS.Version)
		}
		w.Header().Set("Content-Type", "application/json")
		fixed(http.StatusOK, `{"result":{"sys_id":"x"}}`)(r, w)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are the point
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		config *tls.Config
		want   rest.Outcome
	}{
		"ours":                       {&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{ours}}, rest.Done},
		"none":                       {&tls.Config{RootCAs: roots}, rest.Refused},
		"a stranger's":               {&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{stranger}}, rest.Refused},
		"ours, to a server unproven": {&tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{ours}}, rest.Refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			way := rest.Transport(tt.config)
			t.Cleanup(way.CloseIdleConnections)
			cfg := config(t, way)
			cfg.URL = base
			_, err := open(t, cfg).Update(t.Context(), itsm.Ask{Table: "incident"}, "x", map[string]string{"state": "6"})
			if rest.OutcomeOf(err) != tt.want || (tt.want == rest.Done) != (err == nil) {
				t.Errorf("outcome %s of %v, want %s", rest.OutcomeOf(err), err, tt.want)
			}
		})
	}
}
