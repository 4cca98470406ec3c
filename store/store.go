// Package store keeps the ledger: links, what is owed under them, notes that were
// seen, and cursors, on SQLite or on PostgreSQL. It writes each step durably or not at all, refuses
// what was decided on an older state, and decides nothing itself.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// Config says where the ledger is, and who opens it.
type Config struct {
	// URL is sqlite:///ABSOLUTE, sqlite:RELATIVE, sqlite::memory: or postgres://….
	URL string
	// Dir is what a relative path is relative to.
	Dir string
	// Worker may send. On SQLite it takes the lock, one worker a ledger; on PostgreSQL
	// any number of them divide the work by claims. Commands open it without.
	Worker bool
	// Silence is how long PostgreSQL lets a worker be silent before it ends its
	// session, and frees what it had claimed; 0: half a minute.
	Silence time.Duration
	// Now is this machine's clock; nil: the system's.
	Now func() time.Time
	// Holder names this process to another one that finds the lock held.
	Holder string
}

// ErrMissing says that there is no ledger to look at.
var ErrMissing = errors.New("there is no ledger yet: bridge run makes it")

// Ledger is the ledger, on either engine. One connection writes: it is the session
// that holds the claims.
type Ledger struct {
	dialect
	write  *sql.DB
	read   *reader
	kept   *statements // of the writing connection
	schema int
	local  func() time.Time
	ahead  *atomic.Int64 // how far the ledger's clock is ahead of the local one
	// patience is how long one write may take, from its begin to its commit; 0: as long as it does.
	patience patience
	// space is the PostgreSQL schema that the ledger is in.
	space string
	// file is the ledger's, on SQLite, holder who this process is.
	file, holder string
	lock         *lock
	claims       *claims
	me           *claimant
	queue        chan job
	quit         chan struct{}
	gone         chan struct{}
	beats        chan struct{}
}

//go:embed migrations/*/*.sql
var migrations embed.FS

// Open opens the ledger. For a worker it takes the lock, and brings the schema up to date.
// A newer schema than this program knows is refused, and by a command an older one.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the clock of a ledger that is given none
	}
	if strings.HasPrefix(cfg.URL, "postgres://") || strings.HasPrefix(cfg.URL, "postgresql://") {
		return openPostgres(ctx, cfg)
	}
	file, err := path(cfg)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		dialect: sqlite(), claims: &claims{taken: map[string]*claim{}}, me: newClaimant(),
		queue: make(chan job), quit: make(chan struct{}), gone: make(chan struct{}), local: cfg.Now, ahead: new(atomic.Int64),
		file: file, holder: cfg.Holder,
	}
	if file != "" {
		if err := l.prepare(file, cfg); err != nil {
			return nil, err
		}
	}
	if err := l.connect(ctx, file, cfg.Worker); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ledger %s: %w", cfg.URL, err), l.unlock())
	}
	go l.writer() //nolint:contextcheck // it writes for many callers, and ends with Close
	return l, nil
}

// path reads the URL; an empty path is a ledger in memory.
func path(cfg Config) (string, error) {
	rest, ok := strings.CutPrefix(cfg.URL, "sqlite:")
	switch {
	case !ok:
		return "", fmt.Errorf("store %q is not known: sqlite:///var/lib/bridge/bridge.db, sqlite:bridge.db, or postgres://…", redact(cfg.URL))
	case rest == ":memory:":
		return "", nil
	case strings.HasPrefix(rest, "///"):
		return filepath.Clean(rest[2:]), nil
	case rest == "" || strings.HasPrefix(rest, "//"):
		return "", fmt.Errorf("store %q names no file: sqlite:///var/lib/bridge/bridge.db, or sqlite:bridge.db", cfg.URL)
	}
	if filepath.IsAbs(rest) {
		return filepath.Clean(rest), nil
	}
	return filepath.Join(cfg.Dir, rest), nil
}

// redact keeps a password out of an error about a URL. It may be in its query, too, or in
// the other form that PostgreSQL takes (host=… password=…).
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" && strings.ContainsAny(raw, "=@") {
		return "…"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}

// prepare checks the folder, takes the lock and makes the file for its owner only.
func (l *Ledger) prepare(file string, cfg Config) error {
	folder := filepath.Dir(file)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("the folder %s of the ledger does not exist", folder)
	}
	if name := networkFileSystem(folder); name != "" {
		return fmt.Errorf("the ledger %s is on %s: SQLite's locks do not hold on a network file system", file, name)
	}
	if err := noStaleLog(file); err != nil {
		return err
	}
	if !cfg.Worker {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s: %w", file, ErrMissing)
		}
		return nil
	}
	held, err := takeLock(file+".lock", cfg.Holder)
	if err != nil {
		return err
	}
	l.lock = held
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return errors.Join(fmt.Errorf("make the ledger: %w", err), l.unlock())
	}
	return f.Close()
}

