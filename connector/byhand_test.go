package connector_test

import (
	"context"
	"strings"
	"time"

	"bridge/simulator"

	"bridge/plan"
)

// calm lets all that happened settle, with a person's help where one is needed.
func (p *play) calm() {
	p.Helper()
	for i := range 3 {
		if i == 1 && p.may.baseline { // a person sees that it was not taken over
			for _, state := range []string{"active", "resolved"} {
				p.resolve(p.first, state)
				p.resolve(p.other, state)
				p.quiet(2, time.Minute)
			}
		}
		p.quiet(12, 100*time.Second)
		if i == 0 { // all was not read in full since then
			p.noticed()
		}
		if i == 2 { // by then all was read in full
			p.shown()
		}
		p.retry()
	}
	p.quiet(10, 3*time.Minute)
}

// noticed wants what came to be found by what is polled, and not once an hour. A list
// that is empty by mistake hides it until then.
func (p *play) noticed() {
	p.Helper()
	for _, r := range p.world.Faults.Log() {
		if r.Side == simulator.SideITSM && r.Fault == simulator.EmptyList && strings.HasSuffix(r.Path, "/incident") {
			return
		}
	}
	for _, incident := range p.incidents() {
		if _, ok := p.linked(incident); !ok {
			p.Errorf("%s was not noticed", p.numberOf(incident))
		}
	}
}

func (p *play) quiet(cycles int, apart time.Duration) {
	for range cycles {
		p.both()
		time.Sleep(apart)
	}
}

// retry is what a person does with what is parked or in doubt: looks for it on the
// other side, and has it sent if it is not there.
func (p *play) retry() {
	for range 6 {
		var keys []plan.Op
		for op, err := range p.ledger.Ops(context.Background(), plan.OpQuery{States: []plan.State{plan.Doubt, plan.Parked}}) {
			if err != nil {
				p.Fatal(err)
			}
			keys = append(keys, op)
		}
		for _, op := range keys {
			do, word := p.ledger.Retry, "retries"
			if op.State == plan.Doubt && op.Kind != plan.TicketCreate && p.isThere(op) {
				do, word = p.ledger.Drop, "drops"
				p.undo(op)
			}
			if op.State == plan.Doubt && op.Kind == plan.TicketCreate {
				p.doubted = append(p.doubted, op.Link)
			}
			p.say("a person %s %s (%s: %s)", word, op.Key, op.State, op.Reason)
			if err := do(context.Background(), op.Key, "looked for it", time.Now()); err != nil {
				p.Fatal(err)
			}
		}
		p.both()
		time.Sleep(time.Minute)
	}
}

// undo is what a person does who finds an elevation request that nobody asked for any more.
func (p *play) undo(op plan.Op) {
	for _, e := range p.world.MMD.Elevations() {
		if op.Kind == plan.ElevationCreate && strings.Contains(e.Plan, op.Mark) {
			p.world.MMD.CloseElevation(e.ID)
		}
	}
}

// isThere says whether a person sees what was in doubt.
func (p *play) isThere(op plan.Op) bool {
	all := ""
	for _, t := range p.world.MMD.Tickets() {
		all += t.Description
		for _, n := range p.world.MMD.Notes(t.ID) {
			all += n.Text
		}
	}
	for _, e := range p.world.MMD.Elevations() {
		all += e.Plan
	}
	for _, id := range []string{p.first, p.other, p.task} {
		for _, n := range p.world.ITSM.Journal(id, "work_notes") {
			all += n.Text
		}
	}
	return op.Mark != "" && strings.Contains(all, op.Mark)
}
