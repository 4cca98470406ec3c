package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// each runs a test on a ledger in memory, on one in a file and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, l *store.Ledger)) {
	t.Helper()
	for name, url := range map[string]string{"in memory": "sqlite::memory:", "in a file": "sqlite:ledger.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, store.Config{URL: url, Dir: t.TempDir(), Worker: true, Holder: "the test"}))
		})
	}
	t.Run("on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, store.Config{URL: pgtest.URL(t), Worker: true, Holder: "the test"}))
	})
}

func open(t *testing.T, cfg store.Config) *store.Ledger {
	t.Helper()
	l, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func aLink(n int) plan.Link {
	id := fmt.Sprintf("r%05d", n)
	return plan.Link{
		ID: plan.LinkID(plan.TicketLink, id), Kind: plan.TicketLink, Rule: "incident", Table: "incident", Record: id, Number: "INC" + id, Generation: 1, Created: noon,
		Base: map[string]plan.Baseline{"record.state": {Value: "1", Label: "New", Turn: 2}},
	}
}

func aCreate(l plan.Link) plan.Op {
	return plan.Op{
		Key: "ticket.create/" + l.Record + "/1", Link: l.ID, Rule: l.Rule, Kind: plan.TicketCreate, State: plan.Promised, Mark: "b1-abc-" + l.Record, Body: []byte(`{"title":"x"}`),
		Promised: noon, Due: noon, Why: "matches", Basis: plan.Basis{Seen: noon, Rev: "1", Record: mapping.Row{"state": {Value: "1"}}},
	}
}

func promise(t *testing.T, l *store.Ledger, p plan.Promise) []string {
	t.Helper()
	added, err := l.Promise(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func theOp(t *testing.T, l *store.Ledger, key string) plan.Op {
	t.Helper()
	for op, err := range l.Ops(t.Context(), plan.OpQuery{Keys: []string{key}}) {
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	t.Fatalf("there is no %s", key)
	return plan.Op{}
}

func theLink(t *testing.T, l *store.Ledger, id string) plan.Link {
	t.Helper()
	for link, err := range l.Links(t.Context(), plan.LinkQuery{IDs: []string{id}}) {
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	t.Fatalf("there is no %s", id)
	return plan.Link{}
}

func TestWhatIsPromisedIsThereAsItWas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		op := aCreate(link)
		note := plan.Note{Link: link.ID, Side: plan.MMD, ID: "n1", Hash: "h", Mark: "m", Seen: noon}
		cursor := plan.Cursor{Feed: "f", Fingerprint: "x", Read: noon, Full: noon}
		added := promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}, Notes: []plan.Note{note}, Cursor: &cursor})
		if diff := cmp.Diff([]string{op.Key}, added); diff != "" {
			t.Errorf("added (-want +got):\n%s", diff)
		}
		link.Version, op.Seq = 1, 1
		if diff := cmp.Diff(link, theLink(t, l, link.ID)); diff != "" {
			t.Errorf("link (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(op, theOp(t, l, op.Key)); diff != "" {
			t.Errorf("op (-want +got):\n%s", diff)
		}
		notes, err := l.Notes(t.Context(), []string{link.ID})
		if diff := cmp.Diff([]plan.Note{note}, notes); diff != "" || err != nil {
			t.Errorf("notes %v (-want +got):\n%s", err, diff)
		}
		read, err := l.Cursor(t.Context(), "f")
		if diff := cmp.Diff(cursor, read); diff != "" || err != nil {
			t.Errorf("cursor %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestPromisingAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before   func(*plan.Op)
		rev      string
		replaced bool
	}{
		"the same adds nothing":                          {func(*plan.Op) {}, "1", false},
		"what is promised is decided anew":               {func(*plan.Op) {}, "2", true},
		"what is parked is decided anew":                 {func(o *plan.Op) { o.State = plan.Parked }, "2", true},
		"what was superseded is wanted again":            {func(o *plan.Op) { o.State, o.Ended = plan.Superseded, noon }, "2", true},
		"what was dropped by hand stays dropped":         {func(o *plan.Op) { o.State, o.Ended, o.Frozen = plan.Cancelled, noon, true }, "2", false},
		"what was sent and is looked for stays as it is": {func(o *plan.Op) { o.State, o.Frozen = plan.Unknown, true }, "2", false},
		"what is in doubt stays as it is":                {func(o *plan.Op) { o.State = plan.Doubt }, "2", false},
		"what is done stays done":                        {func(o *plan.Op) { o.State, o.Ended = plan.Done, noon }, "2", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *store.Ledger) {
				link := aLink(1)
				op := aCreate(link)
				tt.before(&op)
				promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
				again := aCreate(link)
				again.Body, again.Basis.Rev = []byte(`{"title":"new"}`), tt.rev
				if added := promise(t, l, plan.Promise{Ops: []plan.Op{again}}); len(added) != 0 {
					t.Errorf("a known op was added: %v", added)
				}
				got := theOp(t, l, op.Key)
				if replaced := string(got.Body) == string(again.Body); replaced != tt.replaced {
					t.Errorf("the body is %s in state %s", got.Body, got.State)
				}
				if tt.replaced && (got.State != plan.Promised || !got.Ended.IsZero() || got.Seq != 1) {
					t.Errorf("op %+v", got)
				}
			})
		})
	}
}

