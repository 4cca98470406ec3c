package store

import (
	"context"
	"time"
)

// Freeze stops the writer in the middle of a transaction, as a process is stopped.
func (l *Ledger) Freeze(ctx context.Context, d time.Duration) error {
	return l.change(ctx, func(context.Context, tx) error {
		time.Sleep(d)
		return nil
	})
}
