package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bridge/plan"
)

// Sender sends what is due: begin, send, settle.
type Sender struct {
	Desk            Desk
	DeskWriter      DeskWriter
	Tickets         Tickets
	TicketWriter    TicketWriter
	Elevations      Elevations
	ElevationWriter ElevationWriter
	Ledger          Ledger
	Planner         plan.Planner
	Timing          plan.Timing
	// Concurrency is how many calls are in flight towards each side.
	Concurrency map[plan.Side]int
	// Fresh is how old an observation may be that a write is decided on.
	Fresh time.Duration
	Log   *slog.Logger
	Now   func() time.Time

	breaker breaker
	// born is when it sent for the first time.
	born time.Time
}

// Send sends until nothing is due: links in parallel, ops of one link in order.
func (s *Sender) Send(ctx context.Context, report *Report) error {
	if s.born.IsZero() {
		s.born = s.Now()
	}
	pass := s.newPass(report)
	if err := pass.measured(ctx); err != nil {
		return err
	}
	if _, err := s.Ledger.Recover(ctx, s.Now()); err != nil {
		return fmt.Errorf("recover what a worker left behind: %w", err)
	}
	pass.try(ctx)
	for ctx.Err() == nil {
		due, err := s.Ledger.Due(ctx, s.Now())
		if err != nil {
			return fmt.Errorf("read what is due: %w", err)
		}
		if err := pass.holds(ctx); err != nil { // after that: another worker holds what runs away as it promises it
			return err
		}
		if due = pass.untried(due); len(due) == 0 {
			return nil
		}
		if err := pass.closesFirst(ctx, due); err != nil {
			return err
		}
		if err := pass.links(ctx, due); err != nil {
			return err
		}
	}
	return nil
}

// pass is one go through what is due.
type pass struct {
	*Sender
	report *Report
	// begun bounds how many ops are begun ahead of a free place on their side,
	// slots how many calls are in flight there.
	begun, slots map[plan.Side]chan struct{}
	held         []plan.Hold
	// timing is the sender's, with the lag that was measured.
	timing plan.Timing
	fresh  *freshRows

	mu    sync.Mutex
	tried map[string]bool
	// trying are the kinds of which a create goes on that nothing could be compared with.
	trying map[plan.Kind]bool
	// strikes counts refusals in a row on a side: three stop it for this pass.
	strikes map[plan.Side]int
}

// ahead is how many ops are begun for each place on their side: a commit takes a
// while, and a place that waits for one is lost. More would leave more to look for
// after a crash.
const ahead = 2

// strikesOut is how many refusals in a row stop a side for this pass.
const strikesOut = 3

func (s *Sender) newPass(report *Report) *pass {
	p := &pass{
		Sender: s, report: report, begun: map[plan.Side]chan struct{}{}, slots: map[plan.Side]chan struct{}{},
		tried: map[string]bool{}, trying: map[plan.Kind]bool{}, strikes: map[plan.Side]int{},
		fresh: &freshRows{rows: map[string]plan.Record{}}, timing: s.Timing,
	}
	for _, side := range []plan.Side{plan.ITSM, plan.MMD} {
		n := max(s.Concurrency[side], 1)
		p.begun[side], p.slots[side] = make(chan struct{}, ahead*n), make(chan struct{}, n)
	}
	if report.Done == nil {
		report.Done = map[plan.Kind]int{}
	}
	return p
}

// holds reads what is held.
func (p *pass) holds(ctx context.Context) error {
	holds, err := p.Ledger.Holds(ctx)
	if err != nil {
		return fmt.Errorf("read what is held: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = holds
	return nil
}

// measured reads what the ledger knows of itself and of how long things take.
func (p *pass) measured(ctx context.Context) (err error) {
	if p.Planner.Aged, err = aged(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read how old the ledger is: %w", err)
	}
	if p.Planner.Forgotten, err = forgotten(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read what the ledger has forgotten: %w", err)
	}
	if p.timing.Lag, err = Lag(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read the measured lag: %w", err)
	}
	p.report.Lag = p.timing.Lag
	if p.timing.Creates, p.timing.Appeared, err = appeared(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read how soon creates are shown: %w", err)
	}
	return nil
}

// untried leaves out the links that this pass has been at: what is still due
// there is blocked, and waits for the next.
func (p *pass) untried(due []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, id := range due {
		if !p.tried[id] {
			p.tried[id] = true
			out = append(out, id)
		}
	}
	return out
}

// closesFirst puts the links that owe the close of an elevation before all others: what
// tickets wait for may take long, open rights may not.
func (p *pass) closesFirst(ctx context.Context, due []string) error {
	closing := map[string]int{}
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Kinds: []plan.Kind{plan.ElevationClose}, Owed: true, Brief: true}) {
		if err != nil {
			return fmt.Errorf("read which elevations are to be closed: %w", err)
		}
		closing[op.Link] = 1
	}
	slices.SortStableFunc(due, func(a, b string) int { return closing[b] - closing[a] })
	return nil
}

