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
