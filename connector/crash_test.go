package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/plan"
)

// errDead is what a process sees that is gone: nothing.
var errDead = errors.New("the process is gone")

// grave ends the bridge at one exact point: from then on it reaches neither the
// sides nor its ledger, as after kill -9.
type grave struct {
	mu    sync.Mutex
	dead  bool
	point string // "call N before", "call N after", "ledger N after"
	seen  map[string]int
	hits  int
}

// at counts a point, and says whether the bridge is dead there.
func (g *grave) at(kind, when string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead {
		return true
	}
	g.seen[kind+when]++
	if g.point == fmt.Sprintf("%s %d %s", kind, g.seen[kind+when], when) {
		g.dead = true
		g.hits++
	}
	return g.dead
}

type deadlyWay struct {
	*grave
	next http.RoundTripper
}

func (w deadlyWay) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.at("call", "before") {
		return nil, errDead
	}
	out, err := w.next.RoundTrip(r)
	if w.at("call", "after") {
		return nil, errDead
	}
	return out, err
}

type deadlyLedger struct {
	connector.Ledger
	*grave
}

func (l deadlyLedger) Promise(ctx context.Context, p plan.Promise) ([]string, error) {
	return written(l.grave, func() ([]string, error) { return l.Ledger.Promise(ctx, p) })
}

func (l deadlyLedger) Begin(ctx context.Context, op plan.Op, now time.Time) (plan.Op, error) {
	return written(l.grave, func() (plan.Op, error) { return l.Ledger.Begin(ctx, op, now) })
}

func (l deadlyLedger) Settle(ctx context.Context, op plan.Op, p plan.Promise) ([]string, error) {
	return written(l.grave, func() ([]string, error) { return l.Ledger.Settle(ctx, op, p) })
}

// written does a write unless the process is dead, and may end it right after.
func written[T any](g *grave, do func() (T, error)) (T, error) {
	var none T
	if g.at("ledger", "before") {
		return none, errDead
	}
	out, err := do()
	if g.at("ledger", "after") {
		return none, errDead
	}
	return out, err
}

// tell plays the whole story: two incidents, notes both ways, an elevation, and
// what happens to them in turn; after each step some cycles.
func tell(r *rig, cycle func()) (incidents []string, task string) {
	incidents = []string{r.world.Incident(r.users, "Laptop does not start", nil), r.world.Incident(r.users, "No sound", nil)}
	r.world.ITSM.Comment("incident", incidents[0], "ada.byron", "Any news?")
	task, item := r.world.Task(r.users, incidents[0])
	cycle()
	r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
	for _, t := range r.world.MMD.Tickets() {
		r.world.MMD.AddNote(t.ID, "vera@vendor.example", "Looking at "+t.Title)
	}
	cycle()
	r.world.ITSM.Comment("incident", incidents[0], "ada.byron", "Thanks.")
	r.world.ITSM.Set("incident", incidents[1], map[string]string{"state": "3"})
	cycle()
	r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
	for _, t := range r.world.MMD.Tickets() {
		r.world.MMD.SetState(t.ID, "resolved")
	}
	cycle()
	return incidents, task
}

func TestACrashAtAnyPointLeavesExactlyOneOfEverything(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"call %d before", "call %d after", "ledger %d before", "ledger %d after"} {
		t.Run(strings.ReplaceAll(kind, "%d", "N"), func(t *testing.T) {
			t.Parallel()
			stride := 1
			if testing.Short() { // under the race detector
				stride = 9
			}
			for n := 1; ; n += stride {
				hit := false
				synctest.Test(t, func(t *testing.T) { hit = crash(t, fmt.Sprintf(kind, n)) })
				if !hit {
					if n < 30 {
						t.Errorf("only %d points to crash at: the story is too short", n-1)
					}
					return
				}
			}
		})
	}
}

