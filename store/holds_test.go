package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

func holdsOf(t *testing.T, l *store.Ledger) []plan.Hold {
	t.Helper()
	holds, err := l.Holds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return holds
}

func TestHolds(t *testing.T) {
	t.Parallel()
	creates := plan.Hold{Rule: "incident", Reason: "too many", Since: noon}
	all := plan.Hold{Rule: "incident", What: plan.HoldsAll, Reason: "refused alike", Since: noon}
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}, Holds: []plan.Hold{creates}})
		if err := l.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]plan.Hold{creates, all}, holdsOf(t, l)); diff != "" {
			t.Errorf("two holds of one rule (-want +got):\n%s", diff)
		}
		more := creates
		more.Reason = "even more"
		promise(t, l, plan.Promise{Holds: []plan.Hold{more}})
		if err := l.Release(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]plan.Hold{more}, holdsOf(t, l)); diff != "" {
			t.Errorf("one of them was let go (-want +got):\n%s", diff)
		}
		if _, err := l.Promise(t.Context(), plan.Promise{Holds: []plan.Hold{all}, Links: []plan.Link{link}}); err == nil {
			t.Error("a promise on an older link was taken")
		}
		if diff := cmp.Diff([]plan.Hold{more}, holdsOf(t, l)); diff != "" {
			t.Errorf("a promise that is refused holds nothing (-want +got):\n%s", diff)
		}
	})
}

// TestAHoldThatIsHeldAnewStands has a second storm come while a person looks at the first.
func TestAHoldThatIsHeldAnewStands(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		promise(t, l, plan.Promise{Holds: []plan.Hold{{Rule: "incident", Reason: "101 creates", Since: noon.Add(123456789)}}})
		looked := holdsOf(t, l)[0]
		more := plan.Hold{Rule: "incident", Reason: "4,000 creates", Since: noon.Add(time.Minute)}
		promise(t, l, plan.Promise{Holds: []plan.Hold{more}})
		if err := l.GoOn(t.Context(), []plan.Hold{looked}, nil); !errors.Is(err, plan.ErrStale) {
			t.Errorf("4,000 creates go on that nobody has looked at: %v", err)
		}
		if diff := cmp.Diff([]plan.Hold{more}, holdsOf(t, l)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := l.GoOn(t.Context(), holdsOf(t, l), nil); err != nil || len(holdsOf(t, l)) != 0 {
			t.Errorf("what was looked at is still held: %v", err)
		}
	})
}

// TestHoldsGoOnTogetherOrNotAtAll has one of two be held anew while a person looks.
func TestHoldsGoOnTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		notes := plan.Hold{Rule: link.ID, What: plan.HoldsNotes, Reason: "101 notes", Since: noon}
		creates := plan.Hold{Rule: "incident", Reason: "101 creates", Since: noon}
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Holds: []plan.Hold{notes, creates}})
		looked := []plan.Hold{notes, creates}
		creates.Reason = "4,000 creates"
		promise(t, l, plan.Promise{Holds: []plan.Hold{creates}})
		calm := func(link plan.Link, hold plan.Hold) plan.Link { return plan.GoOn(link, hold, noon) }
		if err := l.GoOn(t.Context(), looked, calm); !errors.Is(err, plan.ErrStale) || len(holdsOf(t, l)) != 2 || !theLink(t, l, link.ID).Calmed.IsZero() {
			t.Errorf("one went on without the other: %v, %+v", err, holdsOf(t, l))
		}
		if err := l.GoOn(t.Context(), holdsOf(t, l), calm); err != nil || len(holdsOf(t, l)) != 0 || theLink(t, l, link.ID).Calmed.IsZero() {
			t.Errorf("both were looked at: %v, %+v", err, holdsOf(t, l))
		}
	})
}

func TestALedgerOfTheFirstSchemaKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(t *testing.T) (cfg store.Config, driver, address, stamp string){
		"on SQLite": func(t *testing.T) (cfg store.Config, driver, address, stamp string) {
			t.Helper()
			dir := t.TempDir()
			return store.Config{URL: "sqlite:ledger.db", Dir: dir, Worker: true}, "sqlite", filepath.Join(dir, "ledger.db"), "PRAGMA user_version = 1"
		},
		"on PostgreSQL": func(t *testing.T) (cfg store.Config, driver, address, stamp string) {
			t.Helper()
			address = pgtest.URL(t)
			return store.Config{URL: address, Worker: true}, "pgx", address, "UPDATE schema_version SET version = 1"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, driver, address, stamp := at(t)
			folder := map[string]string{"sqlite": "sqlite", "pgx": "postgres"}[driver]
			schema, err := os.ReadFile(filepath.Join("migrations", folder, "0001_ledger.sql"))
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open(driver, address)
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{
				string(schema), stamp,
				`INSERT INTO holds (rule, doc) VALUES ('incident', '{"rule":"incident","reason":"too many","since":"2026-11-23T12:00:00Z"}')`,
				`INSERT INTO links VALUES ('ticket/r1', 'ticket', 'incident', 'incident', 'r1', 't1', 1, 0, 1, 0, 0, 1, '{"ID":"ticket/r1","Notice":"it is gone","Unheard":"no right"}')`,
				`INSERT INTO links VALUES ('ticket/r2', 'ticket', 'incident', 'incident', 'r2', 't2', 1, 0, 1, 0, 0, 1, '{"ID":"ticket/r2","Notice":""}')`,
				`INSERT INTO links VALUES ('ticket/r3', 'ticket', 'incident', 'incident', 'r3', 't3', 1, 9, 1, 0, 0, 1, '{"ID":"ticket/r3","Notice":"it is gone"}')`,
				`INSERT INTO holds (rule, doc) VALUES ('ticket/r1', '{"rule":"ticket/r1","what":"notes","reason":"a flood","since":"2026-11-23T12:00:00Z"}')`,
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			l := open(t, cfg)
			notes := plan.Hold{Rule: "ticket/r1", What: plan.HoldsNotes, Reason: "a flood", Since: noon}
			want := []plan.Hold{{Rule: "incident", Reason: "too many", Since: noon}, notes}
			if diff := cmp.Diff(want, holdsOf(t, l)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c, err := l.Counts(t.Context(), noon); err != nil || c.Noticed != 1 || c.Unheard != 1 {
				t.Errorf("what its links say is not counted: %+v, %v", c, err)
			}
			if err := l.Release(t.Context(), notes); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[:1], holdsOf(t, l)); diff != "" {
				t.Errorf("one was let go (-want +got):\n%s", diff)
			}
		})
	}
}
