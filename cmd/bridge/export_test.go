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

// Turns says whether a loop that beat at one time turns at another, by a clock that was set back between.
func Turns(beat, now time.Time) bool {
	at := beat
	w := &wellness{interval: 30 * time.Second, budget: time.Minute, now: func() time.Time { return at }}
	w.beat()
	at = now
	return w.turns()
}
