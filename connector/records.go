package connector

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/plan"
)

// candidates reads the records that a rule's query finds and that changed.
func (p *Poller) candidates(ctx context.Context, t table, rule *mapping.TicketRule, report *Report) error {
	fingerprint := strings.Join(append([]string{rule.Table, rule.Query.String(), p.Planner.Rules.Hash}, t.fields...), "\n")
	r, err := p.begin(ctx, "records/"+rule.Name, fingerprint)
	if err != nil {
		return err
	}
	for _, span := range r.spans {
		ask := itsm.Ask{Table: t.name, Query: rule.Query.String(), Fields: t.fields, Display: t.display, Above: span.above, UpTo: span.upTo}
		rows := 0
		for records, err := range batches(p.Desk.Changes(ctx, ask, span.since), batch) {
			if err != nil {
				return err
			}
			rows += len(records)
			if err := p.observe(ctx, t, records, &r, report); err != nil {
				return err
			}
		}
		r.read(span, rows)
	}
	if err := p.byID(ctx, t, r.cursor.Undecided, &r, report); err != nil {
		return err
	}
	return p.end(ctx, r)
}

// brake counts the new creates of a batch, and holds each rule that has more of them in
// one reading than it may. The hold and the count are written with the creates: what
// ends the reading early lets none through. What was parked, or not wanted for a while,
// counts when it is to be sent: a right that comes back lets go of all of it at once.
func (p *Poller) brake(r *reading, promise *plan.Promise, stories map[string]*plan.Story) {
	known := map[string]bool{}
	for _, story := range stories {
		for _, op := range story.Ops {
			known[op.Key] = op.Frozen || op.State != plan.Parked && !op.State.Ended()
		}
	}
	counts, news := maps.Clone(r.cursor.Creates), map[string]bool{}
	for _, op := range promise.Ops {
		if !op.Kind.Creates() || op.State != plan.Promised || known[op.Key] {
			continue
		}
		if counts == nil {
			counts = map[string]int{}
		}
		counts[op.Rule]++
		news[op.Rule] = true
	}
	if len(news) == 0 {
		return
	}
	r.cursor.Creates = counts
	cursor := r.cursor
	promise.Cursor = &cursor
	for _, name := range slices.Sorted(maps.Keys(news)) {
		limit, n := p.mayCreate(name), counts[name]
		if limit == 0 || n <= limit {
			continue
		}
		promise.Holds = append(promise.Holds, plan.Hold{Rule: name, Since: p.Now(), Reason: fmt.Sprintf(
			"%d creates in one cycle, the limit is %d: look at them with bridge plan, then bridge resume %s --accept %d", n, limit, name, n)})
	}
}

// mayCreate is how many creates a rule may promise in one reading; 0: any.
func (p *Poller) mayCreate(name string) int {
	if rule := p.Planner.Rules.Ticket(name); rule != nil && rule.Creates >= 0 {
		return rule.Creates
	}
	if rule := p.Planner.Rules.Elevation(name); rule != nil && rule.Creates >= 0 {
		return rule.Creates
	}
	return p.Creates
}

// moved reads the linked records that changed, also those that left their rule's
// query.
func (p *Poller) moved(ctx context.Context, t table, report *Report) error {
	r, err := p.begin(ctx, "moved/"+t.name, t.name)
	if err != nil {
		return err
	}
	linked, err := p.anyLink(ctx, t.name)
	if err != nil {
		return err
	}
	for _, span := range r.spans {
		rows := 0
		switch {
		case span.scan:
			rows, err = p.allLinked(ctx, t, span, report)
		case linked:
			err = p.movedSince(ctx, t, span.since, report)
		}
		if err != nil {
			return err
		}
		r.read(span, rows)
	}
	return p.end(ctx, r)
}

// movedSince reads the linked records that changed since a time. What moved is asked
// for without its contents, so that a quiet link costs nothing and no foreign record
// is read.
func (p *Poller) movedSince(ctx context.Context, t table, since time.Time, report *Report) error {
	for records, err := range batches(p.Desk.Changes(ctx, moveOf(t), since), batch) {
		if err != nil {
			return err
		}
		revs := make(map[string]string, len(records))
		for _, rec := range records {
			revs[rec.Value("sys_id")] = rec.Value("sys_mod_count")
		}
		var ids []string
		for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Records: keys(revs), Kind: plan.TicketLink, Open: true}) {
			if err != nil {
				return err
			}
			if link.Rev != revs[link.Record] {
				ids = append(ids, link.Record)
			}
		}
		if err := p.byID(ctx, t, ids, nil, report); err != nil {
			return err
		}
	}
	return nil
}

