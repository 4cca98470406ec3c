package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// silence is how long a worker's session may be silent by default.
const silence = 30 * time.Second

// patience bounds what is asked of a server: one whose machine vanished without a word,
// behind a load balancer that still takes the bytes, would be waited for without end. It
// is twice the silence: a write may wait for a peer that is frozen, until the server has
// ended the peer's session.
type patience time.Duration

// bound ends a context when the patience does; 0: not before.
func (p patience) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if p == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Duration(p))
}

// readers is how many connections read at once.
const readers = 8

// oldest is the oldest server that can end a silent session.
const oldest = 140000

// openPostgres opens the ledger on PostgreSQL. One connection writes and holds the
// worker's claims as session-level advisory locks. A worker that is frozen or cut
// off is silent, and the server itself ends its session: what it had is free, and
// its next write meets a new session that has claimed nothing.
func openPostgres(ctx context.Context, cfg Config) (*Ledger, error) {
	config, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("store %s is not understood: postgres://user:password@host/database", redact(cfg.URL))
	}
	if cfg.Silence <= 0 {
		cfg.Silence = silence
	}
	l := &Ledger{
		dialect: postgres(), claims: &claims{taken: map[string]*claim{}}, me: newClaimant(),
		queue: make(chan job), quit: make(chan struct{}), gone: make(chan struct{}), local: cfg.Now, ahead: new(atomic.Int64), patience: patience(2 * cfg.Silence),
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "bridge"
	}
	l.write = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error { return l.connected(ctx, c, cfg) }))
	l.write.SetMaxOpenConns(1)
	l.write.SetMaxIdleConns(1)
	l.write.SetConnMaxIdleTime(0)
	read := stdlib.OpenDB(*config)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	l.use(read)
	if err := l.ready(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ledger %s: %w", redact(cfg.URL), err), l.write.Close(), read.Close())
	}
	go l.writer() //nolint:contextcheck // it writes for many callers, and ends with Close
	if cfg.Worker {
		l.beats = make(chan struct{})
		go l.beat(cfg.Silence / 3) //nolint:contextcheck,gosec // it ends with Close
	}
	return l, nil
}

// connected begins a session: the one before it is gone, and its claims with it. The
// connections that read may be gone as well: they are made anew.
func (l *Ledger) connected(ctx context.Context, c *pgx.Conn, cfg Config) error {
	l.me.lose()
	l.me.begin()
	l.read.db.SetMaxIdleConns(0)
	l.read.db.SetMaxIdleConns(readers)
	settings := []string{ // a hand command that is cut off in its write must not stop the workers
		fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", cfg.Silence.Milliseconds()),
		fmt.Sprintf("SET tcp_user_timeout = %d", cfg.Silence.Milliseconds()),
	}
	if cfg.Worker {
		settings = append(settings, fmt.Sprintf("SET idle_session_timeout = %d", cfg.Silence.Milliseconds()))
	}
	for _, set := range settings {
		if _, err := c.Exec(ctx, set); err != nil {
			return fmt.Errorf("%s: %w", set, err)
		}
	}
	return nil
}

// beat keeps the session from being silent while this process is well.
func (l *Ledger) beat(every time.Duration) {
	defer close(l.beats)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), every)
			_ = l.change(ctx, func(ctx context.Context, tx tx) error { // an error is the next writer's to tell
				_, err := l.clock(ctx, tx, time.Time{})
				return err
			})
			cancel()
		}
	}
}

// ready refuses a server on which a promise would not hold, and brings the schema
// up to date.
func (l *Ledger) ready(ctx context.Context, cfg Config) error {
	var version int
	var commit string
	var standby bool
	var server time.Time
	asked, done := l.patience.bound(ctx) // the schema may take longer: another program may be at it
	defer done()
	if err := l.write.QueryRowContext(asked, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'), pg_is_in_recovery(),
		coalesce(current_schema(), ''), clock_timestamp()`).Scan(&version, &commit, &standby, &l.space, &server); err != nil {
		return err
	}
	l.compare(server)
	switch {
	case version < oldest:
		return fmt.Errorf("the server is PostgreSQL %d: 14 or later is needed, which ends the session of a worker that is frozen", version/10000)
	case commit == "off":
		return errors.New("synchronous_commit is off: what was promised could be forgotten. ALTER ROLE … SET synchronous_commit = on")
	case l.space == "":
		return errors.New("no schema to keep the ledger in: its user may use none, or search_path names none that is there")
	case standby:
		return errors.New("the server is a standby, and cannot be written to")
	}
	if err := l.unpooled(asked); err != nil {
		return err
	}
	return l.migrate(ctx, cfg.Worker)
}

// unpooled refuses a pooler that hands each statement to another session: claims
// would be left behind in it.
func (l *Ledger) unpooled(ctx context.Context) error {
	c, err := l.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // it goes back to the pool of one
	pids := map[int]bool{}
	for range 4 {
		var pid int
		if err := c.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		pids[pid] = true
	}
	var locked, unlocked bool
	key := l.number64(fmt.Sprintf("pooler %v", pids))
	if err := c.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&locked); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "SELECT pg_advisory_unlock($1)", key).Scan(&unlocked); err != nil {
		return err
	}
	if len(pids) > 1 || locked != unlocked {
		return errors.New("a pooler stands before the server and gives each statement another session: use session pooling, or the server itself")
	}
	return nil
}

// Now is the time by the ledger's clock, which workers on several machines share: what
// one of them wrote down, another one compares with it. On SQLite it is this machine's.
func (l *Ledger) Now() time.Time { return l.local().Add(time.Duration(l.ahead.Load())) }

// apart is how far a clock has to be from another one to be told from it.
const apart = time.Second

// clock is the server's time, and sets Now by it.
func (l *Ledger) clock(ctx context.Context, tx tx, now time.Time) (time.Time, error) {
	if !l.numbered {
		return now, nil
	}
	var server time.Time
	if err := tx.row(ctx, "SELECT clock_timestamp()").Scan(&server); err != nil {
		return now, fmt.Errorf("read the server's clock: %w", err)
	}
	l.compare(server)
	return server.UTC(), nil
}

// compare sets Now by the server's time. Small differences are those of asking.
func (l *Ledger) compare(server time.Time) {
	ahead := server.Sub(l.local())
	if ahead.Abs() < apart {
		ahead = 0
	}
	if was := time.Duration(l.ahead.Load()); (ahead - was).Abs() >= apart {
		l.ahead.Store(int64(ahead))
	}
}
