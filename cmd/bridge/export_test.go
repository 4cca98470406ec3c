package main

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Run runs one command as main does, with a world of the test's own.
func Run(ctx context.Context, out, errs io.Writer, env map[string]string, args ...string) int {
	a := &app{
		stdout: out, stderr: errs, now: time.Now, log: slog.New(slog.DiscardHandler), run: "test", exit: func(int) {},
		env: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
	}
	return a.main(ctx, args)
}