func TestAPromiseOnAnOlderLinkIsRefusedWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		promise(t, l, plan.Promise{Links: []plan.Link{link}})
		stale := aLink(1)
		_, err := l.Promise(t.Context(), plan.Promise{Links: []plan.Link{aLink(2), stale}, Ops: []plan.Op{aCreate(link)}, Cursor: &plan.Cursor{Feed: "f", Read: noon}})
		if !errors.Is(err, plan.ErrStale) {
			t.Fatalf("error %v, want %v", err, plan.ErrStale)
		}
		counts, err := l.Counts(t.Context(), noon)
		if err != nil || counts.LinksOpen != 1 || counts.Owed != 0 {
			t.Errorf("a part of it was written: %+v, %v", counts, err)
		}
		if c, err := l.Cursor(t.Context(), "f"); err != nil || !c.Read.IsZero() {
			t.Errorf("the cursor moved: %+v, %v", c, err)
		}
	})
}

func TestOneTicketBelongsToOneLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		a, b := aLink(1), aLink(2)
		a.MMD, b.MMD = "T1", "T1"
		promise(t, l, plan.Promise{Links: []plan.Link{a}})
		if _, err := l.Promise(t.Context(), plan.Promise{Links: []plan.Link{b}}); err == nil || !strings.Contains(err.Error(), b.ID) {
			t.Errorf("error %v, want one that names %s", err, b.ID)
		}
	})
}

func TestTheStepsOfAnOp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		op := aCreate(link)
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		op = theOp(t, l, op.Key)
		begun, err := l.Begin(t.Context(), op, noon.Add(time.Second))
		elsewhere := time.Since(begun.Begun) > time.Minute // PostgreSQL's clock is its own
		if err != nil || begun.State != plan.Begun || begun.Attempt != 1 || !begun.Frozen || (elsewhere && !begun.Begun.Equal(noon.Add(time.Second))) {
			t.Fatalf("begun %+v, %v", begun, err)
		}
		if diff := cmp.Diff(begun, theOp(t, l, op.Key)); diff != "" {
			t.Errorf("begin is not what is written (-want +got):\n%s", diff)
		}
		if _, err := l.Begin(t.Context(), op, noon); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a second begin: %v, want %v", err, plan.ErrStale)
		}
		late := begun
		late.Attempt = 0
		if _, err := l.Settle(t.Context(), late, plan.Promise{}); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a settle of another attempt: %v, want %v", err, plan.ErrStale)
		}
		done := begun
		done.State, done.Ended, done.Result = plan.Done, noon.Add(2*time.Second), "T1"
		linked := theLink(t, l, link.ID)
		linked.MMD = "T1"
		follow := plan.Op{Key: "record.update/r1/1", Link: link.ID, Kind: plan.RecordUpdate, State: plan.Promised, Due: noon, Body: []byte(`{}`)}
		added, err := l.Settle(t.Context(), done, plan.Promise{Links: []plan.Link{linked}, Ops: []plan.Op{follow}})
		if err != nil || len(added) != 1 || theLink(t, l, link.ID).MMD != "T1" {
			t.Errorf("settled with %v, %v", added, err)
		}
		if _, err := l.Settle(t.Context(), done, plan.Promise{}); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a second settle: %v, want %v", err, plan.ErrStale)
		}
	})
}

