package main_test

import (
	"os"
	"path/filepath"
	"testing"

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