// moveOf asks for what tells that a record moved, and for nothing else.
func moveOf(t table) itsm.Ask {
	return itsm.Ask{Table: t.name, Fields: []string{"sys_id", "sys_mod_count", "sys_updated_on"}}
}

// anyLink says whether a table has open links at all.
func (p *Poller) anyLink(ctx context.Context, table string) (bool, error) {
	for _, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.TicketLink, Table: table, Open: true, Brief: true, Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}

// allLinked reads the linked records of a table, or a part of them: the full scan of
// links.
func (p *Poller) allLinked(ctx context.Context, t table, span span, report *Report) (rows int, err error) {
	var ids []string
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.TicketLink, Table: t.name, Open: true, Brief: true}) {
		if err != nil {
			return 0, err
		}
		if link.MMD != "" && span.holds(link.Record) {
			ids = append(ids, link.Record)
		}
	}
	return len(ids), p.byID(ctx, t, ids, nil, report)
}

// byID reads records by id and observes them, as part of a reading if there is one.
func (p *Poller) byID(ctx context.Context, t table, ids []string, r *reading, report *Report) error {
	if len(ids) == 0 {
		return nil
	}
	ask := itsm.Ask{Table: t.name, Fields: t.fields, Display: t.display}
	for records, err := range batches(p.Desk.Records(ctx, ask, ids), batch) {
		if err != nil {
			return err
		}
		if err := p.observe(ctx, t, records, r, report); err != nil {
			return err
		}
	}
	return nil
}

// observe plans one batch of records and promises what they mean in one transaction. r is
// the reading that they are of, if it is one that may bring creates.
func (p *Poller) observe(ctx context.Context, t table, records []itsm.Record, r *reading, report *Report) error {
	report.Records += len(records)
	seen := p.Now()
	stories, err := p.stories(ctx, plan.LinkQuery{Records: idsOf(records), Kind: plan.TicketLink})
	if err != nil {
		return err
	}

	ahead, _ := p.Desk.Clock()
	var news []plan.Record
	for _, rec := range records {
		story := stories[rec.Value("sys_id")]
		quiet := story != nil && story.Link.Rev == rec.Value("sys_mod_count") && !p.Planner.Behind(story.Link, plan.OfRecord) && !p.Planner.Unseen(story.Link, row(rec))
		if quiet && (story.Link.MMD != "" || story.Link.ByHand) {
			continue
		}
		news = append(news, plan.Record{Table: t.name, Row: row(rec), Seen: seen, Ahead: ahead, Unsure: p.early(t, rec, seen)})
	}
	if err := p.complete(ctx, t, news, stories, report); err != nil {
		return err
	}
	promise := plan.Promise{At: seen}
	for _, rec := range news {
		promise.Add(p.decide(rec, stories[rec.ID()], report))
		if rec.Undecided && r != nil && !slices.Contains(r.undecided, rec.ID()) {
			r.undecided = append(r.undecided, rec.ID())
		}
	}
	if r != nil {
		p.brake(r, &promise, stories)
	}
	if promise.Empty() {
		return nil
	}
	added, err := p.promise(ctx, promise)
	report.unmapped(promise.Ops, added)
	if err == nil {
		report.held(promise.Holds)
	}
	return err
}

// early says that a record was read so soon after it moved that its journal may
// not show all of it yet: it is read again with the next poll, since the cursor
// stays one lag behind.
func (p *Poller) early(t table, rec itsm.Record, seen time.Time) bool {
	offset, known := p.Desk.Clock()
	moved, err := time.Parse(time.DateTime, rec.Value("sys_updated_on"))
	return len(t.journals) > 0 && known && err == nil && seen.Add(offset).Sub(moved) < lag
}

// decide plans one record: a linked one for its link, another one for the first
// rule that takes it.
func (p *Poller) decide(rec plan.Record, story *plan.Story, report *Report) plan.Promise {
	if rec.Undecided {
		return plan.Promise{}
	}
	if story != nil && story.Link.MMD != "" && story.Link.Ended.IsZero() {
		if rule := p.Planner.Rules.Ticket(story.Link.Rule); rule != nil {
			return p.Planner.LinkedRecord(rule, *story, rec)
		}
		return plan.Promise{}
	}
	rule, why, _ := p.Planner.Match(rec.Table, rec.Row)
	if story == nil && p.Planner.Over(rec) {
		return plan.Promise{} // closed, quiet and forgotten
	}
	if story != nil && story.Link.MMD != "" {
		if rule == nil || rec.Row["active"].Value == "false" {
			return plan.Promise{} // closed, and quiet
		}
		return p.Planner.Reopened(rule, why, *story, rec)
	}
	if rule == nil {
		report.skip(why)
		if story != nil {
			return p.Planner.Unwanted(*story, rec, why)
		}
		return plan.Promise{}
	}
	return p.Planner.NewRecord(rule, why, rec, story)
}

