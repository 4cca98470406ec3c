package store

import (
	"context"
	"sync"

	"bridge/plan"
)

// claims are the names that this process has taken. The file's lock keeps other
// processes out, so on SQLite a claim is only about this one.
type claims struct {
	mu    sync.Mutex
	taken map[string]bool
}

// Claim takes what is named for this worker until release is called. The context
// that it gives ends when the claim is lost, which on SQLite it never is.
func (l *Ledger) Claim(ctx context.Context, name string) (held context.Context, release func(), err error) {
	l.claims.mu.Lock()
	defer l.claims.mu.Unlock()
	if l.claims.taken[name] {
		return nil, nil, plan.ErrClaimed
	}
	if l.claims.taken == nil {
		l.claims.taken = map[string]bool{}
	}
	l.claims.taken[name] = true
	return context.WithoutCancel(ctx), sync.OnceFunc(func() {
		l.claims.mu.Lock()
		defer l.claims.mu.Unlock()
		delete(l.claims.taken, name)
	}), nil
}
