package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
)

// Relinked says what a relink found.
type Relinked struct {
	Tickets, Elevations int
	// Strangers are objects that carry this bridge's mark and whose record was not found.
	Strangers []string
}

// relinking is one relink: what carries our mark, by the number that it names.
type relinking struct {
	*Poller
	kind  plan.LinkKind
	found map[string][]plan.Found
	made  int
	// linked are the records that were linked: another rule may read them, too.
	linked map[string]bool
	// over says what is written over a link that is known; nil: what was found.
	over func(is, now plan.Link) plan.Link
}

// Relink rebuilds the links of a lost ledger from both sides, and sends nothing.
// What was said on either side is planned by the polls that follow, and looked for
// before it is sent. One that was interrupted is run again.
func (p *Poller) Relink(ctx context.Context) (Relinked, error) {
	var out Relinked
	held, release, err := p.Ledger.Claim(ctx, "relink")
	if errors.Is(err, plan.ErrClaimed) {
		return out, errors.New("another bridge relink is at it")
	}
	if err != nil {
		return out, fmt.Errorf("claim the relink: %w", err)
	}
	defer release()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(held, stop)()
	if err := p.relinkable(ctx); err != nil {
		return out, err
	}
	tickets, err := p.markedTickets(ctx)
	if err != nil {
		return out, err
	}
	for _, rule := range p.Planner.Rules.Tickets {
		if err := tickets.records(ctx, &rule.Source, func(rec plan.Record) *mapping.Source {
			if taker, _, _ := p.Planner.Match(rec.Table, rec.Row); taker != nil {
				return &taker.Source
			}
			return &rule.Source
		}); err != nil {
			return out, err
		}
	}
	elevations, err := p.markedElevations(ctx)
	if err != nil {
		return out, err
	}
	if err := elevations.tasks(ctx); err != nil {
		return out, err
	}
	out.Tickets, out.Elevations = tickets.made, elevations.made
	out.Strangers = append(tickets.strangers(), elevations.strangers()...)
	return out, p.Ledger.SetMeta(ctx, metaRelink, "")
}

// relinkable refuses a ledger that knows links, unless a relink that was
// interrupted made them. Before anything else it writes down that a ledger was lost.
func (p *Poller) relinkable(ctx context.Context) error {
	unfinished, err := p.Ledger.Meta(ctx, metaRelink)
	if err != nil {
		return err
	}
	if unfinished == "" {
		_, empty, err := p.newest(ctx)
		if err != nil {
			return err
		}
		if !empty {
			return errors.New("the ledger knows links: relink is for a ledger that is lost, and begins with an empty one")
		}
		now := p.Now().Format(time.RFC3339Nano)
		if err := errors.Join(p.Ledger.SetMeta(ctx, metaRelink, now), p.Ledger.SetMeta(ctx, metaAged, now)); err != nil {
			return err
		}
	}
	p.Planner.Aged, err = aged(ctx, p.Ledger)
	return err
}

// markedTickets lists the tickets that carry our mark, by the number they name,
// oldest first.
func (p *Poller) markedTickets(ctx context.Context) (*relinking, error) {
	r := &relinking{Poller: p, kind: plan.TicketLink, found: map[string][]plan.Found{}, linked: map[string]bool{}}
	if len(p.Planner.Rules.Tickets) == 0 {
		return r, nil
	}
	err := twice(func() (some bool, err error) {
		for t, err := range p.Tickets.List(ctx, mmd.ListOptions{OrderBy: "createdDateTime desc"}) {
			if err != nil {
				return some, fmt.Errorf("list the tickets: %w", err)
			}
			some = true
			seen := ticket(t, p.Now())
			r.keep(t.Description, plan.Found{ID: t.ID, Created: t.Created, Ticket: &seen})
		}
		return some, nil
	})
	return r, err
}

func (p *Poller) markedElevations(ctx context.Context) (*relinking, error) {
	r := &relinking{Poller: p, kind: plan.ElevationLink, found: map[string][]plan.Found{}, linked: map[string]bool{}}
	if len(p.Planner.Rules.Elevations) == 0 {
		return r, nil
	}
	err := twice(func() (some bool, err error) {
		for e, err := range p.Elevations.List(ctx, mmd.ListOptions{}) {
			if err != nil {
				return some, fmt.Errorf("list the elevation requests: %w", err)
			}
			some = true
			r.keep(e.PlanOfAction, plan.Found{ID: e.ID, Created: e.Created, Device: e.DeviceName, Closed: !e.Closed.IsZero() || e.IsDeleted})
		}
		return some, nil
	})
	return r, err
}

// twice reads again what shows nothing: it may be empty by mistake.
func twice(read func() (some bool, err error)) error {
	some, err := read()
	if err == nil && !some {
		_, err = read()
	}
	return err
}

func (r *relinking) keep(text string, f plan.Found) {
	number, mark := plan.Origin(text)
	if r.Planner.Pair.Owns(mark) {
		f.Mark = mark
		f.Ahead, _ = r.Tickets.Clock()
		r.found[number] = append(r.found[number], f)
	}
}

