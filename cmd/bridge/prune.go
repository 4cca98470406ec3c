package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// metaPruned is where the ledger keeps when it was pruned last.
const metaPruned = "pruned"

// pruneEvery is how often the ledger lets go of what is older than it may be kept.
const pruneEvery = time.Hour

// prune lets go of what is older than it may be kept: now and then, whether a service
// runs or a scheduler starts it, and by one of several replicas.
func (a *app) prune(ctx context.Context, b *bridge) {
	if err := a.pruneNow(ctx, b); err != nil && ctx.Err() == nil {
		a.tell("prune the ledger: %v\n", err)
	}
}

func (a *app) pruneNow(ctx context.Context, b *bridge) error {
	now := a.now()
	text, err := b.ledger.Meta(ctx, metaPruned)
	if err != nil {
		return fmt.Errorf("read when it was last pruned: %w", err)
	}
	if last, err := time.Parse(time.RFC3339, text); err == nil && now.Sub(last) < pruneEvery && !last.After(now) {
		return nil
	}
	if err := b.ledger.SetMeta(ctx, metaPruned, now.UTC().Format(time.RFC3339)); err != nil {
		return fmt.Errorf("write down when it was pruned: %w", err)
	}
	bodies, err := b.ledger.Prune(ctx, now.Add(-b.config.Retention.Bodies))
	if err != nil {
		return err
	}
	links, err := b.ledger.Forget(ctx, now.Add(-b.config.Retention.Links))
	if err != nil {
		return err
	}
	if bodies+links > 0 {
		a.log.LogAttrs(ctx, slog.LevelInfo, "the ledger was pruned", slog.Int("bodies", bodies), slog.Int("links", links), slog.Duration("took", a.now().Sub(now)))
	}
	return nil
}
