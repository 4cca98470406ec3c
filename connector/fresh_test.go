package connector_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// one sends one write at a time to each side.
func (r *rig) one() {
	r.loop.Sender.Concurrency = map[plan.Side]int{plan.ITSM: 1, plan.MMD: 1}
}

func TestARecordThatWasReadAgainIsReadOnceMoreWhenItsOpHadToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.one()
		all := r.owed(40)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.Slow, Delay: 10 * time.Second, Times: -1})
		time.Sleep(20 * time.Minute)
		done := make(chan map[string]bool)
		go func() {
			time.Sleep(2 * time.Minute) // some of them are sent by now
			cancelled := map[string]bool{}
			for _, id := range all {
				if row := r.world.ITSM.Row("incident", id); row["correlation_id"] == "" {
					r.world.ITSM.Set("incident", id, map[string]string{"state": "8", "active": "false"})
					cancelled[row["number"]] = true
				}
			}
			done <- cancelled
		}()
		r.cycle()
		cancelled, late := <-done, 0
		for _, t := range r.world.MMD.Tickets() {
			if number, _, _ := strings.Cut(t.Title, ":"); cancelled[number] {
				late++
			}
		}
		// A place is taken for the one that is sent, and for those begun ahead of it; send.fresh is thirty seconds.
		if late > 8 || len(cancelled) < 20 {
			t.Errorf("%d tickets were opened for %d incidents that were cancelled before", late, len(cancelled))
		}
	})
}

// owed gives incidents that owe their tickets.
func (r *rig) owed(n int) (all []string) {
	r.Helper()
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.RefusedBefore, Times: -1})
	for i := range n {
		all = append(all, r.world.Incident(r.users, fmt.Sprintf("Laptop %d", i), nil))
	}
	r.cycle()
	r.world.Faults.Clear()
	return all
}

func TestAnElevationIsDecidedAgainWhenItHasItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.one()
		for i := range 5 {
			r.world.Incident(r.users, fmt.Sprintf("Laptop %d", i), nil)
		}
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.Slow, Delay: 25 * time.Second, Times: -1})
		withdrawn := make(chan time.Time)
		go func() {
			time.Sleep(15 * time.Second)
			r.world.ITSM.Withdraw(item)
			withdrawn <- time.Now()
		}()
		r.cycle()
		at := <-withdrawn
		if op := r.opOf(plan.ElevationCreate); op.Begun.After(at) {
			t.Errorf("an elevation was begun %s after its approval was withdrawn: %s", op.Begun.Sub(at), op.Reason)
		}
	})
}

// refusing answers in uneven times, and refuses all tickets after a hundred and fifty, when the next batch is read.
type refusing struct {
	http.RoundTripper
	tickets atomic.Int64
}

func (j *refusing) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Method != http.MethodPost || !strings.HasSuffix(q.URL.Path, "tickets") {
		return j.RoundTripper.RoundTrip(q)
	}
	n := j.tickets.Add(1)
	time.Sleep(time.Duration(n%7) * time.Millisecond)
	if n <= 150 {
		return j.RoundTripper.RoundTrip(q)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Request: q,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"BadRequest","message":"no"}}`)),
	}, nil
}

// It is for the race detector: a rule is held while the next batch is read again.
func TestARuleIsHeldWhileOthersOfItAreReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	desk := &refusing{}
	r.way = func(way http.RoundTripper) http.RoundTripper { desk.RoundTripper = way; return desk }
	r.start()
	r.loop.Sender.Fresh = -1
	for i := range 600 {
		r.world.Incident(r.users, fmt.Sprintf("Laptop %d", i), nil)
	}
	r.cycle()
	if made := len(r.world.MMD.Tickets()); len(r.report.Held) != 1 || made != 150 {
		t.Errorf("%d tickets, held %v", made, r.report.Held)
	}
}

// What a write is decided on cannot be read for long: that is the desk's trouble, is asked
// for ever more rarely, and stops nothing that does not need the desk.
func TestADeskThatDoesNotAnswerStopsNoNote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		linked := r.world.Incident(r.users, "Printer on fire", nil)
		r.rest()
		r.owed(5)
		r.world.Faults.Clear()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.RefusedBefore, Times: 2})
		r.world.ITSM.Comment("incident", linked, "ada.byron", "Any news?")
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.RefusedBefore, Times: 5})
		r.cycle()
		time.Sleep(10 * time.Minute)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Path: "incident", Kind: simulator.Answer, Status: 500, Body: `{"error":{"message":"no"}}`, Times: -1})
		before := r.world.Faults.Calls(simulator.SideITSM)
		for range 600 {
			r.between()
			time.Sleep(time.Second)
		}
		if told := r.told(r.ticketOf(linked).ID); len(told) == 0 {
			t.Errorf("a comment was not passed on\n%s", r.story())
		}
		asked := r.world.Faults.Calls(simulator.SideITSM) - before
		if asked > 200 {
			t.Errorf("a desk that does not answer was asked %d times in ten minutes for five records", asked)
		}
	})
}

// TestATaskThatCouldNotBeReadOnceIsNotParkedForEver has it not there right before its elevation is sent.
func TestATaskThatCouldNotBeReadOnceIsNotParkedForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		task, item := r.world.Task(r.users, "")
		r.cycles(2)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "GET", Path: "sc_task/" + task, Kind: simulator.Answer, Status: 404, Body: `{"error":{"message":"No Record found"}}`, Times: 1})
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.cycles(20)
		if n := len(r.world.MMD.Elevations()); n != 1 {
			t.Errorf("one 404, and it is never opened\n%s", r.story())
		}
	})
}
