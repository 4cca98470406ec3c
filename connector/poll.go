package connector

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
	"bridge/rest"
)

// lag is how far behind the desk's clock a cursor stays: a row can appear later
// than its timestamp says. It limits how far the cursor moves, never what is read.
const lag = 30 * time.Second

// batch is how many observations are promised in one transaction.
const batch = 200

// Poller reads both sides and promises what that means. It can write nothing but
// the ledger.
type Poller struct {
	Desk       Desk
	Tickets    Tickets
	Elevations Elevations
	Ledger     Ledger
	Planner    plan.Planner
	// FullScan is how often every row is read, whatever the cursor says.
	FullScan time.Duration
	// Ahead makes notes due that are due so soon: a run that ends reads them now.
	Ahead time.Duration
	// Creates is how many creates a rule may promise in one cycle before it is held; 0: any.
	Creates int
	// Timing is what an op waits that is looked for before it is sent; its lag is the
	// ledger's.
	Timing plan.Timing
	// Readers is how many notes are read at once.
	Readers int
	Log     *slog.Logger
	Now     func() time.Time

	// listed is when the tickets were listed last, sought when the elevation requests were
	// listed whole.
	listed, sought time.Time
	// before is when the listing before began, as the ledger knows it.
	before time.Time
	// closing is when an elevation was first seen to be closed since the elevation requests
	// were looked at for those that had no effect.
	closing time.Time
	calm    calm
	// hiding are the links whose ticket showed no notes, and is known to have some, when
	// the ledger was last compared with what the sides show, and when that was.
	hiding map[string]time.Time
	// claims are the feeds that this worker has; nil: it claims none.
	claims *feedClaims
}

// Poll reads every feed once, and promises what it means.
func (p *Poller) Poll(ctx context.Context, report *Report) error {
	var err error
	was := p.Planner.Aged
	if p.Planner.Aged, err = aged(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read how old the ledger is: %w", err)
	}
	forgot := p.Planner.Forgotten
	if p.Planner.Forgotten, err = forgotten(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read what the ledger has forgotten: %w", err)
	}
	if p.Timing.Lag, err = Lag(ctx, p.Ledger); err != nil {
		return fmt.Errorf("read the measured lag: %w", err)
	}
	if !p.Planner.Aged.Equal(was) || !p.Planner.Forgotten.Equal(forgot) {
		p.calm = calm{}
	}
	for _, feed := range p.feeds() {
		if err := p.read(ctx, feed, report); err != nil {
			return fmt.Errorf("read feed %s: %w", feed.name, err)
		}
	}
	return nil
}

// feed is one thing that is read in each cycle.
type feed struct {
	name string
	side plan.Side
	// main says that the side counts as unreadable when this cannot be read.
	main bool
	read func(ctx context.Context, report *Report) error
}

// feeds are what a cycle reads, in this order: records before tickets, so that
// what people wrote is known before a state is decided on.
func (p *Poller) feeds() []feed {
	var out []feed
	for _, table := range p.tables() {
		for _, rule := range table.rules {
			out = append(out, feed{"records of rule " + rule.Name, plan.ITSM, true, func(ctx context.Context, r *Report) error {
				return p.candidates(ctx, table, rule, r)
			}})
		}
		out = append(out, feed{"linked records of " + table.name, plan.ITSM, false, func(ctx context.Context, r *Report) error {
			return p.moved(ctx, table, r)
		}})
	}
	if len(p.Planner.Rules.Tickets) > 0 {
		out = append(out, feed{ticketFeed, plan.MMD, true, p.tickets}, feed{"notes", plan.MMD, false, p.notes})
	}
	for _, rule := range p.Planner.Rules.Elevations {
		out = append(out, feed{"tasks of rule " + rule.Name, plan.ITSM, true, func(ctx context.Context, r *Report) error {
			return p.tasks(ctx, rule, r)
		}})
	}
	return append(out, feed{"elevation requests", plan.MMD, false, p.requests})
}

// requests reads the elevation requests while a rule may open one, or the ledger knows
// one: its rights may be open when its rule is gone. A close that is owed under a link that
// a person ended has to show, like any other.
func (p *Poller) requests(ctx context.Context, report *Report) error {
	if len(p.Planner.Rules.Elevations) == 0 {
		known := false
		for _, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.ElevationLink, Brief: true, Limit: 1}) {
			if err != nil {
				return err
			}
			known = true
		}
		if !known {
			return nil
		}
	}
	for _, err := range p.Ledger.Ops(ctx, plan.OpQuery{Kinds: []plan.Kind{plan.ElevationClose}, Owed: true, Brief: true}) {
		if err != nil {
			return err
		}
		if p.closing.IsZero() {
			p.closing = p.Now()
		}
	}
	return p.elevations(ctx, report)
}

// ticketFeed is the list of tickets.
const ticketFeed = "tickets"