func TestWhatIsDue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		states := []plan.State{plan.Promised, plan.Unknown, plan.Promised, plan.Parked, plan.Doubt, plan.Done}
		dues := []time.Time{noon.Add(-time.Second), noon.Add(-time.Hour), noon.Add(time.Minute), noon, noon, noon}
		var p plan.Promise
		for i, state := range states {
			link := aLink(i)
			op := aCreate(link)
			op.State, op.Due = state, dues[i]
			if state.Ended() {
				op.Ended = noon
			}
			p.Links, p.Ops = append(p.Links, link), append(p.Ops, op)
		}
		promise(t, l, p)
		due, err := l.Due(t.Context(), noon)
		if diff := cmp.Diff([]string{aLink(1).ID, aLink(0).ID}, due); diff != "" || err != nil {
			t.Errorf("due %v (-want +got):\n%s", err, diff)
		}
		for after, want := range map[time.Time]time.Time{{}: noon.Add(-time.Hour), noon: noon.Add(time.Minute), noon.Add(time.Minute): {}} {
			if next, err := l.NextDue(t.Context(), after); err != nil || !next.Equal(want) {
				t.Errorf("next after %s: %s, %v, want %s", after, next, err, want)
			}
		}
		got, err := l.Counts(t.Context(), noon)
		want := plan.Counts{Owed: 5, Due: 1, Waiting: 1, Unknown: 1, Parked: 1, Doubt: 1, LinksOpen: 6}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("counts %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		link := aLink(1)
		op := aCreate(link)
		op.State, op.Reason = plan.Parked, "no caller"
		promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
		if err := l.Retry(t.Context(), op.Key, "has one now", noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		got := theOp(t, l, op.Key)
		if got.State != plan.Promised || !got.Due.Equal(noon.Add(time.Hour)) || !got.Basis.Seen.IsZero() || !strings.Contains(got.Reason, "has one now") {
			t.Errorf("retried: %+v", got)
		}
		if err := l.Drop(t.Context(), op.Key, "not wanted", noon); err != nil {
			t.Fatal(err)
		}
		if err := l.Retry(t.Context(), op.Key, "", noon); err == nil || !strings.Contains(err.Error(), "cancelled") {
			t.Errorf("a dropped op is retried: %v", err)
		}
		if err := l.Retry(t.Context(), "nothing/1", "", noon); err == nil || !strings.Contains(err.Error(), "nothing/1") {
			t.Errorf("error %v, want one that names the key", err)
		}
	})
}

func TestAStartMakesWhatWasBegunUnknown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := store.Config{URL: "sqlite:ledger.db", Dir: dir, Worker: true, Holder: "the test"}
	first, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	link := aLink(1)
	op := aCreate(link)
	promise(t, first, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{op}})
	if _, err := first.Begin(t.Context(), theOp(t, first, op.Key), noon); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg)
	if n, err := second.Recover(t.Context(), noon.Add(time.Minute)); err != nil || n != 1 {
		t.Fatalf("recovered %d, %v", n, err)
	}
	if got := theOp(t, second, op.Key); got.State != plan.Unknown || got.Attempt != 1 || !got.Frozen || !got.Due.Equal(noon.Add(time.Minute)) {
		t.Errorf("op %+v", got)
	}
}

