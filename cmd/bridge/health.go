package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
)

// wellness says whether the loop turns: it asks neither side nor ledger, since a
// probe that depends on others restarts everything when they hiccup.
type wellness struct {
	interval, budget time.Duration
	now              func() time.Time
	last             atomic.Int64
}

func (w *wellness) beat() { w.last.Store(w.now().UnixNano()) }

// well is true while the loop has turned, or a call of it ended, within three intervals and
// two long sends.
func (w *wellness) well() bool {
	return w.now().Sub(time.Unix(0, w.last.Load())) < 3*w.interval+2*w.budget
}

// served is what run listens on.
type served struct{ servers []*http.Server }

// listen opens the addresses of the config: none, one or two.
func listen(ctx context.Context, cfg *config.Config, well *wellness) (*served, error) {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, _ *http.Request) {
		if !well.well() {
			http.Error(w, "the loop stands still", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n") //nolint:errcheck,gosec // the client has gone
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.HandleFunc("GET "+path, answer)
	}
	s := &served{}
	for _, address := range []string{cfg.Listen, cfg.ListenMetrics} {
		if address == "" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("listen: %w", err)
		}
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		s.servers = append(s.servers, server)
		go server.Serve(listener) //nolint:errcheck // it ends with close
	}
	return s, nil
}

func (s *served) close() {
	for _, server := range s.servers {
		server.Close() //nolint:errcheck,gosec // nothing waits for it
	}
}

func newHealth(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Exit 0 while the running service is well", Args: cobra.NoArgs,
		Long: "Asks the service at listen, or listen_metrics, whether its loop turns. For containers without a shell.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(a.configPath, a.env)
			if err != nil {
				return err
			}
			address := cfg.ListenMetrics
			if address == "" {
				address = cfg.Listen
			}
			if address == "" {
				return &failure{code: exitUsage, err: errors.New("the service listens nowhere: set listen or listen_metrics")}
			}
			return askHealth(cmd.Context(), address)
		},
	}
}

// askHealth asks this machine's own service.
func askHealth(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &failure{code: exitUsage, err: fmt.Errorf("listen %q: %w", address, err)}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	reply, err := (&http.Client{Transport: &http.Transport{Proxy: nil}}).Do(request)
	if err != nil {
		return &failure{code: exitUnable, err: fmt.Errorf("the service does not answer: %w", err)}
	}
	defer reply.Body.Close() //nolint:errcheck // it was only looked at
	if reply.StatusCode != http.StatusOK {
		return &failure{code: exitUnable, err: fmt.Errorf("the service is not well: %s", reply.Status)}
	}
	return nil
}
