package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

// pairs runs a test on two workers that share a ledger. kill ends the first one's
// session as its death would.
func pairs(t *testing.T, test func(t *testing.T, first, second *store.Ledger, kill func())) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		first := open(t, store.Config{URL: "sqlite::memory:", Worker: true})
		test(t, first, first.Session(), first.Break)
	})
	t.Run("on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := pgtest.URL(t)
		// A name of this test alone: others have workers on the server too.
		_, name, _ := strings.Cut(url, "search_path=")
		name, _, _ = strings.Cut(name, "&")
		first := open(t, store.Config{URL: url + "&application_name=" + name, Worker: true, Silence: time.Second})
		second := open(t, store.Config{URL: url, Worker: true})
		test(t, first, second, func() {
			db, err := sql.Open("pgx", url)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // what it did was answered
			var ended int
			if err := db.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
				WHERE a.application_name = $1 AND l.locktype = 'advisory'`, name).Scan(&ended); err != nil || ended == 0 {
				t.Fatalf("ended %d sessions, %v", ended, err)
			}
		})
	})
}

// claimed claims a name that must be free.
func claimed(t *testing.T, l *store.Ledger, name string) (context.Context, func()) {
	t.Helper()
	held, release, err := l.Claim(t.Context(), name)
	if err != nil {
		t.Fatalf("claim %s: %v", name, err)
	}
	return held, release
}

// refused wants a name to be another worker's.
func refused(t *testing.T, l *store.Ledger, name string) {
	t.Helper()
	if _, _, err := l.Claim(t.Context(), name); !errors.Is(err, plan.ErrClaimed) {
		t.Errorf("claim %s: %v, want %v", name, err, plan.ErrClaimed)
	}
}

func TestAClaimIsOneWorkersUntilItIsReleased(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, first, second *store.Ledger, _ func()) {
		held, release := claimed(t, first, "link/a")
		refused(t, first, "link/a")
		refused(t, second, "link/a")
		_, other := claimed(t, second, "link/b")
		other()
		release()
		release() // twice is once
		if held.Err() != nil {
			t.Error("a claim that was released by its holder was not lost")
		}
		_, again := claimed(t, second, "link/a")
		refused(t, first, "link/a")
		again()
	})
}

func TestASessionThatEndsLosesItsClaimsAndCanBeginNothing(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, first, second *store.Ledger, kill func()) {
		link := aLink(1)
		op := aCreate(link)
		promise(t, first, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		op = theOp(t, first, op.Key)
		held, release := claimed(t, first, "link/"+link.ID)
		defer release()
		kill()
		var err error
		for range 100 { // the first write after the end may be the one that meets it
			if _, err = first.Begin(held, op, time.Now()); err != nil {
				break
			}
			t.Fatal("an op was begun under a claim that is lost")
		}
		select {
		case <-held.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("the claim is not lost (begin: %v)", err)
		}
		if _, err := first.Begin(held, op, time.Now()); err == nil {
			t.Error("an op was begun under a claim that is lost")
		}
		_, mine := claimed(t, second, "link/"+link.ID)
		defer mine()
		if _, err := second.Begin(t.Context(), op, time.Now()); err != nil {
			t.Errorf("the other worker begins: %v", err)
		}
	})
}

func TestOnlyWhatAGoneWorkerBeganIsRecovered(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, first, second *store.Ledger, kill func()) {
		link := aLink(1)
		op := aCreate(link)
		promise(t, first, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		held, release := claimed(t, first, "link/"+link.ID)
		defer release()
		begun, err := first.Begin(held, theOp(t, first, op.Key), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := second.Recover(t.Context(), time.Now()); err != nil || n != 0 {
			t.Fatalf("recovered %d of a living worker, %v", n, err)
		}
		kill()
		recovered := 0
		for range 100 {
			n, err := second.Recover(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if recovered += n; recovered > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond) // the server ends a session when it comes to it
		}
		if got := theOp(t, second, op.Key); recovered != 1 || got.State != plan.Unknown || got.Attempt != 1 {
			t.Fatalf("recovered %d: %+v", recovered, got)
		}
		// A late answer is written down all the same.
		begun.State, begun.Ended, begun.Result = plan.Done, time.Now(), "T1"
		for range 10 {
			if _, err = first.Settle(t.Context(), begun, plan.Promise{}); err == nil {
				break
			}
		}
		if got := theOp(t, second, op.Key); err != nil || got.State != plan.Done || got.Result != "T1" {
			t.Errorf("a late answer: %+v, %v", got, err)
		}
	})
}

func TestAWorkerThatIsFrozenLosesItsSession(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	frozen := open(t, store.Config{URL: url, Worker: true, Silence: 300 * time.Millisecond})
	other := open(t, store.Config{URL: url, Worker: true})
	held, release := claimed(t, frozen, "link/a")
	defer release()
	done := make(chan error, 1)
	go func() { done <- frozen.Freeze(context.Background(), 3*time.Second) }()
	for began := time.Now(); ; {
		_, mine, err := other.Claim(t.Context(), "link/a")
		if err == nil {
			mine()
			break
		}
		if !errors.Is(err, plan.ErrClaimed) || time.Since(began) > 2900*time.Millisecond {
			t.Fatalf("while the first is frozen: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := <-done; err == nil {
		t.Error("what was written when it was frozen was taken")
	}
	if _, err := frozen.Meta(t.Context(), "x"); err != nil {
		t.Errorf("it goes on with a new session: %v", err)
	}
	if err := frozen.SetMeta(t.Context(), "x", "y"); err != nil || held.Err() == nil {
		t.Errorf("it goes on with a new session: %v, and without what it had: %v", err, held.Err())
	}
}

func TestAServerOnWhichAPromiseWouldNotHoldIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	_, err := store.Open(t.Context(), store.Config{URL: url + "&synchronous_commit=off", Worker: true})
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("error %v", err)
	}
	if _, err := store.Open(t.Context(), store.Config{URL: url}); !errors.Is(err, store.ErrMissing) {
		t.Errorf("a command on a database without a ledger: %v", err)
	}
	first := open(t, store.Config{URL: url, Worker: true})
	open(t, store.Config{URL: url})
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what it did was answered
	link := aLink(1)
	promise(t, first, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}})
	if _, err := db.ExecContext(t.Context(), "UPDATE schema_version SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Begin(t.Context(), theOp(t, first, aCreate(link).Key), noon); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("begin on a newer schema: %v", err)
	}
	if _, err := store.Open(t.Context(), store.Config{URL: url, Worker: true}); err == nil || !strings.Contains(err.Error(), "use a newer bridge") {
		t.Errorf("a newer schema: %v", err)
	}
}

func TestAWorkerClaimsAnewWhatItsEndedSessionHad(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, first, second *store.Ledger, kill func()) {
		held, old := claimed(t, first, "feed/tickets")
		kill()
		for held.Err() == nil { // a write meets the end
			_ = first.SetMeta(t.Context(), "a", "write")
		}
		_, release := claimed(t, first, "feed/tickets")
		old() // what was lost gives nothing back
		refused(t, second, "feed/tickets")
		release()
		_, other := claimed(t, second, "feed/tickets")
		other()
	})
}