// read reads one feed. A side that does not answer is said in the report and
// stops nothing else; an error of the ledger stops the cycle.
func (p *Poller) read(ctx context.Context, f feed, report *Report) error {
	mine, err := p.mine(ctx, f.name)
	if err == nil && mine {
		err = f.read(ctx, report)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, plan.ErrStale) {
		report.Unread = append(report.Unread, f.name+": another worker, or a person, was faster; it is read again")
		return nil
	}
	if _, ok := errors.AsType[*sideError](err); !ok {
		return err
	}
	report.unread(f, err)
	p.Log.LogAttrs(ctx, slog.LevelDebug, "a feed could not be read", slog.String("feed", f.name), slog.Any("error", err))
	return nil
}

// sideError is an error of one of the two sides, not of the ledger.
type sideError struct {
	err error
	// side is whose it is; empty: that of the feed that is being read.
	side plan.Side
}

func (e *sideError) Error() string { return e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }

// unread writes down that a feed did not answer, and if it was for the credentials.
func (r *Report) unread(f feed, err error) {
	why := fmt.Sprintf("%s could not be read: %v", f.name, err)
	r.Unread, r.Silent = append(r.Unread, why), append(r.Silent, why)
	if f.main {
		if r.Unreadable == nil {
			r.Unreadable = map[plan.Side]error{}
		}
		r.Unreadable[f.side] = err
	}
	if badCredentials(err) {
		r.refused(f.side, err)
	}
}

func (r *Report) refused(side plan.Side, err error) {
	if r.Refused == nil {
		r.Refused = map[plan.Side]error{}
	}
	r.Refused[side] = err
}

// table is one ITSM table with all ticket rules that read it: each row is read
// once for all of them, since the first rule in file order takes it.
type table struct {
	name    string
	rules   []*mapping.TicketRule
	fields  []string
	display bool
	// journals are the journal fields that any of its rules sends on.
	journals []string
}

// tables groups the ticket rules by table, in file order.
func (p *Poller) tables() []table {
	var out []table
	for _, rule := range p.Planner.Rules.Tickets {
		at := -1
		for i := range out {
			if out[i].name == rule.Table {
				at = i
			}
		}
		if at < 0 {
			at, out = len(out), append(out, table{name: rule.Table})
		}
		t := &out[at]
		t.rules = append(t.rules, rule)
		t.fields = union(t.fields, rule.Fields)
		t.display = t.display || rule.Display
		t.journals = union(t.journals, rule.NotesFrom.Fields)
	}
	return out
}

// reading is one pass over a feed: what is read of it, until when, and under which
// name that is remembered.
type reading struct {
	cursor plan.Cursor
	spans  []span
	began  time.Time
	// undecided are the records that could not be decided on.
	undecided []string
}

// begin finds what is to be read of a feed: what changed since it was read last, and
// the part of the full scan that is due. One that was never read, that is read in
// another way than before, or by a ledger that was set back, is read whole.
func (p *Poller) begin(ctx context.Context, name, fingerprint string) (reading, error) {
	cursor, err := p.Ledger.Cursor(ctx, name)
	if err != nil {
		return reading{}, err
	}
	r := reading{cursor: cursor, began: p.Now(), spans: []span{{since: cursor.Read}}}
	if cursor.Fingerprint != fingerprint || cursor.Full.IsZero() || cursor.Full.Before(p.Planner.Aged) {
		r.cursor = plan.Cursor{Feed: name, Fingerprint: fingerprint, Creates: cursor.Creates}
		r.spans = []span{{scan: true}}
	} else if due, is := part(cursor, r.began, p.FullScan); is {
		r.spans = append(r.spans, due)
	}
	return r, nil
}

// end moves the cursor up to the desk's time at which the reading began, less the
// lag. While nobody knows the desk's time it stays where it is: rows are read twice
// then, and none is missed.
func (p *Poller) end(ctx context.Context, r reading) error {
	offset, known := p.Desk.Clock()
	if read := r.began.Add(offset - lag).Truncate(time.Second); known && read.After(r.cursor.Read) {
		r.cursor.Read = read
	}
	r.cursor.Creates, r.cursor.Undecided = nil, r.undecided
	_, err := p.Ledger.Promise(ctx, plan.Promise{Cursor: &r.cursor, At: r.began})
	return err
}

// batches cuts a list into slices; an error of the list ends it.
func batches[T any](list iter.Seq2[T, error], size int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var some []T
		for item, err := range list {
			if err != nil {
				yield(nil, &sideError{err: err})
				return
			}
			if some = append(some, item); len(some) == size {
				if !yield(some, nil) {
					return
				}
				some = nil
			}
		}
		if len(some) > 0 {
			yield(some, nil)
		}
	}
}

// union adds what is missing, in order.
func union(to, more []string) []string {
	have := map[string]bool{}
	for _, s := range to {
		have[s] = true
	}
	for _, s := range more {
		if !have[s] {
			have[s], to = true, append(to, s)
		}
	}
	return to
}

// badCredentials says that a side, or its authority, did not take the credentials.
func badCredentials(err error) bool {
	return statusOf(err) == http.StatusUnauthorized || errors.Is(err, mmd.ErrSignIn)
}

// statusOf is the HTTP status that an error of a side carries; 0: no reply came.
func statusOf(err error) int {
	if e, ok := errors.AsType[*rest.Error](err); ok {
		return e.Status
	}
	return 0
}
