package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
)

// wellness says whether the loop turns, and whether it can use its ledger. It asks
// neither side nor ledger itself, since a probe that depends on others restarts everything
// when they hiccup.
type wellness struct {
	interval, budget time.Duration
	// now goes on when the machine's clock is set: it has a monotonic reading.
	now    func() time.Time
	last   atomic.Pointer[time.Time]
	failed atomic.Bool
}

func (w *wellness) beat() {
	now := w.now()
	w.last.Store(&now)
}

// cycled takes in how a cycle ended: an error is the ledger's, those of a side are its report's.
func (w *wellness) cycled(err error) {
	w.beat()
	w.failed.Store(err != nil)
}

// turns is true while the loop has turned, or a call of it ended, within three intervals and
// two long sends.
func (w *wellness) turns() bool {
	gap := w.now().Sub(*w.last.Load())
	return gap >= 0 && gap < 3*w.interval+2*w.budget
}

// ready is true while the loop turns, and its last cycle could use the ledger.
func (w *wellness) ready() bool { return w.turns() && !w.failed.Load() }

// served is what run listens on.
type served struct{ servers []*http.Server }

// listen opens the addresses of the config: none, one or two.
func listen(ctx context.Context, cfg *config.Config, well *wellness) (*served, error) {
	mux := http.NewServeMux()
	answer := func(path string, is func() bool, otherwise string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			if !is() {
				http.Error(w, otherwise, http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, "ok\n") //nolint:errcheck,gosec // the client has gone
		})
	}
	answer("/livez", well.turns, "the loop stands still")
	answer("/readyz", well.ready, "the loop stands still, or cannot use its ledger")
	answer("/healthz", well.ready, "the loop stands still, or cannot use its ledger")
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
		Long: "Asks the service at listen, or listen_metrics, whether its loop turns and can use its ledger. For containers\n" +
			"without a shell.",
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

// why reads what a service says of itself.
func why(body io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(body, 200))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
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
		return &failure{code: exitUnable, err: fmt.Errorf("the service is not well: %s: %s", reply.Status, why(reply.Body))}
	}
	return nil
}
