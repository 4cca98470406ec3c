package connector_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
)

// dropAs does what bridge drop does with an op, as that command read it.
func (r *rig) dropAs(op plan.Op) {
	r.Helper()
	after, err := plan.Dropped(op, "not wanted", time.Now())
	if err == nil {
		_, err = r.ledger.Settle(context.Background(), after, plan.Promise{At: time.Now()})
	}
	if err != nil {
		r.Errorf("drop %s: %v", op.Key, err)
	}
}

// Retry, then drop.
func TestADoubtThatIsRetriedAndThenDroppedIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.ResetBefore, Times: 2})
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycles(60)
		create := r.lastOf(plan.TicketCreate)
		if create.State != plan.Doubt {
			t.Fatalf("%s: %s", create.State, create.Reason)
		}
		if err := r.ledger.Retry(t.Context(), create.Key, "send it", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.dropAs(r.lastOf(plan.TicketCreate)) // on second thoughts: it was solved by phone
		r.cycles(60)
		if n := len(r.world.MMD.Tickets()); n != 1 {
			t.Errorf("%d tickets: a create was sent that was dropped\n%s", n, r.story())
		}
	})
}

// onList does something once while the vendor's list of tickets is asked for.
type onList struct {
	http.RoundTripper
	do func()
}

func (o *onList) RoundTrip(req *http.Request) (*http.Response, error) {
	if o.do != nil && req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/tickets") {
		do := o.do
		o.do = nil
		do()
	}
	return o.RoundTripper.RoundTrip(req)
}

// Drop while a look is in flight.
func TestADropWhileAWriteIsLookedForIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		list := &onList{}
		r.way = func(way http.RoundTripper) http.RoundTripper {
			list.RoundTripper = way
			return list
		}
		r.start()
		r.world.Incident(r.users, "Known", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.ResetBefore, Times: 1})
		r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		if op := r.lastOf(plan.TicketCreate); op.State != plan.Unknown {
			t.Fatalf("%s: %s", op.State, op.Reason)
		}
		time.Sleep(30 * time.Second)
		list.do = func() { r.dropAs(r.lastOf(plan.TicketCreate)) }
		if err := r.loop.Sender.Send(t.Context(), &connector.Report{}); err != nil { // it looks
			t.Fatal(err)
		}
		if op := r.lastOf(plan.TicketCreate); !op.Undo {
			t.Errorf("the drop was lost: %s: %s", op.State, op.Reason)
		}
		time.Sleep(time.Minute)
		r.cycle()
		if op := r.lastOf(plan.TicketCreate); op.State == plan.Unknown && !strings.HasPrefix(op.Reason, "dropped: ") {
			t.Errorf("why it was dropped was lost: %s", op.Reason)
		}
		r.cycles(60)
		if n := len(r.world.MMD.Tickets()); n != 1 {
			t.Errorf("%d tickets: a create was sent that was dropped\n%s", n, r.story())
		}
	})
}

// A create that is only looked for, since the ledger was set back, is dropped.
func TestADropOfACreateThatIsLookedForFirstStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known", nil)
		r.rest()
		backup := copyOf(t, r.ledger)
		r.world.Incident(r.users, "The older copy does not know it", nil)
		r.rest()
		incident := r.world.Incident(r.users, "Laptop does not start", nil) // and nobody has seen it yet
		r.setBack(backup)
		r.cycle()
		var op plan.Op
		for o, err := range r.ledger.Ops(t.Context(), plan.OpQuery{Links: []string{plan.LinkID(plan.TicketLink, incident)}, Kinds: []plan.Kind{plan.TicketCreate}}) {
			if err != nil {
				t.Fatal(err)
			}
			op = o
		}
		if op.State != plan.Unknown {
			t.Fatalf("%q: %s", op.State, op.Reason)
		}
		r.dropAs(op)
		r.rest()
		n := len(r.world.MMD.Tickets())
		r.world.ITSM.Set("incident", incident, map[string]string{"priority": "1", "impact": "1", "urgency": "1"})
		r.cycles(60)
		if m := len(r.world.MMD.Tickets()); m != n {
			t.Errorf("%d tickets, then %d: a create was sent that was dropped\n%s", n, m, r.story())
		}
	})
}

