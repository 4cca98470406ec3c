package connector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
)

// lameLedger is a ledger that takes one promise with creates, and then nothing.
type lameLedger struct {
	connector.Ledger
	creates, lame bool
}

var errLame = errors.New("the ledger cannot be written")

func (l *lameLedger) Promise(ctx context.Context, p plan.Promise) ([]string, error) {
	if l.creates && l.lame {
		return nil, errLame
	}
	for _, op := range p.Ops {
		l.creates = l.creates || op.Kind.Creates()
	}
	return l.Ledger.Promise(ctx, p)
}

func (l *lameLedger) Hold(ctx context.Context, h plan.Hold) error {
	if l.creates && l.lame {
		return errLame
	}
	return l.Ledger.Hold(ctx, h)
}

func TestTheBrakeHoldsHoweverTheReadingEnds(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		limit int
		// end is what ends the reading of 250 records, 100 a page, behind the first 200.
		end func(r *rig)
	}{
		"the third page fails, the first two were too many":      {150, thirdPage},
		"the third page fails, it is what makes them too many":   {230, thirdPage},
		"the process ends there, the first two were too many":    {150, (*rig).lameOnce},
		"the process ends there, the third makes them too many":  {230, (*rig).lameOnce},
		"a limit that is not met lets all of them through again": {250, (*rig).lameOnce},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.creates, r.page = tt.limit, 100
				r.start()
				for i := range 250 {
					r.world.Incident(r.users, fmt.Sprintf("Storm %d", i), nil)
				}
				tt.end(r)
				r.cycles(4)
				c, n := r.counts(), len(r.world.MMD.Tickets())
				if tt.limit < 250 && (n > tt.limit || c.Held != 1 || c.Owed < 250-n) {
					t.Errorf("%d tickets under a limit of %d, %+v", n, tt.limit, c)
				}
				if tt.limit >= 250 && (n != 250 || c.Held != 0) {
					t.Errorf("%d tickets under a limit of %d, %+v", n, tt.limit, c)
				}
			})
		})
	}
}

func TestTheBrakeHoldsElevationsToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 2
		r.start()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
		for range 5 {
			_, item := r.world.Task(r.users, "")
			r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		}
		r.cycles(4)
		if n := len(r.world.MMD.Elevations()); n > 2 || r.counts().Held == 0 {
			t.Errorf("%d elevation requests under a limit of 2, %+v", n, r.counts())
		}
	})
}

// TestTheBrakeHoldsElevationsHoweverTheReadingEnds cuts off a reading of 250 tasks.
func TestTheBrakeHoldsElevationsHoweverTheReadingEnds(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		limit int
		end   func(r *rig)
	}{
		"the third page fails":                      {230, func(r *rig) { r.pageFails("table/sc_task") }},
		"the process ends there":                    {230, (*rig).lameOnce},
		"a limit that is not met lets them through": {250, (*rig).lameOnce},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.creates, r.page = tt.limit, 100
				r.start()
				r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 1000 })
				for range 250 {
					_, item := r.world.Task(r.users, "")
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				}
				tt.end(r)
				r.cycles(4)
				c, n := r.counts(), len(r.world.MMD.Elevations())
				if tt.limit < 250 && (n > tt.limit || c.Held != 1 || c.Owed < 250-n) || tt.limit >= 250 && (n != 250 || c.Held != 0) {
					t.Errorf("%d elevation requests under a limit of %d, %+v", n, tt.limit, c)
				}
				for range 10 { // what came before counts no more
					_, item := r.world.Task(r.users, "")
					r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				}
				if r.cycles(2); tt.limit >= 250 && len(r.world.MMD.Elevations()) != 260 {
					t.Errorf("%d elevation requests, %+v", len(r.world.MMD.Elevations()), r.counts())
				}
			})
		})
	}
}

func thirdPage(r *rig) { r.pageFails("table/incident") }

// pageFails breaks the third page of a table, once.
func (r *rig) pageFails(path string) {
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Path: path, Nth: 3, Times: 1, Kind: simulator.Malformed})
}

// lameOnce ends a process behind its first promise of creates, and starts another one.
func (r *rig) lameOnce() {
	lame := &lameLedger{lame: true}
	r.wrap = func(l connector.Ledger) connector.Ledger {
		lame.Ledger = l
		return lame
	}
	r.start()
	if _, err := r.loop.Cycle(context.Background()); !errors.Is(err, errLame) {
		r.Fatalf("the cycle did not end early: %v", err)
	}
	r.wrap = nil
	r.start()
	time.Sleep(30 * time.Second)
}

func TestAHoldOfAnotherWorkerIsSeenWithWhatItHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 3 {
			r.world.Incident(r.users, fmt.Sprintf("Storm %d", i), nil)
		}
		// The other one promises more than the rule may while this one is about to send.
		other := connector.Poller{}
		r.wrap = func(l connector.Ledger) connector.Ledger {
			return &lateLedger{Ledger: l, before: func() {
				if err := other.Poll(context.Background(), &connector.Report{}); err != nil {
					t.Error(err)
				}
			}}
		}
		r.start()
		other = r.loop.Poller
		other.Ledger, other.Creates = r.ledger.Session(), 2
		var report connector.Report
		if err := r.loop.Sender.Send(t.Context(), &report); err != nil {
			t.Fatal(err)
		}
		if n := len(r.world.MMD.Tickets()); n != 0 || r.counts().Held != 1 || r.counts().Owed != 3 {
			t.Errorf("%d tickets, %+v", n, r.counts())
		}
	})
}

// lateLedger does something right before it is first asked what is due.
type lateLedger struct {
	connector.Ledger
	before func()
}

func (l *lateLedger) Due(ctx context.Context, now time.Time) ([]string, error) {
	if l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Ledger.Due(ctx, now)
}

// TestTheBrakeHoldsElevationsThatWereParked has many of them sendable when a right comes back.
func TestTheBrakeHoldsElevationsThatWereParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 2
		r.start()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 100 })
		hideRows(r, "")
		for range 6 {
			r.approved()
			r.cycles(1)
		}
		showRows(r)
		r.cycles(3)
		if n := len(r.world.MMD.Elevations()); n > 2 {
			t.Errorf("%d elevations were opened in one cycle, the limit is 2", n)
		}
	})
}

// TestTheBrakeHoldsTicketsThatWereParked mends the rule that parked them.
func TestTheBrakeHoldsTicketsThatWereParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.creates = 2
		r.rule("        surname: \"{{ caller_id.last_name }}\"", "        surname: \"{{ caller_id.u_nothing }}\"")
		for range 6 {
			r.world.Incident(r.users, "Laptop", nil)
			r.cycles(1)
		}
		if r.counts().Parked != 6 {
			t.Fatal(r.story())
		}
		r.rule("        surname: \"{{ caller_id.last_name }}\"", "        surname: \"{{ caller_id.last_name }}\"")
		r.cycles(3)
		if n := len(r.world.MMD.Tickets()); n > 2 {
			t.Errorf("%d tickets were opened in one cycle, the limit is 2", n)
		}
	})
}
