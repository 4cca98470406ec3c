package rest

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Transport is the way to a server over TLS 1.2 or later, through the proxy that
// the environment names.
func Transport(config *tls.Config) *http.Transport {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, OnProxyConnectResponse: tunnelled, TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 60 * time.Second,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second,
	}
}

// tunnelled says that a proxy which gives no tunnel is no connection: nothing was sent
// to the server, and it may be tried again.
func tunnelled(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy answers %d", answer.StatusCode)}
}

// jitter is a random part of a wait, so that many clients do not come back at once.
func jitter(wait time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(wait) + 1)) //nolint:gosec // spread, not secrecy
}
