package simulator

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Running is a world that listens.
type Running struct {
	world  *World
	server *http.Server
	// URL is where it listens; CA is the certificate that signs for it.
	URL string
	CA  []byte
}

// Listen serves a world over TLS with a certificate that it makes itself.
func (w *World) Listen(ctx context.Context, address string) (*Running, error) {
	certificate, ca, err := selfSigned(w.Config.Now())
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	r := &Running{world: w, URL: "https://" + listener.Addr().String(), CA: ca}
	r.server = &http.Server{
		Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go r.server.ServeTLS(listener, "", "") //nolint:errcheck // it ends with Close
	return r, nil
}

// Close ends it.
func (r *Running) Close() error { return r.server.Close() }

// serve answers over a socket: a fault that breaks the connection breaks it.
func (w *World) serve(out http.ResponseWriter, r *http.Request) {
	inner := r.Clone(r.Context())
	inner.URL.Scheme, inner.URL.Host = "https", r.Host
	answer, err := transport{w}.RoundTrip(inner)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close() //nolint:errcheck // it is in memory
	maps.Copy(out.Header(), answer.Header)
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.WriteHeader(answer.StatusCode)
	io.Copy(out, bytes.NewReader(body)) //nolint:errcheck,gosec // the client has gone
}

// WriteConfig writes ca.pem, the secrets and a ready bridge.yaml into a folder.
func (r *Running) WriteConfig(dir, mappings string) (string, error) {
	cfg := r.world.Config
	text := fmt.Sprintf(`# Made by bridge sim: both sides and the authority are simulated.
itsm:
  url: %[1]s
  auth: { type: basic, username: %[2]s, password_file: itsm.secret }
  tls: { ca_file: ca.pem }
mmd:
  url: %[1]s/support/odata/v1/
  tenant_id: %[3]s
  auth:
    type: client_secret
    authority: %[1]s/
    client_id: %[4]s
    client_secret_file: mmd.secret
  tls: { ca_file: ca.pem }
store: sqlite:bridge.db
mappings: %[5]s
poll: { interval: 5s, notes_max_interval: 15s }
`, r.URL, cfg.Username, cfg.Tenant, cfg.ClientID, mappings)
	var errs []error
	for name, content := range map[string]string{"bridge.yaml": text, "ca.pem": string(r.CA), "itsm.secret": cfg.Password + "\n", "mmd.secret": cfg.ClientSecret + "\n"} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return filepath.Join(dir, "bridge.yaml"), errors.Join(errs...)
}

// selfSigned makes an authority of its own and a certificate for this machine.
func selfSigned(now time.Time) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "bridge simulator"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
