package connector

import (
	"context"
	"time"
)

// Rest is what a service does between two cycles.
func (c *Connector) Rest(ctx context.Context, until time.Time) {
	c.Poller.share()
	defer c.Poller.leave()
	c.rest(ctx, until)
}
