//go:build !linux

package simulator

import (
	"context"
	"time"
)

// Exactly waits as well as this system can.
func Exactly(ctx context.Context, d time.Duration) error { return pause(ctx, d) }
