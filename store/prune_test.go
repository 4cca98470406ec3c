package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bridge/mapping"
	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

func TestPruneEmptiesBodiesAndKeepsTheStory(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		old, owed := aCreate(link), aCreate(link)
		old.State, old.Ended = plan.Done, noon
		owed.Key = "ticket.note/r/1"
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{old, owed}})
		for want := 1; want >= 0; want-- {
			if n, err := l.Prune(t.Context(), noon.Add(time.Hour)); err != nil || n != want {
				t.Errorf("pruned %d, %v; want %d", n, err, want)
			}
		}
		if got := theOp(t, l, old.Key); len(got.Body) != 0 && string(got.Body) != "null" || got.Basis.Record != nil || got.Why != "matches" {
			t.Errorf("op %+v", got)
		}
		if got := theOp(t, l, owed.Key); len(got.Body) == 0 {
			t.Error("the body of what is owed is gone")
		}
	})
}

func TestWhatEndedLongAgoIsForgottenAndWhatMattersIsKept(t *testing.T) {
	t.Parallel()
	before := noon.Add(time.Hour)
	tests := map[string]struct {
		change func(l *plan.Link, create, note *plan.Op)
		hold   bool
		kept   bool
	}{
		"a link that ended, with its ops and notes": {change: func(*plan.Link, *plan.Op, *plan.Op) {}},
		"one that never had a ticket":               {change: func(l *plan.Link, c, _ *plan.Op) { l.MMD, c.State = "", plan.Cancelled }},
		"one whose update was superseded":           {change: func(_ *plan.Link, _, n *plan.Op) { n.State = plan.Superseded }},
		"one that is open":                          {change: func(l *plan.Link, _, _ *plan.Op) { l.Ended = time.Time{} }, kept: true},
		"one that ended since":                      {change: func(l *plan.Link, _, _ *plan.Op) { l.Ended = before }, kept: true},
		"one with a write that waits":               {change: func(_ *plan.Link, _, n *plan.Op) { n.State, n.Ended = plan.Promised, time.Time{} }, kept: true},
		"one with a write that is looked for":       {change: func(_ *plan.Link, _, n *plan.Op) { n.State, n.Ended = plan.Unknown, time.Time{} }, kept: true},
		"one with a write in doubt":                 {change: func(_ *plan.Link, _, n *plan.Op) { n.State, n.Ended = plan.Doubt, time.Time{} }, kept: true},
		"one with a write that is parked":           {change: func(_ *plan.Link, _, n *plan.Op) { n.State, n.Ended = plan.Parked, time.Time{} }, kept: true},
		"one with a write that was done since":      {change: func(_ *plan.Link, _, n *plan.Op) { n.Ended = before }, kept: true},
		"one with a write that a person dropped":    {change: func(_ *plan.Link, _, n *plan.Op) { n.State, n.Frozen = plan.Cancelled, true }, kept: true},
		"one that a person ended":                   {change: func(l *plan.Link, _, _ *plan.Op) { l.ByHand = true }, kept: true},
		"one that is held":                          {change: func(*plan.Link, *plan.Op, *plan.Op) {}, hold: true, kept: true},
		"one with a twin":                           {change: func(l *plan.Link, _, _ *plan.Op) { l.Twins = []string{"T2"} }, kept: true},
		"one with a note that vanished":             {change: func(l *plan.Link, _, _ *plan.Op) { l.Vanished = []string{"b1-x"} }, kept: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *store.Ledger) {
				link, other := aLink(1), aLink(2)
				link.MMD, link.Ended = "T1", noon
				create, note, others := aCreate(link), aCreate(link), aCreate(other)
				note.Key, note.Kind = "ticket.note/r00001/c1/1", plan.TicketNote
				create.State, create.Ended, note.State, note.Ended = plan.Done, noon, plan.Done, noon
				tt.change(&link, &create, &note)
				promise(t, l, plan.Promise{
					Links: []plan.Link{link, other}, Ops: []plan.Op{create, note, others},
					Notes: []plan.Note{{Link: link.ID, Side: plan.ITSM, ID: "c1"}, {Link: other.ID, Side: plan.ITSM, ID: "c2"}},
				})
				if tt.hold {
					if err := l.Hold(t.Context(), plan.Hold{Rule: link.ID, What: plan.HoldsReopened}); err != nil {
						t.Fatal(err)
					}
				}
				want := map[bool]int{true: 0, false: 1}[tt.kept]
				if n, err := l.Forget(t.Context(), before); err != nil || n != want {
					t.Errorf("%d links were forgotten, want %d: %v", n, want, err)
				}
				notes, err := l.Notes(t.Context(), []string{link.ID, other.ID})
				if links, ops := count(t, l); err != nil || links != 2-want || ops != 3-2*want || len(notes) != 2-want {
					t.Errorf("%d links, %d ops, %d notes are left, %v", links, ops, len(notes), err)
				}
				until, err := l.Meta(t.Context(), plan.MetaForgotten)
				if err != nil || (until == "") != tt.kept || until != "" && until != "2026-11-23T12:00:00.000000Z" {
					t.Errorf("it says that it has forgotten until %q, %v", until, err)
				}
			})
		})
	}
}