// links works through links in parallel. There are more workers than places, so
// that one can write to the ledger while another calls.
func (p *pass) links(ctx context.Context, due []string) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan string)
	group.Go(func() error {
		defer close(queue)
		return p.feed(ctx, due, queue)
	})
	workers := 0
	for _, slots := range p.begun {
		workers += 2 * cap(slots)
	}
	for range min(workers, len(due)) {
		group.Go(func() error {
			for id := range queue {
				if err := p.link(ctx, id); err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// feed hands out links, and reads again in batches what their creates and updates
// were decided on, where that is too old.
func (p *pass) feed(ctx context.Context, due []string, queue chan<- string) error {
	for start := 0; start < len(due); start += batch {
		some := due[start:min(start+batch, len(due))]
		if err := p.refresh(ctx, some); err != nil {
			return err
		}
		for _, id := range some {
			select {
			case queue <- id:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

// link sends what one link has due, in order, until it is blocked or done. A link
// that another worker is at is left to it.
func (p *pass) link(ctx context.Context, id string) error {
	held, release, err := p.Ledger.Claim(ctx, "link/"+id)
	if errors.Is(err, plan.ErrClaimed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim link %s: %w", id, err)
	}
	defer release()
	if err := p.inOrder(ctx, held, id); !errors.Is(err, plan.ErrStale) {
		return err
	}
	return nil // somebody else is at it: a person, or a poll
}

// inOrder sends what a claimed link has due.
func (p *pass) inOrder(ctx, held context.Context, id string) error {
	var next *plan.Story // nil: it is read
	for ctx.Err() == nil && held.Err() == nil {
		if next == nil {
			read, err := p.Ledger.Story(ctx, id)
			if err != nil {
				return err
			}
			next = &read
		}
		story := *next
		next = nil
		if again, err := p.standIn(ctx, story); err != nil || again {
			if err != nil {
				return err
			}
			continue
		}
		op, superseded := plan.Next(story.Ops, story.Link.MMD != "", p.Now())
		for _, old := range superseded {
			if _, err := p.Ledger.Settle(ctx, old, plan.Promise{At: p.Now()}); err != nil {
				return err
			}
		}
		if op == nil || p.stopped(*op) {
			return nil
		}
		var err error
		if op.State == plan.Unknown {
			err = p.probe(ctx, story, *op)
		} else {
			next, err = p.send(ctx, held, story, *op)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", op.Key, err)
		}
		if next != nil && len(next.Ops) == 0 {
			return nil // that was all, and nothing came of it
		}
	}
	return nil
}

// standIn promises the lines that take the places of notes parked for too long.
func (p *pass) standIn(ctx context.Context, story plan.Story) (bool, error) {
	spoken, lines := p.Planner.Missing(story.Link, story.Ops, p.Now())
	for i, op := range spoken {
		if _, err := p.Ledger.Settle(ctx, op, plan.Promise{Ops: lines[i : i+1], At: p.Now()}); err != nil {
			return false, fmt.Errorf("promise what takes the place of %s: %w", op.Key, err)
		}
	}
	return len(spoken) > 0, nil
}

// stopped says that an op is not to be sent in this pass: its rule is held, or a side
// that it needs has refused three times in a row. The close of an elevation waits for
// nothing but its own refusals: those of tickets say nothing on it.
func (p *pass) stopped(op plan.Op) bool {
	if op.Kind == plan.ElevationClose {
		return false
	}
	if p.isHeld(op) || p.breaker.paused(op.Kind.Side(), p.Now()) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.strikes[op.Kind.Side()] >= strikesOut || p.asksDesk(op) && p.strikes[plan.ITSM] >= strikesOut
}

// isHeld says that a hold stops an op: also one of a rule that had another name then.
func (p *pass) isHeld(op plan.Op) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	op.Rule = p.Planner.Rules.Current(op.Rule)
	return slices.ContainsFunc(p.held, func(h plan.Hold) bool {
		h.Rule = p.Planner.Rules.Current(h.Rule)
		return h.Stops(op)
	})
}