// connect opens one connection that writes and several that read.
func (l *Ledger) connect(ctx context.Context, file string, worker bool) error {
	pragmas := "_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_pragma=journal_mode(WAL)&_txlock=immediate"
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + pragmas
	if file == "" {
		dsn = "file::memory:?_pragma=foreign_keys(1)"
	}
	var err error
	if l.write, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	l.write.SetMaxOpenConns(1)
	l.write.SetMaxIdleConns(1)
	read := l.write
	if file != "" {
		if read, err = sql.Open("sqlite", dsn); err != nil {
			return err
		}
		read.SetMaxOpenConns(8)
		read.SetMaxIdleConns(8)
	}
	l.use(read)
	return l.migrate(ctx, worker || file == "")
}

// use reads on these connections.
func (l *Ledger) use(read *sql.DB) {
	l.read = &reader{dialect: l.dialect, patience: l.patience, statements: statements{db: read}}
	l.kept = &statements{db: l.write}
}

// migrate applies the numbered files that the ledger has not seen, each in its own
// transaction. Only a worker does: a command that looks would take the ledger away from
// the older service that runs on it.
func (l *Ledger) migrate(ctx context.Context, worker bool) error {
	files, err := fs.Glob(migrations, "migrations/"+l.name+"/*.sql")
	if err != nil {
		return err
	}
	l.schema = len(files)
	have, err := l.schemaOf(ctx, l.write)
	if err == nil && !worker && have > 0 && have < len(files) {
		have, err = l.upgraded(ctx, have)
	}
	switch {
	case err != nil:
		return err
	case have > len(files):
		return fmt.Errorf("its schema is %d, this program knows %d: use a newer bridge", have, len(files))
	case !worker && have == 0:
		return ErrMissing
	case !worker && have < len(files):
		return fmt.Errorf("its schema is %d, this program needs %d: bridge run brings it up to date; until then use the bridge that runs on it", have, len(files))
	}
	for n := have; n < len(files); n++ {
		text, err := fs.ReadFile(migrations, files[n])
		if err != nil {
			return err
		}
		if err := l.apply(ctx, string(text), n+1); err != nil {
			return fmt.Errorf("migration %s: %w", filepath.Base(files[n]), err)
		}
	}
	return nil
}

// asker asks for one row: a connection, or a transaction on it.
type asker interface {
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// schemaOf is the number of the ledger's schema; 0: it is not there yet.
func (l *Ledger) schemaOf(ctx context.Context, on asker) (n int, err error) {
	born := true
	if l.numbered { // to_regclass may answer from what the session knew before it waited for the lock
		err = on.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'schema_version' AND pg_table_is_visible(oid))").Scan(&born)
	}
	if err == nil && born {
		err = on.QueryRowContext(ctx, l.version).Scan(&n)
	}
	return n, err
}

// upgraded waits a moment for a worker that has just started, and brings the schema up to
// date.
func (l *Ledger) upgraded(ctx context.Context, have int) (int, error) {
	tick := time.NewTicker(upgradeLook)
	defer tick.Stop()
	for range upgradeLooks {
		select {
		case <-ctx.Done():
			return have, ctx.Err()
		case <-tick.C:
		}
		now, err := l.schemaOf(ctx, l.write)
		if err != nil || now >= l.schema {
			return now, err
		}
	}
	return have, nil
}

// upgradeLooks is how often a command looks for a new schema, upgradeLook how long after
// the look before.
const (
	upgradeLooks = 40
	upgradeLook  = 50 * time.Millisecond
)

// apply takes the schema one number up, unless another program has done so since it was read.
func (l *Ledger) apply(ctx context.Context, text string, number int) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if l.numbered {     // SQLite's transaction locks by itself
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", l.number64("migrations")); err != nil {
			return err
		}
	}
	if have, err := l.schemaOf(ctx, tx); err != nil || have >= number {
		return err
	}
	if _, err := tx.ExecContext(ctx, text); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(l.stamp, number)); err != nil {
		return err
	}
	return tx.Commit()
}

// Close ends the writer, closes the file and frees the lock.
func (l *Ledger) Close() error {
	close(l.quit)
	<-l.gone
	if l.beats != nil {
		<-l.beats
	}
	l.me.lose()
	err := l.write.Close()
	if l.read.db != l.write {
		err = errors.Join(err, l.read.db.Close())
	}
	return errors.Join(err, l.unlock())
}

func (l *Ledger) unlock() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.free()
}

// micros writes a time as the ledger keeps it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
