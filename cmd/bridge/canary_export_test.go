package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Inside runs commands as main does, without sockets, and with a log that tells all.
type Inside struct {
	In             io.Reader
	Out, Errs, Log io.Writer
	Env            map[string]string
	Way            http.RoundTripper
	// Now is this machine's clock; nil: the system's.
	Now func() time.Time
}

// Run runs one command.
func (i Inside) Run(ctx context.Context, args ...string) int {
	now := i.Now
	if now == nil {
		now = time.Now
	}
	a := &app{
		stdin: i.In, stdout: i.Out, stderr: i.Errs, now: now, run: "test", exit: func(int) {},
		log:  slog.New(slog.NewJSONHandler(i.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		ways: ways{i.Way, i.Way, i.Way},
		env: func(name string) (string, bool) {
			v, ok := i.Env[name]
			return v, ok
		},
	}
	return a.main(ctx, args)
}
