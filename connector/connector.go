// Package connector is the loop: poll, plan, promise, begin, send, settle. It is
// the one place that knows both sides; it turns what they say into observations,
// and ops into calls. It decides nothing: what is owed is package plan's word,
// and what was owed is the ledger's.
package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"bridge/plan"
)

// Connector runs the loop.
type Connector struct {
	Poller Poller
	Sender Sender
	Log    *slog.Logger
	Now    func() time.Time

	// proved says that the ledger was compared with what the vendor shows, ended
	// when the last cycle ended.
	proved bool
	ended  time.Time
	// sent is when the last pass over what is due began, meanwhile what passes between two
	// cycles did: the next one's report says it.
	sent      time.Time
	meanwhile Report
	// running says that cycle follows cycle: what is claimed is kept in between.
	running bool
}

// Cycle is the whole loop, once: read what changed on both sides and promise what
// it means; then send what is due, links in parallel, ops of one link in order.
// A feed that cannot be read stops itself, not the others; a ledger that cannot
// be written stops everything.
func (c *Connector) Cycle(ctx context.Context) (Report, error) {
	report := c.meanwhile
	c.meanwhile, report.Began = Report{}, c.Now()
	if !c.running {
		defer c.Poller.leave()
	}
	c.Poller.share()
	defer func() { c.ended = c.Now() }()
	if err := c.prove(ctx, &report); err != nil {
		return report, err
	}
	if !c.proved {
		report.Took = c.Now().Sub(report.Began)
		return report, nil
	}
	err := c.Poller.Poll(ctx, &report)
	if c.proved = err == nil && !c.Poller.cut(); c.proved {
		err = c.send(ctx, &report)
	}
	report.Took = c.Now().Sub(report.Began)
	return report, err
}

// prove compares the ledger with what the sides show: at the start, after the
// clock jumped, and after the ledger failed or its server went away. While they cannot
// be asked, nothing is planned and nothing is sent: an empty ledger stays empty.
func (c *Connector) prove(ctx context.Context, report *Report) error {
	stands := c.stands(report.Began)
	if _, err := c.Poller.mine(ctx, c.Poller.claims.own); err != nil {
		return err
	}
	if stands {
		return nil
	}
	c.proved = false
	err := c.Poller.prove(ctx)
	if of, ok := errors.AsType[*sideError](err); ok {
		report.unread(feed{name: "what was sent before", side: cmp.Or(of.side, plan.MMD), main: true}, err)
		return nil
	}
	c.proved = err == nil
	return err
}

// Run cycles until ctx ends: at each interval, and as soon as an op is due. told
// hears of each cycle.
func (c *Connector) Run(ctx context.Context, interval time.Duration, told func(Report, error)) error {
	c.running = true
	c.Poller.share()
	defer c.Poller.leave()
	next := c.Now()
	for ctx.Err() == nil {
		report, err := c.Cycle(ctx)
		told(report, err)
		if errors.Is(err, ErrLost) {
			return err
		}
		next = next.Add(interval)
		if now := c.Now(); next.Before(now) {
			next = now
		} else if latest := now.Add(interval); next.After(latest) {
			next = latest // the clock was set back
		}
		c.rest(ctx, next)
	}
	return nil
}

// stands says that what was proven of the ledger still holds: the clock did not jump, and
// its server did not go away.
func (c *Connector) stands(now time.Time) bool {
	gap := now.Round(0).Sub(c.ended.Round(0)) // by the wall: a machine that is restored from a snapshot has no other
	if c.Poller.cut() || gap < 0 || gap >= clockGap {
		c.proved = false
	}
	return c.proved
}

// send sends what is due. When the ledger fails, it is to be proven again.
func (c *Connector) send(ctx context.Context, report *Report) error {
	c.sent = c.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if lost := c.Poller.claims.held[c.Poller.claims.own]; lost != nil { // the pass ends with the session under which the ledger was proven
		go func() {
			select {
			case <-lost:
				stop()
			case <-ctx.Done():
			}
		}()
	}
	if err := c.Sender.Send(ctx, report); err != nil {
		c.proved = false
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// rest waits for the next poll, and sends meanwhile what falls due: not while it is open
// whether the ledger is the newest. What fails here is told by the next cycle.
func (c *Connector) rest(ctx context.Context, until time.Time) {
	for {
		wake := until
		if due := c.due(ctx); !due.IsZero() && due.Before(until) {
			wake = due
		}
		timer := time.NewTimer(max(wake.Sub(c.Now()), 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if !wake.Before(until) {
			return
		}
		if c.stands(c.Now()) {
			if err := c.send(ctx, &c.meanwhile); err != nil && ctx.Err() == nil {
				c.Log.LogAttrs(ctx, slog.LevelError, "what fell due was not sent", slog.Any("error", err))
			}
			c.ended = c.Now()
		}
	}
}

// due is when the next op falls due that the last pass did not try; zero: none, or none
// that may be sent.
func (c *Connector) due(ctx context.Context) time.Time {
	if !c.stands(c.Now()) {
		return time.Time{}
	}
	due, err := c.Poller.Ledger.NextDue(ctx, c.sent)
	if err != nil && ctx.Err() == nil {
		c.proved = false
		c.Log.LogAttrs(ctx, slog.LevelError, "what is due next could not be read", slog.Any("error", err))
	}
	return due
}

// Report says what one cycle did, and what was sent since the one before.
type Report struct {
	Began time.Time
	Took  time.Duration
	// Records and Tickets count observations.
	Records, Tickets int
	// FirstSend and LastSettle bound the time in which writes were made.
	FirstSend, LastSettle time.Time
	// Done counts settled ops by kind.
	Done map[plan.Kind]int
	// Skipped says why records were passed over, with how many.
	Skipped map[string]int
	// Unmapped counts values that met no map entry, by rule, field, value and line.
	Unmapped map[string]int
	// Unreadable holds, by side, why it could not be read at all.
	Unreadable map[plan.Side]error
	// Unread says of each feed that did not answer why; it is read again in the next cycle.
	Unread []string
	// Silent are those of Unread that are of whole feeds: each cycle reads them.
	Silent []string
	// Refused holds, by side, the error of credentials that were refused.
	Refused map[plan.Side]error
	// Lag is the longest that one of our tickets was seen to be missing from the list.
	Lag time.Duration
	// Held is what came to be held.
	Held []plan.Hold
}

// held takes down what came to be held; what is held again is told as it is now.
func (r *Report) held(holds []plan.Hold) {
	for _, hold := range holds {
		r.Held = append(slices.DeleteFunc(r.Held, func(h plan.Hold) bool { return h.Rule == hold.Rule && h.What == hold.What }), hold)
	}
}

// unmapped counts what met no map entry in the ops that were promised.
func (r *Report) unmapped(ops []plan.Op, added []string) {
	for _, op := range ops {
		if len(op.Unmapped) == 0 || !slices.Contains(added, op.Key) {
			continue
		}
		if r.Unmapped == nil {
			r.Unmapped = map[string]int{}
		}
		for _, text := range op.Unmapped {
			r.Unmapped[text]++
		}
	}
}

// Sent counts the writes that were done.
func (r *Report) Sent() int {
	n := 0
	for _, done := range r.Done {
		n += done
	}
	return n
}