// A worker that reads no feed.
func TestAWorkerThatReadsNoFeedProvesTheLedgerAfterAFailover(t *testing.T) {
	t.Parallel()
	for _, feeds := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			incident := r.world.Incident(r.users, "Laptop does not start", nil)
			r.rest()
			time.Sleep(time.Hour)
			r.rest()
			// Another replica promises a comment, and has all feeds.
			r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
			if err := r.loop.Poller.Poll(t.Context(), &connector.Report{}); err != nil {
				t.Fatal(err)
			}
			older := copyOf(t, r.ledger)
			primary := r.ledger
			defer func() { _ = primary.Close() }()
			takeFeeds := func(on connector.Ledger) {
				if feeds {
					return
				}
				for _, name := range []string{"records of rule incident", "linked records of incident", "tickets", "notes", "elevation requests"} {
					if _, _, err := on.Claim(t.Context(), "feed/"+name); err != nil {
						t.Fatal(err)
					}
				}
				for _, rule := range r.rules.Tickets {
					_, _, _ = on.Claim(t.Context(), "feed/records of rule "+rule.Name)
				}
				for _, rule := range r.rules.Elevations {
					_, _, _ = on.Claim(t.Context(), "feed/tasks of rule "+rule.Name)
				}
			}
			takeFeeds(primary.Session())
			mine := primary.Session()
			r.loop.Poller.Ledger, r.loop.Sender.Ledger = mine, mine
			ctx, stop := context.WithCancel(t.Context())
			cycle := 0
			err := r.loop.Run(ctx, 30*time.Second, func(report connector.Report, err error) {
				if err != nil {
					t.Errorf("cycle %d: %v", cycle, err)
				}
				switch cycle++; cycle {
				case 4: // the note was sent; the server fails over to a standby that did not hear of it
					if told := r.told(r.ticketOf(incident).ID); len(told) != 1 {
						t.Errorf("%q", told)
					}
					mine.Break()
					takeFeeds(older.Session())
					r.ledger = older
					r.loop.Poller.Ledger, r.loop.Sender.Ledger = older, older
				case 20:
					stop()
				}
			})
			if err != nil && ctx.Err() == nil {
				t.Fatal(err)
			}
			if told := r.told(r.ticketOf(incident).ID); !slices.Equal(told, []string{"Any news?"}) {
				t.Errorf("it reads feeds: %t: the ticket was told %q\n%s", feeds, told, r.story())
			}
		})
	}
}

// jump moves the clock on the wall of a time, and not the monotonic one.
func jump(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(by/time.Second) << 30
	return t
}

// A snapshot of the whole machine is restored: process, ledger, and no clock but the wall's moved.
func TestAMachineThatIsRestoredFromASnapshotProvesItsLedger(t *testing.T) {
	t.Parallel()
	for _, monotonic := range []bool{false, true} {
		r := newRig(t)
		by := time.Duration(0)
		now := func() time.Time {
			now := time.Now() // as main does
			if !monotonic {
				return now.Round(0).Add(by)
			}
			return jump(now, by)
		}
		r.loop.Now, r.loop.Poller.Now, r.loop.Sender.Now = now, now, now
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		for range 3 {
			r.cycle()
		}
		time.Sleep(1100 * time.Millisecond)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		if err := r.loop.Poller.Poll(t.Context(), &r.report); err != nil {
			t.Fatal(err)
		}
		snapshot := copyOf(t, r.ledger)
		r.cycle()
		if told := r.told(r.ticketOf(incident).ID); len(told) != 1 {
			t.Fatalf("%q", told)
		}
		r.loop.Poller.Ledger, r.loop.Sender.Ledger, by = snapshot, snapshot, 2*time.Hour
		for range 3 {
			r.cycle()
		}
		if told := r.told(r.ticketOf(incident).ID); len(told) != 1 {
			t.Errorf("monotonic: %t: the ticket was told %q", monotonic, told)
		}
	}
}

// A hold between two polls.
func TestARuleThatIsHeldBetweenTwoPollsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var log bytes.Buffer
		said := slog.New(slog.NewTextHandler(&log, nil))
		r.loop.Log, r.loop.Poller.Log, r.loop.Sender.Log = said, said, said
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 4})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.Answer, Status: 400, Body: `{"error":{"code":"BadRequest","message":"no"}}`, Times: -1})
		for range 4 {
			r.world.Incident(r.users, "Laptop does not start", nil)
		}
		ctx, stop := context.WithCancel(t.Context())
		cycle, told := 0, 0
		err := r.loop.Run(ctx, 30*time.Second, func(report connector.Report, err error) {
			told += len(report.Held)
			if cycle++; cycle == 20 {
				stop()
			}
		})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		if c := r.counts(); c.Held != 1 {
			t.Fatalf("%+v\n%s", c, r.story())
		}
		if told != 1 && !strings.Contains(log.String(), "held") {
			t.Errorf("a rule is held, and the service told it %d times\n%s", told, log.String())
		}
	})
}

