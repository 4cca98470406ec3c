package rest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"bridge/rest"
)

// proxy tunnels to one server, whatever is asked for, or refuses with a status.
type proxy struct {
	to     string
	refuse int

	mu    sync.Mutex
	asked []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if p.refuse != 0 {
		w.WriteHeader(p.refuse)
		return
	}
	there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close() //nolint:errcheck // the tunnel ends
	w.WriteHeader(http.StatusOK)
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()      //nolint:errcheck // the tunnel ends
	go io.Copy(there, here) //nolint:errcheck // the tunnel ends
	io.Copy(here, there)    //nolint:errcheck // the tunnel ends
}

// The environment is read once in a process: each case is a process of its own.
const authority = "BRIDGE_TEST_PROXY_CA"

func TestTheProxyOfTheEnvironmentIsTheWay(t *testing.T) {
	t.Parallel()
	if file := os.Getenv(authority); file != "" {
		write(t, file)
		return
	}
	for name, tt := range map[string]struct {
		refuse, asked int
		says          string
	}{
		"a proxy that tunnels":           {0, 1, "done <nil>"},
		"a proxy that wants credentials": {http.StatusProxyAuthRequired, 0, "refused POST things: proxyconnect tcp: the proxy answers 407"},
		"a proxy that finds no way":      {http.StatusBadGateway, 0, "refused POST things: proxyconnect tcp: the proxy answers 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.WriteHeader(http.StatusNoContent)
			}))
			p := &proxy{to: server.Listener.Addr().String(), refuse: tt.refuse}
			between := httptest.NewServer(p)
			file := t.TempDir() + "/ca.pem"
			if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheProxyOfTheEnvironmentIsTheWay$", "-test.v")
			child.Env = append(os.Environ(), authority+"="+file, "NO_PROXY=", "no_proxy=", "HTTPS_PROXY="+strings.Replace(between.URL, "://", "://ada:canary@", 1))
			out, err := child.CombinedOutput()
			between.Close()
			server.Close()
			if err != nil || !strings.Contains(string(out), "ended: "+tt.says+"\n") || strings.Contains(string(out), "canary") {
				t.Errorf("%v: %s", err, out)
			}
			if len(p.asked) == 0 || !strings.HasPrefix(p.asked[0], "CONNECT example.com:443 Basic ") || asked != tt.asked {
				t.Errorf("the proxy was asked %q, the server %d times", p.asked, asked)
			}
		})
	}
}

// write sends one write, and tells how it ended.
func write(t *testing.T, file string) {
	t.Helper()
	ca, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c, err := rest.New(rest.Config{
		Base: &url.URL{Scheme: "https", Host: "example.com", Path: "/"}, Transport: rest.Transport(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}), Now: time.Now,
		Authorize: func(context.Context, *http.Request) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), rest.Request{Method: http.MethodPost, Path: "things", Name: "things", Body: "x"})
	fmt.Printf("ended: %s %v\n", rest.OutcomeOf(err), err)
}
