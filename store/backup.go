package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the ledger into a new file, whole and consistent, while a
// worker goes on. On PostgreSQL its own tools do that.
func (l *Ledger) Backup(ctx context.Context, file string) error {
	if l.numbered {
		return errors.New("the ledger is on PostgreSQL: pg_dump backs it up")
	}
	f, err := os.OpenFile(filepath.Clean(file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("back up the ledger: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := l.read.db.ExecContext(ctx, "VACUUM INTO ?", file); err != nil { // an empty file is let pass
		return errors.Join(fmt.Errorf("back up the ledger into %s: %w", file, err), os.Remove(file))
	}
	return flush(file)
}

// flush has what was written reach the disk.
func flush(file string) error {
	f, err := os.OpenFile(filepath.Clean(file), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
