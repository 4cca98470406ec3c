package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// dialect is where the two engines differ. The statements are the same.
type dialect struct {
	name string
	// version reads the schema's number, stamp writes it.
	version, stamp string
	// size measures the ledger in bytes.
	size string
	// lock ends a SELECT of what is written next: another session may be at it.
	lock string
	// numbered says that parameters are $1, $2 … and not ?.
	numbered bool
}

func sqlite() dialect {
	return dialect{
		name: "sqlite", version: "SELECT user_version FROM pragma_user_version", stamp: "PRAGMA user_version = %d",
		size: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
	}
}

func postgres() dialect {
	return dialect{
		name: "postgres", version: "SELECT version FROM schema_version", stamp: "UPDATE schema_version SET version = %d", numbered: true, lock: " FOR UPDATE",
		size: "SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'",
	}
}

// bind writes a statement's parameters as the engine names them.
func (d dialect) bind(statement string) string {
	if !d.numbered {
		return statement
	}
	var out strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString("$" + strconv.Itoa(n))
		statement = after
	}
}

// statements keeps what was prepared: parsing is a good part of a short statement.
type statements struct {
	mu   sync.Mutex
	db   *sql.DB
	made map[string]*sql.Stmt
}

// enoughStatements bounds them: lists of many lengths are many statements.
const enoughStatements = 200

// get prepares a statement once; nil: it is not worth keeping.
func (s *statements) get(ctx context.Context, statement string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.made[statement]; ok || len(s.made) >= enoughStatements {
		return made, nil
	}
	made, err := s.db.PrepareContext(ctx, statement) //nolint:sqlclosecheck // it is kept until the ledger is closed
	if err != nil {
		return nil, err
	}
	if s.made == nil {
		s.made = map[string]*sql.Stmt{}
	}
	s.made[statement] = made
	return made, nil
}

// have gives a statement that was prepared before; nil: it was not.
func (s *statements) have(statement string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[statement]
}

// reader reads on any connection, with the engine's parameters.
type reader struct {
	dialect
	patience
	statements
}

// found are rows, until they are closed.
type found struct {
	*sql.Rows
	done context.CancelFunc
}

// Close ends the time in which they may be read.
func (f found) Close() error {
	defer f.done()
	return f.Rows.Close()
}

// foundRow is one row, until it is scanned.
type foundRow struct {
	*sql.Row
	done context.CancelFunc
}

// Scan ends the time in which it may be read.
func (f foundRow) Scan(to ...any) error {
	defer f.done()
	return f.Row.Scan(to...)
}

func (r *reader) query(ctx context.Context, statement string, args ...any) (found, error) {
	ctx, done := r.bound(ctx)
	rows, err := r.rows(ctx, r.bind(statement), args...) //nolint:rowserrcheck // the caller closes them
	if err != nil {
		done()
	}
	return found{rows, done}, err
}

func (r *reader) rows(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	made, err := r.get(ctx, statement) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	if made == nil {
		return r.db.QueryContext(ctx, statement, args...)
	}
	return made.QueryContext(ctx, args...)
}

func (r *reader) row(ctx context.Context, statement string, args ...any) foundRow {
	ctx, done := r.bound(ctx)
	statement = r.bind(statement)
	if made, err := r.get(ctx, statement); err == nil && made != nil { //nolint:sqlclosecheck // it is kept
		return foundRow{made.QueryRowContext(ctx, args...), done}
	}
	return foundRow{r.db.QueryRowContext(ctx, statement, args...), done}
}

// tx is the transaction that a group of writes shares.
type tx struct {
	*sql.Tx
	dialect
	kept *statements
	// wanted are statements that are prepared when the transaction has ended: it
	// holds the one connection.
	wanted *[]string
	// known says that the schema was compared.
	known *bool
}

func (t tx) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	statement = t.bind(statement)
	if made := t.kept.have(statement); made != nil {
		return t.StmtContext(ctx, made).ExecContext(ctx, args...) //nolint:sqlclosecheck // it ends with the transaction
	}
	*t.wanted = append(*t.wanted, statement)
	return t.ExecContext(ctx, statement, args...)
}

func (t tx) row(ctx context.Context, statement string, args ...any) *sql.Row {
	statement = t.bind(statement)
	if made := t.kept.have(statement); made != nil {
		return t.StmtContext(ctx, made).QueryRowContext(ctx, args...) //nolint:sqlclosecheck // it ends with the transaction
	}
	*t.wanted = append(*t.wanted, statement)
	return t.QueryRowContext(ctx, statement, args...)
}

// schema says that the schema is still the one that this program knows: a newer
// program may have changed it while this one runs. It is asked once a transaction.
func (t tx) schema(ctx context.Context, want int) error {
	if *t.known {
		return nil
	}
	var is int
	if err := t.row(ctx, t.version).Scan(&is); err != nil {
		return fmt.Errorf("read the schema's number: %w", err)
	}
	if is != want {
		return fmt.Errorf("the ledger's schema is %d now, this program knows %d: a newer bridge has changed it", is, want)
	}
	*t.known = true
	return nil
}