// complete reads what planning needs besides the rows: comments, the tickets that
// correlation_id names, and the tickets of referenced records.
func (p *Poller) complete(ctx context.Context, t table, news []plan.Record, stories map[string]*plan.Story, report *Report) error {
	var ids []string
	var names refused
	for i := range news {
		rec := &news[i]
		story := stories[rec.ID()]
		linked := story != nil && story.Link.MMD != "" && story.Link.Ended.IsZero()
		if rule, _, _ := p.Planner.Match(rec.Table, rec.Row); !linked && rule == nil {
			continue
		}
		ids = append(ids, rec.ID())
		named := rec.Row["correlation_id"].Value
		if known := story != nil && story.Link.MMD == named; !linked && !known && named != "" {
			found, err := p.ticketNamed(ctx, named, rec.Seen)
			if refused := names.take(named, err); refused != nil {
				return refused
			}
			if err != nil { // it is decided on when that can be known
				rec.Undecided = true
				continue
			}
			rec.Correlated = found
			if found != nil && p.claims != nil && p.Planner.Lost(*rec, story, *found) {
				p.Log.LogAttrs(ctx, slog.LevelError, "the ledger was set back: a record names a ticket of its own that it does not know", slog.String("record", rec.Number()), slog.String("ticket", found.ID))
				if err := p.setBack(ctx); err != nil {
					return err
				}
			}
		}
	}
	report.Unread = append(report.Unread, names.lines...)
	if err := p.comments(ctx, observed{t, news, ids, stories}, report); err != nil {
		return err
	}
	return p.ticketsOf(ctx, t.rules, news)
}

// ticketNamed looks up the ticket that a correlation_id names: none is no error.
func (p *Poller) ticketNamed(ctx context.Context, id string, seen time.Time) (*plan.Ticket, error) {
	found, err := p.Tickets.Get(ctx, id)
	if statusOf(err) == 404 || statusOf(err) == 400 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up what a correlation_id names: %w", err)
	}
	out := ticket(found, seen)
	return &out, nil
}

// ticketsOf answers ticket_of(path) for the records that use it.
func (p *Poller) ticketsOf(ctx context.Context, rules []*mapping.TicketRule, news []plan.Record) error {
	var paths []string
	for _, rule := range rules {
		paths = union(paths, rule.TicketRefs)
	}
	if len(paths) == 0 {
		return nil
	}
	for i := range news {
		of, _, err := p.ticketOf(ctx, paths, news[i].Row)
		if err != nil {
			return err
		}
		news[i].TicketOf = of
	}
	return nil
}

// ticketOf finds the tickets of referenced records, and whether one of them still
// owes its ticket.
func (p *Poller) ticketOf(ctx context.Context, paths []string, row mapping.Row) (of map[string]string, owed bool, err error) {
	of = map[string]string{}
	for _, path := range paths {
		id := row[path].Value
		if id == "" {
			continue
		}
		for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Records: []string{id}, Kind: plan.TicketLink}) {
			if err != nil {
				return nil, false, err
			}
			of[path] = link.MMD
			owed = owed || (link.MMD == "" && link.Ended.IsZero())
		}
	}
	return of, owed, nil
}

// stories reads links with their notes and ops, by record.
func (p *Poller) stories(ctx context.Context, q plan.LinkQuery) (map[string]*plan.Story, error) {
	byRecord, byLink := map[string]*plan.Story{}, map[string]*plan.Story{}
	var links []string
	for link, err := range p.Ledger.Links(ctx, q) {
		if err != nil {
			return nil, err
		}
		story := &plan.Story{Link: link}
		byRecord[link.Record], byLink[link.ID] = story, story
		links = append(links, link.ID)
	}
	if len(links) == 0 {
		return byRecord, nil
	}
	notes, err := p.Ledger.Notes(ctx, links)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		byLink[n.Link].Notes = append(byLink[n.Link].Notes, n)
	}
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Links: links, Brief: true}) {
		if err != nil {
			return nil, err
		}
		byLink[op.Link].Ops = append(byLink[op.Link].Ops, op)
	}
	return byRecord, nil
}

func (r *Report) skip(why string) {
	if r.Skipped == nil {
		r.Skipped = map[string]int{}
	}
	r.Skipped[why]++
}

func idsOf(records []itsm.Record) []string {
	out := make([]string, len(records))
	for i, rec := range records {
		out[i] = rec.Value("sys_id")
	}
	return out
}

func keys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
