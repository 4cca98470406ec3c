package store

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// noStaleLog refuses a copy that was restored over a ledger and lies beside the log that
// the ledger's last process left: SQLite would play it into the copy. A copy says in its
// header that it has no log yet.
func noStaleLog(file string) error {
	log := file + "-wal"
	if left, err := os.Stat(log); err != nil || left.Size() == 0 {
		return nil // there is none
	}
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil // whoever opens it says so
	}
	defer f.Close() //nolint:errcheck // it was only read
	header := make([]byte, 20)
	if _, err := io.ReadFull(f, header); err == nil && header[18] == withoutLog {
		return fmt.Errorf("the ledger %s is a copy that was restored, and %s is another one's: remove %s and %s-shm", file, log, log, file)
	}
	return nil
}

// withoutLog is the write version of a file that is written without a log (SQLite, file
// format, 1.3).
const withoutLog = 1

// flush has what was written reach the disk.
func flush(file string) error {
	f, err := os.OpenFile(filepath.Clean(file), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
