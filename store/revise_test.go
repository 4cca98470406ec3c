package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

// owedOn is what is owed under a link.
func owedOn(t *testing.T, l *store.Ledger, link plan.Link) (out []plan.Op) {
	t.Helper()
	for op, err := range l.Ops(t.Context(), plan.OpQuery{Links: []string{link.ID}, Owed: true}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, op)
	}
	return out
}

// ends ends a link by hand.
func ends(story plan.Story) ([]plan.Op, plan.Promise, error) {
	return plan.EndByHand(story, "contract", noon)
}

func TestARevisionIsDoneWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		note := aCreate(link)
		note.Key, note.Kind, note.Mark = "ticket.note/x/1", plan.TicketNote, "b1-abc-note"
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{note, aCreate(link)}})
		begun, err := l.Begin(t.Context(), owedOn(t, l, link)[1], noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Revise(t.Context(), link.ID, ends); !errors.Is(err, plan.ErrBegun) {
			t.Fatalf("a write that is being sent was taken back: %v", err)
		}
		if left := owedOn(t, l, link); len(left) != 2 {
			t.Errorf("half of it was done: %+v", left)
		}
		begun.State = plan.Unknown
		if _, err := l.Settle(t.Context(), begun, plan.Promise{}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Revise(t.Context(), link.ID, ends); err != nil {
			t.Fatal(err)
		}
		if left := owedOn(t, l, link); len(left) != 1 || !left[0].Undo {
			t.Errorf("the one that may have been done is to be watched, and is all: %+v", left)
		}
		begun.State, begun.Ended = plan.Done, noon // its answer comes late, to one who does not know
		if _, err := l.Settle(t.Context(), begun, plan.Promise{}); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a late answer made it forgotten that it was dropped: %v", err)
		}
	})
}

// TestACommentBesideARevisionIsNotSent has a worker promise a comment while a person ends
// its link.
func TestACommentBesideARevisionIsNotSent(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	worker := open(t, store.Config{URL: address, Worker: true})
	hand := open(t, store.Config{URL: address})
	link := aLink(1)
	promise(t, worker, plan.Promise{Links: []plan.Link{link}})
	link.Version = 1
	tries := 0
	if _, err := hand.Revise(t.Context(), link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
		if tries++; tries == 1 {
			promise(t, worker, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}})
		}
		return ends(story)
	}); err != nil {
		t.Fatal(err)
	}
	if left := owedOn(t, worker, link); tries != 2 || len(left) != 0 {
		t.Errorf("%d tries, and it is still owed: %+v", tries, left)
	}
}

// TestACommandRecoversWhatNobodyHas has a worker die with one write, while another one
// goes on with its own.
func TestACommandRecoversWhatNobodyHas(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"in a file": "sqlite:ledger.db", "on PostgreSQL": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := store.Config{URL: url, Dir: t.TempDir(), Worker: true, Holder: "the worker"}
			if url == "" {
				cfg.URL = pgtest.URL(t)
			}
			worker, err := store.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				link := aLink(n)
				promise(t, worker, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}})
				if _, err := worker.Begin(t.Context(), owedOn(t, worker, link)[0], noon); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := worker.Claim(t.Context(), "link/"+aLink(1).ID); err != nil {
				t.Fatal(err)
			}
			cfg.Worker, cfg.Holder = false, "the command"
			hand := open(t, cfg)
			stands := func(want ...plan.State) {
				t.Helper()
				for n, state := range want {
					if op := owedOn(t, hand, aLink(n))[0]; op.State != state {
						t.Errorf("op %d is %s, not %s", n, op.State, state)
					}
				}
			}
			recovered := func(want int) {
				t.Helper()
				got := 0
				for range 100 { // a server lets go of what a session had a moment after it was closed
					n, err := hand.RecoverByHand(t.Context(), noon.Add(time.Minute))
					if got += n; err != nil {
						t.Fatal(err)
					}
					if got >= want {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				if got != want {
					t.Errorf("%d recovered, not %d", got, want)
				}
			}
			if url == "" { // a replica divides its work with others by its claims
				recovered(1)
				stands(plan.Unknown, plan.Begun)
			} else { // one worker has it all
				recovered(0)
				stands(plan.Begun, plan.Begun)
			}
			if err := worker.Close(); err != nil {
				t.Fatal(err)
			}
			if url == "" {
				recovered(1)
			} else {
				recovered(2)
			}
			stands(plan.Unknown, plan.Unknown)
			cfg.Worker = true
			open(t, cfg) // the lock is free again
		})
	}
}

// TestADropBesideAProbeStands has a command drop a write that a worker has just looked for.
// The command's transaction is held up between its two writes.
func TestADropBesideAProbeStands(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	worker := open(t, store.Config{URL: url, Worker: true})
	command := open(t, store.Config{URL: url})
	link := aLink(1)
	op := aCreate(link)
	op.Kind, op.Key = plan.ElevationCreate, "elevation.create/"+link.Record+"/1"
	promise(t, worker, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
	op = theOp(t, worker, op.Key)
	op, err := worker.Begin(t.Context(), op, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	op.State, op.Due = plan.Unknown, time.Now()
	if _, err := worker.Settle(t.Context(), op, plan.Promise{}); err != nil {
		t.Fatal(err)
	}
	op = theOp(t, worker, op.Key)

	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only used to hold another up
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO holds (rule, what, doc) VALUES ('x', '', '{}')"); err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error, 1)
	go func() {
		_, err := command.Revise(context.Background(), link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			ops, p, err := plan.DropByHand(story, nil, "not wanted", time.Now())
			p.Holds = []plan.Hold{{Rule: "x"}} // it waits here
			return ops, p, err
		})
		dropped <- err
	}()
	time.Sleep(time.Second)
	settled := make(chan error, 1)
	go func() {
		after := op
		after.Probes, after.State, after.Reason = 1, plan.Promised, "absent for the settle delay: sent once more"
		_, err := worker.Settle(context.Background(), after, plan.Promise{})
		settled <- err
	}()
	time.Sleep(time.Second)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	said, err := <-dropped, <-settled
	if is := theOp(t, worker, op.Key); said == nil && (!is.Undo || is.State == plan.Promised) {
		t.Errorf("a person dropped it (%v), and it is %s, undo %t (settle: %v): it is sent again", said, is.State, is.Undo, err)
	}
}

// TestALookAtADropThatWasTakenBackIsStale has a worker settle what it has read before a
// person wanted it again.
func TestALookAtADropThatWasTakenBackIsStale(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		op := aCreate(link)
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		op, err := l.Begin(t.Context(), theOp(t, l, op.Key), noon)
		if err != nil {
			t.Fatal(err)
		}
		op.State, op.Undo = plan.Unknown, true
		changes := func(op plan.Op) {
			t.Helper()
			if _, err := l.Revise(t.Context(), link.ID, func(plan.Story) ([]plan.Op, plan.Promise, error) {
				return []plan.Op{op}, plan.Promise{}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		changes(op)
		again := op
		again.Undo = false
		changes(again)
		op.Probes, op.State, op.Ended = 1, plan.Cancelled, noon
		if _, err := l.Settle(t.Context(), op, plan.Promise{}); !errors.Is(err, plan.ErrStale) {
			t.Errorf("what a person wants again is cancelled: %v", err)
		}
	})
}