func count(t *testing.T, l *store.Ledger) (links, ops int) {
	t.Helper()
	for _, err := range l.Links(t.Context(), plan.LinkQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		links++
	}
	for _, err := range l.Ops(t.Context(), plan.OpQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		ops++
	}
	return links, ops
}

func TestForgettingManyKeepsTheNewestMomentAndItsRoom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		fill := func() {
			var p plan.Promise
			for i := range 500 {
				link := aLink(i)
				link.Ended = noon.Add(time.Duration(i%7) * time.Minute)
				op := aCreate(link)
				op.State, op.Ended, op.Body = plan.Done, noon, []byte(`{"description":"`+strings.Repeat("x", 500)+`"}`)
				p.Links, p.Ops = append(p.Links, link), append(p.Ops, op)
			}
			promise(t, l, p)
		}
		var sizes []int64
		for range 4 {
			fill()
			size, err := l.Size(t.Context())
			if err != nil || size < 500*500 {
				t.Fatalf("500 links take %d bytes, %v", size, err)
			}
			sizes = append(sizes, size)
			if n, err := l.Forget(t.Context(), noon.Add(time.Hour)); err != nil || n != 500 {
				t.Fatalf("%d links were forgotten, %v", n, err)
			}
		}
		if until, err := l.Meta(t.Context(), plan.MetaForgotten); err != nil || until != "2026-11-23T12:06:00.000000Z" {
			t.Errorf("it says that it has forgotten until %q, %v", until, err)
		}
		most := sizes[0] + sizes[0]/10
		if strings.Contains(t.Name(), "PostgreSQL") {
			most = 5 * sizes[0] // it finds the room again when it has vacuumed, in its own time
		}
		if sizes[3] > most {
			t.Errorf("the room of what was forgotten is not used again: %v bytes", sizes)
		}
	})
}

// TestPruneLetsGoOfWhatANeverSentOpWasDecidedOn: a create that lacked a field has no body.
func TestPruneLetsGoOfWhatANeverSentOpWasDecidedOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		op := aCreate(link)
		op.State, op.Body, op.Ended = plan.Cancelled, nil, noon
		op.Basis.Record = mapping.Row{"caller_id.email": {Value: "ada@acme.example"}}
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		if _, err := l.Prune(t.Context(), noon.Add(30*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for op, err := range l.Ops(t.Context(), plan.OpQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(op.Basis.Record) > 0 {
				t.Errorf("a month after it ended it still holds %v", op.Basis.Record)
			}
		}
	})
}

// TestAWriteBesideAForgettingIsNotLostInSilence has a worker promise a write under a link
// that another one forgets.
func TestAWriteBesideAForgettingIsNotLostInSilence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		link.Ended = noon
		promise(t, l, plan.Promise{Links: []plan.Link{link}})
		if n, err := l.Forget(t.Context(), noon.Add(time.Hour)); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if _, err := l.Promise(t.Context(), plan.Promise{Ops: []plan.Op{aCreate(link)}}); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a write is owed under a link that is forgotten: %v", err)
		}
	})
}

// TestAForgettingWaitsForAPromise that another worker has written and not committed.
func TestAForgettingWaitsForAPromise(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	worker, forgets := open(t, store.Config{URL: address, Worker: true}), open(t, store.Config{URL: address, Worker: true})
	link := aLink(1)
	link.Ended = noon
	promise(t, worker, plan.Promise{Links: []plan.Link{link}})
	promised := make(chan error, 1)
	go func() { promised <- worker.PromiseSlowly(t.Context(), aCreate(link), time.Second) }()
	time.Sleep(500 * time.Millisecond)
	n, err := forgets.Forget(t.Context(), noon.Add(time.Hour))
	said := <-promised
	if links, ops := count(t, worker); n != 0 || err != nil || said != nil || links != 1 || ops != 1 {
		t.Errorf("%d were forgotten, %v; promised: %v; %d links, %d ops are left", n, err, said, links, ops)
	}
}
