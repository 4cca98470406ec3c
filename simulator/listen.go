package simulator

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Running is a world that listens.
type Running struct {
	world  *World
	server *http.Server
	issuer issuer
	// URL is where it listens; CA is the certificate that signs for it.
	URL string
	CA  []byte
}

// Listen serves a world over TLS with a certificate that it makes itself.
func (w *World) Listen(ctx context.Context, address string) (*Running, error) {
	ca, err := newIssuer(w.Config.Now())
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	leaf, err := ca.issue("localhost", w.Config.Now())
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.certificate)
	r := &Running{world: w, issuer: ca, URL: "https://" + listener.Addr().String(), CA: ca.pem()}
	r.server = &http.Server{
		Handler: w, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients},
		// HTTP/1.1 only: one request a connection can be broken without breaking others.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go r.server.ServeTLS(listener, "", "") //nolint:errcheck // it ends with Close
	return r, nil
}

// Close ends it.
func (r *Running) Close() error { return r.server.Close() }

// ClientCertificate makes a certificate that the desk accepts, and its key, as PEM.
func (r *Running) ClientCertificate(name string) (certificate, key []byte, err error) {
	c, err := r.issuer.issue(name, r.world.Config.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("make a client certificate: %w", err)
	}
	return encoded(c)
}

// WriteClient writes client.pem into a folder: a certificate and its key that the desk
// accepts, and with which the application may sign in at the authority.
func (r *Running) WriteClient(dir string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	c, err := r.issuer.issueOn(key, "bridge", r.world.Config.Now())
	if err != nil {
		return fmt.Errorf("make a client certificate: %w", err)
	}
	own, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return err
	}
	r.world.Authority.Trust(own)
	certificate, private, err := encoded(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "client.pem"), append(certificate, private...), 0o600)
}

// ServeHTTP answers over a socket: a fault that breaks the connection breaks it. The
// administration of the world itself is under /_sim/.
func (w *World) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		w.admin.ServeHTTP(out, r)
		return
	}
	inner := r.Clone(r.Context())
	inner.URL.Scheme, inner.URL.Host = "https", r.Host
	answer, err := transport{w}.RoundTrip(inner)
	if err != nil {
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) {
			reset(out)
		}
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close() //nolint:errcheck // it is in memory
	maps.Copy(out.Header(), answer.Header)
	out.Header().Set("Content-Length", fmt.Sprint(answer.ContentLength))
	if answer.StatusCode == http.StatusNoContent {
		out.Header().Del("Content-Length")
	}
	out.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(out, answer.Body); err != nil {
		http.NewResponseController(out).Flush() //nolint:errcheck,gosec // the connection ends now
		panic(http.ErrAbortHandler)
	}
}

// reset ends a connection without a word of goodbye.
func reset(out http.ResponseWriter) {
	c, _, err := http.NewResponseController(out).Hijack()
	if err != nil {
		return
	}
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if plain, ok := c.(*net.TCPConn); ok {
		plain.SetLinger(0) //nolint:errcheck,gosec // then it ends politely
	}
	c.Close() //nolint:errcheck,gosec // it is to end
}

// WriteConfig writes ca.pem, the secrets and a ready bridge.yaml into a folder. It names
// the other ways to sign in, those with a certificate for after WriteClient.
func (r *Running) WriteConfig(dir, mappings string) (string, error) {
	cfg := r.world.Config
	text := fmt.Sprintf(`# Made by bridge sim: both sides and the authority are simulated.
itsm:
  url: %[1]s
  auth: { type: basic, username: %[2]s, password_file: itsm.secret }
  # or: auth: { type: oauth_password, client_id: %[6]s, client_secret_file: itsm-client.secret, username: %[2]s, password_file: itsm.secret }
  # or: auth: { type: oauth_client_credentials, client_id: %[6]s, client_secret_file: itsm-client.secret }
  # or: auth: { type: api_key, key_file: itsm-key.secret }
  tls: { ca_file: ca.pem }
  # or: tls: { ca_file: ca.pem, client_cert_file: client.pem, client_key_file: client.pem }
mmd:
  url: %[1]s/support/odata/v1/
  tenant_id: %[3]s
  auth:
    type: client_secret
    authority: %[1]s/
    client_id: %[4]s
    client_secret_file: mmd.secret
    # or: type: client_certificate, certificate_file: client.pem
    # or: type: user, token_cache_file: tokens, token_cache_key_file: tokens.secret; then bridge login
  tls: { ca_file: ca.pem }
store: sqlite:bridge.db
mappings: %[5]s
poll: { interval: 5s, notes_max_interval: 15s }
`, r.URL, cfg.Username, cfg.Tenant, cfg.ClientID, mappings, cfg.DeskClientID)
	var errs []error
	for name, content := range map[string]string{
		"bridge.yaml": text, "ca.pem": string(r.CA), "itsm.secret": cfg.Password + "\n", "mmd.secret": cfg.ClientSecret + "\n",
		"itsm-client.secret": cfg.DeskSecret + "\n", "itsm-key.secret": cfg.Key + "\n", "tokens.secret": "simulated-token-cache-key\n",
	} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return filepath.Join(dir, "bridge.yaml"), errors.Join(errs...)
}