// crash plays the story with one crash in it, starts the bridge again and waits
// for rest. It says whether the point was reached.
func crash(t *testing.T, point string) bool {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("crash at %s", point)
		}
	}()
	r := newRig(t)
	r.settle = 30 * time.Second
	g := &grave{point: point, seen: map[string]int{}}
	r.way = func(next http.RoundTripper) http.RoundTripper { return deadlyWay{g, next} }
	r.wrap = func(l connector.Ledger) connector.Ledger { return deadlyLedger{l, g} }
	r.start()
	// A step of the story takes as long as a lost write takes to settle.
	cycle := func() {
		for range 5 {
			if _, err := r.loop.Cycle(context.Background()); err != nil && !errors.Is(err, errDead) {
				t.Fatalf("cycle: %v", err)
			}
			if g.dead {
				g.dead, g.point = false, ""
				r.start()
				if _, err := r.ledger.Recover(context.Background(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
	}
	incidents, task := tell(r, cycle)
	g.point = ""
	r.settleDoubts()
	r.rest()
	r.exactlyOnce(incidents, task)
	return g.hits > 0
}

// settleDoubts does what a person does with an elevation in doubt: looks for it,
// finds none, and has it sent again.
func (r *rig) settleDoubts() {
	r.Helper()
	for range 20 {
		for op, err := range r.ledger.Ops(context.Background(), plan.OpQuery{States: []plan.State{plan.Doubt}}) {
			if err != nil {
				r.Fatal(err)
			}
			if op.Kind != plan.ElevationCreate {
				r.Fatalf("%s is in doubt after one crash: %s", op.Key, op.Reason)
			}
			if len(r.world.MMD.Elevations()) > 0 {
				r.Fatal("an elevation that is there is in doubt")
			}
			// The task is closed by now: opened again, it asks once more.
			if err := r.ledger.Retry(context.Background(), op.Key, "looked for it", time.Now()); err != nil {
				r.Fatal(err)
			}
		}
		r.cycle()
		time.Sleep(15 * time.Second)
	}
}

// exactlyOnce is what must be true at rest: nothing lost, nothing twice, in order.
func (r *rig) exactlyOnce(incidents []string, task string) {
	r.Helper()
	for _, incident := range incidents {
		ticket := r.ticketOf(incident)
		row := r.world.ITSM.Row("incident", incident)
		if row["correlation_id"] != ticket.ID || row["state"] != "6" {
			r.Errorf("incident %v", row)
		}
		var got []string
		for _, n := range r.world.MMD.Notes(ticket.ID) {
			if strings.HasPrefix(n.Sender, "app-") {
				got = append(got, body(r.T, n.Text, "<br>"))
			}
		}
		want := []string{"ada.byron: Any news?", "ada.byron: Thanks."}
		if incident == incidents[1] {
			want = []string{"person: State: On Hold, was In Progress"}
		}
		if !slices.Equal(got, want) {
			r.Errorf("notes on the ticket of %s: %q, want %q", row["number"], got, want)
		}
		got = nil
		for _, n := range r.world.ITSM.Journal(incident, "work_notes") {
			got = append(got, body(r.T, n.Text, "\n"))
		}
		if want := []string{"vera@vendor.example: Looking at " + ticket.Title}; !slices.Equal(got, want) {
			r.Errorf("work notes on %s: %q, want %q", row["number"], got, want)
		}
	}
	all := r.world.MMD.Elevations()
	if len(all) > 1 || len(all) == 1 && all[0].Open {
		r.Errorf("elevation requests: %+v", all)
	}
	events := map[string]int{}
	for _, n := range r.world.ITSM.Journal(task, "work_notes") {
		events[n.Text]++
	}
	for text, n := range events {
		if n > 1 {
			r.Errorf("the task was told %d times: %s", n, text)
		}
	}
	if c := r.counts(); c.Owed+c.Twins+c.Vanished != 0 {
		r.Errorf("the ledger counts %+v", c)
	}
	if r.Failed() {
		r.Log(r.story())
	}
}
