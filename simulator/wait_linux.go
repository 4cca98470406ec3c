package simulator

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Exactly waits to a tenth of a millisecond, by a timer of the kernel. Go's own comes
// up to a millisecond late in a process that sleeps, which at a latency of 20 ms is 5 %.
func Exactly(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a timer: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "timer")
	defer timer.Close() //nolint:errcheck // nothing is written to it
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}, nil); err != nil {
		return fmt.Errorf("set a timer: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Unix(0, 0)) })()
	var times [8]byte
	if _, err := timer.Read(times[:]); err != nil && ctx.Err() == nil {
		return fmt.Errorf("wait for a timer: %w", err)
	}
	return ctx.Err()
}
