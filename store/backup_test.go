package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

func TestABackupIsTheLedgerAsItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, store.Config{URL: "sqlite:ledger.db", Dir: dir, Worker: true})
	link := aLink(1)
	op := aCreate(link)
	promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
	file := filepath.Join(dir, "copy.db")
	beside := open(t, store.Config{URL: "sqlite:ledger.db", Dir: dir}) // a command beside the worker
	if err := beside.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	promise(t, l, plan.Promise{Links: []plan.Link{aLink(2)}})
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	restored := open(t, store.Config{URL: "sqlite:copy.db", Dir: dir, Worker: true})
	if got := theOp(t, restored, op.Key); got.State != plan.Promised {
		t.Errorf("the copy holds %+v", got)
	}
	if c, err := restored.Counts(t.Context(), noon); err != nil || c.LinksOpen != 1 {
		t.Errorf("the copy counts %+v, %v", c, err)
	}
	if err := l.Backup(t.Context(), file); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a copy over a file that is there: %v", err)
	}
	onServer := open(t, store.Config{URL: pgtest.URL(t), Worker: true})
	if err := onServer.Backup(t.Context(), filepath.Join(dir, "x")); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("on PostgreSQL: %v", err)
	}
}

// TestACopyBesideTheLogOfAnotherLedgerIsRefused restores a copy over a ledger whose
// process was killed: SQLite would play the log that is left into the copy.
func TestACopyBesideTheLogOfAnotherLedgerIsRefused(t *testing.T) {
	t.Parallel()
	dir, restored := t.TempDir(), t.TempDir()
	l := open(t, store.Config{URL: "sqlite:ledger.db", Dir: dir, Worker: true})
	promise(t, l, plan.Promise{Links: []plan.Link{aLink(1)}})
	if err := l.Backup(t.Context(), filepath.Join(restored, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	promise(t, l, plan.Promise{Links: []plan.Link{aLink(2)}})
	log, err := os.ReadFile(filepath.Join(dir, "ledger.db-wal")) // as a kill leaves it
	if err != nil || len(log) == 0 {
		t.Fatal(len(log), err)
	}
	stale := filepath.Join(restored, "ledger.db-wal")
	if err := os.WriteFile(stale, log, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, worker := range []bool{true, false} {
		l, err := store.Open(t.Context(), store.Config{URL: "sqlite:ledger.db", Dir: restored, Worker: worker})
		if err == nil {
			c, err := l.Counts(t.Context(), noon)
			t.Fatalf("the copy has one link, and the ledger counts %+v, %v", c, err)
		}
		if !strings.Contains(err.Error(), stale) {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
	if err := os.Remove(stale); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once opened it has a log of its own
		l, err := store.Open(t.Context(), store.Config{URL: "sqlite:ledger.db", Dir: restored, Worker: true})
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Counts(t.Context(), noon)
		if err != nil || c.LinksOpen != 1 {
			t.Errorf("the copy counts %+v, %v", c, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
