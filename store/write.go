package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"bridge/plan"
)

// job is one write that waits for the writer: it has its own answer, and shares a
// commit with those that wait with it. It may be run twice, the first of it undone.
type job struct {
	ctx  context.Context //nolint:containedctx // it travels with the job and ends with it
	do   func(context.Context, tx) error
	done chan error
}

// most is how many writes share a commit.
const most = 256

// writer is the one that writes: it takes all that wait, commits once, and answers
// all. So thousands of steps a second are durable on a few syncs.
func (l *Ledger) writer() {
	defer close(l.gone)
	for {
		select {
		case <-l.quit:
			return
		case first := <-l.queue:
			l.commit(l.gather(first))
		}
	}
}

func (l *Ledger) gather(first job) []job {
	jobs := []job{first}
	for len(jobs) < most {
		select {
		case j := <-l.queue:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs the jobs in one transaction. A job that fails takes only itself back:
// the group is run once more then, each job in a savepoint of its own. On PostgreSQL
// that is done at once, since a claim that was taken is not given back by a rollback.
func (l *Ledger) commit(jobs []job) {
	var wanted []string
	errs, err := l.group(jobs, l.numbered, &wanted)
	if err == nil && !l.numbered && slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		errs, err = l.group(jobs, true, &wanted)
	}
	var again []job
	for i, j := range jobs {
		if err != nil {
			errs[i] = fmt.Errorf("write the ledger: %w", err)
		}
		if err == nil && deadlocked(errs[i]) {
			again = append(again, j)
			continue
		}
		j.done <- errs[i]
	}
	if err == nil {
		l.prepareSome(wanted)
	}
	if len(again) > 0 {
		l.commit(again)
	}
}

// deadlocked says that the server gave up a job for another worker's, which waited for
// what this one has. Its savepoint is undone: it is done again when the others are
// committed, and then meets what the other worker wrote.
func deadlocked(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == deadlockDetected
}

// deadlockDetected is deadlock_detected (PostgreSQL, appendix A).
const deadlockDetected = "40P01"

// group runs jobs in a transaction: all apart, or until the first that fails. The
// error is the transaction's. A server that does not answer in time ends it, and its
// session: what was written is not known to be kept then, and what was claimed is lost.
func (l *Ledger) group(jobs []job, apart bool, wanted *[]string) ([]error, error) {
	ctx, done := l.patience.bound(context.Background())
	defer done()
	errs, err := l.groupIn(ctx, jobs, apart, wanted)
	if err != nil && ctx.Err() != nil {
		l.me.lose()
		err = fmt.Errorf("the server did not answer in %s: %w", time.Duration(l.patience), err)
	}
	return errs, err
}

func (l *Ledger) groupIn(ctx context.Context, jobs []job, apart bool, wanted *[]string) ([]error, error) {
	errs := make([]error, len(jobs))
	raw, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return errs, err
	}
	defer raw.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	tx := tx{raw, l.dialect, l.kept, wanted, new(bool)}
	for i, j := range jobs {
		if apart {
			if errs[i], err = savepoint(ctx, tx, j); err != nil {
				return errs, err
			}
		} else if errs[i] = j.run(ctx, tx); errs[i] != nil {
			return errs, nil
		}
	}
	return errs, tx.Commit()
}

// run does a job, unless nobody waits for it any more.
func (j job) run(ctx context.Context, tx tx) error {
	if j.ctx.Err() != nil {
		return j.ctx.Err()
	}
	return j.do(ctx, tx)
}

// prepareSome prepares statements for the writes to come.
func (l *Ledger) prepareSome(wanted []string) {
	if l.numbered {
		return // pgx keeps its own
	}
	for _, statement := range wanted {
		if _, err := l.kept.get(context.Background(), statement); err != nil { //nolint:sqlclosecheck // it is kept
			return // it is written without, and says there what is wrong
		}
	}
}

// savepoint runs one job; the first error is the job's, the second the transaction's.
func savepoint(ctx context.Context, tx tx, j job) (own, all error) {
	if _, err := tx.exec(ctx, "SAVEPOINT job"); err != nil {
		return nil, err
	}
	if own = j.run(ctx, tx); own != nil {
		if _, err := tx.exec(ctx, "ROLLBACK TO job"); err != nil {
			return own, err
		}
	}
	_, all = tx.exec(ctx, "RELEASE job")
	return own, all
}

// change queues a write and waits for its commit.
func (l *Ledger) change(ctx context.Context, do func(context.Context, tx) error) error {
	j := job{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case l.queue <- j:
		return <-j.done
	case <-ctx.Done():
		return ctx.Err()
	case <-l.quit:
		return errors.New("the ledger is closed")
	}
}

// setOp writes an op over the one with its key, if that is at an attempt and in one of
// some states.
func setOp(ctx context.Context, tx tx, op opDoc, attempt int, states ...plan.State) error {
	args := []any{op.Rule, op.State, op.Mark, op.Attempt, number(op.Frozen), op.Basis.Rev, micros(op.Due), micros(op.Ended), op.doc, op.Key, attempt}
	for _, state := range states {
		args = append(args, state)
	}
	out, err := tx.exec(ctx, "UPDATE ops SET rule = ?, state = ?, mark = ?, attempt = ?, frozen = ?, rev = ?, due = ?, ended = ?, doc = ? WHERE key = ? AND attempt = ? AND state IN ("+
		strings.TrimSuffix(strings.Repeat("?, ", len(states)), ", ")+")", args...)
	if err != nil {
		return fmt.Errorf("write %s: %w", op.Key, err)
	}
	if n, err := out.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return otherwise(ctx, tx, op.Key)
}

// otherwise says how an op stands that a write expected to stand otherwise.
func otherwise(ctx context.Context, tx tx, key string) error {
	var state plan.State
	var at int
	if err := tx.row(ctx, "SELECT state, attempt FROM ops WHERE key = ?", key).Scan(&state, &at); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return fmt.Errorf("%s is %s at attempt %d: %w", key, state, at, plan.ErrStale)
}

// Begin writes down that an op is about to be sent. It is durable when it returns.
func (l *Ledger) Begin(ctx context.Context, op plan.Op, now time.Time) (plan.Op, error) {
	was := op.Attempt
	op.State, op.Attempt, op.Begun, op.Frozen, op.Probes, op.Waits, op.Unsent, op.Acknowledged = plan.Begun, was+1, now, true, 0, time.Time{}, false, false
	begun := opDoc{op, encode(op)}
	err := l.change(ctx, func(ctx context.Context, tx tx) error {
		if err := tx.schema(ctx, l.schema); err != nil {
			return err
		}
		at, err := l.clock(ctx, tx, now)
		if err != nil {
			return err
		}
		if at != begun.Begun {
			begun.Begun = at
			begun.doc = encode(begun.Op)
		}
		return setOp(ctx, tx, begun, was, plan.Promised)
	})
	return begun.Op, err
}

// Settle writes down how an op stands now, and what follows from it.
func (l *Ledger) Settle(ctx context.Context, op plan.Op, p plan.Promise) (added []string, err error) {
	settled, docs := opDoc{op, encode(op)}, written(p)
	err = l.change(ctx, func(ctx context.Context, tx tx) error {
		if err := settleOp(ctx, tx, settled); err != nil {
			return err
		}
		added, err = promise(ctx, tx, docs)
		return err
	})
	return added, err
}

// settleOp writes an op over the one that was begun. One that is not begun any more was
// taken for lost meanwhile, or looked for: a person may have dropped it since, or be about
// to, so it is read locked.
func settleOp(ctx context.Context, tx tx, op opDoc) error {
	if op.Probes == 0 && !op.Undo {
		if err := setOp(ctx, tx, op, op.Attempt, plan.Begun); !errors.Is(err, plan.ErrStale) {
			return err
		}
	}
	was, err := readOp(tx.row(ctx, "SELECT seq, doc FROM ops WHERE key = ?"+tx.lock, op.Key))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", op.Key, err)
	case was.Undo && !op.Undo:
		return fmt.Errorf("%s was dropped meanwhile: %w", op.Key, plan.ErrStale)
	case op.Undo && !was.Undo && op.Probes > was.Probes: // a look at what was dropped then
		return fmt.Errorf("%s is wanted again: %w", op.Key, plan.ErrStale)
	}
	return setOp(ctx, tx, op, op.Attempt, plan.Promised, plan.Begun, plan.Unknown, plan.Doubt, plan.Parked)
}

// number writes a truth as both engines keep it.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func encode(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return "{}" // plain structs of texts, numbers and times cannot fail
	}
	return string(out)
}
