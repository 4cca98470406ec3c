package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bridge/store/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestTheLedgerOnPostgreSQLAndABackup(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	file := filepath.Join(t.TempDir(), "copy.db")
	s.says(1, "there is no ledger yet", "backup", file)
	s.must(0, "run", "--once")
	s.says(0, "was copied into", "backup", file)
	s.says(1, "exists", "backup", file)

	p := newStage(t)
	p.env["BRIDGE_STORE"] = pgtest.URL(t)
	p.world.Incident(p.users, "Laptop does not start", nil)
	p.says(1, "there is no ledger yet", "status")
	p.must(0, "run", "--once")
	p.must(0, "run", "--once")
	p.says(0, "1 open", "status")
	p.says(1, "pg_dump", "backup", file+"2")
	if n := len(p.world.MMD.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// TestThreeReplicasOnPostgreSQLAreKilledAndFrozen runs three services on one ledger
// with the real binary, kills one and freezes another again and again, and looks at
// what both sides hold in the end.
func TestThreeReplicasOnPostgreSQLAreKilledAndFrozen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out of the short form: three real processes, killed and frozen")
	}
	s := newStage(t)
	s.env["BRIDGE_STORE"] = pgtest.URL(t)
	s.env["BRIDGE_LIMITS_CREATES"] = "0"
	binary := filepath.Join(t.TempDir(), "bridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const incidents = 150
	for i := range incidents {
		id := s.world.Incident(s.users, fmt.Sprintf("Laptop %d does not start", i), nil)
		s.world.ITSM.Comment("incident", id, "ada.byron", "Please help.")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wait sync.WaitGroup
	for n := range 3 {
		wait.Go(func() { s.replica(ctx, binary, n) })
	}
	for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(200 * time.Millisecond) {
		told := 0
		for _, ticket := range s.world.MMD.Tickets() {
			told += len(s.world.MMD.Notes(ticket.ID))
		}
		if told >= incidents {
			break
		}
	}
	stop()
	wait.Wait()
	s.settled()
	s.settleDoubts()
	s.settled()
	seen := map[string]int{}
	for _, ticket := range s.world.MMD.Tickets() {
		seen[ticket.Title]++
		if notes := s.world.MMD.Notes(ticket.ID); len(notes) != 1 {
			t.Errorf("%s has %d notes: %v", ticket.Title, len(notes), notes)
		}
	}
	for title, n := range seen {
		if n != 1 {
			t.Errorf("%d tickets %q", n, title)
		}
	}
	if len(seen) != incidents {
		t.Errorf("%d tickets, want %d", len(seen), incidents)
	}
}

// replica runs a service, ends it at a moment of its own, and starts it again: the
// first is killed, the second is frozen for a while and then killed, the third lives.
func (s *stage) replica(ctx context.Context, binary string, n int) {
	for round := 0; ctx.Err() == nil; round++ {
		c := exec.CommandContext(ctx, binary, "run", "--config", s.config)
		for name, value := range s.env {
			c.Env = append(c.Env, name+"="+value)
		}
		if err := c.Start(); err != nil {
			s.Errorf("start: %v", err)
			return
		}
		if n < 2 {
			pause(ctx, time.Duration(150+130*((round*7+n*3)%9))*time.Millisecond)
			if n == 1 {
				_ = c.Process.Signal(freeze)
				pause(ctx, 700*time.Millisecond)
				_ = c.Process.Signal(thaw)
				pause(ctx, 100*time.Millisecond)
			}
			_ = c.Process.Kill()
		}
		_ = c.Wait() // it was killed
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
