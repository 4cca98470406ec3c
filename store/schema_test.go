package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bridge/store"
	"bridge/store/pgtest"
)

// olderLedger makes a ledger file of an older schema.
func olderLedger(t *testing.T, file string, schema int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only looked at
	all, err := filepath.Glob("migrations/sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for n, name := range all[:schema] {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(string(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", n+1)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAServiceStartsBesideACommand upgrades a ledger while bridge status looks at it.
func TestAServiceStartsBesideACommand(t *testing.T) {
	t.Parallel()
	for _, schema := range []int{1, 2} {
		for range 20 {
			dir := t.TempDir()
			olderLedger(t, filepath.Join(dir, "ledger.db"), schema)
			var wait sync.WaitGroup
			errs := make([]error, 4)
			start := make(chan struct{})
			for i := range errs {
				wait.Go(func() {
					<-start
					l, err := store.Open(context.Background(), store.Config{URL: "sqlite:ledger.db", Dir: dir, Worker: i == 0, Holder: "test"})
					if errs[i] = err; err == nil {
						_ = l.Close()
					}
				})
			}
			close(start)
			wait.Wait()
			for i, err := range errs {
				if err != nil {
					t.Errorf("from schema %d, worker: %t: %v", schema, i == 0, err)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestACommandDoesNotUpgradeUnderARunningService: it looks, and changes no schema.
func TestACommandDoesNotUpgradeUnderARunningService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger.db")
	olderLedger(t, file, 2)
	l, err := store.Open(t.Context(), store.Config{URL: "sqlite:ledger.db", Dir: dir, Holder: "bridge status"})
	if err == nil {
		_ = l.Close()
	} else if !strings.Contains(err.Error(), "this program needs") {
		t.Errorf("it says %v", err)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only looked at
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version != 2 {
		t.Errorf("a command that only looks took the schema to %d: the older service that runs on it refuses to send", version)
	}
}

// TestNothingWaitsForAProgramThatIsFrozenWhileItUpgrades has one hold the lock of the
// upgrade on PostgreSQL: what needs none starts all the same.
func TestNothingWaitsForAProgramThatIsFrozenWhileItUpgrades(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	first := open(t, store.Config{URL: url, Worker: true})
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // its lock ends with it
	if _, err := db.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", first.UpgradeLock()); err != nil {
		t.Fatal(err)
	}
	for _, worker := range []bool{false, true} {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		l, err := store.Open(ctx, store.Config{URL: url, Worker: worker})
		stop()
		if err != nil {
			t.Errorf("worker %t: %v", worker, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestManyWorkersStartAtOnceOnANewLedger and one of them makes it.
func TestManyWorkersStartAtOnceOnANewLedger(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			l, err := store.Open(t.Context(), store.Config{URL: url, Worker: true})
			if err != nil {
				t.Error(err)
				return
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}
