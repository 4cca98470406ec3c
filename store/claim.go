package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"bridge/plan"
)

// claims are the names that are taken on a ledger, by whom. On SQLite the file's
// lock keeps other processes out, so this is all; on PostgreSQL each name is a
// session-level advisory lock besides.
type claims struct {
	mu    sync.Mutex
	taken map[string]*claim
}

// claim is a name that is taken for as long as a session lasts; nil: it is being taken.
type claim struct{ session context.Context } //nolint:containedctx // it is the session's life

// claimant is one session that claims. What it holds ends with it.
type claimant struct {
	mu   sync.Mutex
	ctx  context.Context //nolint:containedctx // it is the session's life
	lost context.CancelFunc
}

func newClaimant() *claimant {
	c := &claimant{}
	c.begin()
	return c
}

// begin starts a session, which holds nothing.
func (c *claimant) begin() {
	ctx, lost := context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.lost = ctx, lost
}

// lose ends the session: all that was claimed in it is lost.
func (c *claimant) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost()
}

func (c *claimant) session() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctx
}

// Claim takes what is named for this worker until release is called. The context
// that it gives ends when the session ends that holds it.
func (l *Ledger) Claim(ctx context.Context, name string) (held context.Context, release func(), err error) {
	mine := l.claims.take(name)
	if mine == nil {
		return nil, nil, plan.ErrClaimed
	}
	held = l.me.session()
	if l.numbered {
		if held, err = l.advise(ctx, name); err != nil {
			l.claims.free(name, mine)
			return nil, nil, err
		}
	}
	l.claims.begin(held, mine)
	return held, sync.OnceFunc(func() {
		if l.numbered && held.Err() == nil {
			l.unadvise(held, name)
		}
		l.claims.free(name, mine)
	}), nil
}

// take gives a name, if no living session has it.
func (c *claims) take(name string) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	if has := c.taken[name]; has != nil && (has.session == nil || has.session.Err() == nil) {
		return nil
	}
	mine := &claim{}
	c.taken[name] = mine
	return mine
}

// begin binds a claim to the session that holds it.
func (c *claims) begin(session context.Context, mine *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine.session = session
}

// free gives a name back, unless it was lost and is another's by now.
func (c *claims) free(name string, mine *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[name] == mine {
		delete(c.taken, name)
	}
}

// Session gives another worker's view of a ledger in this process: it claims for
// itself. Tests play several workers with it.
func (l *Ledger) Session() *Ledger {
	other := *l
	other.me, other.beats = newClaimant(), nil
	return &other
}

// Break ends a session as a process that dies does: all that it claimed is free, and
// whoever still works for it learns so. It begins anew with nothing.
func (l *Ledger) Break() {
	l.me.lose()
	l.me.begin()
}

// advise takes the advisory lock of a name on the session that writes.
func (l *Ledger) advise(ctx context.Context, name string) (held context.Context, err error) {
	err = l.change(ctx, func(ctx context.Context, tx tx) error {
		held = l.me.session() //nolint:fatcontext // of the connection of this transaction, and of no other
		var got bool
		if err := tx.row(ctx, "SELECT pg_try_advisory_lock(?)", l.number64(name)).Scan(&got); err != nil {
			return fmt.Errorf("claim %s: %w", name, err)
		}
		if !got {
			return plan.ErrClaimed
		}
		return nil
	})
	return held, err
}

// unadvise frees it, if it is still the session that took it: a later one may have
// claimed the name anew. An error means that the session is gone, and the lock with it.
func (l *Ledger) unadvise(held context.Context, name string) {
	_ = l.change(held, func(ctx context.Context, tx tx) error {
		_, err := tx.exec(ctx, "SELECT pg_advisory_unlock(?)", l.number64(name))
		return err
	})
}

// number64 is the lock's number: locks are a database's, ledgers a schema's. Two names with one number would wait for each
// other now and then, and nothing worse.
func (l *Ledger) number64(name string) int64 {
	sum := sha256.Sum256([]byte("bridge " + l.space + " " + name))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any 64 bits will do
}
