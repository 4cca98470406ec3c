package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"bridge/itsm"
	"bridge/mmd"
	"bridge/plan"
	"bridge/rest"
)

// alike is how many links in a row have to meet the same before it is not theirs.
const alike = 3

// The pauses of a side that seems to have lost a right.
const (
	firstPause = time.Minute
	lastPause  = 15 * time.Minute
)

// breaker tells what is wrong with one record from what is wrong with all: a right
// that was lost pauses its side, a policy that refuses every record of a rule holds
// the rule. It remembers across passes.
//
//	three links in a row meet             result
//	401, 403 for access, 404              the side pauses for 1, 2, 4 … 15 minutes, then one read tries it
//	the same policy, business rule, 400   the rule is held for a person
type breaker struct {
	mu    sync.Mutex
	sides map[plan.Side]*pause
	// rules holds the streaks of each kind of write under each rule.
	rules map[string]*streak
}

func kindOf(op plan.Op) string { return op.Rule + "/" + string(op.Kind) }

// streak is the links that met the same in a row.
type streak struct {
	what  string
	links map[string]bool
}

// pause is how a side stands: until when it is left alone, and for how long the next time.
type pause struct {
	streak streak
	until  time.Time
	wait   time.Duration
}

// right says that an error may be a lost right, in words that count as alike.
func right(err error) bool {
	switch statusOf(err) {
	case http.StatusUnauthorized:
		return true
	case http.StatusNotFound:
		return !errors.Is(err, mmd.ErrNoDevice)
	case http.StatusForbidden:
		return !errors.Is(err, itsm.ErrPolicy) && !errors.Is(err, itsm.ErrRule) && !errors.Is(err, mmd.ErrTooManyOpen)
	}
	return false
}

// policy names a refusal that a whole rule may meet; empty: it is none.
func policy(err error) string {
	e, ok := errors.AsType[*rest.Error](err)
	switch {
	case !ok:
		return ""
	case errors.Is(err, itsm.ErrPolicy):
		return "a data policy"
	case errors.Is(err, itsm.ErrRule):
		return "a business rule"
	case e.Status == http.StatusBadRequest:
		return "400 " + e.Code
	}
	return ""
}

// add counts one more link; another kind of refusal starts anew. It says when
// there are enough.
func (s *streak) add(what string, op plan.Op) bool {
	if s.what != what || s.links == nil {
		s.what, s.links = what, map[string]bool{}
	}
	s.links[op.Link] = true
	return len(s.links) >= alike
}

// heard takes in how a call ended. wait says that it is not the record's own fault
// as far as can be known, and for how long to wait; a hold stops its rule.
//
//	refused for a right   its side                   result
//	the first time        any                        tried again after a minute
//	again                 has taken no write since   tried again after the pause
//	again                 takes others' writes       the record's own: parked
func (b *breaker) heard(op plan.Op, err error, now time.Time) (wait time.Duration, hold *plan.Hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	side := b.side(op.Kind.Side())
	if err == nil {
		side.streak.links, side.wait = nil, 0
		delete(b.rules, kindOf(op))
		return 0, nil
	}
	if right(err) {
		if side.streak.add("right", op) && !now.Before(side.until) {
			side.wait = min(max(2*side.wait, firstPause), lastPause)
			side.until = now.Add(side.wait)
		}
		if op.Attempt <= 1 {
			return max(side.wait, firstPause), nil
		}
		return side.wait, nil
	}
	what := policy(err)
	if what == "" {
		return 0, nil
	}
	if b.rules == nil {
		b.rules = map[string]*streak{}
	}
	if b.rules[kindOf(op)] == nil {
		b.rules[kindOf(op)] = &streak{}
	}
	if !b.rules[kindOf(op)].add(what, op) {
		return 0, nil
	}
	delete(b.rules, kindOf(op)) // those after a resume are counted anew
	return 0, &plan.Hold{Rule: op.Rule, What: plan.HoldsAll, Since: now, Reason: fmt.Sprintf(
		"%d records in a row were refused alike: %v. Set right what refuses them, then bridge resume %s, and bridge retry those that are parked", alike, err, op.Rule)}
}

func (b *breaker) side(side plan.Side) *pause {
	if b.sides == nil {
		b.sides = map[plan.Side]*pause{}
	}
	if b.sides[side] == nil {
		b.sides[side] = &pause{}
	}
	return b.sides[side]
}

// paused says that a side is left alone now.
func (b *breaker) paused(side plan.Side, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.side(side).until)
}

// waited gives the sides whose pause is over and that nobody has tried since.
func (b *breaker) waited(now time.Time) []plan.Side {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []plan.Side
	for _, side := range []plan.Side{plan.ITSM, plan.MMD} {
		if p := b.side(side); !p.until.IsZero() && !now.Before(p.until) {
			out = append(out, side)
		}
	}
	return out
}

// tried takes in what the one read of a paused side showed.
func (b *breaker) tried(side plan.Side, err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.side(side)
	p.until = time.Time{}
	if err != nil {
		p.wait = min(max(2*p.wait, firstPause), lastPause)
		p.until = now.Add(p.wait)
	}
}

// try reads once from each side whose pause is over: one that still refuses is left
// alone for twice as long.
func (p *pass) try(ctx context.Context) {
	for _, side := range p.breaker.waited(p.Now()) {
		err := p.oneRead(ctx, side)
		p.breaker.tried(side, err, p.Now())
		p.Log.LogAttrs(ctx, slog.LevelWarn, "a side that was paused was tried with one read", slog.String("side", string(side)), slog.Any("error", err))
	}
}

func (p *pass) oneRead(ctx context.Context, side plan.Side) error {
	if side == plan.MMD {
		for _, err := range p.Tickets.List(ctx, mmd.ListOptions{Top: 1}) {
			return err
		}
		return nil
	}
	for _, rule := range p.Planner.Rules.Tickets {
		for _, err := range p.Desk.Changes(ctx, itsm.Ask{Table: rule.Table, Query: rule.Query.String(), Fields: []string{"sys_id", "sys_updated_on"}}, p.Now()) {
			return err
		}
	}
	return nil
}

// hold stops what a hold stops from here on, and says that it is a new one: several
// writes that are on their way meet the same.
func (p *pass) hold(hold plan.Hold) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.held, func(h plan.Hold) bool { return h.Rule == hold.Rule && h.What == hold.What }) {
		return false
	}
	p.held = append(p.held, hold)
	p.report.held([]plan.Hold{hold})
	return true
}

// broken takes in how a write ended, before it is settled: what a lost right may
// have refused waits instead of being parked.
func (p *pass) broken(ctx context.Context, op plan.Op, r *result) error {
	wait, hold := p.breaker.heard(op, r.err, p.Now())
	if hold != nil && p.hold(*hold) {
		if err := p.Ledger.Hold(ctx, *hold); err != nil {
			return fmt.Errorf("hold rule %s: %w", hold.Rule, err)
		}
	}
	if wait == 0 {
		return nil
	}
	r.reply.Outcome, r.reply.After = plan.WasRefused, max(r.reply.After, wait)
	if p.breaker.paused(op.Kind.Side(), p.Now()) {
		paused := fmt.Sprintf("the %s side refused %d records in a row: it seems to have lost a right, and is tried again by itself", op.Kind.Side(), alike)
		r.reply.Reason = paused + ": " + r.reply.Reason
		p.mu.Lock()
		if !slices.Contains(p.report.Unread, paused) {
			p.report.Unread = append(p.report.Unread, paused)
		}
		p.mu.Unlock()
	}
	return nil
}