func TestOpening(t *testing.T) {
	t.Parallel()
	t.Run("a second worker is told who holds it, a command is let in", func(t *testing.T) {
		t.Parallel()
		cfg := store.Config{URL: "sqlite:ledger.db", Dir: t.TempDir(), Worker: true, Holder: "bridge-0, process 7"}
		open(t, cfg)
		_, err := store.Open(t.Context(), cfg)
		if locked, ok := errors.AsType[*store.Locked](err); !ok || !strings.Contains(locked.Error(), "bridge-0, process 7") {
			t.Errorf("error %v", err)
		}
		cfg.Worker = false
		open(t, cfg)
	})
	t.Run("the file is its owner's only", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		open(t, store.Config{URL: "sqlite://" + "/" + filepath.Join(dir, "a.db"), Worker: true})
		for _, name := range []string{"a.db", "a.db.lock"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	})
	for name, tt := range map[string]struct{ url, says string }{
		"a folder that is not there":     {"sqlite:nowhere/a.db", "nowhere of the ledger does not exist"},
		"a URL of something else":        {"mysql://u:canary@h/d", "is not known"},
		"PostgreSQL, which is not there": {"postgres://u:canary@127.0.0.1:1/d?sslmode=disable", "open the ledger postgres://u:xxxxx@127.0.0.1:1/d"},
		"a URL that is none":             {"postgres://u:canary@h:port/d", "is not understood"},
		"a URL without a file":           {"sqlite:", "names no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), store.Config{URL: tt.url, Dir: t.TempDir(), Worker: true})
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestWhatIsLookedUpFollowsWhatIsWritten(t *testing.T) {
	t.Parallel()
	links := map[string]struct {
		change func(*plan.Link)
		query  plan.LinkQuery
	}{
		"its rule":              {func(l *plan.Link) { l.Rule = "laptops" }, plan.LinkQuery{Rule: "laptops"}},
		"its table":             {func(l *plan.Link) { l.Table = "task" }, plan.LinkQuery{Table: "task"}},
		"its ticket":            {func(l *plan.Link) { l.MMD = "MMD-9" }, plan.LinkQuery{MMD: []string{"MMD-9"}}},
		"when notes are due":    {func(l *plan.Link) { l.MMD, l.NotesDue = "MMD-9", noon.Add(-time.Hour) }, plan.LinkQuery{NotesDueBy: noon}},
		"nothing that is known": {func(l *plan.Link) { l.Notice = "changed" }, plan.LinkQuery{Open: true}},
	}
	for name, tt := range links {
		t.Run("of a link "+name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *store.Ledger) {
				promise(t, l, plan.Promise{Links: []plan.Link{aLink(1)}})
				want := theLink(t, l, aLink(1).ID)
				tt.change(&want)
				promise(t, l, plan.Promise{Links: []plan.Link{want}})
				want.Version++
				var got []plan.Link
				for link, err := range l.Links(t.Context(), tt.query) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, link)
				}
				if diff := cmp.Diff([]plan.Link{want}, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	t.Run("of an op", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, l *store.Ledger) {
			link := aLink(1)
			promise(t, l, plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}})
			op := theOp(t, l, aCreate(link).Key)
			op.Mark, op.Rule, op.State = "b1-another", "laptops", plan.Parked
			if _, err := l.Settle(t.Context(), op, plan.Promise{}); err != nil {
				t.Fatal(err)
			}
			for name, query := range map[string]plan.OpQuery{"mark": {Marks: []string{"b1-another"}}, "rule": {Rule: "laptops"}, "state": {States: []plan.State{plan.Parked}}} {
				n := 0
				for got, err := range l.Ops(t.Context(), query) {
					if n++; err != nil || got.Mark != op.Mark {
						t.Errorf("by its %s: %+v, %v", name, got, err)
					}
				}
				if n != 1 {
					t.Errorf("by its %s: %d", name, n)
				}
			}
		})
	})
}

func TestAWriteThatIsRefusedTakesNoneOfItsCommitBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		promise(t, l, plan.Promise{Links: []plan.Link{aLink(0)}})
		var wait sync.WaitGroup
		for i := range 100 {
			wait.Go(func() {
				link := aLink(i + 1)
				p := plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}}
				if i%10 == 0 { // the last of it is stale: what was written before is taken back with it
					p.Links = append(p.Links, aLink(0))
				}
				if _, err := l.Promise(context.Background(), p); errors.Is(err, plan.ErrStale) != (i%10 == 0) {
					t.Errorf("promise %d: %v", i, err)
				}
			})
		}
		wait.Wait()
		if c, err := l.Counts(context.Background(), noon); err != nil || c.LinksOpen != 91 || c.Owed != 90 {
			t.Errorf("counts %+v, %v", c, err)
		}
	})
}

func TestManyWriteAtOnceAndEachGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *store.Ledger) {
		var wait sync.WaitGroup
		for i := range 200 {
			wait.Go(func() {
				link := aLink(i / 2) // every link is written twice at once: one of the two is stale
				_, err := l.Promise(context.Background(), plan.Promise{Links: []plan.Link{link}, Ops: []plan.Op{aCreate(link)}})
				if err != nil && !errors.Is(err, plan.ErrStale) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if c, err := l.Counts(context.Background(), noon); err != nil || c.LinksOpen != 100 || c.Owed != 100 {
			t.Errorf("counts %+v, %v", c, err)
		}
	})
}

func BenchmarkBeginAndSettle(b *testing.B) {
	l, err := store.Open(b.Context(), store.Config{URL: "sqlite:ledger.db", Dir: b.TempDir(), Worker: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a benchmark
	var p plan.Promise
	for i := range b.N {
		link := aLink(i)
		p.Links, p.Ops = append(p.Links, link), append(p.Ops, aCreate(link))
	}
	if _, err := l.Promise(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	ops := make(chan plan.Op, b.N)
	for op, err := range l.Ops(b.Context(), plan.OpQuery{}) {
		if err != nil {
			b.Fatal(err)
		}
		ops <- op
	}
	close(ops)
	b.ResetTimer()
	var wait sync.WaitGroup
	for range 24 {
		wait.Go(func() {
			for op := range ops {
				begun, err := l.Begin(b.Context(), op, noon)
				if err != nil {
					b.Error(err)
					return
				}
				begun.State, begun.Ended = plan.Done, noon
				if _, err := l.Settle(b.Context(), begun, plan.Promise{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