// askable is what a record number may consist of: it came from the other side, and
// goes into a query.
var askable = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// records reads the records that the marked objects name, and links those whose
// identities give the mark: a number alone is no proof.
func (r *relinking) records(ctx context.Context, source *mapping.Source, ruleOf func(plan.Record) *mapping.Source) error {
	var numbers []string
	for number := range r.found {
		if askable.MatchString(number) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	for some := range slices.Chunk(numbers, 50) {
		ask := itsm.Ask{Table: source.Table, Query: "numberIN" + strings.Join(some, ","), Fields: source.Fields, Display: source.Display}
		if err := twice(func() (bool, error) { return r.asked(ctx, source, ask, ruleOf) }); err != nil {
			return err
		}
	}
	return nil
}

// tasks links tasks, each under the rule that takes it: under another one it would be
// closed by that one's words. Those that none takes any more are the first rule's of their table.
func (r *relinking) tasks(ctx context.Context) error {
	for _, taken := range []bool{true, false} {
		for _, rule := range r.Planner.Rules.Elevations {
			if err := r.records(ctx, &rule.Source, func(rec plan.Record) *mapping.Source {
				if ok, _ := rule.Matches(rec.Row); taken && !ok {
					return nil
				}
				return &rule.Source
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// asked reads records, links those that are found and says whether there were some.
func (r *relinking) asked(ctx context.Context, source *mapping.Source, ask itsm.Ask, ruleOf func(plan.Record) *mapping.Source) (some bool, err error) {
	for records, err := range batches(r.Desk.Changes(ctx, ask, time.Time{}), batch) {
		if err != nil {
			return some, fmt.Errorf("read the records of %s that the vendor's objects name: %w", source.Table, err)
		}
		some = some || len(records) > 0
		promise := plan.Promise{At: r.Now()}
		for _, rec := range records {
			rec := plan.Record{Table: source.Table, Row: row(rec), Seen: r.Now()}
			if err := r.named(ctx, rec); err != nil {
				return some, err
			}
			r.link(rec, ruleOf, &promise)
		}
		if err := r.write(ctx, promise); err != nil {
			return some, err
		}
	}
	return some, nil
}

// write writes links down, also over those of a relink that was interrupted.
func (r *relinking) write(ctx context.Context, promise plan.Promise) error {
	if promise.Empty() {
		return nil
	}
	at := map[string]int{}
	for i, link := range promise.Links {
		at[link.ID] = i
	}
	for link, err := range r.Ledger.Links(ctx, plan.LinkQuery{IDs: slices.Sorted(maps.Keys(at))}) {
		if err != nil {
			return fmt.Errorf("read what an earlier relink made: %w", err)
		}
		now := &promise.Links[at[link.ID]]
		if now.Version = link.Version; r.over != nil {
			*now = r.over(link, *now)
		}
	}
	_, err := r.Ledger.Promise(ctx, promise)
	return err
}

// named looks up the ticket that a record names, where the list does not show it (yet).
func (r *relinking) named(ctx context.Context, rec plan.Record) error {
	id := rec.Row["correlation_id"].Value
	listed := slices.ContainsFunc(r.found[rec.Number()], func(f plan.Found) bool { return f.ID == id })
	if r.kind != plan.TicketLink || id == "" || listed || r.linked[rec.ID()] {
		return nil
	}
	t, err := r.ticketNamed(ctx, id, rec.Seen)
	if err == nil && t != nil {
		r.keep(t.Description, plan.Found{ID: t.ID, Created: t.Created, Ticket: t})
	}
	return err
}

// link links one record to the objects that carry its mark, if it has a rule.
func (r *relinking) link(rec plan.Record, ruleOf func(plan.Record) *mapping.Source, promise *plan.Promise) {
	rule := ruleOf(rec)
	if rule == nil {
		return
	}
	kind := plan.TicketCreate
	if r.kind == plan.ElevationLink {
		kind = plan.ElevationCreate
	}
	var own, others []plan.Found
	for _, f := range r.found[rec.Number()] {
		if f.Generation = r.Planner.GenerationOf(kind, rec.ID(), f.Mark); f.Generation > 0 {
			own = append(own, f)
		} else {
			others = append(others, f)
		}
	}
	if len(own) == 0 {
		return
	}
	slices.SortStableFunc(own, func(a, b plan.Found) int { return a.Created.Compare(b.Created) })
	r.found[rec.Number()] = others
	r.made++
	r.linked[rec.ID()] = true
	promise.Add(r.Planner.Relinked(r.kind, rule, rec, own, r.Now()))
}

// strangers names what carries our mark and belongs to no record that was found.
func (r *relinking) strangers() []string {
	var out []string
	for number, some := range r.found {
		for _, f := range some {
			out = append(out, fmt.Sprintf("%s %s carries the mark %s of %s, and no such record was found", r.kind, f.ID, f.Mark, number))
		}
	}
	slices.Sort(out)
	return out
}
