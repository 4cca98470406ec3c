package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	main "bridge/cmd/bridge"
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
	s.says(0, "bridge.db-wal", "backup", "--help")
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

func TestAServiceGoesOnWhenItsSessionOnTheLedgerHasEnded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	url := pgtest.URL(t)
	s.env["BRIDGE_STORE"] = url + "&application_name=service"
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() { ended <- main.Run(ctx, &out, &errs, s.env, "run", "--config", s.config) }()
	tickets := func(want int) {
		t.Helper()
		for range 300 {
			if len(s.world.MMD.Tickets()) == want {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("%d tickets after 30 s, want %d", len(s.world.MMD.Tickets()), want)
	}
	s.world.Incident(s.users, "Before", nil)
	tickets(1)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what it did was answered
	var cut int
	if err := db.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = 'service' AND pid <> pg_backend_pid()`).Scan(&cut); err != nil || cut == 0 {
		t.Fatalf("ended %d sessions, %v", cut, err)
	}
	s.world.Incident(s.users, "After", nil)
	tickets(2)
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("the service ended with %d\n%s%s", code, out.String(), errs.String())
	}
}

// TestNoPasswordOfTheStoreIsSaid in the forms that PostgreSQL takes.
func TestNoPasswordOfTheStoreIsSaid(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://bridge@127.0.0.1:1/bridge?password=hunter2hunter2", "host=127.0.0.1 user=bridge password=hunter2hunter2 dbname=bridge",
		"postgres://bridge:hunter2hunter2@127.0.0.1:1/bridge", "postgres://bridge:hunter2hunter2@127.0.0.1:nonsense/bridge",
		"postgres://bridge@127.0.0.1:1/bridge?password=hunter2hunter2&sslmode=nonsense",
	} {
		s := newStage(t)
		s.env["BRIDGE_STORE"] = url
		for _, args := range [][]string{{"run", "--once"}, {"status"}, {"check"}, {"backup", "copy.db"}} {
			_, out, errs := s.run(args...)
			if strings.Contains(out+errs, "hunter2") {
				t.Errorf("%s with %s says %s%s", args[0], url, out, errs)
			}
		}
	}
}