// One refusal after a resume.
func TestOneRefusalAfterAResumeDoesNotHoldTheRuleAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		bad := simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.Answer, Status: 400, Body: `{"error":{"code":"BadRequest","message":"no"}}`}
		bad.Times = 3
		r.world.Faults.Add(bad)
		for range 3 {
			r.world.Incident(r.users, "Laptop does not start", nil)
		}
		r.cycles(2)
		holds, err := r.ledger.Holds(t.Context())
		if err != nil || len(holds) != 1 {
			t.Fatalf("%v %v", holds, err)
		}
		time.Sleep(time.Hour) // a person sets right what refused them
		if err := r.ledger.Release(t.Context(), holds[0]); err != nil {
			t.Fatal(err)
		}
		bad.Times = 1
		r.world.Faults.Add(bad) // this one alone is refused
		r.world.Incident(r.users, "A peculiar one", nil)
		r.cycle()
		if holds, err = r.ledger.Holds(t.Context()); err != nil || len(holds) != 0 {
			t.Errorf("one record was refused: %v %v", holds, err)
		}
	})
}

// The ledger's clock is set back (PostgreSQL: a worker goes by the server's).
func TestAServicePollsOnWhenTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ahead := time.Duration(0)
		now := func() time.Time { return time.Now().Add(ahead) }
		r.loop.Now, r.loop.Poller.Now, r.loop.Sender.Now = now, now, now
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Hour)
		defer stop()
		cycle, last, longest := 0, time.Now(), time.Duration(0)
		if err := r.loop.Run(ctx, 30*time.Second, func(connector.Report, error) {
			longest, last = max(longest, time.Since(last)), time.Now()
			if cycle++; cycle == 3 {
				ahead = -2 * time.Hour
			}
			if cycle == 10 {
				stop()
			}
		}); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		if longest > 5*time.Minute {
			t.Errorf("an interval of 30s took %s", longest)
		}
	})
}

// onNote does something once while a note is added to a ticket.
type onNote struct {
	http.RoundTripper
	do func()
}

func (o *onNote) RoundTrip(req *http.Request) (*http.Response, error) {
	out, err := o.RoundTripper.RoundTrip(req)
	if o.do != nil && req.Method == http.MethodPost && strings.Contains(req.URL.Path, "addNote") {
		do := o.do
		o.do = nil
		do()
	}
	return out, err
}

// server is a ledger's address, behind which a standby may take the place of the primary.
type server struct{ connector.Ledger }

// The server fails over while a worker is in the middle of a pass.
func TestAFailoverInTheMiddleOfAPassEndsThePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		one := r.world.Incident(r.users, "One", nil)
		two := r.world.Incident(r.users, "Two", nil)
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		note := &onNote{}
		r.way = func(way http.RoundTripper) http.RoundTripper {
			note.RoundTripper = way
			return note
		}
		primary := r.ledger
		defer func() { _ = primary.Close() }()
		mine, at := primary.Session(), &server{}
		at.Ledger = mine
		r.wrap = func(connector.Ledger) connector.Ledger { return at }
		r.start()
		set := func() {
			for _, id := range []string{one, two} {
				r.world.ITSM.Comment("incident", id, "ada.byron", "Any news?")
			}
			if err := r.loop.Poller.Poll(t.Context(), &connector.Report{}); err != nil {
				t.Fatal(err)
			}
			older := copyOf(t, primary) // what the standby has heard of
			// Another replica sends one of the notes.
			l := &r.loop.Sender
			other := connector.Sender{
				Desk: l.Desk, DeskWriter: l.DeskWriter, Tickets: l.Tickets, TicketWriter: l.TicketWriter, Elevations: l.Elevations, ElevationWriter: l.ElevationWriter,
				Ledger: primary.Session(), Planner: l.Planner, Timing: l.Timing, Concurrency: l.Concurrency, Fresh: l.Fresh, Log: l.Log, Now: l.Now,
			}
			_, release, err := mine.Claim(t.Context(), "link/"+plan.LinkID(plan.TicketLink, one))
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Send(t.Context(), &connector.Report{}); err != nil {
				t.Fatal(err)
			}
			release()
			// And this one sends the other, while the standby takes over.
			note.do = func() {
				mine.Break()
				r.ledger, at.Ledger = older, older
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		cycle := 0
		if err := r.loop.Run(ctx, 30*time.Second, func(_ connector.Report, err error) {
			if err != nil {
				t.Log(err)
			}
			switch cycle++; cycle {
			case 3:
				set()
			case 80:
				stop()
			}
		}); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		for _, id := range []string{one, two} {
			if told := r.told(r.ticketOf(id).ID); !slices.Equal(told, []string{"Any news?"}) {
				t.Errorf("the ticket of %s was told %q", id, told)
			}
		}
		t.Log(r.story())
	})
}
